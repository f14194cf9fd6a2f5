//! Scratch in `SQLite`: which file stands behind which unvalidated name.
//! Does not know the files themselves.

use rusqlite::{Connection, params};

use super::columns::{int, or_empty, scratch_columns, scratch_record};
use super::{all, one, rows, run};
use crate::catalog::Error;
use words::attachment::{Access, Amendment, ScratchId, Times};
use words::link::Collision;
use words::place::Folder;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub(super) fn find(
    db: &Connection,
    folder: &Folder,
    name: &Name,
) -> Result<Option<ScratchRecord>, Error> {
    let sql = concat!(
        "SELECT ",
        scratch_columns!(),
        " FROM scratch WHERE row_id = ? AND field = ? AND name = ?"
    );
    let field = or_empty(folder.field.as_ref());
    one(db, sql, params![int(folder.row.0), field, name.as_str()], scratch_record)
}

pub(super) fn by_id(db: &Connection, id: ScratchId) -> Result<Option<ScratchRecord>, Error> {
    let sql = concat!("SELECT ", scratch_columns!(), " FROM scratch WHERE id = ?");
    one(db, sql, [int(id.0)], scratch_record)
}

pub(super) fn of_folder(db: &Connection, folder: &Folder) -> Result<Vec<ScratchRecord>, Error> {
    let sql = concat!(
        "SELECT ",
        scratch_columns!(),
        " FROM scratch WHERE row_id = ? AND field = ? ORDER BY id"
    );
    let field = or_empty(folder.field.as_ref());
    all(db, sql, params![int(folder.row.0), field], scratch_record)
}

pub(super) fn before(db: &Connection, created: Timestamp) -> Result<Vec<ScratchRecord>, Error> {
    let sql = concat!("SELECT ", scratch_columns!(), " FROM scratch WHERE created < ? ORDER BY id");
    all(db, sql, [created.0], scratch_record)
}

pub(super) fn add(
    db: &Connection,
    folder: &Folder,
    name: &Name,
    file: &str,
    (access, now): (Access, Timestamp),
) -> Result<ScratchRecord, Error> {
    rows::require(db, folder.row)?;
    if find(db, folder, name)?.is_some() {
        return Err(Error::Taken);
    }
    let sql = concat!(
        "INSERT INTO scratch (row_id, field, name, file, uid, gid, mode, created) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING ",
        scratch_columns!()
    );
    let Access { uid, gid, mode } = access;
    let field = or_empty(folder.field.as_ref());
    let params = params![int(folder.row.0), field, name.as_str(), file, uid, gid, mode, now.0];
    let added = one(db, sql, params, scratch_record)?.ok_or(Error::Missing)?;
    rows::touch(db, folder.row, now)?;
    Ok(added)
}

pub(super) fn rename(
    db: &Connection,
    id: ScratchId,
    folder: &Folder,
    name: &Name,
    (collision, now): (Collision, Timestamp),
) -> Result<Option<ScratchRecord>, Error> {
    let scratch = by_id(db, id)?.ok_or(Error::Missing)?;
    rows::require(db, folder.row)?;
    if (&scratch.folder, &scratch.name) == (folder, name) {
        return Ok(None);
    }
    let there = find(db, folder, name)?;
    match (&there, collision) {
        (None, Collision::Exchange) => return Err(Error::Missing),
        (Some(_), Collision::Refuse) => return Err(Error::Taken),
        (None, _) => lay(db, id, folder, name.as_str())?,
        (Some(other), Collision::Replace) => {
            delete(db, other.id)?;
            lay(db, id, folder, name.as_str())?;
        }
        (Some(other), Collision::Exchange) => {
            // No `Name` is empty, so the empty text is free while the two change places.
            lay(db, other.id, folder, "")?;
            lay(db, id, folder, name.as_str())?;
            lay(db, other.id, &scratch.folder, scratch.name.as_str())?;
        }
    }
    rows::touch(db, scratch.folder.row, now)?;
    rows::touch(db, folder.row, now)?;
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
    rows::touch(db, scratch.folder.row, now)?;
    Ok(Some(scratch))
}

fn lay(db: &Connection, id: ScratchId, folder: &Folder, name: &str) -> Result<(), Error> {
    let sql = "UPDATE scratch SET row_id = ?, field = ?, name = ? WHERE id = ?";
    let field = or_empty(folder.field.as_ref());
    run(db, sql, params![int(folder.row.0), field, name, int(id.0)])?;
    Ok(())
}

fn delete(db: &Connection, id: ScratchId) -> Result<(), Error> {
    run(db, "DELETE FROM scratch WHERE id = ?", [int(id.0)])?;
    Ok(())
}
