//! What a store waits for on the disk, and the fence that a failure raises.
//! Does not know what it is that is synced.

use std::fs::File;
use std::io;

use crate::blob::Error;
use crate::fence::Fence;

/// How much is to be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The bytes of a file, and what finds them again.
    Bytes,
    /// A file with its attributes, or a directory with its names.
    Whole,
    /// Everything of the filesystem that the file is on. It tells what went wrong since the file was opened (`syncfs(2)`).
    Everything,
}

pub(super) type Sync = Box<dyn Fn(Reach, &File) -> io::Result<()> + Send + std::marker::Sync>;

pub(super) struct Disk {
    fence: Fence,
    sync: Sync,
}

impl Disk {
    pub fn new(sync: Sync, fence: Fence) -> Self {
        Self { fence, sync }
    }

    /// The real one, for whoever raises no fence.
    pub fn real() -> Self {
        Self::new(Box::new(sync), Fence::default())
    }

    /// Syncs; a failure raises the fence.
    pub fn sync(&self, reach: Reach, file: &File) -> io::Result<()> {
        self.try_sync(reach, file).inspect_err(|error| self.raise_fence(error))
    }

    /// Syncs; the caller knows what a failure means.
    pub fn try_sync(&self, reach: Reach, file: &File) -> io::Result<()> {
        (self.sync)(reach, file)
    }

    pub fn raise_fence(&self, error: &io::Error) {
        self.fence.raise("a store of blobs could not be synced", error);
    }

    pub fn check_fence(&self) -> Result<(), Error> {
        Ok(self.fence.check()?)
    }

    pub fn is_fenced(&self) -> bool {
        self.fence.is_raised()
    }
}

/// What a store does that no test plays the disk for.
pub(super) fn sync(reach: Reach, file: &File) -> io::Result<()> {
    match reach {
        Reach::Bytes => file.sync_data(),
        Reach::Whole => file.sync_all(),
        Reach::Everything => Ok(rustix::fs::syncfs(file)?),
    }
}
