//! Stores in `SQLite`: their names, what they hold, and an attachment's way from one to another.
//! Does not know where any of them keeps its bytes.

use rusqlite::{Connection, params};

use super::columns::{int, name, number};
use super::{all, blobs, one, run, slots};
use crate::catalog::{Error, Rehoming, StoreRecord};
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, BlobKey, StoreId};
use words::slot::Name;

pub(super) fn find(db: &Connection, name: &Name) -> Result<Option<StoreId>, Error> {
    let sql = "SELECT id FROM stores WHERE name = ?";
    one(db, sql, [name.as_str()], |row| Ok(StoreId(number(row, 0)?)))
}

pub(super) fn add(db: &Connection, name: &Name) -> Result<StoreId, Error> {
    if let Some(known) = find(db, name)? {
        return Ok(known);
    }
    let sql = "INSERT INTO stores (name) VALUES (?) RETURNING id";
    let id = one(db, sql, [name.as_str()], |row| Ok(StoreId(number(row, 0)?)))?;
    id.ok_or(Error::Missing)
}

pub(super) fn all_of_them(db: &Connection) -> Result<Vec<StoreRecord>, Error> {
    let sql = "SELECT s.id, s.name, coalesce(h.blobs, 0), coalesce(h.bytes, 0) \
               FROM (SELECT 0 AS id, NULL AS name UNION ALL SELECT id, name FROM stores) s \
               LEFT JOIN held h ON h.store = s.id ORDER BY s.id";
    all(db, sql, [], |row| {
        let id = StoreId(number(row, 0)?);
        let name = if id == StoreId::default() { None } else { Some(name(row, 1)?) };
        Ok(StoreRecord { id, name, blobs: number(row, 2)?, bytes: number(row, 3)? })
    })
}

pub(super) fn rehome(db: &Connection, rehoming: &Rehoming) -> Result<Option<Attachment>, Error> {
    let Rehoming { from, to, written, collision, blob, original, fixed, now } = rehoming;
    let moved = slots::find(db, from)?.ok_or(Error::Missing)?.attachment;
    if moved.links != 1 {
        return Err(Error::Shared);
    }
    let sent = moved.original.as_ref().map(|sent| sent.blob);
    same_bytes(Some(moved.blob), Some(*blob), moved.blob)?;
    same_bytes(sent, *original, moved.blob)?;
    let terms = Terms { there: *fixed, back: Fixed::default() };
    let displaced = slots::move_link(db, from, to, written, (*collision, terms), *now)?;
    let contents = moved.original.as_ref().map(|sent| &sent.content);
    for (key, content) in original.iter().zip(contents).chain([(blob, &moved.content)]) {
        blobs::require(db, *key)?;
        blobs::claim(db, *key, content, Some(*now))?;
    }
    let sql = "UPDATE attachments SET blob = ?, original = ? WHERE id = ?";
    let generation = |key: &BlobKey| int(key.generation);
    run(db, sql, params![generation(blob), original.as_ref().map(generation), int(moved.id.0)])?;
    for old in sent.iter().chain([&moved.blob]) {
        blobs::release(db, generation(old))?;
    }
    // What an exchange put in its place is as it was.
    Ok(displaced)
}

fn same_bytes(old: Option<BlobKey>, new: Option<BlobKey>, of: BlobKey) -> Result<(), Error> {
    let same = old.map(|key| key.digest) == new.map(|key| key.digest);
    if same { Ok(()) } else { Err(Error::BlobGone(old.unwrap_or(of))) }
}
