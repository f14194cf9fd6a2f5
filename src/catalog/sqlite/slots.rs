//! Slots in `SQLite`: what hangs from which field of which row, and every way to change that.
//! Does not know how an attachment counts its names.

use rusqlite::{Connection, params};

use super::columns::{attachment_columns, int, link};
use super::{all, attachments, blobs, one, rows, run};
use crate::attachment::{Attachment, AttachmentId, RowId};
use crate::catalog::{Collision, Error, Link, Place, Publication, Published};
use crate::slot::Name;
use crate::timestamp::Timestamp;

macro_rules! link_query {
    () => {
        concat!(
            "SELECT ",
            attachment_columns!(),
            ", l.row_id, l.field, l.written FROM links l \
             JOIN attachments a ON a.id = l.attachment JOIN blobs b ON b.id = a.blob "
        )
    };
}

pub(super) fn find(db: &Connection, place: &Place) -> Result<Option<Link>, Error> {
    let sql = concat!(link_query!(), "WHERE l.row_id = ? AND l.field = ?");
    one(db, sql, params![int(place.row.0), place.field.as_str()], link)
}

pub(super) fn of_row(db: &Connection, row: RowId) -> Result<Vec<Link>, Error> {
    let sql = concat!(link_query!(), "WHERE l.row_id = ? ORDER BY l.field");
    all(db, sql, [int(row.0)], link)
}

pub(super) fn publish(db: &Connection, publication: &Publication) -> Result<Published, Error> {
    let Publication { place, written, blob, content, now, .. } = publication;
    rows::require(db, place.row)?;
    blobs::require(db, *blob)?;
    blobs::claim(db, *blob, content, Some(*now))?;
    let there = find(db, place)?;
    let (id, lost) = match &there {
        Some(link) if link.attachment.blob == *blob => {
            attachments::renew(db, link.attachment.id, publication)?;
            (link.attachment.id, None)
        }
        _ => {
            let version = there.as_ref().map_or(1, |link| link.attachment.version + 1);
            let id = attachments::add(db, publication, version)?;
            (id, there.as_ref().map(|link| link.attachment.id))
        }
    };
    for (name, value) in &publication.attributes {
        attachments::put_attribute(db, id, name, value)?;
    }
    hang(db, place, written, id)?;
    let displaced = lost.map(|lost| attachments::lose(db, lost, *now)).transpose()?;
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
    (collision, now): (Collision, Timestamp),
) -> Result<Option<Attachment>, Error> {
    attachments::require(db, id)?;
    rows::require(db, to.row)?;
    let there = taken(db, to, collision)?;
    hang(db, to, written, id)?;
    rows::touch(db, to.row, now)?;
    match there {
        Some(link) if link.attachment.id == id => Ok(None),
        there => {
            attachments::gain(db, id, now)?;
            there.map(|link| attachments::lose(db, link.attachment.id, now)).transpose()
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
    take_down(db, place)?;
    rows::touch(db, place.row, now)?;
    attachments::lose(db, link.attachment.id, now).map(Some)
}

pub(super) fn move_link(
    db: &Connection,
    from: &Place,
    to: &Place,
    written: &Name,
    (collision, now): (Collision, Timestamp),
) -> Result<Option<Attachment>, Error> {
    let moved = find(db, from)?.ok_or(Error::Missing)?;
    rows::require(db, to.row)?;
    rows::touch(db, from.row, now)?;
    if from == to {
        hang(db, to, written, moved.attachment.id)?;
        return Ok(None);
    }
    let there = taken(db, to, collision)?;
    rows::touch(db, to.row, now)?;
    hang(db, to, written, moved.attachment.id)?;
    match there {
        Some(other) if collision == Collision::Exchange => {
            hang(db, from, &moved.written, other.attachment.id)?;
            Ok(Some(other.attachment))
        }
        there => {
            take_down(db, from)?;
            let Some(other) = there else {
                return Ok(None);
            };
            let after = attachments::lose(db, other.attachment.id, now)?;
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

fn hang(db: &Connection, place: &Place, written: &Name, id: AttachmentId) -> Result<(), Error> {
    let sql = "INSERT INTO links (row_id, field, written, attachment) VALUES (?, ?, ?, ?) \
               ON CONFLICT (row_id, field) \
               DO UPDATE SET written = excluded.written, attachment = excluded.attachment";
    let Place { row, field } = place;
    run(db, sql, params![int(row.0), field.as_str(), written.as_str(), int(id.0)])?;
    Ok(())
}

fn take_down(db: &Connection, place: &Place) -> Result<(), Error> {
    let sql = "DELETE FROM links WHERE row_id = ? AND field = ?";
    run(db, sql, params![int(place.row.0), place.field.as_str()])?;
    Ok(())
}
