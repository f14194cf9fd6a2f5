//! A scratch file, which a row holds under a name that no field has.

use crate::attachment::{Access, RowId, ScratchId};
use crate::digest::Digest;
use crate::place::Folder;
use crate::slot::Name;
use crate::timestamp::Timestamp;

/// A scratch file: an ordinary file in a row, which is not validated.
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

/// The progress of a file in a drop box. All other scratch files have the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Whether the file waits to be attached or refused.
    pub waiting: bool,
    /// The row that was made for the file. It is set until the file is attached, so that a start after a crash continues with
    /// this row.
    pub becomes: Option<RowId>,
    /// The digest of the bytes that were last attached or refused.
    pub taken: Option<Digest>,
}
