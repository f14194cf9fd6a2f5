//! Regressions: each failure that the model or a review of the code has found, as the shortest program.

use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::request::RenameMode;

use crate::tree::instance::{Backing, Instance};
use crate::tree::simulated_kernel::{At, How, Refusal, process};
use crate::tree::{DOC, NEW, NOTE, OLD, TMP};
use words::refusal::Rule;

const OTHER: At = At { row: "1", name: "other.part" };

/// The next `open` found the draft that its writer had unlinked. The close answered 0 and the bytes were lost.
#[test]
fn a_field_that_is_opened_again_after_an_unlink_is_a_new_draft() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    let first = kernel.begin(process(0), DOC, OLD);
    kernel.unlink(process(0), DOC).expect("discarded");
    kernel.send(process(0), DOC, NEW).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
    kernel.close(process(0), first).expect("nothing is judged");
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
}

/// The name of a draft that was committed through a duplicate stayed after its writer had unlinked it.
#[test]
fn an_unlink_by_the_writer_after_its_commit_removes_the_attachment() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    let fd = kernel.begin(process(0), DOC, NEW);
    kernel.flush(process(0), fd).expect("taken");
    kernel.unlink(process(0), DOC).expect("removed");
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
    kernel.close(process(0), fd).expect("nothing is judged");
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
}

/// A committed draft was renamed away and a file was made under its name. The new file began with the old bytes.
#[test]
fn a_field_that_is_made_anew_has_no_bytes_of_the_file_that_was_renamed_away() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    let fd = kernel.begin(process(0), DOC, OLD);
    kernel.flush(process(0), fd).expect("taken");
    kernel.mv(process(0), DOC, NOTE).expect("moved");
    assert_eq!(kernel.stat(process(0), DOC), Err(Refusal::NotFound));
    let anew = kernel.open(process(0), DOC, How::New).expect("free");
    kernel.write(anew, 0, b"short").expect("written");
    kernel.close(process(0), anew).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(b"short".to_vec()));
}

/// A second process removed an attachment. Its name was still shown, as that of the committed draft of the first writer, which was
/// open.
#[test]
fn a_removed_attachment_is_not_shown_as_its_open_committed_draft() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    let fd = kernel.begin(process(0), DOC, NEW);
    kernel.flush(process(0), fd).expect("taken");
    kernel.unlink(process(1), DOC).expect("removed");
    assert_eq!(kernel.list(process(1), "1"), Ok(Vec::new()));
    assert_eq!(kernel.stat(process(1), DOC), Err(Refusal::NotFound));
}

/// A draft opened the stored bytes at its first write. By then the blob could be replaced and swept, and the writer got EIO.
#[test]
fn a_draft_starts_from_bytes_that_were_swept_after_its_open() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    kernel.send(process(0), DOC, OLD).expect("taken");
    let fd = kernel.open(process(0), DOC, How::Update).expect("opened");
    kernel.send(process(1), DOC, NEW).expect("taken");
    instance.library().sweeper.sweep(Patience::None).expect("swept");
    assert_eq!(kernel.read(fd), Ok(OLD.to_vec()));
    kernel.write(fd, 0, b"THE").expect("written");
    kernel.close(process(0), fd).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(b"THE old document".to_vec()));
}

/// A truncation was noted for the attachment under which the draft had begun. After a commit of the draft itself the next writer
/// began with its bytes.
#[test]
fn a_field_that_is_emptied_after_a_commit_starts_empty() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    let fd = kernel.begin(process(0), DOC, OLD);
    kernel.flush(process(0), fd).expect("taken");
    kernel.truncate(process(0), fd, 0).expect("emptied");
    kernel.close(process(0), fd).expect("no verdict");
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    let next = kernel.open(process(1), DOC, How::Update).expect("opened");
    assert_eq!(kernel.read(next), Ok(Vec::new()));
}

/// The unlink of a draft put back the file that its writer had unlinked before, and the close of the discarded draft did so again.
#[test]
fn a_file_that_its_writer_removed_twice_stays_removed() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    kernel.send(process(0), DOC, OLD).expect("taken");
    kernel.unlink(process(0), DOC).expect("removed");
    let fd = kernel.begin(process(0), DOC, NEW);
    kernel.unlink(process(0), DOC).expect("discarded");
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
    kernel.close(process(0), fd).expect("nothing is judged");
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
}

/// A refusal put back the file that its writer had unlinked, and the last close did so again.
#[test]
fn a_refusal_puts_an_unlinked_file_back_once() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    kernel.send(process(0), DOC, OLD).expect("taken");
    kernel.unlink(process(0), DOC).expect("removed");
    let fd = kernel.begin(process(0), DOC, b"x");
    kernel.flush(process(0), fd).expect_err("too small");
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    kernel.unlink(process(1), DOC).expect("removed");
    kernel.close(process(0), fd).expect_err("the same verdict");
    assert_eq!(kernel.seen(DOC), Err(Refusal::NotFound));
}

/// `RENAME_EXCHANGE` of two scratch files deleted one: the other file in the catalogue's answer counted as replaced.
#[test]
fn scratch_that_is_exchanged_keeps_both_files() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    kernel.send(process(0), TMP, OLD).expect("scratch");
    kernel.send(process(0), OTHER, NEW).expect("scratch");
    kernel.rename(process(0), TMP, OTHER, RenameMode::Exchange).expect("exchanged");
    assert_eq!(kernel.seen(TMP), Ok(NEW.to_vec()));
    assert_eq!(kernel.seen(OTHER), Ok(OLD.to_vec()));
}

/// `fstat` and `ftruncate` of an open scratch file without a name were ESTALE, though temporary files use them.
#[test]
fn scratch_that_is_unlinked_while_open_can_be_used_to_the_end() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    let fd = kernel.begin(process(0), TMP, OLD);
    kernel.unlink(process(0), TMP).expect("removed");
    kernel.truncate(process(0), fd, 3).expect("truncated");
    let attr = kernel.fstat(process(0), fd).expect("open");
    assert_eq!((attr.size, attr.links), (3, 0));
    assert_eq!(kernel.read(fd), Ok(b"the".to_vec()));
}

/// A draft that was unlinked and then written had a name in the staging folder again, and a crash sent it to the quarantine.
#[test]
fn an_unlinked_draft_that_is_written_to_leaves_nothing_to_a_crash() {
    let mut instance = Instance::with_row(Backing::Disk);
    let kernel = instance.kernel();
    let fd = kernel.open(process(0), DOC, How::Append).expect("opened");
    kernel.unlink(process(0), DOC).expect("discarded");
    kernel.truncate(process(0), fd, 1).expect("truncated");
    instance.crash();
    assert_eq!(instance.library().quarantine.list().len(), 0);
}

/// A draft that its writer had unlinked counted among the items of its list until its last handle was closed.
#[test]
fn an_unlinked_draft_takes_the_place_of_no_item() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    let item = |name| At { row: "1", name };
    kernel.begin(process(1), item("list/a"), OLD);
    kernel.unlink(process(1), item("list/a")).expect("discarded");
    kernel.begin(process(0), item("list/b"), OLD);
    kernel.open(process(0), item("list/c"), How::Append).expect("two items are allowed");
    let full = kernel.open(process(0), item("list/d"), How::Append).map(drop);
    assert_eq!(full, Err(Refusal::Rule(Rule::MaxItems)));
}
