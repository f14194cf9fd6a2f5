//! The sum of a file's beginning: a digest taken while bytes come in order, so that they need not be read again.
//! Does not know where the bytes go.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use words::digest::Digest;

/// Bytes that are read at a time where they were not seen.
const STEP: usize = 256 << 10;

/// What was seen of a file, from its first byte on without a gap. Nothing, to begin with, which is always right.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    hasher: blake3::Hasher,
    length: u64,
}

impl Sum {
    /// These bytes were written there. What comes out of order is read when the sum is finished.
    pub fn wrote(&mut self, offset: u64, bytes: &[u8]) {
        if offset < self.length {
            self.forget();
        }
        if offset == self.length {
            self.hasher.update(bytes);
            self.length = self.length.saturating_add(bytes.len() as u64);
        }
    }

    /// From this length on the file is not what was seen any more.
    pub fn changed_from(&mut self, length: u64) {
        if length < self.length {
            self.forget();
        }
    }

    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The digest of a file that begins with what was seen and must have exactly this length.
    pub fn finish(mut self, file: &File, length: u64) -> io::Result<Digest> {
        // What was seen whole is not read at all; but that it ends there is.
        let rest = usize::try_from(length.saturating_sub(self.length)).unwrap_or(STEP);
        let mut buffer = vec![0; rest.clamp(1, STEP)];
        loop {
            let read = match file.read_at(&mut buffer, self.length) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.wrote(self.length, buffer.get(..read).unwrap_or_default());
        }
        if self.length != length {
            let words = format!("the file has {} bytes where {length} were judged", self.length);
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        Ok(Digest::from_bytes(*self.hasher.finalize().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(sum: Sum, bytes: &[u8]) -> Digest {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(bytes, 0).expect("written");
        sum.finish(&file, bytes.len() as u64).expect("a digest")
    }

    #[test]
    fn a_sum_is_the_digest_whatever_was_seen_of_the_file() {
        let bytes: Vec<u8> =
            (0..1_000_000_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
        let mut sums = vec![Sum::default()];
        for writes in [
            // In order, whole or not; with a gap that is filled later; over what was there; from the start again.
            &[(0, 700_000), (700_000, 300_000)][..],
            &[(0, 4), (4, 9)],
            &[(500_000, 500_000), (0, 500_000)],
            &[(0, 500_000), (600_000, 1000), (500_000, 200_000)],
            &[(0, 500_000), (499_999, 10)],
            &[(0, 500_000), (0, 600_000)],
        ] {
            let mut sum = Sum::default();
            for &(at, length) in writes {
                sum.wrote(at as u64, &bytes[at..at + length]);
            }
            sums.push(sum);
        }
        for sum in sums {
            assert_eq!(finish(sum, &bytes), Digest::of(&bytes));
        }
    }

    #[test]
    fn a_sum_forgets_what_was_cut_off_or_written_over() {
        let mut sum = Sum::default();
        sum.wrote(0, b"hello, world");
        sum.changed_from(12);
        sum.changed_from(5);
        assert_eq!(finish(sum.clone(), b"hello"), Digest::of(b"hello"));
        sum.wrote(0, b"HELLO");
        sum.wrote(2, b"y");
        assert_eq!(finish(sum, b"HEyLO"), Digest::of(b"HEyLO"));
    }

    #[test]
    fn bytes_that_were_seen_are_not_read_again() {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"HELLO, world", 0).expect("written");
        let mut sum = Sum::default();
        sum.wrote(0, b"hello, ");
        assert_eq!(sum.finish(&file, 12).expect("a digest"), Digest::of(b"hello, world"));
    }

    #[test]
    fn a_file_of_another_length_has_no_sum() {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"hello", 0).expect("written");
        for length in [4, 6] {
            for seen in [&b""[..], b"hell", b"hello"] {
                let mut sum = Sum::default();
                sum.wrote(0, seen);
                assert!(sum.finish(&file, length).is_err());
            }
        }
    }
}
