//! Counts: what the library has done since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct Counts {
    /// Files that were judged, stored and linked.
    pub attached: Count,
    /// Bytes of blobs that were stored.
    pub stored_bytes: Count,
    /// Bytes that were shared with a blob that the store had already.
    pub shared_bytes: Count,
    /// Variants that were looked up and found.
    pub variants_found: Count,
    pub variants_rendered: Count,
    pub variants_failed: Count,
    awaiting_files: Count,
    awaiting_bytes: Count,
}

impl Counts {
    /// Counts a file that the quarantine could not take. The next start tries again.
    pub(super) fn leave(&self, length: u64) {
        self.awaiting_files.add(1);
        self.awaiting_bytes.add(length);
    }

    /// How many files the quarantine could not take, and how many bytes they have.
    pub fn awaiting_quarantine(&self) -> (u64, u64) {
        (self.awaiting_files.total(), self.awaiting_bytes.total())
    }
}
