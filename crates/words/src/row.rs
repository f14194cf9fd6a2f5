//! A row of a table, as the catalogue keeps it.

use crate::attachment::{Access, RowId, TableId, Times};
use crate::slot::Name;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRecord {
    pub id: RowId,
    pub table: TableId,
    pub name: Name,
    pub access: Access,
    /// `modified` changes whenever a link or scratch file of the row is added, renamed or removed.
    pub times: Times,
}
