//! Changes of rows, the directories that hold slots and scratch.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::library::error::{Error, Result};
use crate::library::home::reserve::Reserve;
use crate::library::keep::expiry::Expiry;
use crate::library::lookup::Lookup;
use words::access::Fixed;
use words::attachment::{Access, Amendment, RowId, TableId};
use words::link::Collision;
use words::place::Folder;
use words::row::RowRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub struct Rows {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) reserve: Arc<Reserve>,
    pub(in crate::library) expiry: Arc<Expiry>,
}

impl Rows {
    /// A new row. Its access is as requested, except for what the table fixes.
    pub fn make(&self, table: TableId, name: &Name, asked: Access) -> Result<RowRecord> {
        let declared = self.lookup.table(table);
        let access = declared.map_or(asked, |table| table.access.rows().of(asked));
        Ok(self.catalog.add_row(table, name, access, Timestamp::now())?)
    }

    /// `chmod`, `chown`, `utimens` of a row, as far as its table does not fix its access.
    pub fn amend(&self, id: RowId, amendment: Amendment) -> Result<RowRecord> {
        let row = self.lookup.row_by_id(id)?.ok_or(Error::Missing)?;
        let table = self.lookup.table(row.table);
        let fixed = table.map_or_else(Fixed::default, |it| it.access.rows());
        Ok(self.catalog.amend_row(id, fixed.leave(amendment), Timestamp::now())?)
    }

    pub fn rename(&self, row: RowId, to: &Name, collision: Collision) -> Result<()> {
        Ok(self.catalog.rename_row(row, to, collision, Timestamp::now())?)
    }

    /// Removes a row without attachments. Its scratch with bytes goes to the quarantine.
    pub fn remove(&self, row: &RowRecord) -> Result<()> {
        let path = self.lookup.row_path(row);
        let path = path.map_or_else(|| row.name.to_string(), |row| row.to_string());
        let remove = || Ok(self.catalog.remove_row(row.id)?);
        for scratch in self.reserve.even_when_full(remove)? {
            let field = scratch.folder.field.as_ref();
            let folder = field.map_or_else(|| path.clone(), |field| format!("{path}/{field}"));
            self.expiry.retire(&scratch, &folder);
        }
        Ok(())
    }

    /// Removes the scratch of a collection without items, for `rmdir`. Scratch with bytes goes to the quarantine.
    pub fn clear_collection(&self, row: RowId, field: &Name) -> Result<()> {
        if self.catalog.count_items(row, field)? > 0 {
            return Err(Error::NotEmpty);
        }
        let folder = Folder { row, field: Some(field.clone()) };
        let path = self.lookup.folder_path(&folder)?;
        for scratch in self.catalog.scratches(&folder)? {
            let forget = || Ok(self.catalog.remove_scratch(scratch.id, Timestamp::now())?);
            if self.reserve.even_when_full(forget)?.is_some() {
                self.expiry.retire(&scratch, &path);
            }
        }
        Ok(())
    }
}
