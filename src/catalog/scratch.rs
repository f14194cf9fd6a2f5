//! Scratch files: which file has which unvalidated name in which directory. The files of drop boxes are scratch files.

use words::attachment::{Access, Amendment, ScratchId, TableId};
use words::digest::Digest;
use words::link::Collision;
use words::place::Folder;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

use super::error::Result;

pub trait Scratch {
    fn scratch(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>>;

    fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>>;

    /// The scratch files of a directory, by number. Those of a row do not include those of its collections.
    fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>>;

    /// The scratch files of all rows that were created before a time, by number.
    fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>>;

    /// Errors: `Error::Taken`, `Error::Missing` if the row is gone.
    fn add_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        file: &str,
        access: Access,
        now: Timestamp,
    ) -> Result<ScratchRecord>;

    /// Renames a scratch file, also into another directory. Returns the record that was displaced, as it was.
    /// Errors: `Error::Taken`, `Error::Missing`.
    fn rename_scratch(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>>;

    /// Changes owner or mode. Its times are those of the file itself. Errors: `Error::Missing`.
    fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<ScratchRecord>;

    /// Removes a record, and returns it if it existed. The caller deletes the file.
    fn remove_scratch(&self, id: ScratchId, now: Timestamp) -> Result<Option<ScratchRecord>>;

    /// Marks a file of a drop box as waiting to be processed. Errors: `Error::Missing`.
    fn offer(&self, id: ScratchId) -> Result<()>;

    /// Adds a row for a file of a drop box, and notes the row in the file's record.
    /// Errors: `Error::Taken` if the row exists, `Error::Missing`.
    fn enrol(
        &self,
        id: ScratchId,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord>;

    /// Notes that a file with these bytes was processed. It no longer waits, until it is offered again.
    /// Errors: `Error::Missing`.
    fn take(&self, id: ScratchId, taken: Digest) -> Result<()>;
}
