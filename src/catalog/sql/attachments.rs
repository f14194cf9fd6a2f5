//! Attachments in SQL: their access, attributes, and count of links.

use super::columns::{attachment, attachment_query, number, or_empty, place, set_access};
use super::{Db, Error, Result, SqlCatalog, blobs, values};
use crate::catalog::attachments::Attachments;
use crate::catalog::slots::Publication;
use words::access::Fixed;
use words::attachment::{Access, Amendment, Attachment, AttachmentId, Times};
use words::link::Link;
use words::place::Place;
use words::timestamp::Timestamp;

impl Attachments for SqlCatalog {
    fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>> {
        self.engine.read(|db| by_id(db, id))
    }

    fn places(&self, id: AttachmentId) -> Result<Vec<Place>> {
        let sql = "SELECT row_id, field, item FROM links WHERE attachment = ? \
                   ORDER BY row_id, field, item";
        self.engine.read(|db| db.all(sql, values![id], |row| place(row, 0)))
    }

    fn amend(&self, id: AttachmentId, amendment: Amendment, now: Timestamp) -> Result<Attachment> {
        self.engine.write(|db| {
            let mut found = require(db, id)?;
            amendment.apply(&mut found.access, &mut found.times, now);
            store_access(db, &found)?;
            Ok(found)
        })
    }

    fn attributes(&self, id: AttachmentId) -> Result<Vec<(String, Vec<u8>)>> {
        let sql = "SELECT name, value FROM attributes WHERE attachment = ? ORDER BY name";
        self.engine.read(|db| {
            db.all(sql, values![id], |row| Ok((row.text(0)?.to_owned(), row.bytes(1)?.to_owned())))
        })
    }

    fn set_attribute(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool> {
        self.engine.write(|db| set_attribute(db, id, name, value, now))
    }
}

fn by_id(db: &Db, id: AttachmentId) -> Result<Option<Attachment>> {
    db.first(attachment_query!("", "WHERE a.id = ?"), values![id], attachment)
}

pub(super) fn require(db: &Db, id: AttachmentId) -> Result<Attachment> {
    by_id(db, id)?.ok_or(Error::Missing)
}

/// Adds an attachment, which counts one link.
pub(super) fn add(db: &Db, publication: &Publication, version: u64) -> Result<AttachmentId> {
    let sql = "INSERT INTO attachments (blob, uid, gid, mode, accessed, modified, changed, \
                                        committed, version, filename, source, original, links) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) RETURNING id";
    let Publication { access: Access { uid, gid, mode }, now, .. } = *publication;
    let Times { accessed, modified, changed } = publication.times;
    let (blob, original) = (publication.blob.generation, original(publication));
    let (filename, source) = (&*publication.original_filename, publication.source.as_deref());
    let values = values![
        blob, uid, gid, mode, accessed, modified, changed, now, version, filename, source, original
    ];
    db.first(sql, values, |row| number(row, 0).map(AttachmentId))?.ok_or(Error::Missing)
}

/// Gives an attachment what a publication of the same blob says. Its old original is released.
pub(super) fn renew(db: &Db, id: AttachmentId, publication: &Publication) -> Result<()> {
    let old = require(db, id)?;
    let Publication { access, times, original_filename, source, .. } = publication;
    let old_original = old.original.as_ref().map(|original| original.blob);
    store_access(db, &Attachment { access: *access, times: *times, ..old })?;
    let sql = "UPDATE attachments SET filename = ?, source = ?, original = ? WHERE id = ?";
    let (filename, source) = (original_filename.as_str(), source.as_deref());
    db.execute(sql, values![filename, source, original(publication), id])?;
    old_original.map_or(Ok(()), |key| blobs::release(db, key.generation))
}

fn original(publication: &Publication) -> Option<u64> {
    publication.original.as_ref().map(|original| original.blob.generation)
}

/// Adds a link to the count. A retired attachment is no longer retired.
pub(super) fn gain(db: &Db, id: AttachmentId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE attachments SET links = links + 1, retired = NULL, left_slot = NULL, \
                                      left_written = NULL, keep = 0, changed = ? WHERE id = ?";
    db.execute(sql, values![now, id]).map(drop)
}

/// Takes a link off the count. An attachment without links is retired, with the slot and the written name of its last link.
pub(super) fn lose(db: &Db, link: &Link, now: Timestamp) -> Result<Attachment> {
    let (id, Place { row, field, item }) = (link.attachment.id, &link.place);
    let sql = "UPDATE attachments SET links = links - 1, changed = ?1, \
               retired = CASE links WHEN 1 THEN ?1 END WHERE id = ?2";
    db.execute(sql, values![now, id])?;
    let left = require(db, id)?;
    if left.links == 0 {
        let sql = "UPDATE attachments SET left_written = ?1, (left_slot, keep) = ( \
                       SELECT concat_ws('/', t.name, r.name, ?2, nullif(?3, '')), coalesce(f.keep, 0) \
                       FROM rows r JOIN tables t ON t.id = r.tab \
                       LEFT JOIN fields f ON f.tab = r.tab AND f.name = ?2 WHERE r.id = ?4) \
                   WHERE id = ?5";
        let item = or_empty(item.as_ref());
        db.execute(sql, values![&link.written, field, item, *row, id])?;
    }
    Ok(left)
}

/// Sets what a slot fixes of the access.
pub(super) fn fix(db: &Db, id: AttachmentId, fixed: Fixed) -> Result<Attachment> {
    let mut found = require(db, id)?;
    if !fixed.agrees(found.access) {
        found.access = fixed.of(found.access);
        store_access(db, &found)?;
    }
    Ok(found)
}

pub(super) fn set_attribute(
    db: &Db,
    id: AttachmentId,
    name: &str,
    value: Option<&[u8]>,
    now: Timestamp,
) -> Result<bool> {
    let mut found = require(db, id)?;
    let sql = "SELECT 1 FROM attributes WHERE attachment = ? AND name = ?";
    let before = db.exists(sql, values![id, name])?;
    match value {
        None if !before => return Ok(false),
        None => {
            let sql = "DELETE FROM attributes WHERE attachment = ? AND name = ?";
            db.execute(sql, values![id, name])?;
        }
        Some(value) => put_attribute(db, id, name, value)?,
    }
    found.times.changed = now;
    store_access(db, &found)?;
    Ok(before)
}

pub(super) fn put_attribute(db: &Db, id: AttachmentId, name: &str, value: &[u8]) -> Result<()> {
    let sql = "INSERT INTO attributes (attachment, name, value) VALUES (?, ?, ?) \
               ON CONFLICT (attachment, name) DO UPDATE SET value = excluded.value";
    db.execute(sql, values![id, name, value]).map(drop)
}

fn store_access(db: &Db, attachment: &Attachment) -> Result<()> {
    let sql = "UPDATE attachments SET uid = ?, gid = ?, mode = ?, accessed = ?, modified = ?, \
               changed = ? WHERE id = ?";
    set_access(db, sql, attachment.access, attachment.times, attachment.id.0)
}
