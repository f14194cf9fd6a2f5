//! Fields with a store of their own: where the bytes are, how they move, and the effect of a missing store.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::tool::run;
use super::{EIO, ENOENT, EXDEV, errno, picture, read};
use crate::config::Config;
use crate::wait::until;

fn config() -> Config {
    all_in_the_library()
        .with("stores.cold = { path = 'cold', base_url = 'https://cold.example.org/files' }")
        .field("portrait", "image, store = 'cold'")
        .field("deed", "file, max_size = '64 MiB', store = 'cold'")
}

fn all_in_the_library() -> Config {
    Config::new()
        .with("library.base_url = 'https://media.example.org'")
        .table("user", "integer")
        .field("avatar", "image")
        .field("portrait", "image")
        .field("deed", "file, max_size = '64 MiB'")
}

impl Mount {
    fn cold(&self) -> PathBuf {
        self.library().with_file_name("cold")
    }

    fn restart_as(&mut self, config: &Config) {
        self.stop();
        self.configure(config);
        self.restart();
    }
}

/// The number of blobs below a folder.
fn blobs(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let count = |entry: fs::DirEntry| match entry.file_name().to_str() {
        _ if entry.path().is_dir() => blobs(&entry.path()),
        Some(name) if name.len() > 64 => 1,
        _ => 0,
    };
    entries.map(count).sum()
}

fn fact(path: &Path, name: &str) -> String {
    let mut value = vec![0; 4096];
    let length = rustix::fs::getxattr(path, name, &mut value[..]).expect("an attribute");
    String::from_utf8_lossy(&value[..length]).into_owned()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

#[test]
fn a_field_keeps_its_files_in_its_store() {
    let Some(mut mount) = config().mount() else { return };
    let portrait = mount.attach("portrait", &picture::good(1));
    assert_eq!((blobs(&mount.cold()), blobs(&mount.library())), (1, 0));
    assert_eq!(fs::metadata(mount.cold()).expect("stat").mode() & 0o777, 0o700);
    let avatar = mount.attach("avatar", &picture::good(1));
    assert_eq!((blobs(&mount.cold()), blobs(&mount.library())), (1, 1), "each has its own");
    mount.kill9();
    mount.restart();
    assert_eq!((read(&portrait), read(&avatar)), (picture::good(1), picture::good(1)));
    fs::remove_file(&portrait).expect("removed");
    mount.collect();
    assert_eq!((blobs(&mount.cold()), blobs(&mount.library())), (0, 1));
}

#[test]
fn the_store_is_told_with_its_own_address() {
    let Some(mount) = config().mount() else { return };
    let portrait = mount.attach("portrait", &picture::good(1));
    let avatar = mount.attach("avatar", &picture::good(2));
    assert_eq!(fact(&portrait, "user.mediafs.store"), "cold");
    assert_eq!(fact(&avatar, "user.mediafs.store"), "default");
    assert!(fact(&portrait, "user.mediafs.url").starts_with("https://cold.example.org/files/"));
    assert!(fact(&avatar, "user.mediafs.url").starts_with("https://media.example.org/"));
    for (file, base, store) in [
        (&portrait, "https://cold.example.org/files/", mount.cold()),
        (&avatar, "https://media.example.org/", mount.library().join("blobs")),
    ] {
        let url = fact(file, "user.mediafs.url");
        let (path, time) = url.split_once("?_ts=").expect("a time");
        assert_eq!(time, fact(file, "user.mediafs.timestamp"));
        let path = path.strip_prefix(base).expect("the store's address");
        assert_eq!(read(&store.join(path)), read(file), "what a web server finds there");
    }
    let shown = mount.command(&["show", "user/42/portrait"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown["store_id"], "cold");
    let stores = &mount.status()["stores"];
    assert_eq!((&stores["cold"]["files"], &stores["default"]["files"]), (&1.into(), &1.into()));
    assert_eq!(stores["cold"]["bytes"], picture::good(1).len());
    assert!(stores["cold"]["free"].as_u64().is_some_and(|free| free > 0), "{stores}");
}

#[test]
fn variants_live_in_their_originals_store() {
    let Some(mount) = config().mount() else { return };
    let portrait = mount.attach("portrait", &picture::good(1));
    read(&portrait.with_file_name("portrait@w64.png"));
    assert_eq!((blobs(&mount.cold()), blobs(&mount.library())), (2, 0));
}

#[test]
fn moving_between_stores_copies_then_links_then_forgets() {
    let Some(mount) = config().mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let portrait = avatar.with_file_name("portrait");
    run("setfattr", &["-n", "user.note", "-v", "x", avatar.to_str().expect("UTF-8")]).succeeded();
    read(&avatar.with_file_name("avatar@w64.png"));
    let before = fs::metadata(&avatar).expect("stat");
    let mut open = fs::File::open(&avatar).expect("open");
    rename(&avatar, &portrait).expect("moved");
    let after = fs::metadata(&portrait).expect("stat");
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    assert_eq!(fact(&portrait, "user.note"), "x");
    assert_eq!(fact(&portrait, "user.mediafs.store"), "cold");
    assert_eq!(errno(fs::metadata(&avatar)), ENOENT);
    assert_eq!(read(&portrait), picture::good(1));
    mount.collect();
    mount.collect();
    assert_eq!(blobs(&mount.cold()), 1);
    assert_eq!(super::rest(&mut open), picture::good(1), "who has it open keeps it");
    read(&portrait.with_file_name("portrait@w64.png"));
    assert_eq!(blobs(&mount.cold()), 2, "variants are made again there");
    rename(&portrait, &avatar).expect("and back");
    assert_eq!(fact(&avatar, "user.mediafs.store"), "default");
}

#[test]
fn what_has_another_name_is_not_moved_and_not_linked_into_another_store() {
    let Some(mount) = config().mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let portrait = avatar.with_file_name("portrait");
    assert_eq!(errno(fs::hard_link(&avatar, &portrait)), EXDEV);
    let second = mount.row_of("43").join("avatar");
    fs::hard_link(&avatar, &second).expect("in one store");
    assert_eq!(errno(rename(&avatar, &portrait)), EXDEV);
    assert_eq!(errno(fs::metadata(&portrait)), ENOENT);
    run("mv", &[&avatar, &portrait]).succeeded();
    assert_eq!(read(&portrait), picture::good(1), "mv copies then");
    assert_eq!(read(&second), picture::good(1));
}

#[test]
fn a_store_that_is_not_configured_any_more_loses_nothing() {
    let Some(mut mount) = config().mount() else { return };
    let portrait = mount.attach("portrait", &picture::good(1));
    let deed = mount.attach("deed", b"a deed");
    mount.attach("avatar", &picture::good(2));
    mount.restart_as(&all_in_the_library());
    assert_eq!(errno(fs::read(&portrait)), EIO);
    assert!(mount.log().contains("the store `cold` is not configured any more"));
    let said = mount.log().matches("a store is not configured any more").count();
    assert_eq!(said, 1, "the start says it once");
    assert_eq!(fs::metadata(&portrait).expect("stat").len(), picture::good(1).len() as u64);
    assert_eq!(fact(&portrait, "user.mediafs.store"), "cold");
    let moved = mount.row_of("43").join("portrait");
    rename(&portrait, &moved).expect("names go on");
    fs::remove_file(&deed).expect("removed");
    fs::remove_file(deed.with_file_name("avatar")).expect("removed");
    mount.collect();
    assert_eq!(blobs(&mount.library()), 0, "the others are deleted");
    assert_eq!(blobs(&mount.cold()), 2, "deleting waits");
    fs::write(&deed, b"another deed").expect("the field goes on elsewhere");
    assert_eq!(blobs(&mount.library()), 1);
    mount.restart_as(&config());
    assert_eq!(read(&moved), picture::good(1));
    assert_eq!(read(&deed), b"another deed");
    mount.collect();
    assert_eq!(blobs(&mount.cold()), 1, "what waited is deleted");
}

#[test]
fn a_store_on_another_disk_is_written_whole_or_not_at_all() {
    let Some(mut mount) = Mount::prepared(config()) else { return };
    let disk = SmallDisk::at(&mount.cold());
    mount.restart();
    let deed = mount.attach("deed", &vec![1; 3 << 20]);
    assert_eq!(blobs(&mount.cold()), 1);
    let avatar = mount.attach("avatar", &picture::good(1));
    let portrait = avatar.with_file_name("portrait");
    rename(&avatar, &portrait).expect("copied over there");
    assert_eq!(read(&portrait), picture::good(1));
    let source = mount.outside("large", &vec![2; 6 << 20]);
    let done = run("cp", &[&source, &deed]);
    assert!(done.stderr.contains("No space left on device"), "{done}");
    assert_eq!(read(&deed).len(), 3 << 20, "the old one is whole");
    let free = mount.row_of("43").join("deed");
    assert_ne!(run("cp", &[&source, &free]).code, 0, "nor onto a free field");
    until("the draft is given up", || !free.exists());
    assert_eq!(blobs(&mount.cold()), 2, "nothing is left of what did not fit");
    mount.attach("avatar", &picture::good(3));
    fs::remove_file(&deed).expect("removed");
    mount.collect();
    mount.attach("deed", &vec![4; 6 << 20]);
    mount.stop();
    drop(disk);
    let done = mount.command(&["gc"]);
    assert!(done.stderr.contains("is its disk mounted?"), "{done}");
    assert!(!mount.cold().join("mediafs-store").exists(), "no store is begun where none is");
}

/// A filesystem of 8 MiB in memory. Dropping this unmounts it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: &Path) -> Self {
        fs::create_dir(path).expect("a directory");
        let path = path.display().to_string();
        run("mount", &["-t", "tmpfs", "-o", "size=8m", "tmpfs", &path]).succeeded();
        Self(path.into())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = run("umount", &[Path::new("-l"), &self.0]);
    }
}

#[test]
fn a_store_inside_the_mountpoint_is_refused() {
    let config = config().with("stores.cold = { path = 'mnt/cold' }");
    let Some(mount) = Mount::prepared(&config) else { return };
    let done = mount.command(&["mount", mount.mountpoint().to_str().expect("UTF-8")]);
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stderr.contains("the store `cold`"), "{done}");
    assert!(!mount.cold().exists() && !mount.library().exists(), "nothing was made");
}
