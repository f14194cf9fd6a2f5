//! Attachments in `SQLite`: their count of names, what `chmod` and its kin change, and their foreign attributes.
//! Does not know which slots hold them, beyond listing those.

use rusqlite::{Connection, params};

use super::access::set_access;
use super::columns::{
    attachment, attachment_columns, attachment_tables, int, number, or_empty, place,
};
use super::{all, blobs, exists, one, run};
use crate::catalog::{Error, Publication};
use words::access::Fixed;
use words::attachment::{Amendment, Attachment, AttachmentId};
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

pub(super) fn by_id(db: &Connection, id: AttachmentId) -> Result<Option<Attachment>, Error> {
    let sql =
        concat!("SELECT ", attachment_columns!(), " FROM ", attachment_tables!(), "WHERE a.id = ?");
    one(db, sql, [int(id.0)], attachment)
}

pub(super) fn require(db: &Connection, id: AttachmentId) -> Result<Attachment, Error> {
    by_id(db, id)?.ok_or(Error::Missing)
}

pub(super) fn places(db: &Connection, id: AttachmentId) -> Result<Vec<Place>, Error> {
    let sql = "SELECT row_id, field, item FROM links WHERE attachment = ? \
               ORDER BY row_id, field, item";
    all(db, sql, [int(id.0)], |row| place(row, 0))
}

/// Makes the attachment, with one name.
pub(super) fn add(
    db: &Connection,
    publication: &Publication,
    version: u64,
) -> Result<AttachmentId, Error> {
    let sql = "INSERT INTO attachments (blob, uid, gid, mode, accessed, modified, changed, \
                                        committed, version, filename, source, original, links) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) RETURNING id";
    let Publication { blob, access, times, .. } = publication;
    let params = params![
        int(blob.generation),
        access.uid,
        access.gid,
        access.mode,
        times.accessed.0,
        times.modified.0,
        times.changed.0,
        publication.now.0,
        int(version),
        publication.original_filename,
        publication.source,
        original(publication),
    ];
    let made = one(db, sql, params, |row| Ok(AttachmentId(number(row, 0)?)))?;
    made.ok_or(Error::Missing)
}

/// Takes over what a publication of the same blob brings.
pub(super) fn renew(
    db: &Connection,
    id: AttachmentId,
    publication: &Publication,
) -> Result<(), Error> {
    let old = require(db, id)?;
    let Publication { access, times, original_filename, source, .. } = publication;
    let sent = old.original.as_ref().map(|sent| int(sent.blob.generation));
    store(db, &Attachment { access: *access, times: *times, ..old })?;
    let sql = "UPDATE attachments SET filename = ?, source = ?, original = ? WHERE id = ?";
    run(db, sql, params![original_filename, source, original(publication), int(id.0)])?;
    sent.map_or(Ok(()), |sent| blobs::release(db, sent))
}

fn original(publication: &Publication) -> Option<i64> {
    publication.original.as_ref().map(|sent| int(sent.blob.generation))
}

/// One name more. Puts back what is held.
pub(super) fn gain(db: &Connection, id: AttachmentId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE attachments SET links = links + 1, retired = NULL, left_slot = NULL, \
                                      left_written = NULL, keep = 0, changed = ? WHERE id = ?";
    run(db, sql, params![now.0, int(id.0)])?;
    Ok(())
}

/// One name less. Retires what has none left, with the name that it lost.
pub(super) fn lose(
    db: &Connection,
    id: AttachmentId,
    (place, written): (&Place, &Name),
    now: Timestamp,
) -> Result<Attachment, Error> {
    let sql = "UPDATE attachments SET links = links - 1, changed = ?1, \
               retired = CASE links WHEN 1 THEN ?1 END WHERE id = ?2";
    run(db, sql, params![now.0, int(id.0)])?;
    let left = require(db, id)?;
    if left.links == 0 {
        let sql = "UPDATE attachments SET left_written = ?1, (left_slot, keep) = ( \
                       SELECT concat_ws('/', t.name, r.name, ?2, nullif(?3, '')), coalesce(f.keep, 0) \
                       FROM rows r JOIN tables t ON t.id = r.tab \
                       LEFT JOIN fields f ON f.tab = r.tab AND f.name = ?2 WHERE r.id = ?4) \
                   WHERE id = ?5";
        let item = or_empty(place.item.as_ref());
        let (field, row) = (place.field.as_str(), int(place.row.0));
        run(db, sql, params![written.as_str(), field, item, row, int(id.0)])?;
    }
    Ok(left)
}

pub(super) fn amend(
    db: &Connection,
    id: AttachmentId,
    amendment: Amendment,
    now: Timestamp,
) -> Result<Attachment, Error> {
    let mut found = require(db, id)?;
    amendment.apply(&mut found.access, &mut found.times, now);
    store(db, &found)?;
    Ok(found)
}

/// What is fixed where it hangs now.
pub(super) fn fix(db: &Connection, id: AttachmentId, fixed: Fixed) -> Result<Attachment, Error> {
    let mut found = require(db, id)?;
    if !fixed.agrees(found.access) {
        found.access = fixed.of(found.access);
        store(db, &found)?;
    }
    Ok(found)
}

/// Another source.
pub(super) fn trace(
    db: &Connection,
    id: AttachmentId,
    source: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "UPDATE attachments SET source = ?, changed = ? WHERE id = ?";
    run(db, sql, params![source, now.0, int(id.0)]).map(drop)
}

/// Another original name.
pub(super) fn rename(
    db: &Connection,
    id: AttachmentId,
    original_filename: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "UPDATE attachments SET filename = ?, changed = ? WHERE id = ?";
    run(db, sql, params![original_filename, now.0, int(id.0)]).map(drop)
}

pub(super) fn attributes(
    db: &Connection,
    id: AttachmentId,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let sql = "SELECT name, value FROM attributes WHERE attachment = ? ORDER BY name";
    all(db, sql, [int(id.0)], |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn set_attribute(
    db: &Connection,
    id: AttachmentId,
    name: &str,
    value: Option<&[u8]>,
    now: Timestamp,
) -> Result<bool, Error> {
    let mut found = require(db, id)?;
    let sql = "SELECT 1 FROM attributes WHERE attachment = ? AND name = ?";
    let before = exists(db, sql, params![int(id.0), name])?;
    match value {
        None if !before => return Ok(false),
        None => {
            let sql = "DELETE FROM attributes WHERE attachment = ? AND name = ?";
            run(db, sql, params![int(id.0), name])?;
        }
        Some(value) => put_attribute(db, id, name, value)?,
    }
    found.times.changed = now;
    store(db, &found)?;
    Ok(before)
}

pub(super) fn put_attribute(
    db: &Connection,
    id: AttachmentId,
    name: &str,
    value: &[u8],
) -> Result<(), Error> {
    let sql = "INSERT INTO attributes (attachment, name, value) VALUES (?, ?, ?) \
               ON CONFLICT (attachment, name) DO UPDATE SET value = excluded.value";
    run(db, sql, params![int(id.0), name, value])?;
    Ok(())
}

fn store(db: &Connection, Attachment { id, access, times, .. }: &Attachment) -> Result<(), Error> {
    set_access(db, "attachments", id.0, *access, *times)
}
