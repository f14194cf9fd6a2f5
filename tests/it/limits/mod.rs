//! Bad input on a real mount: it gets a clear message or errno, the
//! daemon goes on, the old attachment stays, and nothing is left behind.

// Tests fail by panicking.
#![allow(clippy::panic)]

mod absent;
mod catalog;
mod disk;
mod hostile;
mod input;
mod start;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::mount::daemon::Mount;
use crate::mount::tool;
use crate::wait::until;

/// Sends files to one path, one after the other. Prints for each where it ended, with which errno and after how many bytes.
/// Python reports the answer of close(2), which the standard library ignores.
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

/// The end of a file that was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// `open`, `write` or `close`, whichever failed, or `taken`.
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

/// Checks that after a collection the blob folder has exactly these contents, and the staging folder is empty.
pub fn holds_exactly(mount: &Mount, library: &Path, contents: &[&[u8]]) {
    mount.collect();
    let expected: BTreeSet<String> =
        contents.iter().map(|bytes| blake3::hash(bytes).to_hex().to_string()).collect();
    assert_eq!(blobs(library), expected, "the blob folder holds exactly what is linked");
    nothing_is_staged(mount, library);
}

/// Waits until no draft is open: the kernel sends the release of a draft after its writer has gone on.
pub fn nothing_is_staged(mount: &Mount, library: &Path) {
    until("no draft is open", || mount.status()["open"]["drafts"] == 0);
    until("nothing stays in the staging folder", || files(&library.join("staging")).is_empty());
}

/// The digests in the names of all files in the blob folder. A file that is no blob counts with its whole name.
pub fn blobs(library: &Path) -> BTreeSet<String> {
    let digest = |name: String| name.split('.').next().map(str::to_owned).unwrap_or(name);
    files(&library.join("blobs")).into_iter().map(digest).collect()
}

/// The names of all files below a folder, sorted, without the logs of stores.
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

/// Whether a file is the log of a store.
pub fn is_log(name: impl AsRef<Path>) -> bool {
    let name = name.as_ref();
    name.extension().is_some_and(|extension| extension == "log")
}

/// Whether the tests run as root, with a message if not.
pub fn is_root() -> bool {
    tool::present("root", rustix::process::geteuid().is_root())
}
