//! A retired attachment, which has no name any more.

use crate::attachment::Attachment;
use crate::slot::{Name, Slot};
use crate::timestamp::Timestamp;

/// An attachment that has lost its last name and was not deleted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    pub attachment: Attachment,
    /// The name that it lost last, with the names that table and row had at that time.
    pub slot: Slot,
    pub written: Name,
    pub at: Timestamp,
    pub orphan: Orphan,
}

/// The fate of a blob whose last attachment has lost its last name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphan {
    Delete,
    /// Kept for ever (`delete_orphan = false`).
    Keep,
}
