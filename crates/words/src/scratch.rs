//! A scratch file: an ordinary, unvalidated file in a row.

use crate::attachment::{Access, RowId, ScratchId};
use crate::digest::Digest;
use crate::place::Folder;
use crate::slot::Name;
use crate::timestamp::Timestamp;

/// A scratch file: an ordinary, unvalidated file in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScratchRecord {
    pub id: ScratchId,
    pub folder: Folder,
    pub name: Name,
    /// The file's name in the library's scratch directory.
    pub file: String,
    pub access: Access,
    pub created: Timestamp,
    pub arrival: Arrival,
}

/// How far a file of a drop box has come. Other scratch stays where it begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Whether it is to be looked at.
    pub waiting: bool,
    /// The row that was made for it, until it is taken: what a crash interrupted goes on there.
    pub becomes: Option<RowId>,
    /// The bytes that were dealt with last, attached or refused.
    pub taken: Option<Digest>,
}
