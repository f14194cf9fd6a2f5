//! Slots in SQL: their links are read, and each change is one transaction that keeps to the quotas.

use std::collections::HashSet;

use super::columns::{link, name, number, variant_record};
use super::linking::Linked;
use super::links::{self, link_query};
use super::quotas::{of_move, of_publication, of_share};
use super::variants::variant_query;
use super::{Db, Error, Result, SqlCatalog, attachments, blobs, rows, values};
use crate::catalog::slots::{Destination, Publication, Published, Rehoming, Revision, Slots};
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, AttachmentId, RowId};
use words::link::{Collision, Link};
use words::place::Place;
use words::rendition::VariantRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Slots for SqlCatalog {
    fn find(&self, place: &Place) -> Result<Option<Link>> {
        self.engine.read(|db| links::find(db, place))
    }

    fn links(&self, row: RowId) -> Result<Vec<Link>> {
        let sql = link_query!("WHERE l.row_id = ? ORDER BY l.field, l.position, l.item");
        self.engine.read(|db| db.all(sql, values![row], link))
    }

    fn singles(&self, row: RowId) -> Result<Vec<Link>> {
        let sql = link_query!("WHERE l.row_id = ? AND l.item = '' ORDER BY l.field");
        self.engine.read(|db| db.all(sql, values![row], link))
    }

    fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>> {
        let sql = link_query!(
            "WHERE l.row_id = ? AND l.field = ? AND l.item <> '' ORDER BY l.position, l.item"
        );
        self.engine.read(|db| db.all(sql, values![row, field], link))
    }

    fn count_items(&self, row: RowId, field: &Name) -> Result<u64> {
        let sql = "SELECT items FROM collections WHERE row_id = ? AND field = ?";
        let count =
            self.engine.read(|db| db.first(sql, values![row, field], |row| number(row, 0)))?;
        Ok(count.unwrap_or(0))
    }

    fn row_attributes(&self, row: RowId) -> Result<Vec<(AttachmentId, String, Vec<u8>)>> {
        let sql = "SELECT DISTINCT x.attachment, x.name, x.value \
                   FROM links l JOIN attributes x ON x.attachment = l.attachment \
                   WHERE l.row_id = ? ORDER BY x.attachment, x.name";
        self.engine.read(|db| {
            db.all(sql, values![row], |row| {
                let id = AttachmentId(number(row, 0)?);
                Ok((id, row.text(1)?.to_owned(), row.bytes(2)?.to_owned()))
            })
        })
    }

    fn row_variants(&self, row: RowId) -> Result<Vec<VariantRecord>> {
        let sql = variant_query!(
            "WHERE v.original IN (SELECT a.blob FROM links l \
                                  JOIN attachments a ON a.id = l.attachment WHERE l.row_id = ?) \
             ORDER BY v.original, v.name"
        );
        self.engine.read(|db| db.all(sql, values![row], variant_record))
    }

    fn revise(
        &self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>> {
        self.engine.write(|db| revise(db, row, revisions, now))
    }

    fn publish(&self, publication: &Publication) -> Result<Published> {
        let linked = linked(publication);
        let accounts = |db: &Db| of_publication(db, publication);
        self.write_within(&linked, accounts, |db| publish(db, publication))
    }

    fn share(
        &self,
        id: AttachmentId,
        to: Destination,
        fixed: Fixed,
        now: Timestamp,
    ) -> Result<Option<Attachment>> {
        let accounts = |db: &Db| of_share(db, id, to.place, fixed);
        self.write_within(&[], accounts, |db| links::share(db, id, to, fixed, now))
    }

    fn put_back(&self, id: AttachmentId, to: &Place, written: &Name, now: Timestamp) -> Result<()> {
        let to = Destination { place: to, written, collision: Collision::Refuse };
        self.engine.write(|db| links::share(db, id, to, Fixed::default(), now).map(drop))
    }

    fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>> {
        self.engine.write(|db| links::unlink(db, place, now))
    }

    fn move_link(
        &self,
        from: &Place,
        to: Destination,
        terms: Terms,
        now: Timestamp,
    ) -> Result<Option<Attachment>> {
        let accounts = |db: &Db| of_move(db, from, to.place, terms);
        self.write_within(&[], accounts, |db| links::move_link(db, from, to, terms, now))
    }

    fn rehome(&self, rehoming: &Rehoming) -> Result<Option<Attachment>> {
        let Rehoming { from, to, blob, original, .. } = rehoming;
        let linked: Vec<_> = [*blob].into_iter().chain(*original).map(Linked::perhaps).collect();
        let accounts = |db: &Db| of_move(db, from, to, rehoming.terms());
        self.write_within(&linked, accounts, |db| links::rehome(db, rehoming))
    }
}

fn linked(publication: &Publication) -> Vec<Linked<'_>> {
    let original = publication.original.as_ref().map(|it| (it.blob, &it.content));
    let all = [(publication.blob, &publication.content)].into_iter().chain(original);
    all.map(|(key, content)| Linked { key, stored: Some((content, publication.now)) }).collect()
}

fn publish(db: &Db, publication: &Publication) -> Result<Published> {
    let Publication { place, written, blob, content, now, .. } = publication;
    rows::require(db, place.row)?;
    blobs::require(db, *blob)?;
    if let Some(original) = &publication.original {
        blobs::require(db, original.blob)?;
        blobs::claim(db, original.blob, &original.content, Some(*now))?;
    }
    blobs::claim(db, *blob, content, Some(*now))?;
    let there = links::find(db, place)?;
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
    links::put(db, place, written, id, *now)?;
    let displaced = lost.map(|lost| attachments::lose(db, lost, *now)).transpose()?;
    if there.is_none_or(|link| link.attachment.id != id || link.written != *written) {
        rows::touch(db, place.row, *now)?;
    }
    Ok(Published { attachment: attachments::require(db, id)?, displaced })
}

fn revise(db: &Db, row: RowId, revisions: &[Revision], now: Timestamp) -> Result<Vec<Attachment>> {
    rows::require(db, row)?;
    let (mut lost, mut known) = (Vec::new(), None);
    for revision in revisions {
        match revision {
            Revision::Require { place, id } => {
                if attachment_at(db, place, None)? != *id {
                    return Err(Error::Missing);
                }
                known = Some((place, *id));
            }
            Revision::Detach(place) => {
                lost.push(links::unlink(db, place, now)?.ok_or(Error::Missing)?);
                known = None;
            }
            Revision::Arrange { field, order } => arrange(db, row, field, order)?,
            Revision::Rename { place, original_filename } => {
                let sql = "UPDATE attachments SET filename = ?, changed = ? WHERE id = ?";
                let id = attachment_at(db, place, known)?;
                db.execute(sql, values![original_filename.as_str(), now, id])?;
            }
            Revision::Annotate { place, name, value } => {
                let id = attachment_at(db, place, known)?;
                attachments::set_attribute(db, id, name, value.as_deref(), now)?;
            }
            Revision::Trace { place, source } => {
                let sql = "UPDATE attachments SET source = ?, changed = ? WHERE id = ?";
                let id = attachment_at(db, place, known)?;
                db.execute(sql, values![source.as_deref(), now, id])?;
            }
        }
    }
    rows::touch(db, row, now)?;
    Ok(lost)
}

/// The attachment at a place; `known` is one that was looked up since the last change of links.
fn attachment_at(
    db: &Db,
    place: &Place,
    known: Option<(&Place, AttachmentId)>,
) -> Result<AttachmentId> {
    match known {
        Some((at, id)) if at == place => Ok(id),
        _ => Ok(links::find(db, place)?.ok_or(Error::Missing)?.attachment.id),
    }
}

fn arrange(db: &Db, row: RowId, field: &Name, order: &[Name]) -> Result<()> {
    let sql = "SELECT item FROM links WHERE row_id = ? AND field = ? AND item <> '' \
               ORDER BY position, item";
    let there = db.all(sql, values![row, field], |row| name(row, 0))?;
    let named: HashSet<_> = order.iter().collect();
    let others = there.iter().filter(|item| !named.contains(item));
    let sql = "UPDATE links SET position = ?1 \
               WHERE row_id = ?2 AND field = ?3 AND item = ?4 AND position <> ?1";
    for (position, item) in (1_i64..).zip(order.iter().chain(others)) {
        db.execute(sql, values![position, row, field, item])?;
    }
    Ok(())
}
