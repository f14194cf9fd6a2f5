//! Tables, fields and rows in memory.
//! Does not know what hangs from a row, beyond whether anything does.

use super::{State, next};
use crate::catalog::Error;
use words::attachment::{Access, Amendment, FieldId, RowId, TableId, Times};
use words::link::Collision;
use words::retired::Orphan;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl State {
    pub(super) fn table(&mut self, name: &Name) -> TableId {
        let last = &mut self.last.table;
        *self.tables.entry(name.clone()).or_insert_with(|| TableId(next(last)))
    }

    pub(super) fn field(
        &mut self,
        table: TableId,
        name: &Name,
        orphan: Orphan,
    ) -> Result<FieldId, Error> {
        if !self.tables.values().any(|known| *known == table) {
            return Err(Error::Missing);
        }
        let last = &mut self.last.field;
        let known = self.fields.entry((table, name.clone()));
        let field = known.or_insert_with(|| (FieldId(next(last)), orphan));
        field.1 = orphan;
        Ok(field.0)
    }

    pub(super) fn row(&self, table: TableId, name: &Name) -> Option<RowRecord> {
        self.rows.values().find(|row| row.table == table && row.name == *name).cloned()
    }

    pub(super) fn row_by_id(&self, id: RowId) -> Option<RowRecord> {
        self.rows.get(&id).cloned()
    }

    pub(super) fn rows(&self, table: TableId, after: RowId, limit: usize) -> Vec<RowRecord> {
        let later = self.rows.range(RowId(after.0.saturating_add(1))..).map(|(_, row)| row);
        later.filter(|row| row.table == table).take(limit).cloned().collect()
    }

    pub(super) fn add_row(
        &mut self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        if !self.tables.values().any(|known| *known == table) {
            return Err(Error::Missing);
        }
        if self.row(table, name).is_some() {
            return Err(Error::Taken);
        }
        let id = RowId(next(&mut self.last.row));
        let row = RowRecord { id, table, name: name.clone(), access, times: Times::all(now) };
        self.rows.insert(id, row.clone());
        Ok(row)
    }

    pub(super) fn remove_row(&mut self, id: RowId) -> Result<Vec<ScratchRecord>, Error> {
        self.require_row(id)?;
        if self.holds_links(id) {
            return Err(Error::NotEmpty);
        }
        let scratch = self.scratch.values().filter(|scratch| scratch.folder.row == id);
        let scratch = scratch.cloned().collect();
        self.scratch.retain(|_, scratch| scratch.folder.row != id);
        self.rows.remove(&id);
        Ok(scratch)
    }

    pub(super) fn rename_row(
        &mut self,
        id: RowId,
        to: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<(), Error> {
        let row = self.row_by_id(id).ok_or(Error::Missing)?;
        if row.name == *to {
            return Ok(());
        }
        match (self.row(row.table, to), collision) {
            (None, Collision::Exchange) => return Err(Error::Missing),
            (Some(_), Collision::Refuse) => return Err(Error::Taken),
            (None, _) => {}
            (Some(other), Collision::Replace) => {
                if self.holds_links(other.id) || self.holds_scratch(other.id) {
                    return Err(Error::NotEmpty);
                }
                self.rows.remove(&other.id);
            }
            (Some(other), Collision::Exchange) => self.call(other.id, &row.name, now),
        }
        self.call(id, to, now);
        Ok(())
    }

    pub(super) fn amend_row(
        &mut self,
        id: RowId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        let row = self.rows.get_mut(&id).ok_or(Error::Missing)?;
        amendment.apply(&mut row.access, &mut row.times, now);
        Ok(row.clone())
    }

    /// Fails with [`Error::Missing`] unless the row is there.
    pub(super) fn require_row(&self, id: RowId) -> Result<(), Error> {
        self.rows.contains_key(&id).then_some(()).ok_or(Error::Missing)
    }

    /// Notes that what the row lists has changed.
    pub(super) fn touch_row(&mut self, id: RowId, now: Timestamp) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.times.modified = now;
            row.times.changed = now;
        }
    }

    fn call(&mut self, id: RowId, name: &Name, now: Timestamp) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.name = name.clone();
            row.times.changed = now;
        }
    }

    fn holds_scratch(&self, id: RowId) -> bool {
        self.scratch.values().any(|scratch| scratch.folder.row == id)
    }

    fn holds_links(&self, id: RowId) -> bool {
        self.links.keys().any(|place| place.row == id)
    }
}
