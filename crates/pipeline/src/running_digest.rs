//! A digest that is computed while a file is written, so that bytes that came in order need not be read again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use words::digest::Digest;

/// Bytes that are read at a time.
const STEP: usize = 256 << 10;

/// The hash of the first bytes of a file, however few: [`RunningDigest::finish`] reads the others.
#[derive(Debug, Clone, Default)]
pub struct RunningDigest {
    hasher: blake3::Hasher,
    length: u64,
}

impl RunningDigest {
    /// Hashes bytes that were written at an offset, if they follow what was hashed. Begins anew if they replace hashed bytes.
    pub fn wrote(&mut self, offset: u64, bytes: &[u8]) {
        self.changed_from(offset);
        if offset == self.length {
            self.hasher.update(bytes);
            self.length = self.length.saturating_add(bytes.len() as u64);
        }
    }

    /// The file changed from this length on: begins anew if these bytes were hashed.
    pub fn changed_from(&mut self, length: u64) {
        if length < self.length {
            self.forget();
        }
    }

    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Reads the bytes that were not hashed and returns the digest. Errors: `InvalidData` if the file has another length.
    pub fn finish(mut self, file: &File, length: u64) -> io::Result<Digest> {
        // One byte is asked for even if all was hashed, to see that the file ends there.
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

/// The digest of a file that must have exactly this length.
pub fn of_file(file: &File, length: u64) -> io::Result<Digest> {
    RunningDigest::default().finish(file, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(digest: RunningDigest, bytes: &[u8]) -> Digest {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(bytes, 0).expect("written");
        digest.finish(&file, bytes.len() as u64).expect("a digest")
    }

    #[test]
    fn the_digest_is_right_whatever_was_hashed_before() {
        let bytes: Vec<u8> =
            (0..1_000_000_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
        let mut digests = vec![RunningDigest::default()];
        for writes in [
            // In order, whole or not; with a gap that is filled later; over what was there; from the start again.
            &[(0, 700_000), (700_000, 300_000)][..],
            &[(0, 4), (4, 9)],
            &[(500_000, 500_000), (0, 500_000)],
            &[(0, 500_000), (600_000, 1000), (500_000, 200_000)],
            &[(0, 500_000), (499_999, 10)],
            &[(0, 500_000), (0, 600_000)],
        ] {
            let mut digest = RunningDigest::default();
            for &(at, length) in writes {
                digest.wrote(at as u64, &bytes[at..at + length]);
            }
            digests.push(digest);
        }
        for digest in digests {
            assert_eq!(finish(digest, &bytes), Digest::of(&bytes));
        }
    }

    #[test]
    fn bytes_that_were_cut_off_or_written_over_do_not_count() {
        let mut digest = RunningDigest::default();
        digest.wrote(0, b"hello, world");
        digest.changed_from(12);
        digest.changed_from(5);
        assert_eq!(finish(digest.clone(), b"hello"), Digest::of(b"hello"));
        digest.wrote(0, b"HELLO");
        digest.wrote(2, b"y");
        assert_eq!(finish(digest, b"HEyLO"), Digest::of(b"HEyLO"));
    }

    #[test]
    fn hashed_bytes_are_not_read_again() {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"HELLO, world", 0).expect("written");
        let mut digest = RunningDigest::default();
        digest.wrote(0, b"hello, ");
        assert_eq!(digest.finish(&file, 12).expect("a digest"), Digest::of(b"hello, world"));
    }

    #[test]
    fn a_file_of_another_length_has_no_digest() {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"hello", 0).expect("written");
        for length in [4, 6] {
            for seen in [&b""[..], b"hell", b"hello"] {
                let mut digest = RunningDigest::default();
                digest.wrote(0, seen);
                assert!(digest.finish(&file, length).is_err());
            }
        }
    }
}
