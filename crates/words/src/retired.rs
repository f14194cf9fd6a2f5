//! A retired attachment: one that has lost its last name and was not swept yet.

use crate::attachment::Attachment;
use crate::slot::{Name, Slot};
use crate::timestamp::Timestamp;

/// An attachment that has lost its last name and was not swept yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    pub attachment: Attachment,
    /// The name that it lost last, by the names that table and row had then.
    pub slot: Slot,
    pub written: Name,
    pub at: Timestamp,
    pub orphan: Orphan,
}

/// What becomes of a blob when the last name of its last attachment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphan {
    Delete,
    /// Kept for ever (`delete_orphan = false`).
    Keep,
}
