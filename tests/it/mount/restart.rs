//! The end of a daemon by SIGTERM, unmount or crash, and the files after the next start (CONTRACT 2.7 and 9).

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::daemon::Mount;
use super::library_files::holds_exactly;
use super::peer::{FRESH, Peer};
use super::tool::run;
use super::{EBADMSG, ENOENT, errno, picture, read};
use crate::wait::until;

fn is_mounted(mount: &Mount) -> bool {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let path = fs::canonicalize(mount.mountpoint().parent().expect("a parent")).expect("a path");
    mountinfo.contains(&format!(" {} ", path.join("mnt").display()))
}

#[test]
fn a_clean_end_leaves_nothing_mounted_and_a_restart_finds_everything() {
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let before = fs::metadata(&avatar).expect("stat");
    mount.stop();
    assert!(!is_mounted(&mount));
    mount.restart();
    let after = fs::metadata(&avatar).expect("stat");
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn an_acknowledged_close_outlasts_a_crash() {
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.crash_and_restart();
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn a_draft_that_a_crash_interrupted_is_in_the_quarantine() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let source = mount.outside("new.png", &picture::good(2));
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&source, ":").expect("written");
    writer.tell("os.fsync(fd)");
    mount.crash_and_restart();
    assert_eq!(read(&avatar), picture::good(1));
    let kept = mount.kept();
    let reason = kept.reason();
    assert!(reason.contains("interrupted") && reason.contains("user/42/avatar"), "{reason}");
    assert_eq!(kept.bytes(), picture::good(2));
}

#[test]
fn a_terminated_daemon_lets_an_open_draft_finish() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let source = mount.outside("new.png", &picture::good(2));
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&source, ":5000").expect("written");
    mount.signal("TERM");
    until("the daemon unmounts", || !is_mounted(&mount));
    writer.write(&source, "5000:").expect("the open file goes on");
    writer.close().expect("taken");
    assert_eq!(mount.wait().code(), Some(0));
    mount.restart();
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn an_unmount_from_outside_ends_the_daemon_with_0() {
    let Some(mut mount) = Mount::start() else { return };
    run("umount", &[mount.mountpoint()]).succeeded();
    assert_eq!(mount.wait().code(), Some(0));
}

#[test]
fn a_second_daemon_over_the_same_library_is_refused() {
    let Some(mount) = Mount::start() else { return };
    let second = mount.beside("second");
    fs::create_dir(&second).expect("a directory");
    let done = mount.command(&["mount", &second.to_string_lossy()]);
    assert_ne!(done.code, 0, "{done}");
    assert!(done.stderr.contains("in use"), "{done}");
}

/// Regression: the daemon opened the fifo, which waits for a writer, and never started.
#[test]
fn fifos_and_directories_in_the_librarys_folders_keep_no_daemon_from_starting() {
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.stop();
    for folder in ["staging", "scratch", "quarantine", "blobs/pending"] {
        let folder = mount.library().join(folder);
        run("mkfifo", &[folder.join("fifo")]).succeeded();
        fs::create_dir_all(folder.join("directory/in it")).expect("a directory");
    }
    mount.restart();
    assert_eq!(read(&avatar), picture::good(1));
    for folder in ["staging", "scratch", "quarantine"] {
        assert!(mount.library().join(folder).join("directory/in it").exists(), "{folder}");
    }
}

#[test]
fn inode_numbers_are_stable_over_restarts() {
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let paths = [mount.row(), avatar, mount.path("models"), mount.path("thumbs/user/42/avatar")];
    let inodes = || paths.iter().map(|path| fs::metadata(path).expect("stat").ino()).collect();
    let before: Vec<u64> = inodes();
    mount.stop_and_restart();
    assert_eq!(before, inodes());
}

#[test]
fn a_draft_that_is_open_after_30_s_of_the_end_is_in_the_quarantine() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = Mount::start() else { return };
    let row = mount.row();
    let source = mount.outside("text", b"half a text");
    writer.open(&row.join("memo"), FRESH).expect("opened");
    writer.write(&source, ":").expect("written");
    // The draft is open for longer than the 30 s that the daemon waits.
    mount.stop_and_restart();
    assert_eq!(mount.kept().bytes(), b"half a text");
    assert_eq!(errno(fs::read(mount.row().join("memo"))), ENOENT);
}

#[test]
fn an_upload_refused_during_the_end_of_the_daemon_is_kept() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let source = mount.outside("new.png", &picture::cut_short(2));
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&source, ":").expect("written");
    mount.signal("TERM");
    until("the daemon unmounts", || !avatar.exists());
    assert_eq!(writer.close(), Err(EBADMSG));
    assert_eq!(mount.wait().code(), Some(0));
    mount.restart();
    assert_eq!(read(&avatar), picture::good(1));
    assert!(mount.kept().reason().contains("truncated"));
    holds_exactly(&mount, &mount.library(), &[&picture::good(1)]);
}
