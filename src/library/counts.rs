//! What the library has done since the start, in numbers.
//! Does not know what there is: the catalogue does.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number that only grows.
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
    /// Bytes that needed no blob of their own, for a store had them already.
    pub shared_bytes: Count,
    /// Variants that were looked up and were there.
    pub variants_found: Count,
    pub variants_rendered: Count,
    pub variants_failed: Count,
    /// Files that nobody closed and that the quarantine could not take: they wait for the next start.
    pub awaiting_files: Count,
    pub awaiting_bytes: Count,
}
