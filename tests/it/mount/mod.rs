//! Tests on a real mount, driven by the programs that people use. Each test has a daemon, a library and a mountpoint of its own.

// Tests fail by panicking, and paths are handed to Python as literals.
#![allow(clippy::panic, clippy::unnecessary_debug_formatting)]

pub mod acceptance;
mod access;
mod allocation;
mod archive;
pub mod attribute;
mod bad_input;
mod boxes;
mod collection;
mod contention;
pub mod control_files;
mod copy;
pub mod daemon;
mod damage;
mod desktop;
mod detours;
mod downloads;
mod draft;
mod draft_bytes;
mod edit;
mod expiry;
mod extension;
mod fetch_policy;
mod fixed_access;
mod hidden_places;
mod hostile;
mod kernel_cache;
pub mod library_files;
mod links;
mod listing;
mod litter;
mod locks;
mod many_open;
mod metadata;
mod metrics;
pub mod mounted;
mod name;
mod original;
mod passthrough;
pub mod peer;
pub mod picture;
mod preserving;
mod proc_links;
mod quarantine;
mod quota;
mod read_only;
pub mod reader;
mod reason;
mod refusal;
mod restart;
mod restore;
mod retention;
mod row_json;
mod scratch;
mod script;
pub mod sender;
mod shared_directory;
mod sidecar;
mod stale_inodes;
mod store;
mod tls_server;
pub mod tool;
mod trash;
mod truncate;
mod unlinked;
mod url;
pub mod user;
mod variant;
mod variant_cache;
mod web_server;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use daemon::Mount;
use picture::Bytes;
use tool::Done;

use crate::config::Config;

/// The configuration of most tests: two tables with fields of different rules.
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
        // Refuses a text that is too short at close, and one that is too long in write.
        .field("note", "file, min_size = '4 B', max_size = '4 KiB', content_types = ['text/plain']")
        .field("memo", "file")
}

pub const EPERM: i32 = 1;
pub const ENOENT: i32 = 2;
pub const EIO: i32 = 5;
pub const ENXIO: i32 = 6;
pub const EAGAIN: i32 = 11;
pub const EACCES: i32 = 13;
pub const EBUSY: i32 = 16;
pub const EEXIST: i32 = 17;
pub const EXDEV: i32 = 18;
pub const ENOTDIR: i32 = 20;
pub const EISDIR: i32 = 21;
pub const EINVAL: i32 = 22;
pub const ETXTBSY: i32 = 26;
pub const EFBIG: i32 = 27;
pub const ENOSPC: i32 = 28;
pub const EROFS: i32 = 30;
pub const ERANGE: i32 = 34;
pub const ENAMETOOLONG: i32 = 36;
pub const ENOTEMPTY: i32 = 39;
pub const EBADMSG: i32 = 74;
pub const EOPNOTSUPP: i32 = 95;
pub const ECONNABORTED: i32 = 103;
pub const ENOTCONN: i32 = 107;
pub const ETIMEDOUT: i32 = 110;
pub const EHOSTUNREACH: i32 = 113;
pub const ESTALE: i32 = 116;
pub const EREMOTEIO: i32 = 121;
pub const EDQUOT: i32 = 122;
pub const EMEDIUMTYPE: i32 = 124;

/// Checks that a tool that writes a picture from its first path to its second succeeds.
fn accepts(write: impl Fn(&Path, &Path) -> Done) {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("source.png", &picture::good(1));
    let avatar = mount.row().join("avatar");
    write(&source, &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(1), "stored bit for bit");
}

/// Checks that a tool replaces a picture: an open handle keeps the old one, a new open reads the new one.
fn replaces(write: impl Fn(&Path, &Path) -> Done) {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("source.png", &picture::good(2));
    let avatar = mount.attach("avatar", &picture::good(1));
    let mut old = File::open(&avatar).expect("the old picture opens");
    write(&source, &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(2), "the new picture is there");
    assert_eq!(rest(&mut old), picture::good(1), "the old handle keeps its picture");
}

/// Checks that half a picture, which only `close` detects, is refused to a tool and leaves the old picture.
fn refuses(write: impl Fn(&Path, &Path) -> Done) -> Refused {
    refuses_over(Some(picture::good(1)), write)
}

/// The end of a tool that wrote half a picture.
struct Refused {
    /// `None` without FUSE.
    done: Option<Done>,
    source_kept: bool,
}

impl Refused {
    /// Checks the exit code of the tool.
    fn noticed(&self, exit_code: i32) {
        if let Some(done) = &self.done {
            assert_eq!(done.code, exit_code, "{done}");
        }
    }
}

/// Like `refuses`, over this old picture or onto a free field.
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
    mount.last_error_has("user/42/avatar", "truncated");
    Refused { done: Some(done), source_kept: source.exists() }
}

pub fn read(path: &Path) -> Bytes {
    let bytes = fs::read(path);
    Bytes(bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The bytes of an open file from its position to its end.
pub fn rest(file: &mut File) -> Bytes {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("the handle reads");
    Bytes(bytes)
}

/// The errno of an operation that must fail.
pub fn errno<T>(outcome: io::Result<T>) -> i32 {
    match outcome {
        Ok(_) => panic!("the operation succeeded"),
        Err(error) => error.raw_os_error().unwrap_or_else(|| panic!("no errno: {error}")),
    }
}

/// The names in a directory, in its order.
pub fn listed(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory opens");
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect()
}

/// The names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names = listed(directory);
    names.sort();
    names
}
