//! Damage: stored files that are missing, or whose length is not the one in the catalogue.
//!
//! Changed bytes of the same length are not noticed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use words::attachment::BlobKey;

/// Damaged files that are remembered. The log tells of no others.
const MOST: usize = 4_096;

/// The damaged files that were found since the start.
#[derive(Debug, Default)]
pub(in crate::library) struct Damage {
    /// Guards their keys. Held only to find one, to add one or to count them.
    known: Mutex<BTreeSet<BlobKey>>,
}

impl Damage {
    /// Remembers a damaged file. Returns whether it was unknown.
    pub(super) fn note(&self, key: BlobKey) -> bool {
        let mut known = self.known();
        known.len() < MOST && known.insert(key)
    }

    pub(super) fn count(&self) -> usize {
        self.known().len()
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<BlobKey>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that stands for the bytes of a damaged one: every read of it fails.
pub fn unreadable() -> io::Result<File> {
    File::options().write(true).open("/dev/null")
}
