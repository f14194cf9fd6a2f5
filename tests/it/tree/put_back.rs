//! Attachments that their writer unlinked before it replaced them: put back when the replacement fails (CONTRACT 2.11 and 2.12).

use words::refusal::Rule;

use super::simulated_kernel::{At, Refusal};
use super::{DOC, NEW, OLD, TMP, TOO_SMALL, kept, occupied, other, writer};

#[test]
fn an_unlinked_attachment_is_put_back_when_its_replacement_is_refused() {
    let instance = occupied();
    let kernel = instance.kernel();
    let before = kernel.stat(writer(), DOC).expect("there");
    kernel.unlink(writer(), DOC).expect("removed");
    assert_eq!(kernel.send(writer(), DOC, b"x"), Err(TOO_SMALL));
    assert_eq!(kernel.stat(writer(), DOC).map(|attr| attr.ino), Ok(before.ino));
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
}

#[test]
fn an_attachment_renamed_to_a_backup_is_put_back_when_its_replacement_is_refused() {
    let instance = occupied();
    let kernel = instance.kernel();
    let backup = At { row: "1", name: "doc~" };
    kernel.mv(writer(), DOC, backup).expect("a backup");
    assert_eq!(kernel.send(writer(), DOC, b"x"), Err(TOO_SMALL));
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    assert_eq!(kernel.seen(backup), Ok(OLD.to_vec()), "the backup stays too");
}

#[test]
fn an_unlinked_attachment_is_put_back_when_a_rename_onto_it_is_refused() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.send(writer(), TMP, b"x").expect("scratch");
    kernel.unlink(writer(), DOC).expect("removed");
    let renamed = kernel.mv(writer(), TMP, DOC);
    assert_eq!(renamed, Err(TOO_SMALL));
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    assert_eq!(kernel.seen(TMP), Ok(b"x".to_vec()));
}

#[test]
fn an_attachment_that_another_process_unlinked_stays_removed() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.unlink(other(), DOC).expect("removed");
    assert_eq!(kernel.send(writer(), DOC, b"x"), Err(TOO_SMALL));
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
}

#[test]
fn an_interrupted_replacement_is_quarantined_and_the_replaced_file_is_put_back() {
    let mut instance = occupied();
    let kernel = instance.kernel();
    kernel.unlink(writer(), DOC).expect("removed");
    let fd = kernel.begin(writer(), DOC, NEW);
    instance.tree().fsync(fd.fh).expect("durable");
    assert!(instance.crash());
    assert_eq!(kept(&instance), [Rule::Interrupted]);
    assert_eq!(instance.kernel().seen(DOC), Ok(OLD.to_vec()));
    assert_eq!(instance.files("staging"), 0);
}

#[test]
fn what_a_process_removed_stays_removed_when_it_removes_its_replacement_too() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.unlink(writer(), DOC).expect("removed");
    let fd = kernel.begin(writer(), DOC, NEW);
    kernel.unlink(writer(), DOC).expect("removed again");
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
    kernel.close(writer(), fd).expect("nothing is judged");
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
}

#[test]
fn an_unlink_by_the_owner_discards_the_draft_and_by_others_the_attachment_only() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), DOC, NEW);
    kernel.unlink(writer(), DOC).expect("discarded");
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    kernel.close(writer(), fd).expect("nothing is judged");
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));

    let fd = kernel.begin(writer(), DOC, NEW);
    kernel.unlink(other(), DOC).expect("removed");
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
}
