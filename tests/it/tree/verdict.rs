//! Verdicts: when a draft is judged, and which bytes are refused (CONTRACT 2.4 to 2.6).

use std::ffi::OsStr;

use mediafs::tree::Error;
use mediafs::tree::request::AttributeMode;
use words::refusal::Rule;

use super::simulated_kernel::{At, How, Refusal, process};
use super::{DOC, NEW, NOTE, OLD, TOO_SMALL, kept, occupied, other, writer};
use crate::mount::picture;

const PIC: At = At { row: "1", name: "pic" };

#[test]
fn a_flush_repeats_the_last_verdict_until_there_are_new_bytes() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.open(writer(), DOC, How::Replace).expect("opened");
    assert_eq!(kernel.flush(writer(), fd), Ok(()), "without bytes there is no verdict");
    kernel.write(fd, 0, b"x").expect("written");
    assert_eq!(kernel.flush(writer(), fd), Err(TOO_SMALL));
    assert_eq!(kernel.flush(writer(), fd), Err(TOO_SMALL));
    assert_eq!(kept(&instance), [Rule::MinSize], "judged once");
    kernel.truncate(writer(), fd, 0).expect("emptied");
    kernel.write(fd, 0, NEW).expect("written");
    assert_eq!(kernel.flush(writer(), fd), Ok(()));
    assert_eq!(kernel.flush(writer(), fd), Ok(()));
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
}

#[test]
fn a_refused_draft_answers_every_write_fsync_and_flush_the_same() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.open(writer(), DOC, How::Replace).expect("opened");
    let too_big = Refusal::Rule(Rule::MaxSize);
    assert_eq!(kernel.write(fd, 0, &[b'z'; 65]), Err(too_big.clone()));
    assert_eq!(kernel.write(fd, 0, NEW), Err(too_big.clone()));
    assert_eq!(instance.tree().fsync(fd.fh).map_err(Refusal::from), Err(too_big.clone()));
    assert_eq!(kernel.truncate(writer(), fd, 5), Err(too_big.clone()));
    assert_eq!(kernel.close(writer(), fd), Err(too_big));
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    assert_eq!(kept(&instance), [], "incomplete bytes are not kept");
}

#[test]
fn an_emptied_field_starts_empty_for_the_next_writer_of_that_user_only() {
    let instance = occupied();
    let kernel = instance.kernel();
    let touched = kernel.open(writer(), DOC, How::Replace).expect("opened");
    kernel.close(writer(), touched).expect("no verdict");
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
    let stranger = kernel.open(process(2), DOC, How::Update).expect("opened");
    assert_eq!(kernel.read(stranger), Ok(OLD.to_vec()));
    let next = kernel.open(other(), DOC, How::Update).expect("opened");
    assert_eq!(kernel.read(next), Ok(Vec::new()));
}

#[test]
fn an_empty_close_on_a_free_field_leaves_a_listed_placeholder() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.open(writer(), NOTE, How::Replace).expect("opened");
    kernel.close(writer(), fd).expect("no verdict");
    assert_eq!(kernel.list(other(), "1"), Ok(vec!["doc".into(), "note".into()]));
    assert_eq!(kernel.seen(NOTE), Ok(Vec::new()));
    kernel.unlink(other(), NOTE).expect("removed");
    assert_eq!(kernel.seen(NOTE), Err(Refusal::NotFound));
}

#[test]
fn a_childs_close_answers_0_and_judges_nothing() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), DOC, b"x");
    assert_eq!(kernel.flush(other(), fd), Ok(()));
    assert_eq!(kept(&instance), []);
    assert_eq!(kernel.flush(writer(), fd), Err(TOO_SMALL));
}

#[test]
fn bytes_that_no_flush_has_judged_are_judged_at_release() {
    let instance = occupied();
    let kernel = instance.kernel();
    let fd = kernel.begin(writer(), DOC, b"x");
    instance.tree().release(fd.fh);
    assert_eq!(kept(&instance), [Rule::MinSize]);
    assert_eq!(kernel.seen(DOC), Ok(OLD.to_vec()));
}

/// `exiftool -overwrite_original_in_place`: for a moment the draft has the new beginning and the old rest.
#[test]
fn a_picture_written_over_another_is_judged_by_its_own_header() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.send(writer(), PIC, &picture::png(40, 30, 1)).expect("a picture");
    let mut gif = Vec::new();
    let mut encoder =
        gif::Encoder::new(&mut gif, 60, 50, &[0, 0, 0, 255, 255, 255]).expect("a header");
    let frame = gif::Frame::from_indexed_pixels(60, 50, vec![1; 60 * 50], None);
    encoder.write_frame(&frame).expect("a frame");
    drop(encoder);
    let fd = kernel.open(writer(), PIC, How::Update).expect("opened");
    let (begin, rest) = gif.split_at(6);
    kernel.write(fd, 0, begin).expect("the first bytes tell no size");
    kernel.write(fd, 6, rest).expect("written");
    kernel.truncate(writer(), fd, gif.len() as u64).expect("cut");
    kernel.close(writer(), fd).expect("taken");
    let stored = kernel.cat(writer(), PIC).expect("there");
    assert!(stored.starts_with(b"GIF89a"), "the new picture is stored");
}

#[test]
fn a_truncation_by_path_commits_before_it_returns_and_is_judged() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.truncate_path(writer(), DOC, 7).expect("taken");
    assert_eq!(kernel.seen(DOC), Ok(b"the old".to_vec()));
    assert_eq!(kernel.truncate_path(writer(), DOC, 2), Err(TOO_SMALL));
    assert_eq!(kernel.seen(DOC), Ok(b"the old".to_vec()));
}

#[test]
fn a_picture_that_is_cut_short_is_refused_and_the_old_one_stays() {
    let instance = occupied();
    let kernel = instance.kernel();
    let good = picture::png(40, 30, 1);
    kernel.send(writer(), PIC, &good).expect("a picture");
    let short = &picture::png(40, 30, 2)[..2000];
    let refused = kernel.send(writer(), PIC, short).expect_err("half a picture");
    assert!(matches!(refused, Refusal::Rule(Rule::Truncated | Rule::Corrupt)), "{refused:?}");
    let reader = kernel.open(other(), PIC, How::Read).expect("opened");
    let mut bytes = vec![0; good.len()];
    assert_eq!(instance.tree().read(reader.fh, 0, &mut bytes).expect("read"), good.len());
    assert!(bytes == good.0, "stored bit for bit");
}

#[test]
fn the_attributes_of_a_draft_are_bounded() {
    let instance = occupied();
    let fd = instance.kernel().open(writer(), NOTE, How::Replace).expect("opened");
    let set = |name: &str| {
        let value = vec![0; 40 << 10];
        instance.tree().setxattr(writer(), fd.ino, OsStr::new(name), &value, AttributeMode::Set)
    };
    set("user.one").expect("room");
    let full = set("user.two").expect_err("no room");
    assert!(matches!(full, Error::Refused(refusal) if refusal.rule() == Rule::Attributes));
    set("user.one").expect("the new value takes the room of the old");
}

#[test]
fn a_row_that_is_removed_under_a_draft_sends_the_bytes_to_the_quarantine() {
    let instance = occupied();
    let kernel = instance.kernel();
    kernel.unlink(other(), DOC).expect("removed");
    let fd = kernel.begin(writer(), DOC, NEW);
    kernel.rmdir(other(), "1").expect("removed");
    kernel.mkdir(other(), "1").expect("made again");
    assert_eq!(kernel.close(writer(), fd), Err(Refusal::Rule(Rule::RowGone)));
    assert_eq!(kept(&instance), [Rule::RowGone]);
    assert_eq!(kernel.list(other(), "1"), Ok(Vec::new()));
}
