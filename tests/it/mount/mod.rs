//! The contract on a real kernel mount: the program itself, driven by the tools that people use.
//! Each test has a daemon, a library and a mountpoint of its own.

// Tests fail by panicking, and paths are handed to Python as literals.
#![allow(clippy::panic, clippy::unnecessary_debug_formatting)]

pub mod acceptance;
mod access;
mod archive;
mod boxes;
mod cache;
mod collection;
mod copy;
pub mod daemon;
mod draft;
mod edit;
mod empty;
mod extension;
mod kept;
mod law;
mod life;
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
mod row;
mod script;
mod server;
mod sidecar;
mod space;
mod store;
pub mod tool;
mod trash;
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

const CONFIG: &str = r#"
[library]
path = "library"

[tables.user]
id = "integer"

# Stored as it is sent, when it is sent without metadata.
[tables.user.fields.avatar]
type = "image"
max_size = "1 MiB"
content_types = ["image/jpeg", "image/png", "image/webp"]
min_width = 64
thumbnails = ["w64", "32x32c.webp"]

# Never stored as it is sent.
[tables.user.fields.cover]
type = "image"
format = "jpeg"

# Too short a text is found at close, too long a one in write.
[tables.user.fields.note]
type = "file"
min_size = "4 B"
max_size = "4 KiB"
content_types = ["text/plain"]

# Takes anything.
[tables.user.fields.memo]
type = "file"

[tables.page]
id = "name"

[tables.page.fields.cover]
type = "image"
"#;

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

/// The law 'accepted' of a tool that writes a picture from its first path to its second.
fn accepts(write: impl Fn(&Path, &Path) -> Done) {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("source.png", &picture::good(1));
    let avatar = mount.row().join("avatar");
    write(&source, &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(1), "stored bit for bit");
}

/// The law 'replaced': who has the old picture open keeps it, who opens now has the new one.
fn replaces(write: impl Fn(&Path, &Path) -> Done) {
    let Some(mount) = Mount::start() else { return };
    let source = mount.outside("source.png", &picture::good(2));
    let avatar = mount.attach("avatar", &picture::good(1));
    let mut old = File::open(&avatar).expect("the old picture opens");
    write(&source, &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(2), "the new picture is there");
    assert_eq!(rest(&mut old), picture::good(1), "the old handle keeps its picture");
}

/// The law 'refused', of a picture that is cut short, which only the close can tell. Returns what the tool made of it.
fn refuses(write: impl Fn(&Path, &Path) -> Done) -> Refused {
    refuses_over(Some(picture::good(1)), write)
}

struct Refused {
    /// `None` where there is no kernel to ask.
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

/// What an open file still has.
fn rest(file: &mut File) -> Bytes {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("the handle reads");
    Bytes(bytes)
}

/// The errno of something that must fail.
pub fn errno<T>(outcome: io::Result<T>) -> i32 {
    match outcome {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error.raw_os_error().unwrap_or_else(|| panic!("no errno: {error}")),
    }
}

/// The names that a directory lists, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("the directory opens")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}
