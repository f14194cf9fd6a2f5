//! Writing to a stream that nobody may read: a pipe that is full or closed, a terminal that is stopped or hung up, a log on a full
//! disk. No line is worth a mount: what cannot be written at once is dropped and counted.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Bytes that a pipe takes whole once poll(2) says that it is writable (`PIPE_BUF`, pipe(7)).
const PIECE: usize = 4096;

/// Lines of the log that were dropped since the last one that was written. Held while a line is written, so that no other comes
/// between poll(2) and write(2) and fills the pipe.
static DROPPED: Mutex<u64> = Mutex::new(0);

/// Standard error for the log. Never fails, never waits.
pub struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut dropped = DROPPED.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Writes as far as the stream takes it, for each piece within `patience`. Whether all was written.
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
