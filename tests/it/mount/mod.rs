//! The contract on a real mount, driven by the programs that people
//! use. Each test has a daemon, a library and a mountpoint of its own.

// Tests fail by panicking, and paths are handed to Python as literals.
#![allow(clippy::panic, clippy::unnecessary_debug_formatting)]

pub mod acceptance;
mod access;
mod archive;
mod boxes;
mod cache;
mod collection;
mod contract;
mod copy;
pub mod daemon;
mod damage;
mod draft;
mod edit;
mod expiry;
mod extension;
mod kernel_cache;
mod links;
mod listing;
mod metadata;
mod metric;
mod name;
mod original;
mod passthrough;
pub mod peer;
pub mod picture;
mod policy;
mod quarantine;
mod quota;
mod reading;
mod refusal;
mod restart;
mod row;
mod script;
mod server;
mod sidecar;
mod space;
mod store;
pub mod tool;
mod trash;
mod truncate;
mod unlinked;
mod url;
pub mod user;
mod variant;
mod web;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use daemon::Mount;
use picture::Bytes;
use tool::Done;

use crate::config::Config;

/// The configuration of most tests.
pub fn config() -> Config {
    Config::new()
        .table("page", "name")
        .field("cover", "image")
        .table("user", "integer")
        // Stored as sent, if it was sent without metadata.
        .field(
            "avatar",
            "image, max_size = '1 MiB', min_width = 64, thumbnails = ['w64', '32x32c.webp'], \
             content_types = ['image/jpeg', 'image/png', 'image/webp']",
        )
        // Never stored as sent.
        .field("cover", "image, format = 'jpeg'")
        // A text that is too short is refused at close, one that is too long in write.
        .field("note", "file, min_size = '4 B', max_size = '4 KiB', content_types = ['text/plain']")
        // Takes anything.
        .field("memo", "file")
}

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EIO: i32 = 5;
const EAGAIN: i32 = 11;
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const EXDEV: i32 = 18;
const EINVAL: i32 = 22;
const EFBIG: i32 = 27;
const EROFS: i32 = 30;
const ERANGE: i32 = 34;
const ENAMETOOLONG: i32 = 36;
const ENOTEMPTY: i32 = 39;
const EBADMSG: i32 = 74;
const EOPNOTSUPP: i32 = 95;
const EDQUOT: i32 = 122;
const EMEDIUMTYPE: i32 = 124;

/// Checks that a tool that writes a picture from its first path to its second succeeds.
fn accepts(write: impl Fn(&Path, &Path) -> Done) {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("source.png", &picture::good(1));
    let avatar = mount.row().join("avatar");
    write(&source, &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(1), "stored bit for bit");
}

/// Checks that such a tool replaces a picture: an open handle keeps the old one, a new open reads the new one.
fn replaces(write: impl Fn(&Path, &Path) -> Done) {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("source.png", &picture::good(2));
    let avatar = mount.attach("avatar", &picture::good(1));
    let mut old = File::open(&avatar).expect("the old picture opens");
    write(&source, &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(2), "the new picture is there");
    assert_eq!(rest(&mut old), picture::good(1), "the old handle keeps its picture");
}

/// Checks that such a tool cannot write half a picture, which only close detects. Returns what the tool reported.
fn refuses(write: impl Fn(&Path, &Path) -> Done) -> Refused {
    refuses_over(Some(picture::good(1)), write)
}

struct Refused {
    /// `None` without FUSE.
    done: Option<Done>,
    source_kept: bool,
}

impl Refused {
    fn noticed(&self, exit_code: i32) {
        if let Some(done) = &self.done {
            assert_eq!(done.code, exit_code, "{done}");
        }
    }
}

fn refuses_over(old: Option<Bytes>, write: impl Fn(&Path, &Path) -> Done) -> Refused {
    let Some(mount) = Mount::start() else { return Refused { done: None, source_kept: true } };
    let source = mount.outside("source.png", &picture::cut_short(2));
    let avatar = mount.row().join("avatar");
    if let Some(old) = &old {
        mount.attach("avatar", old);
    }
    let done = write(&source, &avatar);
    match old {
        Some(old) => assert_eq!(read(&avatar), old, "the old picture is untouched; {done}"),
        None => assert_eq!(errno(fs::read(&avatar)), ENOENT, "nothing is attached; {done}"),
    }
    let said = mount.last_error();
    assert!(said.contains("user/42/avatar") && said.contains("truncated"), "last-error: {said}");
    Refused { done: Some(done), source_kept: source.exists() }
}

pub fn read(path: &Path) -> Bytes {
    let bytes = fs::read(path);
    Bytes(bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The rest of an open file.
fn rest(file: &mut File) -> Bytes {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("the handle reads");
    Bytes(bytes)
}

/// The errno of an operation that must fail.
pub fn errno<T>(outcome: io::Result<T>) -> i32 {
    match outcome {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error.raw_os_error().unwrap_or_else(|| panic!("no errno: {error}")),
    }
}

/// The names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("the directory opens")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}
