//! Tables, fields and rows in SQL.

use super::columns::{row_columns, row_record, scratch_query, scratch_record, set_access};
use super::{Db, Error, Result, SqlCatalog, values};
use crate::catalog::rows::Rows;
use words::attachment::{Access, Amendment, FieldId, RowId, TableId};
use words::link::Collision;
use words::retired::Orphan;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Rows for SqlCatalog {
    fn table(&self, name: &Name) -> Result<TableId> {
        let find = "SELECT id FROM tables WHERE name = ?";
        let add = "INSERT INTO tables (name) VALUES (?) \
                   ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id";
        self.find_or_add(find, add, values![name]).map(TableId)
    }

    fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId> {
        let find = "SELECT id FROM fields WHERE tab = ? AND name = ? AND keep = ?";
        let add = "INSERT INTO fields (tab, name, keep) SELECT id, ?2, ?3 FROM tables WHERE id = ?1 \
                   ON CONFLICT (tab, name) DO UPDATE SET keep = excluded.keep RETURNING id";
        let values = values![table, name, orphan == Orphan::Keep];
        self.find_or_add(find, add, values).map(FieldId)
    }

    fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>> {
        self.engine.read(|db| find(db, table, name))
    }

    fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>> {
        self.engine.read(|db| by_id(db, row))
    }

    fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>> {
        let sql = concat!(
            "SELECT ",
            row_columns!(),
            " FROM rows WHERE tab = ? AND id > ? ORDER BY id LIMIT ?"
        );
        self.engine.read(|db| db.all(sql, values![table, after, limit], row_record))
    }

    fn largest_number(&self, table: TableId, prefix: &str, suffix: &str) -> Result<u64> {
        let found = self.engine.read(|db| db.largest_number(table, prefix, suffix))?;
        Ok(found.and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
    }

    fn add_row(
        &self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord> {
        self.engine.write(|db| add(db, table, name, access, now))
    }

    fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>> {
        self.engine.write(|db| {
            require(db, row)?;
            if has_links(db, row)? {
                return Err(Error::NotEmpty);
            }
            let sql = scratch_query!("WHERE row_id = ? ORDER BY id");
            let scratch = db.all(sql, values![row], scratch_record)?;
            db.execute("DELETE FROM scratch WHERE row_id = ?", values![row])?;
            delete(db, row)?;
            Ok(scratch)
        })
    }

    fn rename_row(
        &self,
        row: RowId,
        to: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<()> {
        self.engine.write(|db| rename(db, row, to, collision, now))
    }

    fn amend_row(&self, row: RowId, amendment: Amendment, now: Timestamp) -> Result<RowRecord> {
        self.engine.write(|db| {
            let mut found = by_id(db, row)?.ok_or(Error::Missing)?;
            amendment.apply(&mut found.access, &mut found.times, now);
            let sql = "UPDATE rows SET uid = ?, gid = ?, mode = ?, accessed = ?, modified = ?, \
                       changed = ? WHERE id = ?";
            set_access(db, sql, found.access, found.times, row.0)?;
            Ok(found)
        })
    }
}

fn find(db: &Db, table: TableId, name: &Name) -> Result<Option<RowRecord>> {
    let sql = concat!("SELECT ", row_columns!(), " FROM rows WHERE tab = ? AND name = ?");
    db.first(sql, values![table, name], row_record)
}

fn by_id(db: &Db, row: RowId) -> Result<Option<RowRecord>> {
    let sql = concat!("SELECT ", row_columns!(), " FROM rows WHERE id = ?");
    db.first(sql, values![row], row_record)
}

pub(super) fn add(
    db: &Db,
    table: TableId,
    name: &Name,
    access: Access,
    now: Timestamp,
) -> Result<RowRecord> {
    if find(db, table, name)?.is_some() {
        return Err(Error::Taken);
    }
    let sql = concat!(
        "INSERT INTO rows (tab, name, uid, gid, mode, accessed, modified, changed) \
         SELECT id, ?2, ?3, ?4, ?5, ?6, ?6, ?6 FROM tables WHERE id = ?1 RETURNING ",
        row_columns!()
    );
    let Access { uid, gid, mode } = access;
    let added = db.first(sql, values![table, name, uid, gid, mode, now], row_record)?;
    added.ok_or(Error::Missing)
}

fn rename(db: &Db, id: RowId, to: &Name, collision: Collision, now: Timestamp) -> Result<()> {
    let row = by_id(db, id)?.ok_or(Error::Missing)?;
    if row.name == *to {
        return Ok(());
    }
    match (find(db, row.table, to)?, collision) {
        (None, Collision::Exchange) => Err(Error::Missing),
        (Some(_), Collision::Refuse) => Err(Error::Taken),
        (None, _) => set_name(db, id, to.as_str(), now),
        (Some(other), Collision::Replace) => {
            if has_links(db, other.id)? || has_scratch(db, other.id)? {
                return Err(Error::NotEmpty);
            }
            delete(db, other.id)?;
            set_name(db, id, to.as_str(), now)
        }
        (Some(other), Collision::Exchange) => {
            // Names are unique at every step, and no row has the empty one.
            set_name(db, other.id, "", now)?;
            set_name(db, id, to.as_str(), now)?;
            set_name(db, other.id, row.name.as_str(), now)
        }
    }
}

/// Fails with [`Error::Missing`] unless the row exists.
pub(super) fn require(db: &Db, id: RowId) -> Result<()> {
    let exists = db.exists("SELECT 1 FROM rows WHERE id = ?", values![id])?;
    if exists { Ok(()) } else { Err(Error::Missing) }
}

/// Sets the row's times after a change to what its directory lists.
pub(super) fn touch(db: &Db, id: RowId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE rows SET modified = ?1, changed = ?1 WHERE id = ?2";
    db.execute(sql, values![now, id]).map(drop)
}

fn set_name(db: &Db, id: RowId, name: &str, now: Timestamp) -> Result<()> {
    let sql = "UPDATE rows SET name = ?, changed = ? WHERE id = ?";
    db.execute(sql, values![name, now, id]).map(drop)
}

fn delete(db: &Db, id: RowId) -> Result<()> {
    db.execute("DELETE FROM rows WHERE id = ?", values![id]).map(drop)
}

fn has_links(db: &Db, id: RowId) -> Result<bool> {
    db.exists("SELECT 1 FROM links WHERE row_id = ?", values![id])
}

fn has_scratch(db: &Db, id: RowId) -> Result<bool> {
    db.exists("SELECT 1 FROM scratch WHERE row_id = ?", values![id])
}
