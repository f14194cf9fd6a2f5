//! Slots and attachments in memory: what hangs where, under how many names.
//! Does not know which blobs are needed: `sweep.rs` finds that out.

use std::collections::BTreeMap;

use super::{Hung, Kept, Retirement, State, next};
use crate::catalog::{Error, Publication, Published, Revision, VACANCY};
use words::access::{Fixed, Terms};
use words::attachment::{Amendment, Attachment, AttachmentId, BlobKey, Content, Original, RowId};
use words::link::{Collision, Link};
use words::place::Place;
use words::retired::Orphan;
use words::slot::{Name, Row, Slot};
use words::timestamp::Timestamp;

impl State {
    pub(super) fn find(&self, place: &Place) -> Option<Link> {
        let hung = self.links.get(place)?;
        let attachment = self.attachment(hung.attachment)?;
        let (place, written) = (place.clone(), hung.written.clone());
        Some(Link { place, written, attachment, position: hung.position })
    }

    pub(super) fn singles(&self, row: RowId) -> Vec<Link> {
        self.in_order(|place| place.row == row && place.item.is_none())
    }

    pub(super) fn links(&self, row: RowId) -> Vec<Link> {
        self.in_order(|place| place.row == row)
    }

    pub(super) fn items(&self, row: RowId, field: &Name) -> Vec<Link> {
        self.in_order(|place| place.row == row && place.field == *field && place.item.is_some())
    }

    fn in_order(&self, wanted: impl Fn(&Place) -> bool) -> Vec<Link> {
        let mut found: Vec<_> = self.links.iter().filter(|(place, _)| wanted(place)).collect();
        found.sort_by_key(|(place, hung)| (&place.field, hung.position, &place.item));
        found.into_iter().filter_map(|(place, _)| self.find(place)).collect()
    }

    pub(super) fn revise(
        &mut self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>, Error> {
        self.require_row(row)?;
        let (mut next, mut lost) = (self.clone(), Vec::new());
        for revision in revisions {
            lost.extend(next.apply(row, revision, now)?);
        }
        next.touch_row(row, now);
        *self = next;
        Ok(lost)
    }

    fn apply(
        &mut self,
        row: RowId,
        revision: &Revision,
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        match revision {
            Revision::Require { place, id } => {
                let held = self.links.get(place).map(|link| link.attachment);
                held.filter(|held| held == id).ok_or(Error::Missing)?;
            }
            Revision::Detach(place) => {
                return self.unlink(place, now).ok_or(Error::Missing).map(Some);
            }
            Revision::Arrange { field, order } => self.arrange(row, field, order),
            Revision::Rename { place, original_filename } => {
                let id = self.links.get(place).ok_or(Error::Missing)?.attachment;
                let kept = self.attachments.get_mut(&id).ok_or(Error::Missing)?;
                kept.attachment.original_filename.clone_from(original_filename);
                kept.attachment.times.changed = now;
            }
            Revision::Annotate { place, name, value } => {
                let id = self.links.get(place).ok_or(Error::Missing)?.attachment;
                self.set_attribute(id, name, value.as_deref(), now)?;
            }
            Revision::Trace { place, source } => {
                let id = self.links.get(place).ok_or(Error::Missing)?.attachment;
                let kept = self.attachments.get_mut(&id).ok_or(Error::Missing)?;
                kept.attachment.source.clone_from(source);
                kept.attachment.times.changed = now;
            }
        }
        Ok(None)
    }

    fn arrange(&mut self, row: RowId, field: &Name, order: &[Name]) {
        let there: Vec<_> =
            self.items(row, field).into_iter().filter_map(|link| link.place.item).collect();
        let others = there.iter().filter(|item| !order.contains(item));
        for (position, item) in (1..).zip(order.iter().chain(others)) {
            let item = Some(item.clone());
            if let Some(hung) = self.links.get_mut(&Place { row, field: field.clone(), item }) {
                hung.position = position;
            }
        }
    }

    pub(super) fn attachment(&self, id: AttachmentId) -> Option<Attachment> {
        self.attachments.get(&id).map(|kept| kept.attachment.clone())
    }

    pub(super) fn places(&self, id: AttachmentId) -> Vec<Place> {
        let held = self.links.iter().filter(|(_, hung)| hung.attachment == id);
        held.map(|(place, _)| place.clone()).collect()
    }

    pub(super) fn publish(&mut self, publication: &Publication) -> Result<Published, Error> {
        let Publication { place, written, blob, content, now, .. } = publication;
        self.require_row(place.row)?;
        self.require_blob(*blob)?;
        if let Some(sent) = &publication.original {
            self.require_blob(sent.blob)?;
            self.claim(sent.blob, &sent.content, Some(*now));
        }
        self.claim(*blob, content, Some(*now));
        let there = self.find(place);
        let same = there.as_ref().filter(|link| link.attachment.blob == *blob);
        let id = match same {
            Some(link) => link.attachment.id,
            None => self.add_attachment(publication, there.as_ref()),
        };
        let original = publication.original.as_ref().map(|sent| Box::new(self.as_stored(sent)));
        let mut before = None;
        if let Some(kept) = self.attachments.get_mut(&id) {
            before = std::mem::replace(&mut kept.attachment.original, original);
            kept.attachment.source.clone_from(&publication.source);
            kept.attachment.access = publication.access;
            kept.attachment.times = publication.times;
            kept.attachment.original_filename.clone_from(&publication.original_filename);
            kept.attributes.extend(publication.attributes.iter().cloned());
        }
        if let Some(before) = before {
            self.release(before.blob);
        }
        self.hang(place, written, (id, *now));
        let lost = there.as_ref().filter(|link| link.attachment.id != id);
        let displaced = lost.and_then(|lost| self.lose(lost, *now));
        if there.is_none_or(|link| link.attachment.id != id || link.written != *written) {
            self.touch_row(place.row, *now);
        }
        let attachment = self.attachment(id).ok_or(Error::Missing)?;
        Ok(Published { attachment, displaced })
    }

    fn add_attachment(&mut self, publication: &Publication, there: Option<&Link>) -> AttachmentId {
        let id = AttachmentId(next(&mut self.last.attachment));
        let attachment = Attachment {
            id,
            blob: publication.blob,
            content: self.stored_content(publication.blob, &publication.content),
            access: publication.access,
            times: publication.times,
            committed: publication.now,
            version: there.map_or(1, |link| link.attachment.version + 1),
            original_filename: publication.original_filename.clone(),
            source: None,
            original: None,
            links: 1,
        };
        let kept = Kept { attachment, retired: None, attributes: BTreeMap::new() };
        self.attachments.insert(id, kept);
        id
    }

    /// A blob's content is what the first publication of it said.
    pub(super) fn stored_content(&self, blob: BlobKey, said: &Content) -> Content {
        let stored = self.blobs.get(&blob.generation).and_then(|blob| blob.stored.clone());
        stored.map_or_else(|| said.clone(), |(_, content)| content)
    }

    fn as_stored(&self, sent: &Original) -> Original {
        let content = self.stored_content(sent.blob, &sent.content);
        Original { content, blob: sent.blob }
    }

    pub(super) fn share(
        &mut self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        (collision, fixed): (Collision, Fixed),
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        self.attachment(id).ok_or(Error::Missing)?;
        self.require_row(to.row)?;
        let there = self.taken(to, collision)?;
        self.hang(to, written, (id, now));
        self.touch_row(to.row, now);
        if there.as_ref().is_some_and(|link| link.attachment.id == id) {
            return Ok(None);
        }
        if let Some(kept) = self.attachments.get_mut(&id) {
            kept.attachment.links += 1;
            kept.attachment.times.changed = now;
            kept.retired = None;
        }
        self.fix(id, fixed);
        Ok(there.and_then(|link| self.lose(&link, now)))
    }

    pub(super) fn unlink(&mut self, place: &Place, now: Timestamp) -> Option<Attachment> {
        let link = self.find(place)?;
        self.take_down(place, now);
        self.touch_row(place.row, now);
        self.lose(&link, now)
    }

    pub(super) fn move_link(
        &mut self,
        from: &Place,
        to: &Place,
        written: &Name,
        (collision, terms): (Collision, Terms),
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        let moved = self.find(from).ok_or(Error::Missing)?;
        self.require_row(to.row)?;
        let id = moved.attachment.id;
        let there = if from == to { None } else { self.taken(to, collision)? };
        let position = self.links.get(from).map(|hung| hung.position);
        self.hang(to, written, (id, now));
        let called = there.is_none() && from.folder() == to.folder() && from.field == to.field;
        if called && let (Some(hung), Some(position)) = (self.links.get_mut(to), position) {
            hung.position = position;
        }
        self.touch_row(from.row, now);
        self.touch_row(to.row, now);
        if from != to && !called {
            self.fix(id, terms.there);
        }
        match there {
            Some(other) if collision == Collision::Exchange => {
                self.hang(from, &moved.written, (other.attachment.id, now));
                self.fix(other.attachment.id, terms.back);
                Ok(self.attachment(other.attachment.id))
            }
            _ if from == to => Ok(None),
            _ if called => {
                self.links.remove(from);
                Ok(None)
            }
            there => {
                self.take_down(from, now);
                let displaced = there.and_then(|other| self.lose(&other, now));
                Ok(displaced.filter(|displaced| displaced.id != id))
            }
        }
    }

    /// What is fixed where it hangs now.
    fn fix(&mut self, id: AttachmentId, fixed: Fixed) {
        if let Some(kept) = self.attachments.get_mut(&id) {
            kept.attachment.access = fixed.of(kept.attachment.access);
        }
    }

    pub(super) fn amend(
        &mut self,
        id: AttachmentId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<Attachment, Error> {
        let kept = self.attachments.get_mut(&id).ok_or(Error::Missing)?;
        amendment.apply(&mut kept.attachment.access, &mut kept.attachment.times, now);
        Ok(kept.attachment.clone())
    }

    pub(super) fn attributes(&self, id: AttachmentId) -> Vec<(String, Vec<u8>)> {
        let kept = self.attachments.get(&id);
        kept.map(|kept| kept.attributes.clone().into_iter().collect()).unwrap_or_default()
    }

    pub(super) fn set_attribute(
        &mut self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let kept = self.attachments.get_mut(&id).ok_or(Error::Missing)?;
        let before = match value {
            Some(value) => kept.attributes.insert(name.to_owned(), value.to_owned()).is_some(),
            None => kept.attributes.remove(name).is_some(),
        };
        if before || value.is_some() {
            kept.attachment.times.changed = now;
        }
        Ok(before)
    }

    /// What is at a place where something else is about to hang, if the collision allows that.
    fn taken(&self, place: &Place, collision: Collision) -> Result<Option<Link>, Error> {
        match (self.find(place), collision) {
            (Some(_), Collision::Refuse) => Err(Error::Taken),
            (None, Collision::Exchange) => Err(Error::Missing),
            (there, _) => Ok(there),
        }
    }

    fn hang(
        &mut self,
        place: &Place,
        written: &Name,
        (attachment, now): (AttachmentId, Timestamp),
    ) {
        let kept = self.vacated.get(place).filter(|(_, at)| *at >= now.minus(VACANCY));
        let position = match (self.links.get(place), kept) {
            (Some(hung), _) => hung.position,
            (None, Some((position, _))) => *position,
            (None, None) => self.end_of(place),
        };
        self.vacated.remove(place);
        self.links.insert(place.clone(), Hung { written: written.clone(), attachment, position });
    }

    fn take_down(&mut self, place: &Place, now: Timestamp) {
        if let Some(hung) = self.links.remove(place)
            && place.item.is_some()
        {
            self.vacated.retain(|_, (_, at)| *at >= now.minus(VACANCY));
            self.vacated.insert(place.clone(), (hung.position, now));
        }
    }

    /// Where a new link of this place goes.
    fn end_of(&self, place: &Place) -> u64 {
        let beside = |other: &&Place| (other.row, &other.field) == (place.row, &place.field);
        let taken = self.links.iter().filter(|(other, _)| beside(other));
        match place.item {
            Some(_) => {
                let left = self.vacated.iter().filter(|(other, _)| beside(other));
                let left = left.map(|(_, (position, _))| *position);
                1 + taken.map(|(_, hung)| hung.position).chain(left).max().unwrap_or(0)
            }
            None => 0,
        }
    }

    /// One name less. Retires what has none left, with the name that it lost.
    fn lose(&mut self, link: &Link, now: Timestamp) -> Option<Attachment> {
        let left = self.retirement(link, now);
        let kept = self.attachments.get_mut(&link.attachment.id)?;
        kept.attachment.links -= 1;
        kept.attachment.times.changed = now;
        kept.retired = left.filter(|_| kept.attachment.links == 0);
        Some(kept.attachment.clone())
    }

    fn retirement(&self, link: &Link, at: Timestamp) -> Option<Retirement> {
        let row = self.rows.get(&link.place.row)?;
        let (table, _) = self.tables.iter().find(|(_, id)| **id == row.table)?;
        let Place { field, item, .. } = link.place.clone();
        let known = self.fields.get(&(row.table, field.clone()));
        let orphan = known.map_or(Orphan::Delete, |(_, orphan)| *orphan);
        let row = Row { table: table.clone(), id: row.name.clone() };
        Some(Retirement {
            at,
            slot: Slot { row, field, item },
            written: link.written.clone(),
            orphan,
        })
    }
}
