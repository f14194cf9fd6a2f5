//! Scratch: renamed onto a field, written after that, and expired (CONTRACT 1 and 2.8).

use std::fs;
use std::os::unix::fs::symlink;

use words::refusal::Rule;
use words::timestamp::Timestamp;

use super::quarantined::{retry, without_quarantine};
use super::simulated_kernel::{How, Refusal, process};
use super::{DOC, NEW, NOTE, OLD, TMP, TOO_SMALL, kept, occupied, writer};
use crate::mount::library_files::below;

#[test]
fn a_refused_rename_of_scratch_leaves_both_names_as_they_were() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.send(writer(), TMP, b"x").expect("scratch");
    let renamed = kernel.mv(writer(), TMP, DOC);
    assert_eq!(renamed, Err(TOO_SMALL));
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    assert_eq!(kernel.seen(TMP), Ok(b"x".to_vec()));
}

#[test]
fn scratch_that_is_renamed_while_open_is_judged_as_it_stands() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), TMP, NEW);
    kernel.mv(writer(), TMP, DOC).expect("attached");
    kernel.write(fd, 0, b"THE").expect("written");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
    assert_eq!(kernel.seen(TMP), Err(Refusal::NotFound));
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(b"THE new one".to_vec()));
}

#[test]
fn only_its_user_renames_scratch_onto_a_field() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.send(writer(), TMP, NEW).expect("scratch");
    let stranger = process(2);
    assert_ne!(stranger.uid, writer().uid);
    let taken = kernel.mv(stranger, TMP, DOC);
    assert_eq!(taken, Err(Refusal::Denied));
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    kernel.mv(writer(), TMP, DOC).expect("its own");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
}

#[test]
fn a_write_to_refused_scratch_never_changes_bytes_attached_from_the_quarantine() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.send(writer(), TMP, b"%PDF-1.4 no text").expect("scratch");
    let refused = kernel.mv(writer(), TMP, NOTE);
    assert_eq!(refused, Err(Refusal::Rule(Rule::ContentTypes)));
    retry(&instance, DOC).expect("taken");
    let fd = kernel.open(writer(), TMP, How::Update).expect("opened");
    kernel.write(fd, 0, b"changed").expect("written");
    kernel.close(writer(), fd).expect("closed");
    assert_eq!(kernel.seen(DOC), Ok(b"%PDF-1.4 no text".to_vec()));
}

#[test]
fn a_write_to_expired_scratch_never_changes_bytes_attached_from_the_quarantine() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), TMP, NEW);
    instance.library().expiry.expire(Timestamp(i64::MAX)).expect("expired");
    retry(&instance, DOC).expect("taken");
    kernel.write(fd, 0, b"changed").expect("an open file takes bytes");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
}

#[test]
fn scratch_that_cannot_be_opened_does_not_count_as_removed() {
    let instance = occupied();
    instance.kernel().send(writer(), TMP, NEW).expect("scratch");
    let folder = instance.library().home.scratch();
    let file = below(&folder).remove(0);
    let aside = folder.with_extension("aside");
    fs::rename(&file, &aside).and_then(|()| symlink(&file, &file)).expect("a loop");
    instance.library().expiry.expire(Timestamp(i64::MAX)).expect("reported in the log");
    fs::remove_file(&file).and_then(|()| fs::rename(&aside, &file)).expect("back");
    assert_eq!(instance.kernel().seen(TMP), Ok(NEW.to_vec()));
    instance.library().expiry.expire(Timestamp(i64::MAX)).expect("expired");
    assert_eq!((kept(&instance), instance.files("scratch")), (vec![Rule::Expired], 0));
}

#[test]
fn an_open_file_that_the_quarantine_cannot_take_stays_scratch() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), TMP, NEW);
    without_quarantine(&instance, || {
        instance.library().expiry.expire(Timestamp(i64::MAX)).expect("reported in the log");
    });
    kernel.close(writer(), fd).expect("closed");
    assert_eq!(kernel.seen(TMP), Ok(NEW.to_vec()), "the file is still scratch");
}
