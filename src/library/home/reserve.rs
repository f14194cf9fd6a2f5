//! The reserve: disk space kept back, so that deleting and putting back work on a full disk.
//!
//! Removing a name is a transaction, and the catalogue's write-ahead log may have to grow for it. Without a reserve a full disk
//! could not be emptied through the mount.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::{FallocateFlags, fallocate};

use crate::library::error::{Error, Result};

/// The size that `SQLite`'s log grows to before it is folded into the database (1,000 pages of 4 KiB, sqlite.org/wal.html).
const BYTES: u64 = 4 << 20;

/// A file that only takes up space.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Does work that frees space in the end, or saves bytes. On a full disk it releases the reserve and tries once more.
    pub fn even_when_full<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match work() {
            Err(Error::NoSpace) if self.release() => work(),
            other => other,
        }
    }

    /// Allocates the space, unless it is allocated already. A disk without enough space gets no reserve, and a warning says so.
    pub fn fill(&self) {
        if let Err(error) = self.try_fill() {
            tracing::warn!(path = %self.path.display(), %error, "no disk space can be kept back for deleting");
            self.release();
        }
    }

    fn try_fill(&self) -> io::Result<()> {
        let file = self.open(true)?;
        if file.metadata()?.len() < BYTES {
            fallocate(&file, FallocateFlags::empty(), 0, BYTES)?;
        }
        Ok(())
    }

    /// Gives the space back to the disk. Returns whether there was any.
    pub fn release(&self) -> bool {
        let released = self.open(false).and_then(|file| {
            let length = file.metadata()?.len();
            file.set_len(0)?;
            Ok(length > 0)
        });
        released.unwrap_or(false)
    }

    fn open(&self, create: bool) -> io::Result<File> {
        OpenOptions::new().write(true).create(create).truncate(false).mode(0o600).open(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_reserve_takes_space_until_it_is_released() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("reserve");
        let reserve = Reserve::new(path.clone());
        let blocks = || std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&path).expect("stat"));
        assert!(!reserve.release(), "nothing was set aside yet");
        reserve.fill();
        assert!(blocks() * 512 >= BYTES, "blocks, not a hole");
        assert!(reserve.release());
        assert_eq!(blocks(), 0);
        assert!(!reserve.release());
    }
}
