//! Tables, fields and rows in memory.

use super::{Memory, State, next};
use crate::catalog::error::{Error, Result};
use crate::catalog::rows::Rows;
use words::attachment::{Access, Amendment, FieldId, RowId, TableId, Times};
use words::link::Collision;
use words::retired::Orphan;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// The largest integer of SQL.
const MAX_NUMBER: u64 = u64::MAX >> 1;

impl Rows for Memory {
    fn table(&self, name: &Name) -> Result<TableId> {
        let state = &mut *self.state("table");
        let add = || TableId(next(&mut state.last.table));
        Ok(*state.tables.entry(name.clone()).or_insert_with(add))
    }

    fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId> {
        let state = &mut *self.state("field");
        state.require_table(table)?;
        let add = || (FieldId(next(&mut state.last.field)), orphan);
        let field = state.fields.entry((table, name.clone())).or_insert_with(add);
        field.1 = orphan;
        Ok(field.0)
    }

    fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>> {
        Ok(self.state("row").find_row(table, name).cloned())
    }

    fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>> {
        Ok(self.state("row_by_id").rows.get(&row).cloned())
    }

    fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>> {
        let state = self.state("rows");
        let later = state.rows.values().filter(|row| row.table == table && row.id > after);
        Ok(later.take(limit).cloned().collect())
    }

    fn largest_number(&self, table: TableId, prefix: &str, suffix: &str) -> Result<u64> {
        let number = |name: &str| {
            let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
            let is_plain = digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| is_plain)
        };
        let state = self.state("largest_number");
        let rows = state.rows.values().filter(|row| row.table == table);
        let largest = rows.filter_map(|row| number(row.name.as_str())).max();
        Ok(largest.unwrap_or(0).min(MAX_NUMBER))
    }

    fn add_row(
        &self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord> {
        self.state("add_row").add_row(table, name, access, now)
    }

    fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>> {
        let state = &mut *self.state("remove_row");
        state.require_row(row)?;
        if state.has_links(row) {
            return Err(Error::NotEmpty);
        }
        let scratch = state.scratch.values().filter(|scratch| scratch.folder.row == row);
        let removed = scratch.cloned().collect();
        state.scratch.retain(|_, scratch| scratch.folder.row != row);
        state.rows.remove(&row);
        Ok(removed)
    }

    fn rename_row(
        &self,
        row: RowId,
        to: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<()> {
        let state = &mut *self.state("rename_row");
        let RowRecord { table, name, .. } = state.rows.get(&row).ok_or(Error::Missing)?.clone();
        if name == *to {
            return Ok(());
        }
        match (state.find_row(table, to).map(|row| row.id), collision) {
            (None, Collision::Exchange) => return Err(Error::Missing),
            (Some(_), Collision::Refuse) => return Err(Error::Taken),
            (None, _) => {}
            (Some(other), Collision::Replace) => {
                if state.has_links(other) || state.has_scratch(other) {
                    return Err(Error::NotEmpty);
                }
                state.rows.remove(&other);
            }
            (Some(other), Collision::Exchange) => state.set_row_name(other, &name, now),
        }
        state.set_row_name(row, to, now);
        Ok(())
    }

    fn amend_row(&self, row: RowId, amendment: Amendment, now: Timestamp) -> Result<RowRecord> {
        let mut state = self.state("amend_row");
        let row = state.rows.get_mut(&row).ok_or(Error::Missing)?;
        amendment.apply(&mut row.access, &mut row.times, now);
        Ok(row.clone())
    }
}

impl State {
    pub(super) fn add_row(
        &mut self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord> {
        self.require_table(table)?;
        if self.find_row(table, name).is_some() {
            return Err(Error::Taken);
        }
        let id = RowId(next(&mut self.last.row));
        let row = RowRecord { id, table, name: name.clone(), access, times: Times::all(now) };
        self.rows.insert(id, row.clone());
        Ok(row)
    }

    /// Fails with [`Error::Missing`] unless the row exists.
    pub(super) fn require_row(&self, id: RowId) -> Result<()> {
        self.rows.contains_key(&id).then_some(()).ok_or(Error::Missing)
    }

    /// Sets the row's times after a change to what its directory lists.
    pub(super) fn touch_row(&mut self, id: RowId, now: Timestamp) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.times.modified = now;
            row.times.changed = now;
        }
    }

    fn require_table(&self, table: TableId) -> Result<()> {
        self.tables.values().any(|known| *known == table).then_some(()).ok_or(Error::Missing)
    }

    fn find_row(&self, table: TableId, name: &Name) -> Option<&RowRecord> {
        self.rows.values().find(|row| row.table == table && row.name == *name)
    }

    fn set_row_name(&mut self, id: RowId, name: &Name, now: Timestamp) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.name = name.clone();
            row.times.changed = now;
        }
    }

    fn has_scratch(&self, id: RowId) -> bool {
        self.scratch.values().any(|scratch| scratch.folder.row == id)
    }

    fn has_links(&self, id: RowId) -> bool {
        self.links.keys().any(|place| place.row == id)
    }
}
