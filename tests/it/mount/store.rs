//! Fields with a store of their own: where their bytes lie, how they move, and a store that is missing or full.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::attribute::{set, text as fact};
use super::daemon::Mount;
use super::library_files::files;
use super::mounted::Mounted;
use super::tool::run;
use super::{EIO, ENOENT, EXDEV, errno, picture, read, rest};
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
        self.beside("cold")
    }

    fn restart_as(&mut self, config: &Config) {
        self.configure(config);
        self.stop_and_restart();
    }
}

/// The number of blobs below a folder: the files whose names have a digest.
fn blobs(folder: &Path) -> usize {
    files(folder).iter().filter(|name| name.len() > 64).count()
}

#[test]
fn a_field_keeps_its_files_in_its_store() {
    let Some(mut mount) = config().mount() else { return };
    let portrait = mount.attach("portrait", &picture::good(1));
    assert_eq!((blobs(&mount.cold()), blobs(&mount.library())), (1, 0));
    assert_eq!(fs::metadata(mount.cold()).expect("stat").mode() & 0o777, 0o700);
    let avatar = mount.attach("avatar", &picture::good(1));
    assert_eq!((blobs(&mount.cold()), blobs(&mount.library())), (1, 1), "one blob in each store");
    mount.crash_and_restart();
    assert_eq!((read(&portrait), read(&avatar)), (picture::good(1), picture::good(1)));
    fs::remove_file(&portrait).expect("removed");
    mount.collect();
    assert_eq!((blobs(&mount.cold()), blobs(&mount.library())), (0, 1));
}

#[test]
fn attributes_and_status_show_the_store_with_its_address() {
    let Some(mount) = config().mount() else { return };
    let portrait = mount.attach("portrait", &picture::good(1));
    let avatar = mount.attach("avatar", &picture::good(2));
    assert_eq!(fact(&portrait, "user.mediafs.store"), "cold");
    assert_eq!(fact(&avatar, "user.mediafs.store"), "default");
    assert!(fact(&portrait, "user.mediafs.url").starts_with("https://cold.example.org/files/"));
    assert!(fact(&avatar, "user.mediafs.url").starts_with("https://media.example.org/"));
    for (file, base) in
        [(&portrait, "https://cold.example.org/files/"), (&avatar, "https://media.example.org/")]
    {
        let url = fact(file, "user.mediafs.url");
        let (path, time) = url.split_once("?_ts=").expect("a time");
        assert_eq!(time, fact(file, "user.mediafs.timestamp"));
        let path = path.strip_prefix(base).expect("the store's address");
        assert_eq!(read(&mount.path(path)), read(file), "the path leads a web server to the file");
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
fn a_move_between_stores_copies_the_blob_and_keeps_the_attachment() {
    let Some(mount) = config().mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let portrait = avatar.with_file_name("portrait");
    set(&avatar, "user.note", b"x").expect("set");
    read(&avatar.with_file_name("avatar@w64.png"));
    let before = fs::metadata(&avatar).expect("stat");
    let mut open = fs::File::open(&avatar).expect("open");
    fs::rename(&avatar, &portrait).expect("moved");
    let after = fs::metadata(&portrait).expect("stat");
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    assert_eq!(fact(&portrait, "user.note"), "x");
    assert_eq!(fact(&portrait, "user.mediafs.store"), "cold");
    assert_eq!(errno(fs::metadata(&avatar)), ENOENT);
    assert_eq!(read(&portrait), picture::good(1));
    mount.collect();
    mount.collect();
    assert_eq!(blobs(&mount.cold()), 1);
    assert_eq!(rest(&mut open), picture::good(1), "an open file keeps its bytes");
    read(&portrait.with_file_name("portrait@w64.png"));
    assert_eq!(blobs(&mount.cold()), 2, "the variant is rendered again in the new store");
    fs::rename(&portrait, &avatar).expect("moved back");
    assert_eq!(fact(&avatar, "user.mediafs.store"), "default");
}

#[test]
fn a_file_with_two_names_cannot_move_or_link_into_another_store() {
    let Some(mount) = config().mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let portrait = avatar.with_file_name("portrait");
    assert_eq!(errno(fs::hard_link(&avatar, &portrait)), EXDEV);
    let second = mount.row_of("43").join("avatar");
    fs::hard_link(&avatar, &second).expect("in one store");
    assert_eq!(errno(fs::rename(&avatar, &portrait)), EXDEV);
    assert_eq!(errno(fs::metadata(&portrait)), ENOENT);
    run("mv", &[&avatar, &portrait]).succeeded();
    assert_eq!(read(&portrait), picture::good(1), "mv copies");
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
    assert_eq!(said, 1, "the log has it once");
    assert_eq!(fs::metadata(&portrait).expect("stat").len(), picture::good(1).len() as u64);
    assert_eq!(fact(&portrait, "user.mediafs.store"), "cold");
    let moved = mount.row_of("43").join("portrait");
    fs::rename(&portrait, &moved).expect("renamed");
    fs::remove_file(&deed).expect("removed");
    fs::remove_file(deed.with_file_name("avatar")).expect("removed");
    mount.collect();
    assert_eq!(blobs(&mount.library()), 0, "blobs of other stores are deleted");
    assert_eq!(blobs(&mount.cold()), 2, "blobs of the missing store wait");
    fs::write(&deed, b"another deed").expect("stored in the library");
    assert_eq!(blobs(&mount.library()), 1);
    mount.restart_as(&config());
    assert_eq!(read(&moved), picture::good(1));
    assert_eq!(read(&deed), b"another deed");
    mount.collect();
    assert_eq!(blobs(&mount.cold()), 1, "the waiting blob is deleted");
}

#[test]
fn a_store_on_another_disk_is_written_whole_or_not_at_all() {
    let Some(mut mount) = Mount::prepared(config()) else { return };
    fs::create_dir(mount.cold()).expect("a directory");
    let disk = Mounted::in_memory(&mount.cold(), "8m");
    mount.restart();
    let deed = mount.attach("deed", &vec![1; 3 << 20]);
    assert_eq!(blobs(&mount.cold()), 1);
    let avatar = mount.attach("avatar", &picture::good(1));
    let portrait = avatar.with_file_name("portrait");
    fs::rename(&avatar, &portrait).expect("copied to the other disk");
    assert_eq!(read(&portrait), picture::good(1));
    let source = mount.outside("large", &vec![2; 6 << 20]);
    let done = run("cp", &[&source, &deed]);
    assert!(done.stderr.contains("No space left on device"), "{done}");
    assert_eq!(read(&deed).len(), 3 << 20, "the old one is whole");
    let free = mount.row_of("43").join("deed");
    assert_ne!(run("cp", &[&source, &free]).code, 0, "a free field does not take it either");
    until("the draft is released", || !free.exists());
    assert_eq!(blobs(&mount.cold()), 2, "a file that does not fit leaves nothing");
    mount.attach("avatar", &picture::good(3));
    fs::remove_file(&deed).expect("removed");
    mount.collect();
    mount.attach("deed", &vec![4; 6 << 20]);
    mount.stop();
    drop(disk);
    let done = mount.command(&["gc"]);
    assert!(done.stderr.contains("is its disk mounted?"), "{done}");
    assert!(
        !mount.cold().join("mediafs-store").exists(),
        "no store is made in the empty directory"
    );
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

#[test]
fn a_file_whose_store_is_gone_is_not_read_and_can_be_written_anew() {
    let Some(mut mount) = config().mount() else { return };
    let deed = mount.attach("deed", b"a deed");
    mount.restart_as(&all_in_the_library());
    assert_eq!(errno(fs::read(&deed)), EIO);
    assert_eq!(blobs(&mount.cold()), 1);
    fs::write(&deed, b"a deed").expect("the same bytes are taken");
    assert_eq!(read(&deed), b"a deed");
    assert_eq!(blobs(&mount.library()), 1);
    let log = mount.log();
    assert!(
        log.contains("its files are kept, and cannot be read until [stores.cold] is back"),
        "{log}"
    );
    assert!(log.contains("user/42/deed: the blob store failed: the store `cold` is"), "{log}");
}
