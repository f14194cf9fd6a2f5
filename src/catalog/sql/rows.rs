//! Tables, fields and rows in SQL.

use super::columns::{
    access_values, name, number, row_columns, row_record, scratch_columns, scratch_record,
    set_access,
};
use super::{Db, Error, SqlCatalog, values};
use crate::catalog::rows::Rows;
use words::attachment::{Access, Amendment, FieldId, RowId, TableId};
use words::link::Collision;
use words::retired::Orphan;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Rows for SqlCatalog {
    fn table(&self, name: &Name) -> Result<TableId, Error> {
        self.find_or_add(|db| table(db, name), |db| add_table(db, name))
    }

    fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId, Error> {
        self.find_or_add(
            |db| field(db, table, name, orphan),
            |db| add_field(db, table, name, orphan),
        )
    }

    fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>, Error> {
        self.engine.read(|db| find(db, table, name))
    }

    fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>, Error> {
        self.engine.read(|db| by_id(db, row))
    }

    fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>, Error> {
        let sql = concat!(
            "SELECT ",
            row_columns!(),
            " FROM rows WHERE tab = ? AND id > ? ORDER BY id LIMIT ?"
        );
        self.engine.read(|db| db.all(sql, values![table, after, limit], row_record))
    }

    fn largest_number(&self, table: TableId, prefix: &str, suffix: &str) -> Result<u64, Error> {
        let found = self.engine.read(|db| db.largest_number(table, prefix, suffix))?;
        Ok(found.and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
    }

    fn add_row(
        &self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.engine.write(|db| add(db, table, name, access, now))
    }

    fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>, Error> {
        self.engine.write(|db| {
            require(db, row)?;
            if has_links(db, row)? {
                return Err(Error::NotEmpty);
            }
            let sql = concat!(
                "SELECT ",
                scratch_columns!(),
                " FROM scratch WHERE row_id = ? ORDER BY id"
            );
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
    ) -> Result<(), Error> {
        self.engine.write(|db| rename(db, row, to, collision, now))
    }

    fn amend_row(
        &self,
        row: RowId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.engine.write(|db| {
            let mut found = by_id(db, row)?.ok_or(Error::Missing)?;
            amendment.apply(&mut found.access, &mut found.times, now);
            db.execute(set_access!("rows"), &access_values(row.0, found.access, found.times))?;
            Ok(found)
        })
    }
}

fn table(db: &Db, name: &Name) -> Result<Option<TableId>, Error> {
    let sql = "SELECT id FROM tables WHERE name = ?";
    db.first(sql, values![name], |row| number(row, 0).map(TableId))
}

fn add_table(db: &Db, name: &Name) -> Result<TableId, Error> {
    if let Some(known) = table(db, name)? {
        return Ok(known);
    }
    let sql = "INSERT INTO tables (name) VALUES (?) RETURNING id";
    db.first(sql, values![name], |row| number(row, 0).map(TableId))?.ok_or(Error::Missing)
}

/// The field, if it is stored with this policy for orphans.
fn field(db: &Db, table: TableId, name: &Name, orphan: Orphan) -> Result<Option<FieldId>, Error> {
    let sql = "SELECT id FROM fields WHERE tab = ? AND name = ? AND keep = ?";
    let keep = orphan == Orphan::Keep;
    db.first(sql, values![table, name, keep], |row| number(row, 0).map(FieldId))
}

fn add_field(db: &Db, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId, Error> {
    if !table_exists(db, table)? {
        return Err(Error::Missing);
    }
    let sql = "INSERT INTO fields (tab, name, keep) VALUES (?, ?, ?) \
               ON CONFLICT (tab, name) DO UPDATE SET keep = excluded.keep RETURNING id";
    let values = values![table, name, orphan == Orphan::Keep];
    db.first(sql, values, |row| number(row, 0).map(FieldId))?.ok_or(Error::Missing)
}

fn find(db: &Db, table: TableId, name: &Name) -> Result<Option<RowRecord>, Error> {
    let sql = concat!("SELECT ", row_columns!(), " FROM rows WHERE tab = ? AND name = ?");
    db.first(sql, values![table, name], row_record)
}

fn by_id(db: &Db, row: RowId) -> Result<Option<RowRecord>, Error> {
    let sql = concat!("SELECT ", row_columns!(), " FROM rows WHERE id = ?");
    db.first(sql, values![row], row_record)
}

pub(super) fn add(
    db: &Db,
    table: TableId,
    name: &Name,
    access: Access,
    now: Timestamp,
) -> Result<RowRecord, Error> {
    if !table_exists(db, table)? {
        return Err(Error::Missing);
    }
    if find(db, table, name)?.is_some() {
        return Err(Error::Taken);
    }
    let sql = concat!(
        "INSERT INTO rows (tab, name, uid, gid, mode, accessed, modified, changed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6) RETURNING ",
        row_columns!()
    );
    let Access { uid, gid, mode } = access;
    let added = db.first(sql, values![table, name, uid, gid, mode, now], row_record)?;
    added.ok_or(Error::Missing)
}

fn rename(
    db: &Db,
    id: RowId,
    to: &Name,
    collision: Collision,
    now: Timestamp,
) -> Result<(), Error> {
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
pub(super) fn require(db: &Db, id: RowId) -> Result<(), Error> {
    let sql = "SELECT name FROM rows WHERE id = ?";
    db.first(sql, values![id], |row| name(row, 0))?.map(drop).ok_or(Error::Missing)
}

/// Sets the row's times after a change to what its directory lists.
pub(super) fn touch(db: &Db, id: RowId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE rows SET modified = ?1, changed = ?1 WHERE id = ?2";
    db.execute(sql, values![now, id]).map(drop)
}

fn set_name(db: &Db, id: RowId, name: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE rows SET name = ?, changed = ? WHERE id = ?";
    db.execute(sql, values![name, now, id]).map(drop)
}

fn delete(db: &Db, id: RowId) -> Result<(), Error> {
    db.execute("DELETE FROM rows WHERE id = ?", values![id]).map(drop)
}

fn table_exists(db: &Db, table: TableId) -> Result<bool, Error> {
    db.exists("SELECT 1 FROM tables WHERE id = ?", values![table])
}

fn has_links(db: &Db, id: RowId) -> Result<bool, Error> {
    db.exists("SELECT 1 FROM links WHERE row_id = ?", values![id])
}

fn has_scratch(db: &Db, id: RowId) -> Result<bool, Error> {
    db.exists("SELECT 1 FROM scratch WHERE row_id = ?", values![id])
}
