//! The summary: the totals of the catalogue, and a count that moves with every change.

use words::slot::Name;

use super::error::Result;

pub trait Summary {
    fn totals(&self) -> Result<Totals>;

    /// Where all rows and files are. Walks the catalogue, and holds no writer up.
    fn census(&self) -> Result<Census>;

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

/// Counts the files of the tables and fields, also of those that are not declared any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// The tables that have rows, by name, and how many.
    pub rows: Vec<(Name, u64)>,
    /// By table, field and shape.
    pub places: Vec<Occupied>,
}

/// The files of a field: in its items, or in the fields themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occupied {
    pub table: Name,
    pub field: Name,
    pub in_items: bool,
    pub files: u64,
    /// How many of them have their original.
    pub originals: u64,
}
