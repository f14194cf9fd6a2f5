//! A program that writes a file to a path and reports the answer of each system call.

use std::ffi::OsStr;
use std::path::Path;

use super::tool::run;

/// Sends a file to a path. Prints the step at which it ended, with which errno and after how many bytes.
/// Python reports the answer of close(2), which the standard library ignores.
const SEND: &str = "
import os, sys
data, stage, sent = open(sys.argv[2], 'rb').read(), 'open', 0
try:
    fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    stage = 'write'
    while sent < len(data):
        sent += os.write(fd, data[sent:sent + 65536])
    stage = 'close'
    os.close(fd)
    print('taken', 0, sent)
except OSError as error:
    print(stage, error.errno, sent)
";

/// The end of a file that was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// `open`, `write` or `close`, whichever failed, or `taken`.
    pub stage: String,
    pub errno: i32,
    pub bytes: usize,
}

pub fn send(target: &Path, source: &Path) -> Sent {
    let words = [OsStr::new("-c"), OsStr::new(SEND), target.as_os_str(), source.as_os_str()];
    let done = run("python3", &words);
    done.succeeded();
    let [stage, errno, bytes] = done.stdout.trim().split(' ').collect::<Vec<_>>()[..] else {
        panic!("{done}")
    };
    let (errno, bytes) = (errno.parse().expect("an errno"), bytes.parse().expect("a count"));
    Sent { stage: stage.to_owned(), errno, bytes }
}
