//! Refused and interrupted bytes: kept in the quarantine, attached from there, and staged while it can take no file (CONTRACT 4).

use std::ffi::OsStr;
use std::fs;
use std::io::Read;

use mediafs::tree::request::{NameIn, RenameMode};
use words::refusal::Rule;

use super::instance::Instance;
use super::simulated_kernel::{Answer, At, Descriptor, How, Refusal};
use super::{DOC, NEW, NOTE, OLD, TMP, TOO_SMALL, kept, occupied, writer};

/// Runs `work` while the quarantine can take no file.
pub fn without_quarantine(instance: &Instance, work: impl FnOnce()) {
    let folder = instance.library().home.quarantine();
    fs::rename(&folder, folder.with_extension("away")).expect("moved away");
    work();
    fs::rename(folder.with_extension("away"), &folder).expect("moved back");
}

/// Checks that a draft that ends while the quarantine can take no file stays staged, and is quarantined by the next start.
fn waits_for_the_next_start(end: impl FnOnce(&Instance, Descriptor)) {
    let mut instance = occupied();
    let fd = instance.kernel().begin(writer(), NOTE, b"a text");
    without_quarantine(&instance, || end(&instance, fd));
    assert_eq!((kept(&instance), instance.files("staging")), (vec![], 1));
    assert_eq!(instance.library().counts.awaiting_quarantine(), (1, 6));
    instance.restart();
    assert_eq!((kept(&instance), instance.files("staging")), (vec![Rule::Interrupted], 0));
}

#[test]
fn an_abandoned_draft_without_a_quarantine_waits_for_the_next_start() {
    waits_for_the_next_start(|instance, _| instance.tree().open.writers.abandon());
}

#[test]
fn a_refusal_at_release_without_a_quarantine_waits_for_the_next_start() {
    waits_for_the_next_start(|instance, fd| {
        let kernel = instance.kernel();
        kernel.unlink(writer(), DOC).expect("removed");
        kernel.rmdir(writer(), "1").expect("removed");
        instance.tree().release(fd.fh);
    });
}

#[test]
fn refused_bytes_without_a_quarantine_are_dropped_once_the_writer_has_the_errno() {
    let instance = occupied();
    without_quarantine(&instance, || {
        let refused = instance.kernel().send(writer(), DOC, b"x");
        assert_eq!(refused, Err(TOO_SMALL));
    });
    assert_eq!((kept(&instance), instance.files("staging")), (vec![], 0));
}

/// `mv` of the only file in the quarantine onto a field.
pub fn retry(instance: &Instance, to: At) -> Answer<()> {
    let kept = instance.library().quarantine.list();
    assert_eq!(kept.len(), 1, "entries of the quarantine");
    take(instance, &kept[0].1.name, to)
}

/// `mv` of a file of the newest entry of the quarantine onto a field.
fn take(instance: &Instance, name: &str, to: At) -> Answer<()> {
    let kernel = instance.kernel();
    let id = instance.library().quarantine.list().pop().expect("an entry").0.to_string();
    let entry = kernel.walk(writer(), &[".mediafs", "quarantine", &id])?;
    let from = NameIn { parent: entry, name: OsStr::new(name) };
    let to = NameIn { parent: kernel.row(writer(), to.row)?, name: OsStr::new(to.name) };
    Ok(instance.tree().rename(writer(), from, to, RenameMode::Replace)?)
}

#[test]
fn the_reason_of_a_quarantined_file_cannot_be_attached() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.send(writer(), NOTE, b"%PDF-1.4 no text").expect_err("no text");
    let moved = take(&instance, "reason.json", DOC);
    assert_eq!(moved, Err(Refusal::NotPermitted));
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
}

#[test]
fn an_open_handle_of_scratch_cannot_write_to_bytes_attached_from_the_quarantine() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), TMP, NEW);
    kernel.unlink(writer(), DOC).expect("removed");
    kernel.rmdir(writer(), "1").expect("its scratch goes to the quarantine");
    kernel.mkdir(writer(), "1").expect("made again");
    take(&instance, TMP.name, DOC).expect("attached");
    kernel.write(fd, 0, b"THE").expect("the handle is open");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
}

#[test]
fn the_quarantine_has_a_copy_of_refused_scratch() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.send(writer(), TMP, b"x").expect("scratch");
    assert_eq!(kernel.mv(writer(), TMP, DOC), Err(TOO_SMALL));
    let fd = kernel.open(writer(), TMP, How::Update).expect("opened");
    kernel.write(fd, 0, b"y").expect("written");
    let (id, _) = instance.library().quarantine.list().pop().expect("an entry");
    let mut text = String::new();
    let mut bytes = instance.library().quarantine.open_bytes(id).expect("opened");
    bytes.read_to_string(&mut text).expect("read");
    assert_eq!(text, "x");
}
