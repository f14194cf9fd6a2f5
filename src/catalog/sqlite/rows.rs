//! Tables, fields and rows in `SQLite`.
//! Does not know what hangs from a row, beyond whether anything does.

use rusqlite::{Connection, params};

use super::access::set_access;
use super::columns::{int, name, number, row_columns, row_record, scratch_columns, scratch_record};
use super::{all, exists, one, run};
use crate::catalog::Error;
use words::attachment::{Access, Amendment, FieldId, RowId, TableId};
use words::link::Collision;
use words::retired::Orphan;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub(super) fn table(db: &Connection, name: &Name) -> Result<Option<TableId>, Error> {
    let sql = "SELECT id FROM tables WHERE name = ?";
    one(db, sql, [name.as_str()], |row| Ok(TableId(number(row, 0)?)))
}

pub(super) fn add_table(db: &Connection, name: &Name) -> Result<TableId, Error> {
    if let Some(known) = table(db, name)? {
        return Ok(known);
    }
    let sql = "INSERT INTO tables (name) VALUES (?) RETURNING id";
    let id = one(db, sql, [name.as_str()], |row| Ok(TableId(number(row, 0)?)))?;
    id.ok_or(Error::Missing)
}

pub(super) fn field(
    db: &Connection,
    table: TableId,
    name: &Name,
    orphan: Orphan,
) -> Result<Option<FieldId>, Error> {
    let sql = "SELECT id FROM fields WHERE tab = ? AND name = ? AND keep = ?";
    let params = params![int(table.0), name.as_str(), orphan == Orphan::Keep];
    one(db, sql, params, |row| Ok(FieldId(number(row, 0)?)))
}

pub(super) fn add_field(
    db: &Connection,
    table: TableId,
    name: &Name,
    orphan: Orphan,
) -> Result<FieldId, Error> {
    if !exists(db, "SELECT 1 FROM tables WHERE id = ?", [int(table.0)])? {
        return Err(Error::Missing);
    }
    let sql = "INSERT INTO fields (tab, name, keep) VALUES (?, ?, ?) \
               ON CONFLICT (tab, name) DO UPDATE SET keep = excluded.keep RETURNING id";
    let params = params![int(table.0), name.as_str(), orphan == Orphan::Keep];
    one(db, sql, params, |row| Ok(FieldId(number(row, 0)?)))?.ok_or(Error::Missing)
}

pub(super) fn find(
    db: &Connection,
    table: TableId,
    name: &Name,
) -> Result<Option<RowRecord>, Error> {
    let sql = concat!("SELECT ", row_columns!(), " FROM rows WHERE tab = ? AND name = ?");
    one(db, sql, params![int(table.0), name.as_str()], row_record)
}

pub(super) fn by_id(db: &Connection, id: RowId) -> Result<Option<RowRecord>, Error> {
    let sql = concat!("SELECT ", row_columns!(), " FROM rows WHERE id = ?");
    one(db, sql, [int(id.0)], row_record)
}

pub(super) fn after(
    db: &Connection,
    table: TableId,
    after: RowId,
    limit: usize,
) -> Result<Vec<RowRecord>, Error> {
    let sql = concat!(
        "SELECT ",
        row_columns!(),
        " FROM rows WHERE tab = ? AND id > ? ORDER BY id LIMIT ?"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(db, sql, params![int(table.0), int(after.0), limit], row_record)
}

pub(super) fn add(
    db: &Connection,
    table: TableId,
    name: &Name,
    access: Access,
    now: Timestamp,
) -> Result<RowRecord, Error> {
    if !exists(db, "SELECT 1 FROM tables WHERE id = ?", [int(table.0)])? {
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
    let params = params![int(table.0), name.as_str(), uid, gid, mode, now.0];
    one(db, sql, params, row_record)?.ok_or(Error::Missing)
}

pub(super) fn remove(db: &Connection, id: RowId) -> Result<Vec<ScratchRecord>, Error> {
    require(db, id)?;
    if holds_links(db, id)? {
        return Err(Error::NotEmpty);
    }
    let sql = concat!("SELECT ", scratch_columns!(), " FROM scratch WHERE row_id = ? ORDER BY id");
    let scratch = all(db, sql, [int(id.0)], scratch_record)?;
    run(db, "DELETE FROM scratch WHERE row_id = ?", [int(id.0)])?;
    delete(db, id)?;
    Ok(scratch)
}

pub(super) fn rename(
    db: &Connection,
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
        (None, _) => call(db, id, to.as_str(), now),
        (Some(other), Collision::Replace) => {
            if holds_links(db, other.id)? || holds_scratch(db, other.id)? {
                return Err(Error::NotEmpty);
            }
            delete(db, other.id)?;
            call(db, id, to.as_str(), now)
        }
        (Some(other), Collision::Exchange) => {
            // No `Name` is empty, so the empty text is free while the two change places.
            call(db, other.id, "", now)?;
            call(db, id, to.as_str(), now)?;
            call(db, other.id, row.name.as_str(), now)
        }
    }
}

pub(super) fn amend(
    db: &Connection,
    id: RowId,
    amendment: Amendment,
    now: Timestamp,
) -> Result<RowRecord, Error> {
    let mut row = by_id(db, id)?.ok_or(Error::Missing)?;
    amendment.apply(&mut row.access, &mut row.times, now);
    set_access(db, "rows", id.0, row.access, row.times)?;
    Ok(row)
}

/// Fails with [`Error::Missing`] unless the row is there.
pub(super) fn require(db: &Connection, id: RowId) -> Result<(), Error> {
    let found = one(db, "SELECT name FROM rows WHERE id = ?", [int(id.0)], |row| name(row, 0))?;
    found.map(|_| ()).ok_or(Error::Missing)
}

/// Notes that what the row lists has changed.
pub(super) fn touch(db: &Connection, id: RowId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE rows SET modified = ?1, changed = ?1 WHERE id = ?2";
    run(db, sql, params![now.0, int(id.0)])?;
    Ok(())
}

fn call(db: &Connection, id: RowId, name: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE rows SET name = ?, changed = ? WHERE id = ?";
    run(db, sql, params![name, now.0, int(id.0)])?;
    Ok(())
}

fn delete(db: &Connection, id: RowId) -> Result<(), Error> {
    run(db, "DELETE FROM rows WHERE id = ?", [int(id.0)])?;
    Ok(())
}

fn holds_links(db: &Connection, id: RowId) -> Result<bool, Error> {
    exists(db, "SELECT 1 FROM links WHERE row_id = ?", [int(id.0)])
}

fn holds_scratch(db: &Connection, id: RowId) -> Result<bool, Error> {
    exists(db, "SELECT 1 FROM scratch WHERE row_id = ?", [int(id.0)])
}
