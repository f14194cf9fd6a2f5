//! A restart, a crash and an unmount: what is there afterwards.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::run;
use super::{names, picture, read};
use crate::wait::until;

const FRESH: &str = "os.O_WRONLY | os.O_CREAT | os.O_TRUNC";

fn is_mounted(mount: &Mount) -> bool {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let path = fs::canonicalize(mount.mountpoint().parent().expect("a parent")).expect("a path");
    mountinfo.contains(&format!(" {} ", path.join("mnt").display()))
}

#[test]
fn the_size_of_the_disk_is_that_of_the_library() {
    let Some(mount) = Mount::start() else { return };
    let shown = rustix::fs::statvfs(mount.mountpoint()).expect("statfs");
    let behind =
        rustix::fs::statvfs(mount.mountpoint().parent().expect("a parent")).expect("statfs");
    assert_eq!(shown.f_blocks * shown.f_frsize, behind.f_blocks * behind.f_frsize);
    assert!(shown.f_bavail > 0 && shown.f_namemax == 255);
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
fn what_close_acknowledged_outlasts_a_crash() {
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.kill9();
    mount.restart();
    assert_eq!(read(&avatar), picture::good(1), "and the stale mount was cleared");
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
    mount.kill9();
    mount.restart();
    assert_eq!(read(&avatar), picture::good(1));
    let quarantine = mount.path(".mediafs/quarantine");
    let [id] = &names(&quarantine)[..] else { panic!("{:?}", names(&quarantine)) };
    let reason = fs::read_to_string(quarantine.join(id).join("reason.json")).expect("a reason");
    assert!(reason.contains("interrupted") && reason.contains("user/42/avatar"), "{reason}");
    let file = names(&quarantine.join(id)).into_iter().find(|name| name != "reason.json");
    let bytes = read(&quarantine.join(id).join(file.expect("the bytes")));
    assert_eq!(bytes, picture::good(2));
}

#[test]
fn a_terminated_daemon_lets_an_open_draft_finish() {
    let Some(mut writer) = Peer::start() else { return };
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let source = mount.outside("new.png", &picture::good(2));
    writer.open(&avatar, FRESH).expect("opened");
    writer.write(&source, ":5000").expect("written");
    mount.terminate();
    until("the names vanish", || !is_mounted(&mount));
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
    let directory = mount.mountpoint().with_file_name("second");
    fs::create_dir(&directory).expect("a directory");
    let config = mount.mountpoint().with_file_name("mediafs.toml");
    let program = env!("CARGO_BIN_EXE_mediafs");
    let arguments = ["--config".into(), config.into_os_string(), "mount".into(), directory.into()];
    let done = run(program, &arguments);
    assert_ne!(done.code, 0, "{done}");
    assert!(done.stderr.contains("in use"), "{done}");
}

/// An open of a fifo waits for a writer, and the daemon never started.
#[test]
fn what_is_no_file_in_the_librarys_folders_keeps_no_daemon_from_starting() {
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
