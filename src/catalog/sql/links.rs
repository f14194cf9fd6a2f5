//! The links of slots in SQL: found, added, moved and removed.

use super::columns::{link, or_empty};
use super::{Db, Error, Result, attachments, blobs, rows, values};
use crate::catalog::slots::{Destination, Rehoming, VACANCY};
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, AttachmentId};
use words::link::{Collision, Link};
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Links with their attachments, read by [`link`].
macro_rules! link_query {
    ($rest:literal) => {
        $crate::catalog::sql::columns::attachment_query!(
            ", l.row_id, l.field, l.item, l.written, l.position",
            "JOIN links l ON l.attachment = a.id ",
            $rest
        )
    };
}
pub(super) use link_query;

pub(super) fn find(db: &Db, place: &Place) -> Result<Option<Link>> {
    let sql = link_query!("WHERE l.row_id = ? AND l.field = ? AND l.item = ?");
    let item = or_empty(place.item.as_ref());
    db.first(sql, values![place.row, &place.field, item], link)
}

pub(super) fn share(
    db: &Db,
    id: AttachmentId,
    to: Destination,
    fixed: Fixed,
    now: Timestamp,
) -> Result<Option<Attachment>> {
    attachments::require(db, id)?;
    rows::require(db, to.place.row)?;
    let there = find_displaced(db, to)?;
    put(db, to.place, to.written, id, now)?;
    rows::touch(db, to.place.row, now)?;
    match there {
        Some(link) if link.attachment.id == id => Ok(None),
        there => {
            attachments::gain(db, id, now)?;
            attachments::fix(db, id, fixed)?;
            there.map(|link| attachments::lose(db, &link, now)).transpose()
        }
    }
}

pub(super) fn unlink(db: &Db, place: &Place, now: Timestamp) -> Result<Option<Attachment>> {
    let Some(link) = find(db, place)? else { return Ok(None) };
    remove(db, place, now)?;
    rows::touch(db, place.row, now)?;
    attachments::lose(db, &link, now).map(Some)
}

pub(super) fn move_link(
    db: &Db,
    from: &Place,
    to: Destination,
    terms: Terms,
    now: Timestamp,
) -> Result<Option<Attachment>> {
    let moved = find(db, from)?.ok_or(Error::Missing)?;
    let id = moved.attachment.id;
    rows::require(db, to.place.row)?;
    rows::touch(db, from.row, now)?;
    if from == to.place {
        put(db, to.place, to.written, id, now)?;
        return Ok(None);
    }
    let there = find_displaced(db, to)?;
    rows::touch(db, to.place.row, now)?;
    if there.is_none() && from.folder() == to.place.folder() && from.field == to.place.field {
        rename_item(db, from, to.place, to.written)?;
        forget_vacancies(db, to.place, now)?;
        return Ok(None);
    }
    put(db, to.place, to.written, id, now)?;
    attachments::fix(db, id, terms.there)?;
    match there {
        Some(other) if to.collision == Collision::Exchange => {
            put(db, from, &moved.written, other.attachment.id, now)?;
            attachments::fix(db, other.attachment.id, terms.back).map(Some)
        }
        there => {
            remove(db, from, now)?;
            let Some(other) = there else { return Ok(None) };
            let displaced = attachments::lose(db, &other, now)?;
            Ok((displaced.id != id).then_some(displaced))
        }
    }
}

/// Moves a link, and its attachment to blobs in another store.
pub(super) fn rehome(db: &Db, rehoming: &Rehoming) -> Result<Option<Attachment>> {
    let Rehoming { from, blob, original, now, .. } = rehoming;
    let moved = find(db, from)?.ok_or(Error::Missing)?.attachment;
    rehoming.check(&moved)?;
    let old_original = moved.original.as_ref().map(|original| original.blob);
    let displaced = move_link(db, from, rehoming.destination(), rehoming.terms(), *now)?;
    let contents = moved.original.as_ref().map(|original| &original.content);
    for (key, content) in original.iter().zip(contents).chain([(blob, &moved.content)]) {
        blobs::require(db, *key)?;
        blobs::claim(db, *key, content, Some(*now))?;
    }
    let sql = "UPDATE attachments SET blob = ?, original = ? WHERE id = ?";
    let original = original.map(|key| key.generation);
    db.execute(sql, values![blob.generation, original, moved.id])?;
    for old in old_original.iter().chain([&moved.blob]) {
        blobs::release(db, old.generation)?;
    }
    Ok(displaced)
}

/// The link at a destination. Fails if the collision does not allow one there, or needs one.
fn find_displaced(db: &Db, to: Destination) -> Result<Option<Link>> {
    match (find(db, to.place)?, to.collision) {
        (Some(_), Collision::Refuse) => Err(Error::Taken),
        (None, Collision::Exchange) => Err(Error::Missing),
        (there, _) => Ok(there),
    }
}

/// Links an attachment at a slot, instead of the link that is there. That link's position stays. A new item gets the
/// position that it had within [`VACANCY`], or the last one.
pub(super) fn put(
    db: &Db,
    place: &Place,
    written: &Name,
    id: AttachmentId,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO links (row_id, field, item, written, attachment, position) \
               SELECT ?1, ?2, ?3, ?4, ?5, CASE ?3 WHEN '' THEN 0 ELSE coalesce( \
                   (SELECT position FROM vacated \
                    WHERE row_id = ?1 AND field = ?2 AND item = ?3 AND at >= ?6), \
                   1 + max( \
                       coalesce((SELECT max(position) FROM links \
                                 WHERE row_id = ?1 AND field = ?2 AND item <> ''), 0), \
                       coalesce((SELECT max(position) FROM vacated WHERE row_id = ?1 AND field = ?2), 0) \
                   )) END \
               WHERE true ON CONFLICT (row_id, field, item) \
               DO UPDATE SET written = excluded.written, attachment = excluded.attachment";
    let Place { row, field, item } = place;
    let (item, since) = (or_empty(item.as_ref()), now.minus(VACANCY));
    db.execute(sql, values![*row, field, item, written, id, since])?;
    forget_vacancies(db, place, now)
}

/// Forgets the kept position of an item that is linked again, and every position that was kept for longer than [`VACANCY`].
fn forget_vacancies(db: &Db, place: &Place, now: Timestamp) -> Result<()> {
    let Some(item) = &place.item else { return Ok(()) };
    let sql = "DELETE FROM vacated WHERE row_id = ? AND field = ? AND item = ?";
    db.execute(sql, values![place.row, &place.field, item])?;
    db.execute("DELETE FROM vacated WHERE at < ?", values![now.minus(VACANCY)]).map(drop)
}

/// Renames an item within its collection; its position stays.
fn rename_item(db: &Db, from: &Place, to: &Place, written: &Name) -> Result<()> {
    let sql = "UPDATE links SET item = ?, written = ? WHERE row_id = ? AND field = ? AND item = ?";
    let (old, new) = (or_empty(from.item.as_ref()), or_empty(to.item.as_ref()));
    db.execute(sql, values![new, written, from.row, &from.field, old]).map(drop)
}

/// Removes a link. The position of an item is kept for [`VACANCY`].
fn remove(db: &Db, place: &Place, now: Timestamp) -> Result<()> {
    let item = or_empty(place.item.as_ref());
    let sql = "INSERT INTO vacated (row_id, field, item, position, at) \
               SELECT row_id, field, item, position, ?4 FROM links \
               WHERE row_id = ?1 AND field = ?2 AND item = ?3 AND item <> '' \
               ON CONFLICT (row_id, field, item) \
               DO UPDATE SET position = excluded.position, at = excluded.at";
    db.execute(sql, values![place.row, &place.field, item, now])?;
    let sql = "DELETE FROM links WHERE row_id = ? AND field = ? AND item = ?";
    db.execute(sql, values![place.row, &place.field, item]).map(drop)
}
