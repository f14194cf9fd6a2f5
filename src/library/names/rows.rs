//! Rows: the directories that hold slots and scratch.
//! Does not know which names are fields; a row is removed only when the catalogue finds it empty.

use crate::library::Library;
use crate::library::error::Error;
use words::attachment::{Access, RowId, TableId};
use words::link::Collision;
use words::place::{Folder, Place};
use words::row::RowRecord;
use words::slot::{Name, Row, Slot};
use words::timestamp::Timestamp;

impl Library {
    pub fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>, Error> {
        Ok(self.catalog.row(table, name)?)
    }

    pub fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>, Error> {
        Ok(self.catalog.row_by_id(row)?)
    }

    /// Rows of a table by number, from above `after`.
    pub fn rows(
        &self,
        table: TableId,
        after: RowId,
        limit: usize,
    ) -> Result<Vec<RowRecord>, Error> {
        Ok(self.catalog.rows(table, after, limit)?)
    }

    /// A new row, with owner and mode as they are asked for where the table does not fix them.
    pub fn make_row(&self, table: TableId, name: &Name, asked: Access) -> Result<RowRecord, Error> {
        let access = self.table(table).map_or(asked, |table| table.access.rows().of(asked));
        Ok(self.catalog.add_row(table, name, access, Timestamp::now())?)
    }

    /// Removes a row that holds no attachment. Scratch with bytes goes to the quarantine, never to nothing.
    pub fn remove_row(&self, row: &RowRecord) -> Result<(), Error> {
        let path = self.row_path(row).map_or_else(|| row.name.to_string(), |row| row.to_string());
        for scratch in self.even_when_full(|| Ok(self.catalog.remove_row(row.id)?))? {
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
        let path = self.folder_path(&folder)?;
        for scratch in self.catalog.scratches(&folder)? {
            let forget = || Ok(self.catalog.remove_scratch(scratch.id, Timestamp::now())?);
            if self.even_when_full(forget)?.is_some() {
                self.retire_scratch(&scratch, &path);
            }
        }
        Ok(())
    }

    pub fn rename_row(&self, row: RowId, to: &Name, collision: Collision) -> Result<(), Error> {
        Ok(self.catalog.rename_row(row, to, collision, Timestamp::now())?)
    }

    /// `user/42`, if the row's table is still configured.
    pub fn row_path(&self, row: &RowRecord) -> Option<Row> {
        let table = self.table(row.table)?;
        Some(Row { table: table.name.clone(), id: row.name.clone() })
    }

    /// `user/42/avatar`, `user/42/photos/front.jpg`.
    pub fn slot(&self, row: &RowRecord, place: &Place) -> Option<Slot> {
        let Place { field, item, .. } = place.clone();
        Some(Slot { row: self.row_path(row)?, field, item })
    }

    /// `user/42`, `user/42/photos`; `?` where the row is gone or its table no longer configured.
    pub fn folder_path(&self, folder: &Folder) -> Result<String, Error> {
        let row = self.row_by_id(folder.row)?.and_then(|row| self.row_path(&row));
        let row = row.map_or_else(|| "?".to_owned(), |row| row.to_string());
        Ok(folder.field.as_ref().map_or(row.clone(), |field| format!("{row}/{field}")))
    }
}
