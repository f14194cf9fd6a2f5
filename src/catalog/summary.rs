//! The summary: the totals of the catalogue, and a count that moves with every change.

use super::error::Result;

pub trait Summary {
    fn totals(&self) -> Result<Totals>;

    /// A number that grows with each change, and now and then without one: as long as it stays, every answer stays. None where
    /// another process may change the catalogue. Costs no query.
    fn commits(&self) -> Option<u64>;
}

/// The figures of `status.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub rows: u64,
    /// Attachments that are linked somewhere.
    pub attachments: u64,
    pub blobs: u64,
    pub variants: u64,
    pub scratch: u64,
    /// Bytes of all blobs, variants included.
    pub bytes: u64,
    /// Attachments without links.
    pub retired: u64,
    /// Bytes of their blobs. A blob counts once for each retired attachment.
    pub retired_bytes: u64,
}
