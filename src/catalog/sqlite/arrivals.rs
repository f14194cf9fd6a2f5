//! Files of drop boxes in `SQLite`: which are to be looked at, and the rows that were made for them.
//! Does not know boxes: to the catalogue their files are scratch.

use rusqlite::{Connection, params};

use super::columns::{int, number, scratch_columns, scratch_record};
use super::{all, one, rows, run};
use crate::catalog::Error;
use words::attachment::{Access, ScratchId, TableId};
use words::digest::Digest;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub(super) fn offer(db: &Connection, id: ScratchId) -> Result<(), Error> {
    found(run(db, "UPDATE scratch SET waiting = 1 WHERE id = ?", [int(id.0)])?)
}

pub(super) fn offered(
    db: &Connection,
    after: ScratchId,
    limit: usize,
) -> Result<Vec<ScratchRecord>, Error> {
    let sql = concat!(
        "SELECT ",
        scratch_columns!(),
        " FROM scratch WHERE waiting = 1 AND id > ? ORDER BY id LIMIT ?"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(db, sql, params![int(after.0), limit], scratch_record)
}

pub(super) fn enrol(
    db: &Connection,
    id: ScratchId,
    (table, name): (TableId, &Name),
    access: Access,
    now: Timestamp,
) -> Result<RowRecord, Error> {
    let row = rows::add(db, table, name, access, now)?;
    let sql = "UPDATE scratch SET becomes = ? WHERE id = ?";
    found(run(db, sql, params![int(row.id.0), int(id.0)])?)?;
    Ok(row)
}

pub(super) fn take(db: &Connection, id: ScratchId, taken: Digest) -> Result<(), Error> {
    let sql = "UPDATE scratch SET waiting = 0, becomes = NULL, taken = ? WHERE id = ?";
    found(run(db, sql, params![taken.as_bytes(), int(id.0)])?)
}

pub(super) fn largest_number(
    db: &Connection,
    table: TableId,
    (before, after): (&str, &str),
) -> Result<u64, Error> {
    // The names that begin so lie side by side in their index.
    let sql = "SELECT coalesce(max(CAST(digits AS INTEGER)), 0) FROM ( \
                   SELECT substr(name, length(?2) + 1, length(name) - length(?2) - length(?3)) \
                   AS digits FROM rows \
                   WHERE tab = ?1 AND name >= ?2 AND name < ?2 || char(0x10ffff) \
                   AND substr(name, length(name) - length(?3) + 1) = ?3 \
               ) WHERE length(digits) BETWEEN 1 AND 19 AND digits NOT GLOB '*[^0-9]*'";
    let found = one(db, sql, params![int(table.0), before, after], |row| number(row, 0))?;
    Ok(found.unwrap_or(0))
}

fn found(changed: usize) -> Result<(), Error> {
    if changed == 0 { Err(Error::Missing) } else { Ok(()) }
}
