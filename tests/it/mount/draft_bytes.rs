//! Operations on the bytes of a draft: writes in any order, truncation, mapping, copied ranges (CONTRACT 2.3, 2.6 and 2.9).

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::draft::Stage;
use super::tool::run;
use super::{ENXIO, names, picture, read};

#[test]
fn writes_may_come_in_any_order_and_are_judged_at_close() {
    let Some(stage) = Stage::free() else { return };
    let bytes = picture::good(1).0;
    let half = bytes.len() / 2;
    let file = File::create(&stage.avatar).expect("opened");
    file.write_all_at(&bytes[half..], half as u64).expect("the end first");
    file.write_all_at(&bytes[..half], 0).expect("the beginning last");
    drop(file);
    assert_eq!(stage.seen(), picture::good(1));
    let script = "import os, sys\nfd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)\n\
        os.pwrite(fd, b'no picture at all', 4096)\nos.pwrite(fd, b'x' * 4096, 0)\nos.close(fd)\n";
    let done = run("python3", &["-c", script, &stage.avatar.display().to_string()]);
    assert_ne!(done.code, 0, "{done}");
    assert_eq!(stage.seen(), picture::good(1), "the old picture stays");
}

#[test]
fn opening_without_truncation_starts_from_the_stored_bytes() {
    let Some(mut stage) = Stage::free() else { return };
    let note = stage.mount.attach("note", b"the old text\n");
    stage.writer.open(&note, "os.O_RDWR").expect("opened");
    assert_eq!(stage.writer.tell("os.pread(fd, 3, 4)"), "b'old'");
    stage.writer.tell("os.pwrite(fd, b'new', 4)");
    assert_eq!(read(&note), b"the old text\n", "until the close");
    stage.close().expect("taken");
    assert_eq!(read(&note), b"the new text\n");
}

#[test]
fn stored_bytes_are_copied_when_they_are_changed_and_never_at_open() {
    let Some(mut stage) = Stage::free() else { return };
    let memo = stage.mount.attach("memo", b"the old text\n");
    let staging = stage.mount.library().join("staging");
    let staged = || names(&staging).len();
    stage.writer.open(&memo, "os.O_RDWR").expect("opened");
    assert_eq!(stage.writer.tell("os.pread(fd, 3, 4)"), "b'old'");
    assert_eq!(staged(), 0, "reading copies nothing");
    stage.writer.tell("os.pwrite(fd, b'new', 4)");
    assert_eq!(staged(), 1);
    stage.close().expect("taken");
    assert_eq!((staged(), read(&memo).0), (0, b"the new text\n".to_vec()));
}

#[test]
fn a_truncation_by_path_commits_before_it_returns() {
    let Some(mut stage) = Stage::free() else { return };
    let note = stage.mount.attach("note", b"the old text\n");
    stage.writer.tell(&format!("os.truncate({note:?}, 7)"));
    assert_eq!(read(&note), b"the old");
}

#[test]
fn a_shared_mapping_writes_a_draft() {
    let Some(mut stage) = Stage::free() else { return };
    let note = stage.mount.attach("note", b"the old text\n");
    stage.writer.open(&note, "os.O_RDWR").expect("opened");
    stage.writer.tell("(pages := mmap.mmap(fd, 13))");
    stage.writer.tell("pages.__setitem__(slice(4, 7), b'new')");
    assert_eq!(read(&note), b"the old text\n", "until the close");
    stage.writer.tell("(pages.flush(), pages.close())");
    stage.close().expect("taken");
    assert_eq!(read(&note), b"the new text\n");
}

#[test]
fn ranges_are_copied_and_space_is_reserved_in_a_draft() {
    let Some(mut stage) = Stage::free() else { return };
    let size = picture::good(2).len();
    stage.writer.open(&stage.avatar, "os.O_RDWR | os.O_CREAT").expect("opened");
    stage.writer.tell(&format!("os.posix_fallocate(fd, 0, {size})"));
    stage.writer.tell(&format!("(source := os.open({:?}, os.O_RDONLY))", stage.picture));
    stage.writer.tell(&format!(
        "[at := 0] + [at := at + os.sendfile(fd, source, at, {size}) for _ in range(9) if at < {size}]"
    ));
    stage.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(2));
    assert_eq!(names(&stage.mount.row()), ["avatar"]);
}

#[test]
fn copy_file_range_ftruncate_and_lseek_work_on_a_draft() {
    let Some(mut stage) = Stage::occupied() else { return };
    let (bytes, memo) = (picture::good(1), stage.mount.row().join("memo"));
    let (size, end) = (bytes.len(), 1 << 20);
    stage.writer.open(&memo, "os.O_RDWR | os.O_CREAT").expect("opened");
    stage.writer.tell(&format!("(source := os.open({:?}, os.O_RDONLY))", stage.avatar));
    let copied = stage.writer.tell(&format!("os.copy_file_range(source, fd, {size})"));
    assert_eq!(copied, size.to_string());
    stage.writer.tell(&format!("os.ftruncate(fd, {end})"));
    assert_eq!(stage.writer.tell("os.lseek(fd, 0, os.SEEK_END)"), end.to_string());
    assert_eq!(stage.writer.tell("os.lseek(fd, 0, os.SEEK_DATA)"), "0");
    let hole = stage.writer.tell("os.lseek(fd, 0, os.SEEK_HOLE)");
    let hole: usize = hole.parse().expect("a number");
    assert!((size..end).contains(&hole), "{hole}");
    assert_eq!(stage.writer.ask(&format!("os.lseek(fd, {hole}, os.SEEK_DATA)")), Err(ENXIO));
    stage.close().expect("taken");
    let stored = read(&memo);
    assert_eq!((&stored[..size], stored.len()), (&bytes[..], end));
    assert!(stored[size..].iter().all(|byte| *byte == 0));
}
