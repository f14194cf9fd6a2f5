//! What went wrong once: each failure that the model or a reader of the code found, told as the shortest program.
//! Does not repeat the laws of `draft`.

use mediafs::library::sweep::Patience;
use mediafs::tree::request::RenameMode;

use super::house::{Backing, House};
use super::kernel::{Answer, At, How, Kernel, Refusal, process};

const DOC: At = At { row: "1", name: "doc" };
const NOTE: At = At { row: "1", name: "note" };
const TMP: At = At { row: "1", name: "tmp.part" };
const OTHER: At = At { row: "1", name: "other.part" };
const OLD: &[u8] = b"the old document";
const NEW: &[u8] = b"the new one";

fn house() -> House {
    let house = House::new(Backing::Memory);
    Kernel(house.tree()).mkdir(process(0), "1").expect("a row");
    house
}

fn seen(kernel: Kernel<'_>, at: At) -> Answer<Vec<u8>> {
    kernel.cat(process(9), at)
}

/// The draft whose name its writer had unlinked was found again by the next `open`: the close answered 0 and the bytes
/// were gone.
#[test]
fn a_field_that_is_opened_again_after_an_unlink_is_a_new_draft() {
    let house = house();
    let kernel = Kernel(house.tree());
    let first = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(first, 0, OLD).expect("written");
    kernel.unlink(process(0), DOC).expect("discarded");
    kernel.send(process(0), DOC, NEW).expect("taken");
    assert_eq!(seen(kernel, DOC), Ok(NEW.to_vec()));
    kernel.close(process(0), first).expect("nothing to judge");
    assert_eq!(seen(kernel, DOC), Ok(NEW.to_vec()));
}

/// The name of a draft that was committed through a duplicate stayed after its writer had unlinked it.
#[test]
fn an_unlink_by_the_writer_after_its_commit_removes_the_attachment() {
    let house = house();
    let kernel = Kernel(house.tree());
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, NEW).expect("written");
    kernel.flush(process(0), fd).expect("taken");
    kernel.unlink(process(0), DOC).expect("removed");
    assert_eq!(seen(kernel, DOC), Err(Refusal::NotFound));
    kernel.close(process(0), fd).expect("nothing to judge");
    assert_eq!(seen(kernel, DOC), Err(Refusal::NotFound));
}

/// A file made anew under the name of a committed draft that had been renamed away began with the old bytes: what was
/// longer than the new ones followed them.
#[test]
fn a_field_that_is_made_anew_has_nothing_of_what_was_renamed_away() {
    let house = house();
    let kernel = Kernel(house.tree());
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

/// The name of an attachment that a second process had removed was still shown: the first writer's draft, committed
/// long ago, stood in for it as long as it was open.
#[test]
fn a_committed_draft_does_not_stand_in_for_what_was_removed() {
    let house = house();
    let kernel = Kernel(house.tree());
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, NEW).expect("written");
    kernel.flush(process(0), fd).expect("taken");
    kernel.unlink(process(1), DOC).expect("removed");
    assert_eq!(kernel.list(process(1), "1"), Ok(Vec::new()));
    assert_eq!(kernel.stat(process(1), DOC), Err(Refusal::NotFound));
}

/// The stored bytes were opened when they were first copied; by then the blob could be replaced and swept, and the
/// writer was told of an I/O error.
#[test]
fn a_draft_starts_from_bytes_that_were_swept_since() {
    let house = house();
    let kernel = Kernel(house.tree());
    kernel.send(process(0), DOC, OLD).expect("taken");
    let fd = kernel.open(process(0), DOC, How::Update).expect("opened");
    kernel.send(process(1), DOC, NEW).expect("taken");
    house.library().sweep(Patience::None).expect("swept");
    assert_eq!(kernel.read(fd), Ok(OLD.to_vec()));
    kernel.write(fd, 0, b"THE").expect("written");
    kernel.close(process(0), fd).expect("taken");
    assert_eq!(seen(kernel, DOC), Ok(b"THE old document".to_vec()));
}

/// Which attachment a user had emptied was noted when the draft began: what the draft itself had committed since was
/// not recognised, and the next writer began with it.
#[test]
fn a_field_that_is_emptied_after_a_commit_starts_empty() {
    let house = house();
    let kernel = Kernel(house.tree());
    let fd = kernel.open(process(0), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, OLD).expect("written");
    kernel.flush(process(0), fd).expect("taken");
    kernel.truncate(process(0), fd, 0).expect("emptied");
    kernel.close(process(0), fd).expect("no verdict");
    assert_eq!(seen(kernel, DOC), Ok(OLD.to_vec()));
    let next = kernel.open(process(1), DOC, How::Update).expect("opened");
    assert_eq!(kernel.read(next), Ok(Vec::new()));
}

/// What a writer had unlinked was put back once more when its discarded draft was closed, although it had been removed
/// again meanwhile.
#[test]
fn what_was_put_back_and_removed_again_stays_removed() {
    let house = house();
    let kernel = Kernel(house.tree());
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

/// The same with a refusal: its verdict puts back what was unlinked, and the last close did so again.
#[test]
fn what_a_refusal_put_back_is_put_back_once() {
    let house = house();
    let kernel = Kernel(house.tree());
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

/// `RENAME_EXCHANGE` of two scratch files deleted the bytes of one: the catalogue's answer names the other file, and
/// that was taken for a displaced one.
#[test]
fn scratch_that_is_exchanged_keeps_both_files() {
    let house = house();
    let kernel = Kernel(house.tree());
    kernel.send(process(0), TMP, OLD).expect("scratch");
    kernel.send(process(0), OTHER, NEW).expect("scratch");
    kernel.rename(process(0), TMP, OTHER, RenameMode::Exchange).expect("exchanged");
    assert_eq!(seen(kernel, TMP), Ok(NEW.to_vec()));
    assert_eq!(seen(kernel, OTHER), Ok(OLD.to_vec()));
}

/// An open scratch file whose name was gone answered ESTALE to `fstat` and `ftruncate`: the classic temporary file.
#[test]
fn scratch_that_is_unlinked_while_open_can_be_used_to_the_end() {
    let house = house();
    let kernel = Kernel(house.tree());
    let fd = kernel.open(process(0), TMP, How::Replace).expect("opened");
    kernel.write(fd, 0, OLD).expect("written");
    kernel.unlink(process(0), TMP).expect("removed");
    kernel.truncate(process(0), fd, 3).expect("truncated");
    let attr = kernel.fstat(process(0), fd).expect("open");
    assert_eq!((attr.size, attr.links), (3, 0));
    assert_eq!(kernel.read(fd), Ok(b"the".to_vec()));
}

/// A draft that its writer had unlinked untouched, and written to then, had a name in the staging folder again: a crash sent to
/// the quarantine what nobody wanted any more.
#[test]
fn an_unlinked_draft_that_is_written_to_leaves_nothing_to_a_crash() {
    let mut house = House::new(Backing::Disk);
    let kernel = Kernel(house.tree());
    kernel.mkdir(process(0), "1").expect("a row");
    let fd = kernel.open(process(0), DOC, How::Append).expect("opened");
    kernel.unlink(process(0), DOC).expect("discarded");
    kernel.truncate(process(0), fd, 1).expect("truncated");
    house.crash();
    assert_eq!(house.library().quarantine().list().len(), 0);
}
