//! `mediafs mount --read-only`: a second mount of the same library, for reading only.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::daemon::{Mount, end, start};
use super::damage::{blob, set_length};
use super::tool::run;
use super::user::{STRANGER, may_become_others};
use super::{EIO, ENOENT, EROFS, attribute, config, errno, names, picture, read, rest};

/// The time in which readers see a commit.
const SOON: Duration = Duration::from_secs(1);
/// The delay that a loaded machine adds.
const LOAD: Duration = Duration::from_secs(5);

/// A read-only daemon beside the daemon of a test. Dropping this unmounts it.
pub struct Reader {
    mountpoint: PathBuf,
    log: PathBuf,
    daemon: Option<Child>,
}

impl Reader {
    pub fn beside(mount: &Mount) -> Self {
        let (mountpoint, log) = (mount.beside("readers"), mount.beside("readers.log"));
        fs::create_dir_all(&mountpoint).expect("a mountpoint");
        let mut command = mount.mount_command(&["-v", "mount", "--read-only", "-o", "allow_other"]);
        command.arg(&mountpoint).stderr(File::create(&log).expect("a log"));
        let (daemon, line) = start(&mut command);
        let reader = Self { mountpoint, log, daemon: Some(daemon) };
        let mounts = line.is_some_and(|line| line.starts_with("mounted on "));
        assert!(mounts, "{}", reader.said());
        reader
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.mountpoint.join(below)
    }

    /// The log of the daemon.
    fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    /// Sends SIGTERM, and returns the exit code.
    fn stop(&mut self) -> Option<i32> {
        let mut daemon = self.daemon.take().expect("it runs");
        run("kill", &["-TERM", &daemon.id().to_string()]).succeeded();
        daemon.wait().expect("it ends").code()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        end(self.daemon.take(), &self.mountpoint);
    }
}

/// A mount that writes, and one that reads the same library.
fn both() -> Option<(Mount, Reader)> {
    let mount = Mount::start()?;
    let reader = Reader::beside(&mount);
    Some((mount, reader))
}

/// Programs ask each file whether it is a terminal (`ioctl(TCGETS)`): that is no reason for a line in the log.
#[test]
fn a_reader_that_asks_for_a_terminal_leaves_no_line_in_the_log() {
    let Some((mount, reader)) = both() else { return };
    mount.attach("memo", b"text");
    soon("the file", || reader.path("models/user/42/memo").exists());
    let before = reader.said();
    let ask =
        "[ -t 3 ] 3< \"$1\" || python3 -c 'import sys; print(open(sys.argv[1]).isatty())' \"$1\"";
    let done = super::tool::shell(ask, &[&reader.path("models/user/42/memo")]);
    assert_eq!(done.stdout, "False\n", "{done}");
    assert_eq!(reader.said(), before);
}

/// Waits until readers see a change, and checks how long that took.
fn soon(what: &str, seen: impl Fn() -> bool) {
    let begun = Instant::now();
    while !seen() {
        assert!(begun.elapsed() < SOON + LOAD, "{what}: not seen within {SOON:?}");
        thread::yield_now();
    }
}

#[test]
fn a_second_mount_shows_the_files_of_the_first() {
    let Some((mount, reader)) = both() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.attach("memo", b"a text");
    let below = reader.path("models/user/42");
    soon("the row", || below.join("memo").exists());
    assert_eq!(read(&below.join("avatar")), picture::good(1));
    assert_eq!(read(&below.join("avatar.png")), picture::good(1), "by its alias");
    assert_eq!(names(&below), ["avatar", "memo"]);
    assert_eq!(names(&reader.path("")), ["models", "thumbs"]);
    let (one, other) =
        (fs::metadata(&avatar).expect("stat"), fs::metadata(below.join("avatar")).expect("stat"));
    assert_eq!(
        (one.ino(), one.len(), one.mtime_nsec(), one.mode()),
        (other.ino(), other.len(), other.mtime_nsec(), other.mode())
    );
    assert_eq!(attribute::text(&below.join("avatar"), "user.mime_type"), "image/png");
}

/// The inode of such a file stands for both names there, and is not ESTALE.
#[test]
fn a_file_with_two_names_has_the_attributes_of_its_first_name_on_a_second_mount() {
    let Some((mount, reader)) = both() else { return };
    let memo = mount.attach("memo", b"text");
    let url = attribute::value(&memo, "user.mediafs.url");
    fs::hard_link(&memo, mount.row_of("7").join("memo")).expect("a second name");
    let [first, second] = ["42", "7"].map(|row| reader.path("models/user").join(row).join("memo"));
    soon("both names", || first.exists() && second.exists());
    for file in [&first, &second] {
        assert_eq!(attribute::value(file, "user.mediafs.url"), url);
        assert_eq!(attribute::value(file, "user.mediafs.error"), Err(Errno::NODATA));
    }
}

/// Checks that each way to change a row is EROFS there.
fn refuses_each_change(row: &Path) {
    let avatar = row.join("avatar");
    for change in [
        fs::write(&avatar, "x"),
        fs::write(row.join("memo"), "x"),
        File::create(row.join("scratch.tmp")).map(drop),
        fs::remove_file(&avatar),
        fs::remove_dir(row),
        fs::create_dir(row.with_file_name("7")),
        fs::rename(&avatar, row.join("cover")),
        fs::hard_link(&avatar, row.join("cover")),
        symlink("https://example.org/a.png", row.join("cover")),
        fs::set_permissions(&avatar, PermissionsExt::from_mode(0o600)),
        File::options().write(true).open(&avatar).and_then(|file| file.set_len(1)),
    ] {
        assert_eq!(errno(change), EROFS);
    }
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn every_change_by_a_second_mount_is_erofs() {
    let Some((mount, reader)) = both() else { return };
    mount.attach("avatar", &picture::good(1));
    let row = reader.path("models/user/42");
    soon("the row", || row.join("avatar").exists());
    refuses_each_change(&row);
}

/// The kernel no longer refuses changes by itself then, and the daemon is not told of the remount.
#[test]
fn a_second_mount_that_root_remounts_to_write_changes_nothing() {
    let Some((mount, reader)) = both() else { return };
    mount.attach("avatar", &picture::good(1));
    let row = reader.path("models/user/42");
    soon("the row", || row.join("avatar").exists());
    run("mount", &["-i", "-o", "remount,rw", &reader.mountpoint.to_string_lossy()]).succeeded();
    refuses_each_change(&row);
}

#[test]
fn commits_and_removals_are_seen_within_a_second() {
    let Some((mount, reader)) = both() else { return };
    let row = reader.path("models/user/42");
    let avatar = row.join("avatar");
    assert!(!row.exists());
    for round in 1..5 {
        mount.attach("avatar", &picture::good(round));
        soon("the commit", || fs::read(&avatar).is_ok_and(|seen| seen == picture::good(round).0));
        assert_eq!(names(&row), ["avatar"]);
    }
    mount.attach("memo", b"one");
    soon("another field", || names(&row) == ["avatar", "memo"]);
    fs::set_permissions(mount.row().join("memo"), PermissionsExt::from_mode(0o600)).expect("chmod");
    let mode = || fs::metadata(row.join("memo")).expect("stat").mode() & 0o777;
    soon("the mode", || mode() == 0o600);
    fs::rename(mount.row().join("memo"), mount.row_of("7").join("memo")).expect("moved");
    soon("the move", || fs::read(reader.path("models/user/7/memo")).is_ok());
    soon("the old name", || !row.join("memo").exists());
    fs::rename(mount.row(), mount.path("models/user/43")).expect("renamed");
    soon("the row's name", || !row.exists() && reader.path("models/user/43/avatar").exists());
    fs::remove_dir_all(mount.path("models/user/43")).expect("removed");
    soon("the removal", || names(&reader.path("models/user")) == ["7"]);
    let gone = reader.path("models/user/43/avatar");
    soon("what was in it", || fs::metadata(&gone).is_err());
    assert_eq!(errno(fs::metadata(&gone)), ENOENT);
}

#[test]
fn a_damaged_file_is_eio_on_a_second_mount_too() {
    let Some((mount, reader)) = both() else { return };
    mount.attach("memo", b"a memo");
    set_length(&blob(&mount, b"a memo"), 3);
    let memo = reader.path("models/user/42/memo");
    soon("the file", || memo.exists());
    for _ in 0..3 {
        assert_eq!(errno(fs::read(&memo)), EIO);
    }
    let told = reader.said().matches("a stored file is damaged").count();
    assert_eq!(told, 1, "{}", reader.said());
}

#[test]
fn an_exchange_of_two_files_is_seen() {
    let Some(mount) = config().field("other", "file").mount() else { return };
    let reader = Reader::beside(&mount);
    let fields = [("memo", "a memo"), ("other", "another")];
    let written = fields.map(|(field, text)| mount.attach(field, text.as_bytes()));
    let seen = fields.map(|(field, _)| reader.path("models/user/42").join(field));
    let inodes = |paths: &[PathBuf; 2]| {
        paths.each_ref().map(|path| fs::metadata(path).map(|it| it.ino()).ok())
    };
    soon("both", || inodes(&seen) == inodes(&written));
    for _ in 0..3 {
        let [memo, other] = &written;
        renameat_with(CWD, memo, CWD, other, RenameFlags::EXCHANGE).expect("exchanged");
        soon("the exchange", || inodes(&seen) == inodes(&written));
    }
    assert_eq!(fs::read(&seen[0]).expect("read"), b"another");
}

#[test]
fn an_open_file_stays_readable_after_a_replacement_and_its_sweep() {
    const LENGTH: usize = 8 << 20;
    let Some((mount, reader)) = both() else { return };
    mount.attach("memo", &vec![1; LENGTH]);
    let memo = reader.path("models/user/42/memo");
    soon("the commit", || memo.exists());
    let mut old = File::open(&memo).expect("opened");
    let mut begun = vec![0; 4096];
    old.read_exact(&mut begun).expect("read");
    mount.attach("memo", b"another");
    mount.collect();
    soon("the replacement", || fs::read(&memo).is_ok_and(|seen| seen == b"another"));
    let left = rest(&mut old);
    assert_eq!(left.len(), LENGTH - 4096);
    assert!(left.iter().all(|byte| *byte == 1), "the old bytes to the end");
    assert_eq!(old.metadata().expect("fstat").len(), LENGTH as u64);
    let mut end = [0];
    assert_eq!(old.read_at(&mut end, LENGTH as u64).expect("read"), 0);
}

#[test]
fn the_kernel_opens_and_reads_known_files_without_a_second_mounts_daemon() {
    let Some((mount, mut reader)) = both() else { return };
    for field in ["avatar", "cover"] {
        mount.attach(field, &picture::good(1));
    }
    let row = reader.path("models/user/42");
    soon("the commits", || names(&row) == ["avatar", "cover"]);
    // The calls of nginx: open, fstat, read, close.
    let serve = || {
        for name in names(&row) {
            let mut file = File::open(row.join(name)).expect("opened");
            let length = file.metadata().expect("fstat").len();
            assert_eq!(rest(&mut file).len() as u64, length);
        }
    };
    for _ in 0..50 {
        serve();
    }
    assert_eq!(reader.stop(), Some(0), "a clean end");
    let said = reader.said();
    let line = said.lines().find(|line| line.contains("the mount has ended")).expect("its counts");
    let count = |key: &str| -> u64 {
        let digits = line.split(key).nth(1).expect("a count");
        let digits: String = digits.chars().skip(1).take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    assert!(count("opens") <= 2, "the kernel opens later files by itself: {line}");
    assert!(count("reads") <= 8, "{line}");
}

#[test]
fn a_second_mount_serves_variants_and_the_writing_daemon_renders_missing_ones() {
    let Some((mut mount, reader)) = both() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumbs = reader.path("thumbs/user/42/avatar");
    soon("the commit", || thumbs.exists());
    let rendered = read(&thumbs.join("w64.png"));
    assert_eq!(imagesize::blob_size(&rendered).expect("a picture").width, 64);
    assert_eq!(read(&mount.path("thumbs/user/42/avatar/w64.png")), rendered);
    assert_eq!(mount.status()["library"]["variants"], 1);
    assert_eq!(read(&reader.path("models/user/42/avatar@w64.png")), rendered);
    assert_eq!(errno(fs::metadata(thumbs.join("w63.png"))), ENOENT, "a size that is not offered");
    mount.stop();
    assert_eq!(
        read(&thumbs.join("w64.png")),
        rendered,
        "a rendered variant is served without the writing daemon"
    );
    assert_eq!(errno(fs::metadata(thumbs.join("w32.png"))), ENOENT);
    mount.restart();
    soon("the writing daemon renders again", || thumbs.join("w32.png").exists());
}

#[test]
fn a_library_without_a_writing_daemon_is_served() {
    let Some(mut mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    mount.stop();
    let mut reader = Reader::beside(&mount);
    assert_eq!(read(&reader.path("models/user/42/avatar")), picture::good(1));
    mount.restart();
    mount.attach("avatar", &picture::good(2));
    let avatar = reader.path("models/user/42/avatar");
    soon("a commit of the new daemon", || {
        fs::read(&avatar).is_ok_and(|seen| seen == picture::good(2).0)
    });
    mount.stop();
    assert_eq!(read(&avatar), picture::good(2), "served without a writing daemon");
    assert_eq!(reader.stop(), Some(0));
}

#[test]
fn a_second_mount_without_a_library_is_refused() {
    let Some(mount) = Mount::prepared(config()) else { return };
    let done =
        mount.command(&["mount", "--read-only", mount.mountpoint().to_str().expect("UTF-8")]);
    assert_ne!(done.code, 0, "{done}");
    assert!(done.stderr.contains("there is no library in"), "{done}");
    assert!(!mount.library().exists(), "no library is made");
}

#[test]
fn an_unmount_from_outside_ends_a_second_mount() {
    let Some((_mount, mut reader)) = both() else { return };
    run("umount", &[&reader.mountpoint]).succeeded();
    let mut daemon = reader.daemon.take().expect("it runs");
    assert_eq!(daemon.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_second_mount_keeps_the_permissions_of_the_first() {
    let Some((mount, reader)) = both().filter(|_| may_become_others()) else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let paths =
        ["models/user/42/avatar", "thumbs/user/42/avatar/w64.png"].map(|it| reader.path(it));
    soon("the commit", || paths.iter().all(|path| fs::read(path).is_ok()));
    let stranger_reads = |path: &PathBuf| STRANGER.run("cat", &[path]).code == 0;
    assert!(paths.iter().all(stranger_reads));
    fs::set_permissions(&avatar, PermissionsExt::from_mode(0o600)).expect("chmod");
    soon("the mode", || !paths.iter().any(stranger_reads));
    assert!(paths.iter().all(|path| fs::read(path).is_ok()), "root reads");
}
