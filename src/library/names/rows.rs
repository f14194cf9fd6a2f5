//! Rows: the directories that hold slots and scratch.
//! Does not know which names are fields; a row is removed only when the catalogue finds it empty.

use crate::library::Library;
use crate::library::error::Error;
use words::attachment::{Access, RowId, TableId};
use words::link::Collision;
use words::place::Folder;
use words::row::RowRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Library {
    /// A new row, with owner and mode as they are asked for where the table does not fix them.
    pub fn make_row(&self, table: TableId, name: &Name, asked: Access) -> Result<RowRecord, Error> {
        let access = self.lookup.table(table).map_or(asked, |table| table.access.rows().of(asked));
        Ok(self.catalog.add_row(table, name, access, Timestamp::now())?)
    }

    /// Removes a row that holds no attachment. Scratch with bytes goes to the quarantine, never to nothing.
    pub fn remove_row(&self, row: &RowRecord) -> Result<(), Error> {
        let path =
            self.lookup.row_path(row).map_or_else(|| row.name.to_string(), |row| row.to_string());
        for scratch in self.reserve.even_when_full(|| Ok(self.catalog.remove_row(row.id)?))? {
            let field = scratch.folder.field.as_ref();
            let folder = field.map_or_else(|| path.clone(), |field| format!("{path}/{field}"));
            self.retire_scratch(&scratch, &folder);
        }
        Ok(())
    }

    /// Empties a collection that holds no item of its scratch, which goes to the quarantine.
    pub fn clear_collection(&self, row: RowId, field: &Name) -> Result<(), Error> {
        if self.catalog.count_items(row, field)? > 0 {
            return Err(Error::NotEmpty);
        }
        let folder = Folder { row, field: Some(field.clone()) };
        let path = self.lookup.folder_path(&folder)?;
        for scratch in self.catalog.scratches(&folder)? {
            let forget = || Ok(self.catalog.remove_scratch(scratch.id, Timestamp::now())?);
            if self.reserve.even_when_full(forget)?.is_some() {
                self.retire_scratch(&scratch, &path);
            }
        }
        Ok(())
    }

    pub fn rename_row(&self, row: RowId, to: &Name, collision: Collision) -> Result<(), Error> {
        Ok(self.catalog.rename_row(row, to, collision, Timestamp::now())?)
    }
}
