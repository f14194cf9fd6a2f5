//! The bounds of the quarantine, as an operator configures them.

use std::time::Duration;

/// How much the quarantine keeps. Older files are deleted, and refused files beyond count or size too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub age: Duration,
    pub count: usize,
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 24 * 3600), count: 10_000, bytes: 1 << 30 }
    }
}
