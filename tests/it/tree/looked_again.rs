//! Operations that are repeated after `ESTALE`: whatever happens between the lookup and the open, and however long that takes, the
//! second answer is no `ESTALE`.

use std::ffi::OsStr;

use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::request::{AttributeMode, Caller, SetAttr};
use mediafs::tree::{Error, Ino};

use super::instance::Instance;
use super::simulated_kernel::{Descriptor, How, Refusal, process};
use super::store_calls::{Counted, PIC};
use super::{DOC, NEW, OLD, occupied, other, writer};
use crate::mount::picture;
use words::attachment::Amendment;
use words::timestamp::Timestamp;

/// A thread of another pid namespace.
fn nameless() -> Caller {
    Caller { tid: 0, ..other() }
}

/// Opens an inode that was replaced, and looks the name up again, as the kernel does.
fn looked_again(instance: &Instance, who: Caller, how: How) -> Ino {
    let kernel = instance.kernel();
    let old = kernel.stat(who, DOC).expect("there").ino;
    kernel.send(writer(), DOC, NEW).expect("taken");
    let opened = instance.tree().open(who, old, how.flags());
    assert!(matches!(opened, Err(Error::Stale)));
    kernel.stat(who, DOC).expect("there").ino
}

fn opened(instance: &Instance, who: Caller, ino: Ino, how: How) -> Descriptor {
    let opened = instance.tree().open(who, ino, how.flags()).expect("opened");
    Descriptor { fh: opened.fh, ino }
}

const NEWEST: &[u8] = b"the newest document";

#[test]
fn a_reader_that_looked_again_has_what_it_found_though_that_was_replaced_since() {
    for who in [other(), nameless()] {
        let instance = occupied();
        let kernel = instance.kernel();
        let found = looked_again(&instance, who, How::Read);
        kernel.send(writer(), DOC, NEWEST).expect("taken");
        let old = opened(&instance, who, found, How::Read);
        assert_eq!(kernel.read(old), Ok(NEW.to_vec()));
        let (size, links) = (NEW.len() as u64, 0);
        let shown = kernel.fstat(who, old).expect("open");
        assert_eq!((shown.size, shown.links), (size, links));
        assert_eq!(kernel.cat(who, DOC), Ok(NEWEST.to_vec()));
    }
}

#[test]
fn a_reader_that_looked_again_has_the_newest_file_if_what_it_found_was_swept() {
    let instance = occupied();
    let kernel = instance.kernel();
    let found = looked_again(&instance, other(), How::Read);
    kernel.send(writer(), DOC, NEWEST).expect("taken");
    instance.library().sweeper.sweep(Patience::None).expect("swept");
    assert_eq!(kernel.read(opened(&instance, other(), found, How::Read)), Ok(NEWEST.to_vec()));
}

#[test]
fn a_writer_that_looked_again_has_a_draft_of_its_own_though_others_write_and_commit() {
    for who in [other(), nameless()] {
        let instance = occupied();
        let kernel = instance.kernel();
        let found = looked_again(&instance, who, How::Replace);
        let others = kernel.begin(writer(), DOC, b"not yet");
        let own = opened(&instance, who, found, How::Replace);
        kernel.write(own, 0, NEWEST).expect("written");
        assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
        kernel.close(writer(), others).expect("taken");
        kernel.close(who, own).expect("taken");
        assert_eq!(kernel.seen(DOC), Ok(NEWEST.to_vec()));
    }
}

/// A sibling thread closes the draft that a thread was led to.
#[test]
fn a_draft_that_ended_between_the_lookup_and_the_open_is_the_file_that_was_found() {
    let instance = occupied();
    let kernel = instance.kernel();
    let old = kernel.stat(other(), DOC).expect("there").ino;
    let own = kernel.begin(other(), DOC, NEW);
    assert!(matches!(instance.tree().open(other(), old, How::Read.flags()), Err(Error::Stale)));
    let found = kernel.stat(other(), DOC).expect("there").ino;
    assert_eq!(found, own.ino);
    kernel.close(other(), own).expect("taken");
    assert_eq!(kernel.read(opened(&instance, other(), found, How::Read)), Ok(OLD.to_vec()));
}

#[test]
fn what_a_thread_looked_up_again_is_renamed_amended_and_linked_as_any_file() {
    let instance = occupied();
    let kernel = instance.kernel();
    let found = looked_again(&instance, other(), How::Read);
    let tree = instance.tree();
    let (name, value) = (OsStr::new("user.note"), b"hello".as_slice());
    tree.setxattr(other(), found, name, value, AttributeMode::Set).expect("set");
    assert_eq!(tree.getxattr(other(), found, name).expect("there"), value);
    let change = SetAttr { size: Some(5), ..SetAttr::default() };
    tree.setattr(other(), found, None, change).expect("truncated");
    assert_eq!(kernel.seen(DOC), Ok(NEW[..5].to_vec()));
    let row = kernel.row(other(), "1").expect("a row");
    tree.link(other(), found, row, OsStr::new("note")).expect("linked");
    assert_eq!(kernel.stat(other(), DOC).expect("there").links, 2);
}

/// The kernel has checked the attributes of the file that the lookup found, which was the caller's.
#[test]
fn a_private_file_is_safe_from_a_thread_that_looked_its_own_up_where_it_is_now() {
    let instance = Instance::with_modes();
    let (kernel, tree, who) = (instance.kernel(), instance.tree(), process(2));
    let set = |who, ino, amendment| {
        tree.setattr(who, ino, None, SetAttr { amendment, ..SetAttr::default() }).map(drop)
    };
    let mode = |mode| Amendment { mode: Some(mode), ..Amendment::default() };
    let ino = |who| kernel.stat(who, DOC).expect("there").ino;
    kernel.send(who, DOC, OLD).expect("taken");
    set(who, ino(who), mode(0o666)).expect("its own");
    let found = looked_again(&instance, who, How::Read);
    set(who, found, mode(0o644)).expect("its own");
    kernel.unlink(writer(), DOC).expect("removed");
    kernel.send(writer(), DOC, NEWEST).expect("taken");
    set(writer(), ino(writer()), mode(0o600)).expect("its own");
    let before = kernel.stat(writer(), DOC).expect("there");
    assert_eq!((before.access.uid, before.access.mode), (writer().uid, 0o600));

    let (name, row) = (OsStr::new("user.note"), kernel.row(who, "1").expect("a row"));
    let owner = Amendment { uid: Some(who.uid), ..Amendment::default() };
    let times = Amendment { modified: Some(Timestamp::now()), ..Amendment::default() };
    let truncated = SetAttr { size: Some(5), ..SetAttr::default() };
    let attempts = [
        set(who, found, mode(0o777)),
        set(who, found, owner),
        set(who, found, times),
        tree.setattr(who, found, None, truncated).map(drop),
        tree.setxattr(who, found, name, b"x", AttributeMode::Set),
        tree.removexattr(who, found, name),
        tree.getxattr(who, found, OsStr::new("user.mediafs.hash")).map(drop),
        tree.listxattr(who, found).map(drop),
        tree.link(who, found, row, OsStr::new("note")).map(drop),
    ];
    for attempt in attempts {
        assert!(matches!(attempt, Err(Error::Denied)), "{attempt:?}");
    }
    assert_eq!(kernel.stat(writer(), DOC), Ok(before));
}

/// `/proc/self/fd/N`: the kernel opens the inode twice, and looks nothing up.
#[test]
fn an_inode_without_a_path_has_its_old_bytes_after_a_replacement_and_its_sweep() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.open(other(), DOC, How::Read).expect("opened");
    kernel.send(writer(), DOC, NEW).expect("taken");
    for _ in 0..2 {
        let again = instance.tree().open(other(), fd.ino, How::Read.flags());
        assert!(matches!(again, Err(Error::Stale)));
        assert_eq!(kernel.read(opened(&instance, other(), fd.ino, How::Read)), Ok(OLD.to_vec()));
        instance.library().sweeper.sweep(Patience::None).expect("swept");
    }
}

#[test]
fn a_first_draft_is_read_by_its_user_and_nobody_else_where_the_kernel_gives_no_thread() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.unlink(writer(), DOC).expect("removed");
    let draft = kernel.begin(nameless(), DOC, NEW);
    assert_eq!(kernel.cat(nameless(), DOC), Ok(NEW.to_vec()));
    for stranger in [Caller { uid: 77, ..nameless() }, Caller { tid: 7, ..nameless() }] {
        assert_eq!(kernel.cat(stranger, DOC), Err(Refusal::Busy));
    }
    let second = kernel.begin(nameless(), DOC, NEWEST);
    kernel.close(nameless(), second).expect("taken");
    kernel.close(nameless(), draft).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()), "two writers never mix");
}

#[test]
fn a_variant_that_a_thread_looked_up_again_is_that_of_the_picture_that_it_found() {
    let counted = Counted::new();
    let (kernel, who) = (counted.kernel(), counted.who);
    let replace = |seed| kernel.send(other(), PIC, &picture::png(20, 20, seed)).expect("taken");
    let walk = || kernel.walk(who, &["thumbs", "user", "1", "pic"]).expect("a directory");
    replace(1);
    let thumbs = walk();
    replace(2);
    let stale = kernel.lookup(who, thumbs, "w16.png");
    assert_eq!(stale.map(|entry| entry.attr.size), Err(Refusal::Other("Stale".into())));
    let found = walk();
    replace(3);
    let ino = kernel.lookup(who, found, "w16.png").expect("rendered").attr.ino;
    let opened = kernel.0.open(who, ino, How::Read.flags()).expect("opened");
    kernel.0.release(opened.fh);
    let later = kernel.lookup(who, found, "w16.png");
    assert_eq!(later.map(|entry| entry.attr.size), Err(Refusal::Other("Stale".into())));
}
