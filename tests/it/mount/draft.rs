//! Drafts: what writers and readers see of each other before, at and after the close (CONTRACT 2).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::peer::Peer;
use super::{
    EBADMSG, EBUSY, EFBIG, EMEDIUMTYPE, ENOENT, EOPNOTSUPP, errno, names, picture, read, rest,
};

const FRESH: &str = "os.O_WRONLY | os.O_CREAT | os.O_TRUNC";

/// A mount, a writer, a good picture outside of the tree, and the path of the avatar.
struct Stage {
    mount: Mount,
    writer: Peer,
    picture: PathBuf,
    avatar: PathBuf,
}

fn stage() -> Option<Stage> {
    let writer = Peer::start()?;
    let mount = Mount::start()?;
    let picture = mount.outside("good.png", &picture::good(2));
    let avatar = mount.row().join("avatar");
    Some(Stage { mount, writer, picture, avatar })
}

/// Like `stage`, with an old picture in the field.
fn occupied_stage() -> Option<Stage> {
    let stage = stage()?;
    stage.mount.attach("avatar", &picture::good(1));
    Some(stage)
}

#[test]
fn readers_see_the_old_file_until_the_commit() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = occupied_stage() else {
        return;
    };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":").expect("written");
    assert_eq!(read(&avatar), picture::good(1));
    let size = u64::try_from(picture::good(1).len()).expect("small");
    assert_eq!(fs::metadata(&avatar).expect("stat").len(), size);
    assert_eq!(
        writer.tell(&format!("os.stat({avatar:?}).st_size")),
        size.to_string(),
        "the writer's stat by path shows the old file too"
    );
    writer.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn the_writers_fstat_shows_the_draft() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = occupied_stage() else {
        return;
    };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":1000").expect("written");
    assert_eq!(writer.tell("os.fstat(fd).st_size"), "1000");
    let same_inode = format!("os.fstat(fd).st_ino == os.stat({avatar:?}).st_ino");
    assert_eq!(writer.tell(&same_inode), "True", "vim writes to nothing else");
}

#[test]
fn a_first_draft_is_end_of_file_while_it_is_empty_and_busy_then() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    assert_eq!(read(&avatar), b"");
    writer.write(&picture, ":1000").expect("written");
    assert_eq!(fs::metadata(&avatar).expect("stat").len(), 1000, "stat shows the bytes so far");
    assert_eq!(errno(File::open(&avatar)), EBUSY);
    writer.write(&picture, "1000:").expect("written");
    writer.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn the_writer_may_open_its_draft_again_by_path_to_read_it() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":1000").expect("written");
    assert_eq!(writer.tell(&format!("len(bytes_of({avatar:?}))")), "1000");
}

#[test]
fn two_writers_never_mix_and_the_last_to_commit_wins_whole() {
    let Some(Stage { mount, writer: mut first, picture, avatar }) = occupied_stage() else {
        return;
    };
    let Some(mut second) = Peer::start() else { return };
    let other = mount.outside("other.png", &picture::good(3));
    first.open(&avatar, FRESH).expect("opened");
    second.open(&avatar, FRESH).expect("opened");
    first.write(&picture, ":5000").expect("written");
    second.write(&other, ":7000").expect("written");
    first.write(&picture, "5000:").expect("written");
    second.write(&other, "7000:").expect("written");
    second.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(3));
    first.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn writers_and_readers_at_once_see_whole_pictures_and_no_error() {
    let Some(Stage { mount, writer: mut first, picture, avatar }) = occupied_stage() else {
        return;
    };
    let Some(mut second) = Peer::start() else { return };
    let other = mount.outside("other.png", &picture::good(3));
    let put = |source: &Path| format!("put({avatar:?}, {source:?}, 50)");
    first.begin(&put(&picture));
    second.begin(&put(&other));
    let pictures = [picture::good(1), picture::good(2), picture::good(3)];
    for _ in 0..200 {
        let seen = read(&avatar);
        assert!(pictures.contains(&seen), "{seen:?}");
    }
    assert_eq!(first.answer("put").as_deref(), Ok("None"));
    assert_eq!(second.answer("put").as_deref(), Ok("None"));
}

#[test]
fn a_childs_close_of_an_inherited_descriptor_judges_nothing() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = occupied_stage() else {
        return;
    };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":5000").expect("written");
    writer.tell("os.set_inheritable(fd, True)");
    assert_eq!(writer.tell("subprocess.run(['true'], close_fds=False).returncode"), "0");
    assert_eq!(read(&avatar), picture::good(1), "half a picture was not judged");
    writer.write(&picture, "5000:").expect("the draft is still open");
    writer.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn a_writer_that_is_killed_is_judged_as_closed() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = occupied_stage() else {
        return;
    };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":").expect("written");
    writer.kill();
    assert_eq!(read(&avatar), picture::good(2), "it was whole");
}

#[test]
fn a_writer_that_is_killed_half_way_leaves_the_old_file() {
    let Some(Stage { mount, mut writer, picture, avatar }) = occupied_stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":5000").expect("written");
    writer.kill();
    assert_eq!(read(&avatar), picture::good(1));
    assert!(mount.last_error().contains("truncated"), "{}", mount.last_error());
}

#[test]
fn a_refused_draft_stays_refused_until_it_is_truncated() {
    let Some(Stage { mount, mut writer, picture, avatar }) = occupied_stage() else { return };
    let text = mount.outside("text", &b"no picture, whatever its name\n".repeat(99));
    writer.open(&avatar, FRESH).expect("opened");
    assert_eq!(writer.write(&text, ":"), Err(EMEDIUMTYPE));
    assert_eq!(writer.write(&picture, ":"), Err(EMEDIUMTYPE));
    assert_eq!(writer.ask("os.fsync(fd)"), Err(EMEDIUMTYPE));
    writer.tell("os.ftruncate(fd, 0)");
    writer.tell("os.lseek(fd, 0, 0)");
    writer.write(&picture, ":").expect("written");
    writer.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn a_second_close_repeats_the_verdict() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":5000").expect("written");
    writer.tell("(copy := os.dup(fd))");
    assert_eq!(writer.close(), Err(EBADMSG));
    assert_eq!(writer.ask("os.close(copy)"), Err(EBADMSG));
    assert_eq!(errno(fs::metadata(&avatar)), ENOENT);
}

#[test]
fn a_flush_after_more_bytes_judges_again() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":").expect("written");
    writer.tell("(copy := os.dup(fd))");
    writer.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
    writer.tell("os.ftruncate(copy, 5000)");
    assert_eq!(writer.ask("os.close(copy)"), Err(EBADMSG));
    assert_eq!(read(&avatar), picture::good(2), "what was committed stays");
}

#[test]
fn an_empty_close_is_no_verdict() {
    let Some(Stage { mount, mut writer, picture, avatar }) = stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    writer.close().expect("no verdict");
    assert_eq!(names(&mount.row()), ["avatar"], "a placeholder is listed");
    assert_eq!(fs::metadata(&avatar).expect("stat").len(), 0);
    writer.open(&avatar, "os.O_WRONLY").expect("opened again");
    writer.write(&picture, ":").expect("written");
    writer.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn an_empty_close_over_an_old_file_changes_nothing() {
    let Some(Stage { mount: _mount, mut writer, avatar, .. }) = occupied_stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    writer.close().expect("no verdict");
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn opening_without_truncation_starts_from_the_stored_bytes() {
    let Some(Stage { mount, mut writer, .. }) = stage() else { return };
    let note = mount.attach("note", b"the old text\n");
    writer.open(&note, "os.O_RDWR").expect("opened");
    assert_eq!(writer.tell("os.pread(fd, 3, 4)"), "b'old'");
    writer.tell("os.pwrite(fd, b'new', 4)");
    assert_eq!(read(&note), b"the old text\n", "until the close");
    writer.close().expect("taken");
    assert_eq!(read(&note), b"the new text\n");
}

#[test]
fn a_truncation_by_path_commits_before_it_returns() {
    let Some(Stage { mount, mut writer, .. }) = stage() else { return };
    let note = mount.attach("note", b"the old text\n");
    writer.tell(&format!("os.truncate({note:?}, 7)"));
    assert_eq!(read(&note), b"the old");
}

#[test]
fn a_shared_mapping_writes_a_draft() {
    let Some(Stage { mount, mut writer, .. }) = stage() else { return };
    let note = mount.attach("note", b"the old text\n");
    writer.open(&note, "os.O_RDWR").expect("opened");
    writer.tell("(pages := mmap.mmap(fd, 13))");
    writer.tell("pages.__setitem__(slice(4, 7), b'new')");
    assert_eq!(read(&note), b"the old text\n", "until the close");
    writer.tell("(pages.flush(), pages.close())");
    writer.close().expect("taken");
    assert_eq!(read(&note), b"the new text\n");
}

#[test]
fn ranges_are_copied_and_space_is_reserved_in_a_draft() {
    let Some(Stage { mount, mut writer, picture, avatar }) = stage() else { return };
    let size = picture::good(2).len();
    writer.open(&avatar, "os.O_RDWR | os.O_CREAT").expect("opened");
    writer.tell(&format!("os.posix_fallocate(fd, 0, {size})"));
    writer.tell(&format!("(source := os.open({picture:?}, os.O_RDONLY))"));
    writer.tell(&format!(
        "[at := 0] + [at := at + os.sendfile(fd, source, at, {size}) for _ in range(9) if at < {size}]"
    ));
    writer.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
    assert_eq!(names(&mount.row()), ["avatar"]);
}

#[test]
fn a_file_without_a_name_is_not_supported() {
    let Some(Stage { mount, mut writer, .. }) = stage() else { return };
    let row = mount.row();
    assert_eq!(writer.open(&row, "os.O_TMPFILE | os.O_RDWR"), Err(EOPNOTSUPP));
}

#[test]
fn a_file_that_is_too_big_is_refused_before_the_whole_is_sent() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let mut file = File::create(&avatar).expect("opened");
    file.write_all(&picture::good(2)).expect("a picture's beginning");
    let chunk = vec![0; 64 << 10];
    let sent = (0..64).find_map(|count| file.write_all(&chunk).err().map(|error| (count, error)));
    let (count, error) = sent.expect("4 MiB are not taken where 1 MiB is allowed");
    assert_eq!(error.raw_os_error(), Some(EFBIG));
    assert!(count <= 16, "{count} chunks of 64 KiB were taken");
    drop(file);
    assert_eq!(read(&avatar), picture::good(1));
}

/// Samba opens the path without access first, then the link of that descriptor for writing.
fn writes_through_proc(stage: &mut Stage) {
    let Stage { writer, picture, avatar, .. } = stage;
    writer.tell(&format!("(path := os.open({avatar:?}, os.O_PATH))"));
    writer.tell("(fd := os.open(f'/proc/self/fd/{path}', os.O_WRONLY))");
    writer.tell("os.ftruncate(fd, 0)");
    writer.write(picture, ":").expect("written");
    writer.close().expect("taken");
    writer.tell("os.close(path)");
    assert_eq!(read(avatar), picture::good(2));
}

#[test]
fn a_file_opened_without_access_is_written_through_proc() {
    if let Some(mut stage) = occupied_stage() {
        writes_through_proc(&mut stage);
    }
}

#[test]
fn a_placeholder_opened_without_access_is_written_through_proc() {
    if let Some(mut stage) = stage() {
        File::create(&stage.avatar).expect("a placeholder");
        writes_through_proc(&mut stage);
    }
}

#[test]
fn a_reader_keeps_its_bytes_while_proc_writes() {
    let Some(mut stage) = occupied_stage() else { return };
    let mut old = File::open(&stage.avatar).expect("the old picture opens");
    writes_through_proc(&mut stage);
    assert_eq!(rest(&mut old), picture::good(1));
}

#[test]
fn a_reader_that_opens_while_proc_writes_has_the_old_bytes() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = occupied_stage() else {
        return;
    };
    writer.tell(&format!("(path := os.open({avatar:?}, os.O_PATH))"));
    writer.tell("(fd := os.open(f'/proc/self/fd/{path}', os.O_WRONLY | os.O_TRUNC))");
    writer.write(&picture, ":5000").expect("written");
    assert_eq!(read(&avatar), picture::good(1));
    writer.write(&picture, "5000:").expect("written");
    assert_eq!(read(&avatar), picture::good(1));
    writer.close().expect("taken");
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn what_was_unlinked_for_a_replacement_is_put_back_when_that_is_refused() {
    let Some(Stage { mount: _mount, mut writer, picture, avatar }) = occupied_stage() else {
        return;
    };
    writer.tell(&format!("os.unlink({avatar:?})"));
    writer.open(&avatar, "os.O_WRONLY | os.O_CREAT | os.O_EXCL").expect("created");
    writer.write(&picture, ":5000").expect("written");
    assert_eq!(writer.close(), Err(EBADMSG));
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn an_unlink_by_the_writer_discards_its_draft() {
    let Some(Stage { mount, mut writer, picture, avatar }) = stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":").expect("written");
    writer.tell(&format!("os.unlink({avatar:?})"));
    writer.close().expect("nothing to judge");
    assert!(names(&mount.row()).is_empty());
}

#[test]
fn a_row_that_is_removed_under_a_draft_makes_its_close_enoent() {
    let Some(Stage { mount, mut writer, picture, avatar }) = stage() else { return };
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&picture, ":").expect("written");
    remove_row(&mount.row());
    assert_eq!(writer.close(), Err(ENOENT));
    assert!(!mount.path("models/user/42").exists());
}

/// Removes a row as `rm -r` does.
fn remove_row(row: &Path) {
    super::tool::run("rm", &[Path::new("-r"), row]).succeeded();
}
