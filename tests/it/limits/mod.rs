//! What bad input gets, on a real mount: a clear message or errno, the daemon alive, the old attachment untouched, and
//! nothing left behind.

// Tests fail by panicking.
#![allow(clippy::panic)]

mod absent;
mod disk;
mod hostile;
mod input;
mod lost;
mod start;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::mount::daemon::Mount;
use crate::mount::tool;

/// Sends files to one path, one after the other, and says of each where it ended, with which errno and after how many
/// bytes. The standard library does not tell what `close` answers.
const SEND: &str = "
import os, sys
for source in sys.argv[2:]:
    data, stage, sent, fd = open(source, 'rb').read(), 'open', 0, None
    try:
        fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        stage = 'write'
        while sent < len(data):
            sent += os.write(fd, data[sent:sent + 65536])
        stage = 'close'
        closing, fd = fd, None
        os.close(closing)
        print('taken', 0, sent)
    except OSError as error:
        print(stage, error.errno, sent)
    if fd is not None:
        try:
            os.close(fd)
        except OSError:
            pass
";

/// What became of a file that was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// `open`, `write` or `close`, whichever refused; else `taken`.
    pub stage: String,
    pub errno: i32,
    pub bytes: usize,
}

pub fn send(target: &Path, sources: &[&Path]) -> Vec<Sent> {
    let mut arguments = vec![OsStr::new("-c"), OsStr::new(SEND), target.as_os_str()];
    arguments.extend(sources.iter().map(|source| source.as_os_str()));
    let done = tool::run("python3", &arguments);
    done.succeeded();
    let sent: Vec<Sent> = done.stdout.lines().map(parse).collect();
    assert_eq!(sent.len(), sources.len(), "{done}");
    sent
}

fn parse(line: &str) -> Sent {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_else(|| panic!("{line:?}"));
    Sent {
        stage: word().to_owned(),
        errno: word().parse().expect("an errno"),
        bytes: word().parse().expect("a count"),
    }
}

/// After a collection the blob folder holds these contents and no other file; nothing is on its way into it.
pub fn holds_exactly(mount: &Mount, library: &Path, contents: &[&[u8]]) {
    mount.collect();
    let expected: BTreeSet<String> =
        contents.iter().map(|bytes| blake3::hash(bytes).to_hex().to_string()).collect();
    assert_eq!(blobs(library), expected, "the blob folder holds exactly what is linked");
    nothing_is_staged(mount, library);
}

/// The kernel tells of the end of a draft when its writer has gone on already, so this is waited for.
pub fn nothing_is_staged(mount: &Mount, library: &Path) {
    until("no draft is open", || mount.status()["open"]["drafts"] == 0);
    until("nothing stays in the staging folder", || files(&library.join("staging")).is_empty());
}

/// Waits for what another process does, where no event tells of it.
pub fn until(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !happened() {
        assert!(Instant::now() < deadline, "{what}: not within 30 s");
        thread::yield_now();
    }
}

/// The digests in the names of all files of the blob folder. A name that is no blob's is in it as it is.
pub fn blobs(library: &Path) -> BTreeSet<String> {
    let digest = |name: String| name.split('.').next().map(str::to_owned).unwrap_or(name);
    files(&library.join("blobs")).into_iter().map(digest).collect()
}

/// The names of all files below a folder but the logs of stores, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.file_name().into_string().expect("UTF-8"));
            }
        }
    }
    found.retain(|name| !is_log(name));
    found.sort();
    found
}

/// Whether it is a file where a store keeps what it has not settled yet.
pub fn is_log(name: impl AsRef<Path>) -> bool {
    let name = name.as_ref();
    name.extension().is_some_and(|extension| extension == "log")
}

/// What only root can set up; said aloud where we are not.
pub fn is_root() -> bool {
    tool::present("root", rustix::process::geteuid().is_root())
}
