//! Several changes to the metadata of a row, in one transaction.

use super::columns::name;
use super::{Db, Error, attachments, links, rows, values};
use crate::catalog::slots::Revision;
use words::attachment::{Attachment, AttachmentId, RowId};
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

pub(super) fn revise(
    db: &Db,
    row: RowId,
    revisions: &[Revision],
    now: Timestamp,
) -> Result<Vec<Attachment>, Error> {
    rows::require(db, row)?;
    let mut lost = Vec::new();
    for revision in revisions {
        match revision {
            Revision::Require { place, id } if linked(db, place)? == *id => {}
            Revision::Require { .. } => return Err(Error::Missing),
            Revision::Detach(place) => {
                lost.push(links::unlink(db, place, now)?.ok_or(Error::Missing)?);
            }
            Revision::Arrange { field, order } => arrange(db, row, field, order)?,
            Revision::Rename { place, original_filename } => {
                let sql = "UPDATE attachments SET filename = ?, changed = ? WHERE id = ?";
                let id = linked(db, place)?;
                db.execute(sql, values![original_filename.as_str(), now, id])?;
            }
            Revision::Annotate { place, name, value } => {
                let id = linked(db, place)?;
                attachments::set_attribute(db, id, name, value.as_deref(), now)?;
            }
            Revision::Trace { place, source } => {
                let sql = "UPDATE attachments SET source = ?, changed = ? WHERE id = ?";
                let id = linked(db, place)?;
                db.execute(sql, values![source.as_deref(), now, id])?;
            }
        }
    }
    rows::touch(db, row, now)?;
    Ok(lost)
}

fn linked(db: &Db, place: &Place) -> Result<AttachmentId, Error> {
    Ok(links::find(db, place)?.ok_or(Error::Missing)?.attachment.id)
}

fn arrange(db: &Db, row: RowId, field: &Name, order: &[Name]) -> Result<(), Error> {
    let sql = "SELECT item FROM links WHERE row_id = ? AND field = ? AND item <> '' \
               ORDER BY position, item";
    let there = db.all(sql, values![row, field], |row| name(row, 0))?;
    let others = there.iter().filter(|item| !order.contains(item));
    let sql = "UPDATE links SET position = ? WHERE row_id = ? AND field = ? AND item = ?";
    for (position, item) in (1_i64..).zip(order.iter().chain(others)) {
        db.execute(sql, values![position, row, field, item])?;
    }
    Ok(())
}
