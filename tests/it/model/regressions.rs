//! Regressions: each failure that the model or a reader of the code has found, as the shortest program.

use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::request::RenameMode;

use super::instance::{Backing, Instance};
use super::kernel::{Answer, At, How, Kernel, Refusal, process};

const DOC: At = At { row: "1", name: "doc" };
const NOTE: At = At { row: "1", name: "note" };
const TMP: At = At { row: "1", name: "tmp.part" };
const OTHER: At = At { row: "1", name: "other.part" };
const OLD: &[u8] = b"the old document";
const NEW: &[u8] = b"the new one";

fn instance() -> Instance {
    let instance = Instance::new(Backing::Memory);
    Kernel(instance.tree()).mkdir(process(0), "1").expect("a row");
    instance
}

fn seen(kernel: Kernel<'_>, at: At) -> Answer<Vec<u8>> {
    kernel.cat(process(9), at)
}

/// The draft whose name its writer had unlinked was found again by
/// the next `open`. The close answered 0 and the bytes were gone.
#[test]
fn a_field_that_is_opened_again_after_an_unlink_is_a_new_draft() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    let first = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(first, 0, OLD).expect("written");
    kernel.unlink(process(0), DOC).expect("discarded");
    kernel.send(process(0), DOC, NEW).expect("taken");
    assert_eq!(seen(kernel, DOC), Ok(NEW.to_vec()));
    kernel.close(process(0), first).expect("nothing to judge");
    assert_eq!(seen(kernel, DOC), Ok(NEW.to_vec()));
}

/// A draft was committed through a duplicate. Its name stayed after the writer had unlinked it.
#[test]
fn an_unlink_by_the_writer_after_its_commit_removes_the_attachment() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, NEW).expect("written");
    kernel.flush(process(0), fd).expect("taken");
    kernel.unlink(process(0), DOC).expect("removed");
    assert_eq!(seen(kernel, DOC), Err(Refusal::NotFound));
    kernel.close(process(0), fd).expect("nothing to judge");
    assert_eq!(seen(kernel, DOC), Err(Refusal::NotFound));
}

/// A committed draft was renamed away, and a file was made anew under its name. The new file began with the old bytes.
#[test]
fn a_field_that_is_made_anew_has_nothing_of_what_was_renamed_away() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, OLD).expect("written");
    kernel.flush(process(0), fd).expect("taken");
    kernel.rename(process(0), DOC, NOTE, RenameMode::Replace).expect("moved");
    assert_eq!(kernel.stat(process(0), DOC), Err(Refusal::NotFound));
    let anew = kernel.open(process(0), DOC, How::New).expect("free");
    kernel.write(anew, 0, b"short").expect("written");
    kernel.close(process(0), anew).expect("taken");
    assert_eq!(seen(kernel, DOC), Ok(b"short".to_vec()));
}

/// A second process removed an attachment. Its name was still shown, since
/// the committed draft of the first writer stood in for it while it was open.
#[test]
fn a_committed_draft_does_not_stand_in_for_what_was_removed() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, NEW).expect("written");
    kernel.flush(process(0), fd).expect("taken");
    kernel.unlink(process(1), DOC).expect("removed");
    assert_eq!(kernel.list(process(1), "1"), Ok(Vec::new()));
    assert_eq!(kernel.stat(process(1), DOC), Err(Refusal::NotFound));
}

/// The stored bytes were opened when they were first copied. By then the
/// blob could be replaced and swept, and the writer got an I/O error.
#[test]
fn a_draft_starts_from_bytes_that_were_swept_since() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    kernel.send(process(0), DOC, OLD).expect("taken");
    let fd = kernel.open(process(0), DOC, How::Update).expect("opened");
    kernel.send(process(1), DOC, NEW).expect("taken");
    instance.library().sweeper.sweep(Patience::None).expect("swept");
    assert_eq!(kernel.read(fd), Ok(OLD.to_vec()));
    kernel.write(fd, 0, b"THE").expect("written");
    kernel.close(process(0), fd).expect("taken");
    assert_eq!(seen(kernel, DOC), Ok(b"THE old document".to_vec()));
}

/// The attachment that a user had emptied was noted when the draft began. A commit
/// of the draft itself was not recognised, and the next writer began with its bytes.
#[test]
fn a_field_that_is_emptied_after_a_commit_starts_empty() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, OLD).expect("written");
    kernel.flush(process(0), fd).expect("taken");
    kernel.truncate(process(0), fd, 0).expect("emptied");
    kernel.close(process(0), fd).expect("no verdict");
    assert_eq!(seen(kernel, DOC), Ok(OLD.to_vec()));
    let next = kernel.open(process(1), DOC, How::Update).expect("opened");
    assert_eq!(kernel.read(next), Ok(Vec::new()));
}

/// A file that a writer had unlinked was put back and removed again.
/// When the discarded draft was closed, it was put back a second time.
#[test]
fn what_was_put_back_and_removed_again_stays_removed() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    kernel.send(process(0), DOC, OLD).expect("taken");
    kernel.unlink(process(0), DOC).expect("removed");
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, NEW).expect("written");
    kernel.unlink(process(0), DOC).expect("discarded");
    assert_eq!(seen(kernel, DOC), Ok(OLD.to_vec()));
    kernel.unlink(process(0), DOC).expect("removed");
    kernel.close(process(0), fd).expect("nothing to judge");
    assert_eq!(seen(kernel, DOC), Err(Refusal::NotFound));
}

/// A refusal put back what its writer had unlinked, and the last close did so again.
#[test]
fn what_a_refusal_put_back_is_put_back_once() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    kernel.send(process(0), DOC, OLD).expect("taken");
    kernel.unlink(process(0), DOC).expect("removed");
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, b"x").expect("written");
    kernel.flush(process(0), fd).expect_err("too small");
    assert_eq!(seen(kernel, DOC), Ok(OLD.to_vec()));
    kernel.unlink(process(1), DOC).expect("removed");
    kernel.close(process(0), fd).expect_err("the same verdict");
    assert_eq!(seen(kernel, DOC), Err(Refusal::NotFound));
}

/// `RENAME_EXCHANGE` of two scratch files deleted one: the catalogue's answer names the other file, which was taken for
/// a displaced one.
#[test]
fn scratch_that_is_exchanged_keeps_both_files() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    kernel.send(process(0), TMP, OLD).expect("scratch");
    kernel.send(process(0), OTHER, NEW).expect("scratch");
    kernel.rename(process(0), TMP, OTHER, RenameMode::Exchange).expect("exchanged");
    assert_eq!(seen(kernel, TMP), Ok(NEW.to_vec()));
    assert_eq!(seen(kernel, OTHER), Ok(OLD.to_vec()));
}

/// An open scratch file without a name answered ESTALE to `fstat` and `ftruncate`, as temporary files use them.
#[test]
fn scratch_that_is_unlinked_while_open_can_be_used_to_the_end() {
    let instance = instance();
    let kernel = Kernel(instance.tree());
    let fd = kernel.open(process(0), TMP, How::Replace).expect("opened");
    kernel.write(fd, 0, OLD).expect("written");
    kernel.unlink(process(0), TMP).expect("removed");
    kernel.truncate(process(0), fd, 3).expect("truncated");
    let attr = kernel.fstat(process(0), fd).expect("open");
    assert_eq!((attr.size, attr.links), (3, 0));
    assert_eq!(kernel.read(fd), Ok(b"the".to_vec()));
}

/// A draft was unlinked untouched and then written to. It had a name
/// in the staging folder again, and a crash sent it to the quarantine.
#[test]
fn an_unlinked_draft_that_is_written_to_leaves_nothing_to_a_crash() {
    let mut instance = Instance::new(Backing::Disk);
    let kernel = Kernel(instance.tree());
    kernel.mkdir(process(0), "1").expect("a row");
    let fd = kernel.open(process(0), DOC, How::Append).expect("opened");
    kernel.unlink(process(0), DOC).expect("discarded");
    kernel.truncate(process(0), fd, 1).expect("truncated");
    instance.crash();
    assert_eq!(instance.library().quarantine.list().len(), 0);
}
