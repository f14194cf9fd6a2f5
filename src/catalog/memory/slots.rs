//! Slots and attachments in memory: what hangs where, under how many names.
//! Does not know which blobs are needed: `sweep.rs` finds that out.

use std::collections::BTreeMap;

use super::{Hung, Kept, State, next};
use crate::attachment::{Amendment, Attachment, AttachmentId, RowId};
use crate::catalog::{Collision, Error, Link, Place, Publication, Published};
use crate::slot::Name;
use crate::timestamp::Timestamp;

impl State {
    pub(super) fn find(&self, place: &Place) -> Option<Link> {
        let hung = self.links.get(place)?;
        let attachment = self.attachment(hung.attachment)?;
        Some(Link { place: place.clone(), written: hung.written.clone(), attachment })
    }

    pub(super) fn links(&self, row: RowId) -> Vec<Link> {
        let places = self.links.keys().filter(|place| place.row == row);
        places.filter_map(|place| self.find(place)).collect()
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
        self.claim(*blob, content, Some(*now));
        let there = self.find(place);
        let same = there.as_ref().filter(|link| link.attachment.blob == *blob);
        let id = match same {
            Some(link) => link.attachment.id,
            None => self.add_attachment(publication, there.as_ref()),
        };
        if let Some(kept) = self.attachments.get_mut(&id) {
            kept.attachment.access = publication.access;
            kept.attachment.times = publication.times;
            kept.attachment.original_filename.clone_from(&publication.original_filename);
            kept.attributes.extend(publication.attributes.iter().cloned());
        }
        self.hang(place, written, id);
        let lost = there.as_ref().map(|link| link.attachment.id).filter(|lost| *lost != id);
        let displaced = lost.and_then(|lost| self.lose(lost, *now));
        if there.is_none_or(|link| link.attachment.id != id || link.written != *written) {
            self.touch_row(place.row, *now);
        }
        let attachment = self.attachment(id).ok_or(Error::Missing)?;
        Ok(Published { attachment, displaced })
    }

    fn add_attachment(&mut self, publication: &Publication, there: Option<&Link>) -> AttachmentId {
        let id = AttachmentId(next(&mut self.last.attachment));
        let stored = self.blobs.get(&publication.blob.generation).and_then(|b| b.stored.clone());
        let attachment = Attachment {
            id,
            blob: publication.blob,
            content: stored.map_or_else(|| publication.content.clone(), |(_, content)| content),
            access: publication.access,
            times: publication.times,
            committed: publication.now,
            version: there.map_or(1, |link| link.attachment.version + 1),
            original_filename: publication.original_filename.clone(),
            links: 1,
        };
        let kept = Kept { attachment, retired: None, attributes: BTreeMap::new() };
        self.attachments.insert(id, kept);
        id
    }

    pub(super) fn share(
        &mut self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        (collision, now): (Collision, Timestamp),
    ) -> Result<Option<Attachment>, Error> {
        self.attachment(id).ok_or(Error::Missing)?;
        self.require_row(to.row)?;
        let there = self.taken(to, collision)?;
        self.hang(to, written, id);
        self.touch_row(to.row, now);
        if there.as_ref().is_some_and(|link| link.attachment.id == id) {
            return Ok(None);
        }
        if let Some(kept) = self.attachments.get_mut(&id) {
            kept.attachment.links += 1;
            kept.attachment.times.changed = now;
            kept.retired = None;
        }
        Ok(there.and_then(|link| self.lose(link.attachment.id, now)))
    }

    pub(super) fn unlink(&mut self, place: &Place, now: Timestamp) -> Option<Attachment> {
        let hung = self.links.remove(place)?;
        self.touch_row(place.row, now);
        self.lose(hung.attachment, now)
    }

    pub(super) fn move_link(
        &mut self,
        from: &Place,
        to: &Place,
        written: &Name,
        (collision, now): (Collision, Timestamp),
    ) -> Result<Option<Attachment>, Error> {
        let moved = self.find(from).ok_or(Error::Missing)?;
        self.require_row(to.row)?;
        let id = moved.attachment.id;
        let there = if from == to { None } else { self.taken(to, collision)? };
        self.hang(to, written, id);
        self.touch_row(from.row, now);
        self.touch_row(to.row, now);
        match there {
            Some(other) if collision == Collision::Exchange => {
                self.hang(from, &moved.written, other.attachment.id);
                Ok(Some(other.attachment))
            }
            _ if from == to => Ok(None),
            there => {
                self.links.remove(from);
                let displaced = there.and_then(|other| self.lose(other.attachment.id, now));
                Ok(displaced.filter(|displaced| displaced.id != id))
            }
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

    fn hang(&mut self, place: &Place, written: &Name, attachment: AttachmentId) {
        self.links.insert(place.clone(), Hung { written: written.clone(), attachment });
    }

    /// One name less. Retires what has none left.
    fn lose(&mut self, id: AttachmentId, now: Timestamp) -> Option<Attachment> {
        let kept = self.attachments.get_mut(&id)?;
        kept.attachment.links -= 1;
        kept.attachment.times.changed = now;
        kept.retired = (kept.attachment.links == 0).then_some(now);
        Some(kept.attachment.clone())
    }
}
