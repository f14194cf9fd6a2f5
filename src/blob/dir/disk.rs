//! Syncs, and the fence that a failed one raises. Tests stand in for the disk here.

use std::fs::File;
use std::io;

use crate::fence::Fence;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The bytes of a file, and the metadata needed to read them (`fdatasync`).
    Bytes,
    /// A file with all metadata, or a directory with its names (`fsync`).
    Whole,
    /// The whole filesystem of the file. Reports failures since the file was opened (`syncfs(2)`).
    Everything,
}

pub(super) type Sync = Box<dyn Fn(Reach, &File) -> io::Result<()> + Send + std::marker::Sync>;

pub(super) struct Disk {
    pub fence: Fence,
    sync: Sync,
}

impl Disk {
    pub fn new(sync: Sync, fence: Fence) -> Self {
        Self { fence, sync }
    }

    /// The real disk, with a fence of its own: for a reader.
    pub fn real() -> Self {
        Self::new(Box::new(sync), Fence::default())
    }

    /// Syncs. A failure raises the fence.
    pub fn sync(&self, reach: Reach, file: &File) -> io::Result<()> {
        self.try_sync(reach, file).inspect_err(|error| self.raise_fence(error))
    }

    /// Syncs. The caller decides whether a failure raises the fence.
    pub fn try_sync(&self, reach: Reach, file: &File) -> io::Result<()> {
        (self.sync)(reach, file)
    }

    pub fn raise_fence(&self, error: &io::Error) {
        self.fence.raise("a store of blobs could not be synced", error);
    }
}

/// The syncs of the real disk.
pub(super) fn sync(reach: Reach, file: &File) -> io::Result<()> {
    match reach {
        Reach::Bytes => file.sync_data(),
        Reach::Whole => file.sync_all(),
        Reach::Everything => Ok(rustix::fs::syncfs(file)?),
    }
}
