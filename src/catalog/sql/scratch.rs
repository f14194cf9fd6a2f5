//! Scratch files in SQL.

use super::columns::{or_empty, scratch_columns, scratch_query, scratch_record};
use super::{Db, Error, Result, SqlCatalog, rows, values};
use crate::catalog::scratch::Scratch;
use words::attachment::{Access, Amendment, ScratchId, TableId, Times};
use words::digest::Digest;
use words::link::Collision;
use words::place::Folder;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Scratch for SqlCatalog {
    fn scratch(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>> {
        self.engine.read(|db| find(db, folder, name))
    }

    fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>> {
        self.engine.read(|db| by_id(db, id))
    }

    fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>> {
        let sql = scratch_query!("WHERE row_id = ? AND field = ? ORDER BY id");
        let field = or_empty(folder.field.as_ref());
        self.engine.read(|db| db.all(sql, values![folder.row, field], scratch_record))
    }

    fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>> {
        let sql = scratch_query!("WHERE created < ? ORDER BY id");
        self.engine.read(|db| db.all(sql, values![created], scratch_record))
    }

    fn add_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        file: &str,
        access: Access,
        now: Timestamp,
    ) -> Result<ScratchRecord> {
        let sql = concat!(
            "INSERT INTO scratch (row_id, field, name, file, uid, gid, mode, created) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING ",
            scratch_columns!()
        );
        let Access { uid, gid, mode } = access;
        let field = or_empty(folder.field.as_ref());
        self.engine.write(|db| {
            rows::require(db, folder.row)?;
            if find(db, folder, name)?.is_some() {
                return Err(Error::Taken);
            }
            let values = values![folder.row, field, name, file, uid, gid, mode, now];
            let added = db.first(sql, values, scratch_record)?.ok_or(Error::Missing)?;
            rows::touch(db, folder.row, now)?;
            Ok(added)
        })
    }

    fn rename_scratch(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>> {
        self.engine.write(|db| {
            let scratch = by_id(db, id)?.ok_or(Error::Missing)?;
            rows::require(db, folder.row)?;
            if (&scratch.folder, &scratch.name) == (folder, name) {
                return Ok(None);
            }
            let there = find(db, folder, name)?;
            match (&there, collision) {
                (None, Collision::Exchange) => return Err(Error::Missing),
                (Some(_), Collision::Refuse) => return Err(Error::Taken),
                (None, _) => set_place(db, id, folder, name.as_str())?,
                (Some(other), Collision::Replace) => {
                    delete(db, other.id)?;
                    set_place(db, id, folder, name.as_str())?;
                }
                (Some(other), Collision::Exchange) => {
                    // Names are unique at every step, and no file has the empty one.
                    set_place(db, other.id, folder, "")?;
                    set_place(db, id, folder, name.as_str())?;
                    set_place(db, other.id, &scratch.folder, scratch.name.as_str())?;
                }
            }
            rows::touch(db, scratch.folder.row, now)?;
            rows::touch(db, folder.row, now)?;
            Ok(there)
        })
    }

    fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<ScratchRecord> {
        self.engine.write(|db| {
            let mut scratch = by_id(db, id)?.ok_or(Error::Missing)?;
            amendment.apply(&mut scratch.access, &mut Times::all(now), now);
            let Access { uid, gid, mode } = scratch.access;
            let sql = "UPDATE scratch SET uid = ?, gid = ?, mode = ? WHERE id = ?";
            db.execute(sql, values![uid, gid, mode, id])?;
            Ok(scratch)
        })
    }

    fn remove_scratch(&self, id: ScratchId, now: Timestamp) -> Result<Option<ScratchRecord>> {
        self.engine.write(|db| {
            let Some(scratch) = by_id(db, id)? else { return Ok(None) };
            delete(db, id)?;
            rows::touch(db, scratch.folder.row, now)?;
            Ok(Some(scratch))
        })
    }

    fn offer(&self, id: ScratchId) -> Result<()> {
        let sql = "UPDATE scratch SET waiting = 1 WHERE id = ?";
        self.engine.write(|db| found(db.execute(sql, values![id])?))
    }

    fn enrol(
        &self,
        id: ScratchId,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord> {
        self.engine.write(|db| {
            let row = rows::add(db, table, name, access, now)?;
            let sql = "UPDATE scratch SET becomes = ? WHERE id = ?";
            found(db.execute(sql, values![row.id, id])?)?;
            Ok(row)
        })
    }

    fn take(&self, id: ScratchId, taken: Digest) -> Result<()> {
        let sql = "UPDATE scratch SET waiting = 0, becomes = NULL, taken = ? WHERE id = ?";
        self.engine.write(|db| found(db.execute(sql, values![&taken, id])?))
    }
}

fn find(db: &Db, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>> {
    let sql = scratch_query!("WHERE row_id = ? AND field = ? AND name = ?");
    let field = or_empty(folder.field.as_ref());
    db.first(sql, values![folder.row, field, name], scratch_record)
}

fn by_id(db: &Db, id: ScratchId) -> Result<Option<ScratchRecord>> {
    let sql = scratch_query!("WHERE id = ?");
    db.first(sql, values![id], scratch_record)
}

fn set_place(db: &Db, id: ScratchId, folder: &Folder, name: &str) -> Result<()> {
    let sql = "UPDATE scratch SET row_id = ?, field = ?, name = ? WHERE id = ?";
    let field = or_empty(folder.field.as_ref());
    db.execute(sql, values![folder.row, field, name, id]).map(drop)
}

fn delete(db: &Db, id: ScratchId) -> Result<()> {
    db.execute("DELETE FROM scratch WHERE id = ?", values![id]).map(drop)
}

/// Fails with [`Error::Missing`] if a statement has changed no row.
fn found(changed: usize) -> Result<()> {
    if changed == 0 { Err(Error::Missing) } else { Ok(()) }
}
