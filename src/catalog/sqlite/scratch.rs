//! Scratch in `SQLite`: which file stands behind which unvalidated name.
//! Does not know the files themselves.

use rusqlite::{Connection, params};

use super::columns::{int, scratch_columns, scratch_record};
use super::{all, one, rows, run};
use crate::attachment::{Access, Amendment, RowId, ScratchId, Times};
use crate::catalog::{Collision, Error, ScratchRecord};
use crate::slot::Name;
use crate::timestamp::Timestamp;

pub(super) fn find(
    db: &Connection,
    row: RowId,
    name: &Name,
) -> Result<Option<ScratchRecord>, Error> {
    let sql = concat!("SELECT ", scratch_columns!(), " FROM scratch WHERE row_id = ? AND name = ?");
    one(db, sql, params![int(row.0), name.as_str()], scratch_record)
}

pub(super) fn by_id(db: &Connection, id: ScratchId) -> Result<Option<ScratchRecord>, Error> {
    let sql = concat!("SELECT ", scratch_columns!(), " FROM scratch WHERE id = ?");
    one(db, sql, [int(id.0)], scratch_record)
}

pub(super) fn of_row(db: &Connection, row: RowId) -> Result<Vec<ScratchRecord>, Error> {
    let sql = concat!("SELECT ", scratch_columns!(), " FROM scratch WHERE row_id = ? ORDER BY id");
    all(db, sql, [int(row.0)], scratch_record)
}

pub(super) fn before(db: &Connection, created: Timestamp) -> Result<Vec<ScratchRecord>, Error> {
    let sql = concat!("SELECT ", scratch_columns!(), " FROM scratch WHERE created < ? ORDER BY id");
    all(db, sql, [created.0], scratch_record)
}

pub(super) fn add(
    db: &Connection,
    row: RowId,
    name: &Name,
    file: &str,
    (access, now): (Access, Timestamp),
) -> Result<ScratchRecord, Error> {
    rows::require(db, row)?;
    if find(db, row, name)?.is_some() {
        return Err(Error::Taken);
    }
    let sql = concat!(
        "INSERT INTO scratch (row_id, name, file, uid, gid, mode, created) \
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING ",
        scratch_columns!()
    );
    let Access { uid, gid, mode } = access;
    let params = params![int(row.0), name.as_str(), file, uid, gid, mode, now.0];
    let added = one(db, sql, params, scratch_record)?.ok_or(Error::Missing)?;
    rows::touch(db, row, now)?;
    Ok(added)
}

pub(super) fn rename(
    db: &Connection,
    id: ScratchId,
    row: RowId,
    name: &Name,
    (collision, now): (Collision, Timestamp),
) -> Result<Option<ScratchRecord>, Error> {
    let scratch = by_id(db, id)?.ok_or(Error::Missing)?;
    rows::require(db, row)?;
    if (scratch.row, &scratch.name) == (row, name) {
        return Ok(None);
    }
    let there = find(db, row, name)?;
    match (&there, collision) {
        (None, Collision::Exchange) => return Err(Error::Missing),
        (Some(_), Collision::Refuse) => return Err(Error::Taken),
        (None, _) => lay(db, id, row, name.as_str())?,
        (Some(other), Collision::Replace) => {
            delete(db, other.id)?;
            lay(db, id, row, name.as_str())?;
        }
        (Some(other), Collision::Exchange) => {
            // No `Name` is empty, so the empty text is free while the two change places.
            lay(db, other.id, row, "")?;
            lay(db, id, row, name.as_str())?;
            lay(db, other.id, scratch.row, scratch.name.as_str())?;
        }
    }
    rows::touch(db, scratch.row, now)?;
    rows::touch(db, row, now)?;
    Ok(there)
}

pub(super) fn amend(
    db: &Connection,
    id: ScratchId,
    amendment: Amendment,
    now: Timestamp,
) -> Result<ScratchRecord, Error> {
    let mut scratch = by_id(db, id)?.ok_or(Error::Missing)?;
    amendment.apply(&mut scratch.access, &mut Times::all(now), now);
    let Access { uid, gid, mode } = scratch.access;
    let sql = "UPDATE scratch SET uid = ?, gid = ?, mode = ? WHERE id = ?";
    run(db, sql, params![uid, gid, mode, int(id.0)])?;
    Ok(scratch)
}

pub(super) fn remove(
    db: &Connection,
    id: ScratchId,
    now: Timestamp,
) -> Result<Option<ScratchRecord>, Error> {
    let Some(scratch) = by_id(db, id)? else {
        return Ok(None);
    };
    delete(db, id)?;
    rows::touch(db, scratch.row, now)?;
    Ok(Some(scratch))
}

fn lay(db: &Connection, id: ScratchId, row: RowId, name: &str) -> Result<(), Error> {
    let sql = "UPDATE scratch SET row_id = ?, name = ? WHERE id = ?";
    run(db, sql, params![int(row.0), name, int(id.0)])?;
    Ok(())
}

fn delete(db: &Connection, id: ScratchId) -> Result<(), Error> {
    run(db, "DELETE FROM scratch WHERE id = ?", [int(id.0)])?;
    Ok(())
}
