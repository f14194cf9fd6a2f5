//! Drafts without a kernel: sentences of CONTRACT 2 on the tree, over a
//! disk that can crash. `mount/draft` has those that need a real mount.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;

use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::request::{AttributeMode, NameIn, RenameMode};
use mediafs::tree::{Caller, Error, Ino};
use words::refusal::Rule;
use words::timestamp::Timestamp;

use super::model::instance::{Backing, Instance};
use super::model::kernel::{At, Descriptor, How, Kernel, Refusal, process};
use super::mount::picture;

const DOC: At = At { row: "1", name: "doc" };
const NOTE: At = At { row: "1", name: "note" };
const PIC: At = At { row: "1", name: "pic" };
const TMP: At = At { row: "1", name: "tmp.part" };
const OLD: &[u8] = b"the old document";
const NEW: &[u8] = b"the new one";
const TOO_SMALL: Refusal = Refusal::Rule(Rule::MinSize);

/// A library with a row that has an old document.
fn occupied() -> Instance {
    let instance = Instance::new(Backing::Disk);
    let kernel = Kernel(instance.tree());
    kernel.mkdir(writer(), "1").expect("a row");
    kernel.send(writer(), DOC, OLD).expect("taken");
    instance
}

fn writer() -> Caller {
    process(0)
}

/// Another process of the writer's user.
fn other() -> Caller {
    process(1)
}

fn open(instance: &Instance, who: Caller, at: At, how: How) -> Descriptor {
    Kernel(instance.tree()).open(who, at, how).expect("opened")
}

fn stored(instance: &Instance, at: At) -> Result<Vec<u8>, Refusal> {
    Kernel(instance.tree()).cat(process(9), at)
}

fn kept(instance: &Instance) -> Vec<Rule> {
    instance.library().quarantine.list().into_iter().map(|(_, kept)| kept.rule).collect()
}

/// The name was free when the program looked it up, and taken when
/// it created the file, as with two programs that append to one log.
#[test]
fn a_file_that_was_attached_since_the_program_looked_is_opened_and_not_begun_anew() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
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
    assert_eq!(stored(&instance, DOC), Ok([OLD, NEW].concat()));
    let fd = create(How::Replace);
    assert_eq!(kernel.read(fd), Ok(Vec::new()));
    kernel.close(other(), fd).expect("closed");
}

/// The kernel sends the release of a `touch doc.csv` after `close` has returned, so the program's next open may come before it.
#[test]
fn what_was_touched_under_an_alias_begins_nothing_under_the_name_of_the_file() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let row = kernel.row(writer(), "1").expect("a row");
    let flags = How::Update.flags();
    let touched = instance.tree().create(writer(), row, OsStr::new("doc.csv"), 0o644, flags);
    let (_, touched) = touched.expect("opened");
    instance.tree().flush(writer(), touched.fh).expect("closed");
    let fd = open(&instance, writer(), DOC, How::Update);
    assert_eq!(kernel.read(fd), Ok(OLD.to_vec()));
    instance.tree().release(touched.fh);
    kernel.write(fd, OLD.len() as u64, NEW).expect("written");
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(stored(&instance, DOC), Ok([OLD, NEW].concat()));
}

#[test]
fn a_draft_has_an_inode_of_its_own_and_stat_by_path_shows_the_old_file() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let before = kernel.stat(writer(), DOC).expect("there");
    let fd = open(&instance, writer(), DOC, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    assert_ne!(fd.ino, before.ino);
    assert_eq!(kernel.fstat(writer(), fd).expect("open").size, NEW.len() as u64);
    for who in [writer(), other()] {
        assert_eq!(kernel.stat(who, DOC), Ok(before));
    }
}

#[test]
fn a_handle_that_was_opened_before_the_commit_keeps_its_bytes() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let reader = open(&instance, other(), DOC, How::Read);
    kernel.send(writer(), DOC, NEW).expect("taken");
    instance.library().sweeper.sweep(Patience::None).expect("swept");
    assert_eq!(kernel.read(reader), Ok(OLD.to_vec()));
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
}

#[test]
fn a_commit_makes_a_new_inode_and_the_old_one_is_stale() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let old = kernel.stat(writer(), DOC).expect("there").ino;
    kernel.send(writer(), DOC, NEW).expect("taken");
    assert_ne!(kernel.stat(writer(), DOC).expect("there").ino, old);
    assert!(matches!(instance.tree().getattr(writer(), old, None), Err(Error::Stale)));
    let opened = instance.tree().open(writer(), old, How::Read.flags());
    assert!(matches!(opened, Err(Error::Stale)));
}

#[test]
fn two_processes_that_write_one_field_never_mix_and_the_last_commit_wins() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let (one, two) =
        (open(&instance, writer(), DOC, How::Update), open(&instance, other(), DOC, How::Update));
    kernel.write(one, 0, b"AAA").expect("written");
    kernel.write(two, 4, b"BBB").expect("written");
    kernel.close(other(), two).expect("taken");
    assert_eq!(stored(&instance, DOC), Ok(b"the BBB document".to_vec()));
    kernel.close(writer(), one).expect("taken");
    assert_eq!(stored(&instance, DOC), Ok(b"AAA old document".to_vec()));
}

#[test]
fn opening_twice_in_one_process_is_one_draft() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let one = open(&instance, writer(), DOC, How::Update);
    let two = open(&instance, writer(), DOC, How::Update);
    assert_eq!(one.ino, two.ino);
    kernel.write(one, 0, b"AAA").expect("written");
    assert_eq!(kernel.read(two), Ok(b"AAA old document".to_vec()));
    assert_eq!(kernel.cat(writer(), DOC), Ok(b"AAA old document".to_vec()));
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
}

#[test]
fn a_flush_repeats_the_last_verdict_until_there_are_new_bytes() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), DOC, How::Replace);
    assert_eq!(kernel.flush(writer(), fd), Ok(()), "there was none yet");
    kernel.write(fd, 0, b"x").expect("written");
    assert_eq!(kernel.flush(writer(), fd), Err(TOO_SMALL));
    assert_eq!(kernel.flush(writer(), fd), Err(TOO_SMALL));
    assert_eq!(kept(&instance), [Rule::MinSize], "judged once");
    kernel.truncate(writer(), fd, 0).expect("emptied");
    kernel.write(fd, 0, NEW).expect("written");
    assert_eq!(kernel.flush(writer(), fd), Ok(()));
    assert_eq!(kernel.flush(writer(), fd), Ok(()));
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
}

#[test]
fn a_refused_draft_answers_every_write_fsync_and_flush_the_same() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), DOC, How::Replace);
    let too_big = Refusal::Rule(Rule::MaxSize);
    assert_eq!(kernel.write(fd, 0, &[b'z'; 65]), Err(too_big.clone()));
    assert_eq!(kernel.write(fd, 0, NEW), Err(too_big.clone()));
    assert_eq!(instance.tree().fsync(fd.fh).map_err(Refusal::from), Err(too_big.clone()));
    assert_eq!(kernel.truncate(writer(), fd, 5), Err(too_big.clone()));
    assert_eq!(kernel.close(writer(), fd), Err(too_big));
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
    assert_eq!(kept(&instance), [], "what was not complete is not kept");
}

#[test]
fn an_emptied_field_starts_empty_for_the_next_writer_of_that_user_only() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let touched = open(&instance, writer(), DOC, How::Replace);
    kernel.close(writer(), touched).expect("no verdict");
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
    let stranger = open(&instance, process(2), DOC, How::Update);
    assert_eq!(kernel.read(stranger), Ok(OLD.to_vec()));
    let next = open(&instance, other(), DOC, How::Update);
    assert_eq!(kernel.read(next), Ok(Vec::new()));
}

#[test]
fn an_empty_close_on_a_free_field_leaves_a_listed_placeholder() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), NOTE, How::Replace);
    kernel.close(writer(), fd).expect("no verdict");
    assert_eq!(kernel.list(other(), "1"), Ok(vec!["doc".into(), "note".into()]));
    assert_eq!(stored(&instance, NOTE), Ok(Vec::new()));
    kernel.unlink(other(), NOTE).expect("removed");
    assert_eq!(stored(&instance, NOTE), Err(Refusal::NotFound));
}

#[test]
fn writing_the_same_bytes_again_makes_no_new_blob_and_no_new_version() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let before = kernel.stat(writer(), DOC).expect("there").ino;
    kernel.send(other(), DOC, OLD).expect("taken");
    assert_eq!(kernel.stat(writer(), DOC).expect("there").ino, before);
    assert_eq!(instance.files("blobs"), 1);
}

#[test]
fn a_commit_freezes_the_bytes_and_later_writes_are_a_new_draft() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), DOC, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    kernel.flush(writer(), fd).expect("taken");
    kernel.write(fd, 0, b"THE").expect("written");
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(stored(&instance, DOC), Ok(b"THE new one".to_vec()));
}

#[test]
fn a_childs_close_answers_0_and_judges_nothing() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), DOC, How::Replace);
    kernel.write(fd, 0, b"x").expect("written");
    assert_eq!(kernel.flush(other(), fd), Ok(()));
    assert_eq!(kept(&instance), []);
    assert_eq!(kernel.flush(writer(), fd), Err(TOO_SMALL));
}

#[test]
fn what_no_flush_has_judged_is_judged_at_release() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), DOC, How::Replace);
    kernel.write(fd, 0, b"x").expect("written");
    instance.tree().release(fd.fh);
    assert_eq!(kept(&instance), [Rule::MinSize]);
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
}

#[test]
fn what_was_unlinked_first_is_put_back_when_its_replacement_is_refused() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let before = kernel.stat(writer(), DOC).expect("there");
    kernel.unlink(writer(), DOC).expect("removed");
    assert_eq!(kernel.send(writer(), DOC, b"x"), Err(TOO_SMALL));
    assert_eq!(kernel.stat(writer(), DOC).map(|attr| attr.ino), Ok(before.ino));
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
}

#[test]
fn what_was_renamed_away_first_is_put_back_when_its_replacement_is_refused() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let backup = At { row: "1", name: "doc~" };
    kernel.rename(writer(), DOC, backup, RenameMode::Replace).expect("a backup");
    assert_eq!(kernel.send(writer(), DOC, b"x"), Err(TOO_SMALL));
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
    assert_eq!(stored(&instance, backup), Ok(OLD.to_vec()), "the backup stays, too");
}

#[test]
fn what_was_unlinked_first_is_put_back_when_the_rename_onto_it_is_refused() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.send(writer(), TMP, b"x").expect("scratch");
    kernel.unlink(writer(), DOC).expect("removed");
    let renamed = kernel.rename(writer(), TMP, DOC, RenameMode::Replace);
    assert_eq!(renamed, Err(TOO_SMALL));
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
    assert_eq!(stored(&instance, TMP), Ok(b"x".to_vec()));
}

/// `exiftool -overwrite_original_in_place`: for a moment a new beginning stands before the old bytes.
#[test]
fn what_is_written_over_stored_bytes_is_judged_by_what_was_sent() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.send(writer(), PIC, &picture::png(40, 30, 1)).expect("a picture");
    let mut gif = Vec::new();
    let mut encoder =
        gif::Encoder::new(&mut gif, 60, 50, &[0, 0, 0, 255, 255, 255]).expect("a header");
    let frame = gif::Frame::from_indexed_pixels(60, 50, vec![1; 60 * 50], None);
    encoder.write_frame(&frame).expect("a frame");
    drop(encoder);
    let fd = open(&instance, writer(), PIC, How::Update);
    let (begin, rest) = gif.split_at(6);
    kernel.write(fd, 0, begin).expect("no size is told yet");
    kernel.write(fd, 6, rest).expect("written");
    kernel.truncate(writer(), fd, gif.len() as u64).expect("cut");
    kernel.close(writer(), fd).expect("taken");
    let stored = kernel.cat(writer(), PIC).expect("there");
    assert!(stored.starts_with(b"GIF89a"), "the new picture");
}

#[test]
fn what_another_process_unlinked_stays_removed() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.unlink(other(), DOC).expect("removed");
    assert_eq!(kernel.send(writer(), DOC, b"x"), Err(TOO_SMALL));
    assert_eq!(stored(&instance, DOC), Err(Refusal::NotFound));
}

#[test]
fn an_interrupted_replacement_is_quarantined_and_what_it_replaced_is_put_back() {
    let mut instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.unlink(writer(), DOC).expect("removed");
    let fd = open(&instance, writer(), DOC, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    instance.tree().fsync(fd.fh).expect("durable");
    assert!(instance.crash());
    assert_eq!(kept(&instance), [Rule::Interrupted]);
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
    assert_eq!(instance.files("staging"), 0);
}

#[test]
fn what_close_acknowledged_survives_a_crash() {
    let mut instance = occupied();
    Kernel(instance.tree()).send(writer(), DOC, NEW).expect("taken");
    assert!(instance.crash());
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
    assert_eq!(kept(&instance), []);
}

#[test]
fn a_row_that_is_removed_under_a_draft_sends_the_bytes_to_the_quarantine() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.unlink(other(), DOC).expect("removed");
    let fd = open(&instance, writer(), DOC, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    kernel.rmdir(other(), "1").expect("removed");
    kernel.mkdir(other(), "1").expect("made again");
    assert_eq!(kernel.close(writer(), fd), Err(Refusal::Rule(Rule::RowGone)));
    assert_eq!(kept(&instance), [Rule::RowGone]);
    assert_eq!(kernel.list(other(), "1"), Ok(Vec::new()));
}

#[test]
fn an_unlink_by_the_owner_discards_the_draft_and_by_others_the_attachment_only() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), DOC, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    kernel.unlink(writer(), DOC).expect("discarded");
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
    kernel.close(writer(), fd).expect("nothing to judge");
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));

    let fd = open(&instance, writer(), DOC, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    kernel.unlink(other(), DOC).expect("removed");
    assert_eq!(stored(&instance, DOC), Err(Refusal::NotFound));
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
}

#[test]
fn a_rename_that_is_refused_leaves_both_names_as_they_were() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.send(writer(), TMP, b"x").expect("scratch");
    let renamed = kernel.rename(writer(), TMP, DOC, RenameMode::Replace);
    assert_eq!(renamed, Err(TOO_SMALL));
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
    assert_eq!(stored(&instance, TMP), Ok(b"x".to_vec()));
}

#[test]
fn scratch_that_is_renamed_while_open_is_judged_as_it_stands() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), TMP, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    kernel.rename(writer(), TMP, DOC, RenameMode::Replace).expect("attached");
    kernel.write(fd, 0, b"THE").expect("written");
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
    assert_eq!(stored(&instance, TMP), Err(Refusal::NotFound));
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(stored(&instance, DOC), Ok(b"THE new one".to_vec()));
}

#[test]
fn a_truncation_by_path_commits_before_it_returns_and_is_judged() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.truncate_path(writer(), DOC, 7).expect("taken");
    assert_eq!(stored(&instance, DOC), Ok(b"the old".to_vec()));
    assert_eq!(kernel.truncate_path(writer(), DOC, 2), Err(TOO_SMALL));
    assert_eq!(stored(&instance, DOC), Ok(b"the old".to_vec()));
}

#[test]
fn a_picture_that_is_cut_short_is_refused_and_the_old_one_stays() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let good = picture::png(40, 30, 1);
    kernel.send(writer(), PIC, &good).expect("a picture");
    let short = &picture::png(40, 30, 2)[..2000];
    let refused = kernel.send(writer(), PIC, short).expect_err("half a picture");
    assert!(matches!(refused, Refusal::Rule(Rule::Truncated | Rule::Corrupt)), "{refused:?}");
    let reader = open(&instance, other(), PIC, How::Read);
    let mut bytes = vec![0; good.len()];
    assert_eq!(instance.tree().read(reader.fh, 0, &mut bytes).expect("read"), good.len());
    assert!(bytes == good.0, "stored bit for bit");
}

#[test]
fn scratch_that_was_refused_and_is_written_on_never_changes_what_was_stored() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.send(writer(), TMP, b"%PDF-1.4 no text").expect("scratch");
    let refused = kernel.rename(writer(), TMP, NOTE, RenameMode::Replace);
    assert_eq!(refused, Err(Refusal::Rule(Rule::ContentTypes)));
    retry(&instance, DOC).expect("a document may be anything");
    let fd = open(&instance, writer(), TMP, How::Update);
    kernel.write(fd, 0, b"changed").expect("written");
    kernel.close(writer(), fd).expect("closed");
    assert_eq!(stored(&instance, DOC), Ok(b"%PDF-1.4 no text".to_vec()));
}

#[test]
fn expired_scratch_that_is_still_open_never_changes_what_was_stored() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), TMP, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    instance.library().expiry.expire(Timestamp(i64::MAX)).expect("expired");
    retry(&instance, DOC).expect("taken");
    kernel.write(fd, 0, b"changed").expect("an open file takes bytes");
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
}

/// Runs `during` while the quarantine cannot take anything.
fn without_quarantine(instance: &Instance, during: impl FnOnce()) {
    let folder = instance.library().home.quarantine();
    fs::rename(&folder, folder.with_extension("away")).expect("out of the way");
    during();
    fs::rename(folder.with_extension("away"), &folder).expect("back");
}

/// Checks that bytes that end while the quarantine cannot take them are in it after the next start.
fn waits_for_the_next_start(end: impl FnOnce(&Instance, Descriptor)) {
    let mut instance = occupied();
    let fd = open(&instance, writer(), NOTE, How::Replace);
    Kernel(instance.tree()).write(fd, 0, b"a text").expect("written");
    without_quarantine(&instance, || end(&instance, fd));
    assert_eq!((kept(&instance), instance.files("staging")), (vec![], 1));
    assert_eq!(instance.library().counts.awaiting_quarantine(), (1, 6));
    instance.restart();
    assert_eq!((kept(&instance), instance.files("staging")), (vec![Rule::Interrupted], 0));
}

#[test]
fn a_draft_that_outlasts_the_end_and_finds_no_quarantine_waits_for_the_next_start() {
    waits_for_the_next_start(|instance, _| instance.tree().open.writers.abandon());
}

#[test]
fn a_refusal_that_nobody_hears_of_and_finds_no_quarantine_waits_for_the_next_start() {
    waits_for_the_next_start(|instance, fd| {
        let kernel = Kernel(instance.tree());
        kernel.unlink(writer(), DOC).expect("removed");
        kernel.rmdir(writer(), "1").expect("the row is gone");
        instance.tree().release(fd.fh);
    });
}

#[test]
fn bytes_whose_writer_was_told_that_they_are_refused_wait_for_nothing() {
    let instance = occupied();
    without_quarantine(&instance, || {
        let refused = Kernel(instance.tree()).send(writer(), DOC, b"x");
        assert_eq!(refused, Err(TOO_SMALL));
    });
    assert_eq!((kept(&instance), instance.files("staging")), (vec![], 0));
}

#[test]
fn scratch_that_cannot_be_opened_is_not_taken_for_gone() {
    let instance = occupied();
    Kernel(instance.tree()).send(writer(), TMP, NEW).expect("scratch");
    let folder = instance.library().home.scratch();
    let file = fs::read_dir(&folder).expect("listed").next().expect("one").expect("it").path();
    let aside = folder.with_extension("aside");
    fs::rename(&file, &aside).and_then(|()| symlink(&file, &file)).expect("a loop");
    instance.library().expiry.expire(Timestamp(i64::MAX)).expect("told in the log");
    fs::remove_file(&file).and_then(|()| fs::rename(&aside, &file)).expect("back");
    assert_eq!(stored(&instance, TMP), Ok(NEW.to_vec()));
    instance.library().expiry.expire(Timestamp(i64::MAX)).expect("expired");
    assert_eq!((kept(&instance), instance.files("scratch")), (vec![Rule::Expired], 0));
}

#[test]
fn what_is_written_to_a_file_of_a_row_while_it_expires_is_kept() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), TMP, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    without_quarantine(&instance, || {
        instance.library().expiry.expire(Timestamp(i64::MAX)).expect("nothing is lost");
    });
    kernel.close(writer(), fd).expect("closed");
    assert_eq!(stored(&instance, TMP), Ok(NEW.to_vec()), "it is scratch still");
}

#[test]
fn another_process_cannot_truncate_the_bytes_under_way() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), NOTE, How::Replace);
    kernel.write(fd, 0, b"one ").expect("written");
    assert_eq!(kernel.truncate_path(other(), NOTE, 0), Err(Refusal::Busy));
    kernel.write(fd, 4, b"two").expect("written");
    kernel.close(writer(), fd).expect("taken");
    assert_eq!(stored(&instance, NOTE), Ok(b"one two".to_vec()));
}

#[test]
fn the_reason_of_a_quarantined_file_cannot_be_moved_in_its_place() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.send(writer(), NOTE, b"%PDF-1.4 no text").expect_err("no text");
    let moved = take_from_quarantine(&instance, "reason.json", DOC);
    assert_eq!(moved, Err(Refusal::NotPermitted));
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
}

#[test]
fn the_attributes_of_a_draft_are_bounded() {
    let instance = occupied();
    let fd = open(&instance, writer(), NOTE, How::Replace);
    let set = |name: &str| {
        let value = vec![0; 40 << 10];
        instance.tree().setxattr(writer(), fd.ino, OsStr::new(name), &value, AttributeMode::Set)
    };
    set("user.one").expect("room");
    let full = set("user.two").expect_err("no room");
    assert!(matches!(full, Error::Refused(refusal) if refusal.rule() == Rule::Attributes));
    set("user.one").expect("it replaces itself");
}

/// `mv` of the only file in the quarantine onto a field.
fn retry(instance: &Instance, to: At) -> Result<(), Refusal> {
    let kept = instance.library().quarantine.list();
    assert_eq!(kept.len(), 1, "one file is kept");
    take_from_quarantine(instance, &kept[0].1.name, to)
}

fn take_from_quarantine(instance: &Instance, name: &str, to: At) -> Result<(), Refusal> {
    let kernel = Kernel(instance.tree());
    let entries = instance.library().quarantine.list();
    let id = entries.last().expect("something is kept").0.to_string();
    let mut folder = Ino(1);
    for part in [".mediafs", "quarantine", &id] {
        folder = kernel.lookup(writer(), folder, part)?.attr.ino;
    }
    let row = kernel.row(writer(), to.row)?;
    let (from, to) = (
        NameIn { parent: folder, name: OsStr::new(name) },
        NameIn { parent: row, name: OsStr::new(to.name) },
    );
    Ok(instance.tree().rename(writer(), from, to, RenameMode::Replace)?)
}

#[test]
fn nobody_who_holds_scratch_open_reaches_into_what_was_attached_from_the_quarantine() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    let fd = open(&instance, writer(), TMP, How::Replace);
    kernel.write(fd, 0, NEW).expect("written");
    kernel.unlink(writer(), DOC).expect("removed");
    kernel.rmdir(writer(), "1").expect("its scratch goes to the quarantine");
    kernel.mkdir(writer(), "1").expect("made again");
    let (id, _) = instance.library().quarantine.list().pop().expect("kept");
    let mut entry = Ino(1);
    for name in [".mediafs", "quarantine", &id.to_string()] {
        entry = kernel.lookup(writer(), entry, name).expect("there").attr.ino;
    }
    let to =
        NameIn { parent: kernel.row(writer(), "1").expect("there"), name: OsStr::new(DOC.name) };
    let from = NameIn { parent: entry, name: OsStr::new(TMP.name) };
    instance.tree().rename(writer(), from, to, RenameMode::Replace).expect("attached");
    kernel.write(fd, 0, b"THE").expect("it is still open");
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
}

#[test]
fn scratch_that_was_refused_and_is_kept_in_the_quarantine_is_another_file_than_the_scratch() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.send(writer(), TMP, b"x").expect("scratch");
    assert_eq!(kernel.rename(writer(), TMP, DOC, RenameMode::Replace), Err(TOO_SMALL));
    let fd = open(&instance, writer(), TMP, How::Update);
    kernel.write(fd, 0, b"y").expect("written");
    let (id, _) = instance.library().quarantine.list().pop().expect("kept");
    let mut kept = String::new();
    let mut bytes = instance.library().quarantine.open_bytes(id).expect("there");
    bytes.read_to_string(&mut kept).expect("read");
    assert_eq!(kept, "x");
}

#[test]
fn scratch_is_its_users_alone_to_rename_and_to_link() {
    let instance = occupied();
    let kernel = Kernel(instance.tree());
    kernel.send(writer(), TMP, NEW).expect("scratch");
    let stranger = process(2);
    assert_ne!(stranger.uid, writer().uid);
    let taken = kernel.rename(stranger, TMP, DOC, RenameMode::Replace);
    assert_eq!(taken, Err(Refusal::Denied));
    assert_eq!(stored(&instance, DOC), Ok(OLD.to_vec()));
    kernel.rename(writer(), TMP, DOC, RenameMode::Replace).expect("its own");
    assert_eq!(stored(&instance, DOC), Ok(NEW.to_vec()));
}
