//! What a store waits for on the disk, and the fence that a failure raises.
//! Does not know what it is that is synced.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::blob::Error;

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
    /// Set for good by the first failed sync: the kernel forgets the error and the pages, and the next sync lies.
    fenced: AtomicBool,
    sync: Sync,
}

impl Disk {
    pub fn new(sync: Sync) -> Self {
        Self { fenced: AtomicBool::new(false), sync }
    }

    /// Syncs; a failure raises the fence.
    pub fn sync(&self, reach: Reach, file: &File) -> io::Result<()> {
        self.try_sync(reach, file).inspect_err(|_| self.raise_fence())
    }

    /// Syncs; the caller knows what a failure means.
    pub fn try_sync(&self, reach: Reach, file: &File) -> io::Result<()> {
        (self.sync)(reach, file)
    }

    pub fn raise_fence(&self) {
        self.fenced.store(true, Ordering::SeqCst);
    }

    pub fn check_fence(&self) -> Result<(), Error> {
        if self.is_fenced() { Err(Error::Fenced) } else { Ok(()) }
    }

    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::SeqCst)
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
