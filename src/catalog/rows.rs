//! Tables, their fields, and their rows.

use words::attachment::{Access, Amendment, FieldId, RowId, TableId};
use words::link::Collision;
use words::retired::Orphan;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

use super::error::Result;

pub trait Rows {
    /// The number of a table. The first mention of a name adds the table. Idempotent.
    fn table(&self, name: &Name) -> Result<TableId>;

    /// The number of a field. The first mention of a name adds the field; each mention sets what happens from now on to
    /// attachments that lose their last link in it. Idempotent. Errors: `Error::Missing` if there is no such table.
    fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId>;

    fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>>;

    fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>>;

    /// Up to `limit` rows of the table with numbers above `after`, by number.
    fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>>;

    /// The largest whole number of up to 19 digits between `prefix` and `suffix` in the name of a row of the table, such as 7
    /// in `scan-7`; 0 if there is none. Reads the name of every row that begins with the prefix.
    fn largest_number(&self, table: TableId, prefix: &str, suffix: &str) -> Result<u64>;

    /// Errors: `Error::Taken`, `Error::Missing` if there is no such table.
    fn add_row(
        &self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord>;

    /// Removes a row without links, and its scratch files with it. Returns their records: the caller deletes the files.
    /// Errors: `Error::NotEmpty` if the row has links, `Error::Missing`.
    fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>>;

    /// Renames a row inside its table. [`Collision::Replace`] removes a row that has the name, and fails with
    /// `Error::NotEmpty` if that row has links or scratch files. [`Collision::Exchange`] swaps the two names. Renaming a row to
    /// its own name changes nothing. Errors: `Error::Missing`, `Error::Taken`, `Error::NotEmpty`.
    fn rename_row(&self, row: RowId, to: &Name, collision: Collision, now: Timestamp)
    -> Result<()>;

    /// Changes owner, mode or times of a row. Errors: `Error::Missing`.
    fn amend_row(&self, row: RowId, amendment: Amendment, now: Timestamp) -> Result<RowRecord>;
}
