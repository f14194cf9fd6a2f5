//! Printing: results to stdout, errors and the log to stderr. A stream may have no reader: a full or closed pipe, a stopped or
//! hung-up terminal, a log on a full disk. A line of the log that cannot be written at once is dropped and counted, so that no
//! mount waits for its log.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::error::Error;
use crate::config;
use crate::fence::chain;

/// How long an error message waits for a stderr that nobody reads.
const STDERR_PATIENCE: Duration = Duration::from_secs(1);
/// How many bytes a pipe takes without blocking once poll(2) calls it writable (`PIPE_BUF`, pipe(7)).
const PIECE: usize = 4096;

/// Guards the number of lines dropped since the last written one. Held while a line is written, so that no other thread fills the
/// pipe between poll(2) and write(2).
static DROPPED: Mutex<u64> = Mutex::new(0);

/// Prints to stdout. Unlike `println!` it returns an error when the reader has closed the pipe.
pub fn say(text: impl Display) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::Output)
}

/// Prints an error and its causes to stderr. Mistakes in a configuration are printed without a prefix, so that editors can jump
/// to them.
pub fn complain(error: &Error) {
    let text = match error {
        Error::Config(config::Error::Invalid(_)) => error.to_string(),
        _ => format!("mediafs: {}", chain(error)),
    };
    // Where stderr cannot be written either, the exit code alone tells of the error.
    offer(io::stderr(), format!("{text}\n").as_bytes(), STDERR_PATIENCE);
}

/// Prints a remark beside the results to stderr.
pub fn warn(text: &str) {
    offer(io::stderr(), format!("mediafs: {text}\n").as_bytes(), STDERR_PATIENCE);
}

/// `1 file`, `2 files`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Standard error as the log's writer. Never fails and never blocks.
pub struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut dropped = DROPPED.lock();
        if *dropped > 0 {
            let gap =
                format!("{dropped} lines of the log are missing: they could not be written\n");
            if offer(io::stderr(), gap.as_bytes(), Duration::ZERO) {
                *dropped = 0;
            }
        }
        if *dropped > 0 || !offer(io::stderr(), line, Duration::ZERO) {
            *dropped += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes piece by piece, and waits up to `patience` for each until the stream accepts it. Returns whether all was written.
pub fn offer(stream: impl AsFd, bytes: &[u8], patience: Duration) -> bool {
    let patience = Timespec::try_from(patience).ok();
    let mut left = bytes;
    while !left.is_empty() {
        let mut events = [PollFd::new(&stream, PollFlags::OUT)];
        if !poll(&mut events, patience.as_ref()).is_ok_and(|ready| ready > 0) {
            return false;
        }
        match rustix::io::write(&stream, left.get(..PIECE).unwrap_or(left)) {
            Ok(written) if written > 0 => left = left.get(written..).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;

    use super::*;

    fn writes(stream: impl AsFd, bytes: &[u8]) -> bool {
        offer(stream, bytes, Duration::ZERO)
    }

    #[test]
    fn a_pipe_that_is_read_gets_everything_and_one_that_is_not_holds_nobody_up() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        assert!(writes(&writer, &[b'x'; 3 * PIECE]));
        let mut all = vec![0; 3 * PIECE];
        reader.read_exact(&mut all).expect("read");
        while writes(&writer, &[b'x'; PIECE]) {}
        assert!(!writes(&writer, b"full"));
        drop(reader);
        assert!(!writes(&writer, b"closed"));
    }

    #[test]
    fn a_full_disk_is_no_error_of_who_writes() {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a device");
        assert!(!writes(&full, b"a line\n"));
    }
}
