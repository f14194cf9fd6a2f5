//! Commits: what the writer, other writers and readers of a field see before and after (CONTRACT 2).

use std::ffi::OsStr;

use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::Error;

use super::simulated_kernel::{Descriptor, How, Refusal};
use super::{DOC, NEW, NOTE, OLD, kept, occupied, other, writer};

/// Two programs that append to one log: the name is free when the second looks it up, and taken when it creates the file.
#[test]
fn a_file_that_was_attached_between_lookup_and_create_is_opened_with_its_bytes() {
    let instance = occupied();
    let kernel = instance.kernel();
    let row = kernel.row(other(), "1").expect("a row");
    let create = |how: How| {
        let created = instance.tree().create(other(), row, OsStr::new("doc"), 0o644, how.flags());
        let (entry, opened) = created.expect("opened");
        Descriptor { fh: opened.fh, ino: entry.attr.ino }
    };
    let fd = create(How::Append);
    assert_eq!(kernel.read(fd), Ok(OLD.to_vec()));
    kernel.write(fd, OLD.len() as u64, NEW).expect("written");
    kernel.close(other(), fd).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok([OLD, NEW].concat()));
    let fd = create(How::Replace);
    assert_eq!(kernel.read(fd), Ok(Vec::new()));
    kernel.close(other(), fd).expect("closed");
}

/// The kernel sends the release of a `touch doc.csv` after its `close` has returned, and maybe after the next open.
#[test]
fn an_open_before_the_release_of_a_touched_alias_has_the_bytes_of_the_file() {
    let instance = occupied();
    let kernel = instance.kernel();
    let row = kernel.row(writer(), "1").expect("a row");
    let flags = How::Update.flags();
    let touched = instance.tree().create(writer(), row, OsStr::new("doc.csv"), 0o644, flags);
    let (_, touched) = touched.expect("opened");
    instance.tree().flush(writer(), touched.fh).expect("closed");
    let fd = kernel.open(writer(), DOC, How::Update).expect("opened");
    assert_eq!(kernel.read(fd), Ok(OLD.to_vec()));
    instance.tree().release(touched.fh);
    kernel.write(fd, OLD.len() as u64, NEW).expect("written");
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok([OLD, NEW].concat()));
}

#[test]
fn a_draft_has_an_inode_of_its_own_and_stat_by_path_shows_the_old_file() {
    let instance = occupied();
    let kernel = instance.kernel();
    let before = kernel.stat(writer(), DOC).expect("there");
    let fd = kernel.begin(writer(), DOC, NEW);
    assert_ne!(fd.ino, before.ino);
    assert_eq!(kernel.fstat(writer(), fd).expect("open").size, NEW.len() as u64);
    for who in [writer(), other()] {
        assert_eq!(kernel.stat(who, DOC), Ok(before));
    }
}

#[test]
fn a_handle_that_was_opened_before_the_commit_keeps_its_bytes() {
    let instance = occupied();
    let kernel = instance.kernel();
    let reader = kernel.open(other(), DOC, How::Read).expect("opened");
    kernel.send(writer(), DOC, NEW).expect("taken");
    instance.library().sweeper.sweep(Patience::None).expect("swept");
    assert_eq!(kernel.read(reader), Ok(OLD.to_vec()));
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
}

#[test]
fn a_commit_makes_a_new_inode_and_the_old_one_is_stale() {
    let instance = occupied();
    let kernel = instance.kernel();
    let old = kernel.stat(writer(), DOC).expect("there").ino;
    kernel.send(writer(), DOC, NEW).expect("taken");
    assert_ne!(kernel.stat(writer(), DOC).expect("there").ino, old);
    assert!(matches!(instance.tree().getattr(writer(), old, None), Err(Error::Stale)));
    let opened = instance.tree().open(other(), old, How::Read.flags());
    assert!(matches!(opened, Err(Error::Stale)));
}

#[test]
fn two_processes_that_write_one_field_never_mix_and_the_last_commit_wins() {
    let instance = occupied();
    let kernel = instance.kernel();
    let one = kernel.open(writer(), DOC, How::Update).expect("opened");
    let two = kernel.open(other(), DOC, How::Update).expect("opened");
    kernel.write(one, 0, b"AAA").expect("written");
    kernel.write(two, 4, b"BBB").expect("written");
    kernel.close(other(), two).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(b"the BBB document".to_vec()));
    kernel.close(writer(), one).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(b"AAA old document".to_vec()));
}

#[test]
fn opening_twice_in_one_process_is_one_draft() {
    let instance = occupied();
    let kernel = instance.kernel();
    let one = kernel.open(writer(), DOC, How::Update).expect("opened");
    let two = kernel.open(writer(), DOC, How::Update).expect("opened");
    assert_eq!(one.ino, two.ino);
    kernel.write(one, 0, b"AAA").expect("written");
    assert_eq!(kernel.read(two), Ok(b"AAA old document".to_vec()));
    assert_eq!(kernel.cat(writer(), DOC), Ok(b"AAA old document".to_vec()));
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
}

#[test]
fn another_process_cannot_truncate_a_first_draft() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), NOTE, b"one ");
    assert_eq!(kernel.truncate_path(other(), NOTE, 0), Err(Refusal::Busy));
    kernel.write(fd, 4, b"two").expect("written");
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(kernel.seen(NOTE), Ok(b"one two".to_vec()));
}

#[test]
fn writing_the_same_bytes_again_makes_no_new_blob_and_no_new_version() {
    let instance = occupied();
    let kernel = instance.kernel();
    let before = kernel.stat(writer(), DOC).expect("there").ino;
    kernel.send(other(), DOC, OLD).expect("taken");
    assert_eq!(kernel.stat(writer(), DOC).expect("there").ino, before);
    assert_eq!(instance.files("blobs"), 1);
}

#[test]
fn a_commit_freezes_the_bytes_and_later_writes_are_a_new_draft() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), DOC, NEW);
    kernel.flush(writer(), fd).expect("taken");
    kernel.write(fd, 0, b"THE").expect("written");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(b"THE new one".to_vec()));
}

#[test]
fn an_acknowledged_close_survives_a_crash() {
    let mut instance = occupied();
    instance.kernel().send(writer(), DOC, NEW).expect("taken");
    assert!(instance.crash());
    assert_eq!(instance.kernel().seen(DOC), Ok(NEW.to_vec()));
    assert_eq!(kept(&instance), []);
}
