//! A row of a table, as the catalogue keeps it.

use crate::attachment::{Access, RowId, TableId, Times};
use crate::slot::Name;

/// A row as the catalogue keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRecord {
    pub id: RowId,
    pub table: TableId,
    pub name: Name,
    pub access: Access,
    /// `modified` moves whenever a link or scratch of the row is added, renamed or removed.
    pub times: Times,
}
