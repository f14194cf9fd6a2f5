//! Slots in `SQLite`: what hangs from which field or item of which row, and every way to change that.
//! Does not know how an attachment counts its names.

use rusqlite::{Connection, params};

use super::columns::{attachment_columns, attachment_tables, int, link, name, number, or_empty};
use super::{all, attachments, blobs, one, rows, run};
use crate::catalog::{Error, Publication, Published, Revision, VACANCY};
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, AttachmentId, RowId};
use words::link::{Collision, Link};
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

macro_rules! link_query {
    () => {
        concat!(
            "SELECT ",
            attachment_columns!(),
            ", l.row_id, l.field, l.item, l.written, l.position FROM ",
            attachment_tables!(),
            "JOIN links l ON l.attachment = a.id "
        )
    };
}

pub(super) fn find(db: &Connection, place: &Place) -> Result<Option<Link>, Error> {
    let sql = concat!(link_query!(), "WHERE l.row_id = ? AND l.field = ? AND l.item = ?");
    let item = or_empty(place.item.as_ref());
    one(db, sql, params![int(place.row.0), place.field.as_str(), item], link)
}

pub(super) fn of_row(db: &Connection, row: RowId) -> Result<Vec<Link>, Error> {
    let sql = concat!(link_query!(), "WHERE l.row_id = ? ORDER BY l.field, l.position, l.item");
    all(db, sql, [int(row.0)], link)
}

pub(super) fn singles(db: &Connection, row: RowId) -> Result<Vec<Link>, Error> {
    let sql = concat!(link_query!(), "WHERE l.row_id = ? AND l.item = '' ORDER BY l.field");
    all(db, sql, [int(row.0)], link)
}

pub(super) fn items(db: &Connection, row: RowId, field: &Name) -> Result<Vec<Link>, Error> {
    let sql = concat!(
        link_query!(),
        "WHERE l.row_id = ? AND l.field = ? AND l.item <> '' ORDER BY l.position, l.item"
    );
    all(db, sql, params![int(row.0), field.as_str()], link)
}

pub(super) fn count(db: &Connection, row: RowId, field: &Name) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM links WHERE row_id = ? AND field = ? AND item <> ''";
    let count = one(db, sql, params![int(row.0), field.as_str()], |row| number(row, 0))?;
    Ok(count.unwrap_or(0))
}

pub(super) fn revise(
    db: &Connection,
    row: RowId,
    revisions: &[Revision],
    now: Timestamp,
) -> Result<Vec<Attachment>, Error> {
    rows::require(db, row)?;
    let mut lost = Vec::new();
    for revision in revisions {
        match revision {
            Revision::Require { place, id } if holder(db, place)? == *id => {}
            Revision::Require { .. } => return Err(Error::Missing),
            Revision::Detach(place) => lost.push(unlink(db, place, now)?.ok_or(Error::Missing)?),
            Revision::Arrange { field, order } => arrange(db, row, field, order)?,
            Revision::Rename { place, original_filename } => {
                attachments::rename(db, holder(db, place)?, original_filename, now)?;
            }
            Revision::Annotate { place, name, value } => {
                let id = holder(db, place)?;
                attachments::set_attribute(db, id, name, value.as_deref(), now)?;
            }
            Revision::Trace { place, source } => {
                attachments::trace(db, holder(db, place)?, source.as_deref(), now)?;
            }
        }
    }
    rows::touch(db, row, now)?;
    Ok(lost)
}

fn holder(db: &Connection, place: &Place) -> Result<AttachmentId, Error> {
    Ok(find(db, place)?.ok_or(Error::Missing)?.attachment.id)
}

fn arrange(db: &Connection, row: RowId, field: &Name, order: &[Name]) -> Result<(), Error> {
    let sql = "SELECT item FROM links WHERE row_id = ? AND field = ? AND item <> '' \
               ORDER BY position, item";
    let there = all(db, sql, params![int(row.0), field.as_str()], |row| name(row, 0))?;
    let others = there.iter().filter(|item| !order.contains(item));
    let sql = "UPDATE links SET position = ? WHERE row_id = ? AND field = ? AND item = ?";
    for (position, item) in (1_i64..).zip(order.iter().chain(others)) {
        run(db, sql, params![position, int(row.0), field.as_str(), item.as_str()])?;
    }
    Ok(())
}

pub(super) fn publish(db: &Connection, publication: &Publication) -> Result<Published, Error> {
    let Publication { place, written, blob, content, now, .. } = publication;
    rows::require(db, place.row)?;
    blobs::require(db, *blob)?;
    if let Some(sent) = &publication.original {
        blobs::require(db, sent.blob)?;
        blobs::claim(db, sent.blob, &sent.content, Some(*now))?;
    }
    blobs::claim(db, *blob, content, Some(*now))?;
    let there = find(db, place)?;
    let (id, lost) = match &there {
        Some(link) if link.attachment.blob == *blob => {
            attachments::renew(db, link.attachment.id, publication)?;
            (link.attachment.id, None)
        }
        _ => {
            let version = there.as_ref().map_or(1, |link| link.attachment.version + 1);
            (attachments::add(db, publication, version)?, there.as_ref())
        }
    };
    for (name, value) in &publication.attributes {
        attachments::put_attribute(db, id, name, value)?;
    }
    hang(db, place, written, (id, *now))?;
    let displaced = lost.map(|lost| lose(db, lost, *now)).transpose()?;
    if there.is_none_or(|link| link.attachment.id != id || link.written != *written) {
        rows::touch(db, place.row, *now)?;
    }
    Ok(Published { attachment: attachments::require(db, id)?, displaced })
}

pub(super) fn share(
    db: &Connection,
    id: AttachmentId,
    to: &Place,
    written: &Name,
    (collision, fixed): (Collision, Fixed),
    now: Timestamp,
) -> Result<Option<Attachment>, Error> {
    attachments::require(db, id)?;
    rows::require(db, to.row)?;
    let there = taken(db, to, collision)?;
    hang(db, to, written, (id, now))?;
    rows::touch(db, to.row, now)?;
    match there {
        Some(link) if link.attachment.id == id => Ok(None),
        there => {
            attachments::gain(db, id, now)?;
            attachments::fix(db, id, fixed)?;
            there.map(|link| lose(db, &link, now)).transpose()
        }
    }
}

pub(super) fn unlink(
    db: &Connection,
    place: &Place,
    now: Timestamp,
) -> Result<Option<Attachment>, Error> {
    let Some(link) = find(db, place)? else {
        return Ok(None);
    };
    take_down(db, place, now)?;
    rows::touch(db, place.row, now)?;
    lose(db, &link, now).map(Some)
}

pub(super) fn move_link(
    db: &Connection,
    from: &Place,
    to: &Place,
    written: &Name,
    (collision, terms): (Collision, Terms),
    now: Timestamp,
) -> Result<Option<Attachment>, Error> {
    let moved = find(db, from)?.ok_or(Error::Missing)?;
    rows::require(db, to.row)?;
    rows::touch(db, from.row, now)?;
    if from == to {
        hang(db, to, written, (moved.attachment.id, now))?;
        return Ok(None);
    }
    let there = taken(db, to, collision)?;
    rows::touch(db, to.row, now)?;
    if there.is_none() && from.folder() == to.folder() && from.field == to.field {
        call(db, from, to, written)?;
        settle(db, to, now)?;
        return Ok(None);
    }
    hang(db, to, written, (moved.attachment.id, now))?;
    attachments::fix(db, moved.attachment.id, terms.there)?;
    match there {
        Some(other) if collision == Collision::Exchange => {
            hang(db, from, &moved.written, (other.attachment.id, now))?;
            attachments::fix(db, other.attachment.id, terms.back).map(Some)
        }
        there => {
            take_down(db, from, now)?;
            let Some(other) = there else {
                return Ok(None);
            };
            let after = lose(db, &other, now)?;
            Ok((other.attachment.id != moved.attachment.id).then_some(after))
        }
    }
}

/// What is at a place where something else is about to hang, if the collision allows that.
fn taken(db: &Connection, place: &Place, collision: Collision) -> Result<Option<Link>, Error> {
    match (find(db, place)?, collision) {
        (Some(_), Collision::Refuse) => Err(Error::Taken),
        (None, Collision::Exchange) => Err(Error::Missing),
        (there, _) => Ok(there),
    }
}

fn lose(db: &Connection, link: &Link, now: Timestamp) -> Result<Attachment, Error> {
    attachments::lose(db, link.attachment.id, (&link.place, &link.written), now)
}

/// What is taken keeps its position; an item that was there a moment ago has it again, and a new one comes last.
fn hang(
    db: &Connection,
    place: &Place,
    written: &Name,
    (id, now): (AttachmentId, Timestamp),
) -> Result<(), Error> {
    let sql = "INSERT INTO links (row_id, field, item, written, attachment, position) \
               SELECT ?1, ?2, ?3, ?4, ?5, CASE ?3 WHEN '' THEN 0 ELSE coalesce( \
                   (SELECT position FROM vacated \
                    WHERE row_id = ?1 AND field = ?2 AND item = ?3 AND at >= ?6), \
                   1 + max( \
                       coalesce((SELECT max(position) FROM links \
                                 WHERE row_id = ?1 AND field = ?2 AND item <> ''), 0), \
                       coalesce((SELECT max(position) FROM vacated WHERE row_id = ?1 AND field = ?2), 0) \
                   )) END \
               WHERE 1 ON CONFLICT (row_id, field, item) \
               DO UPDATE SET written = excluded.written, attachment = excluded.attachment";
    let Place { row, field, item } = place;
    let (row, item, id) = (int(row.0), or_empty(item.as_ref()), int(id.0));
    let since = now.minus(VACANCY).0;
    run(db, sql, params![row, field.as_str(), item, written.as_str(), id, since])?;
    settle(db, place, now)
}

/// Nothing comes back to a place that is taken, nor after its time.
fn settle(db: &Connection, place: &Place, now: Timestamp) -> Result<(), Error> {
    let Some(item) = &place.item else { return Ok(()) };
    let sql = "DELETE FROM vacated WHERE row_id = ? AND field = ? AND item = ?";
    run(db, sql, params![int(place.row.0), place.field.as_str(), item.as_str()])?;
    run(db, "DELETE FROM vacated WHERE at < ?", [now.minus(VACANCY).0]).map(drop)
}

/// Another name in the same collection, which keeps the item's position.
fn call(db: &Connection, from: &Place, to: &Place, written: &Name) -> Result<(), Error> {
    let sql = "UPDATE links SET item = ?, written = ? WHERE row_id = ? AND field = ? AND item = ?";
    let (old, new) = (or_empty(from.item.as_ref()), or_empty(to.item.as_ref()));
    let (row, field) = (int(from.row.0), from.field.as_str());
    run(db, sql, params![new, written.as_str(), row, field, old]).map(drop)
}

fn take_down(db: &Connection, place: &Place, now: Timestamp) -> Result<(), Error> {
    let item = or_empty(place.item.as_ref());
    let here = params![int(place.row.0), place.field.as_str(), item, now.0];
    let sql = "INSERT OR REPLACE INTO vacated (row_id, field, item, position, at) \
               SELECT row_id, field, item, position, ?4 FROM links \
               WHERE row_id = ?1 AND field = ?2 AND item = ?3 AND item <> ''";
    run(db, sql, here)?;
    let sql = "DELETE FROM links WHERE row_id = ? AND field = ? AND item = ?";
    run(db, sql, params![int(place.row.0), place.field.as_str(), item]).map(drop)
}
