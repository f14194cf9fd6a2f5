//! The links of slots in memory: found, added, moved and removed.

use super::{Linked, State};
use crate::catalog::error::{Error, Result};
use crate::catalog::slots::{Destination, Rehoming, VACANCY};
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, AttachmentId, Original, RowId};
use words::link::{Collision, Link};
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

impl State {
    pub(super) fn find(&self, place: &Place) -> Option<Link> {
        let linked = self.links.get(place)?;
        let attachment = self.attachment(linked.attachment)?;
        let (place, written) = (place.clone(), linked.written.clone());
        Some(Link { place, written, attachment, position: linked.position })
    }

    /// The items of a collection, by position.
    pub(super) fn items(&self, row: RowId, field: &Name) -> Vec<Link> {
        self.in_order(|place| place.row == row && place.field == *field && place.item.is_some())
    }

    /// The links of some places, by field, position and item.
    pub(super) fn in_order(&self, wanted: impl Fn(&Place) -> bool) -> Vec<Link> {
        let mut found: Vec<_> = self.links.iter().filter(|(place, _)| wanted(place)).collect();
        found.sort_by_key(|(place, linked)| (&place.field, linked.position, &place.item));
        found.into_iter().filter_map(|(place, _)| self.find(place)).collect()
    }

    pub(super) fn share(
        &mut self,
        id: AttachmentId,
        to: Destination,
        fixed: Fixed,
        now: Timestamp,
    ) -> Result<Option<Attachment>> {
        self.attachment(id).ok_or(Error::Missing)?;
        self.require_row(to.place.row)?;
        let there = self.find_displaced(to)?;
        self.put_link(to.place, to.written, id, now);
        self.touch_row(to.place.row, now);
        if there.as_ref().is_some_and(|link| link.attachment.id == id) {
            return Ok(None);
        }
        self.gain_link(id, now);
        self.fix_access(id, fixed);
        Ok(there.and_then(|link| self.lose_link(&link, now)))
    }

    pub(super) fn unlink(&mut self, place: &Place, now: Timestamp) -> Option<Attachment> {
        let link = self.find(place)?;
        self.remove_link(place, now);
        self.touch_row(place.row, now);
        self.lose_link(&link, now)
    }

    pub(super) fn move_link(
        &mut self,
        from: &Place,
        to: Destination,
        terms: Terms,
        now: Timestamp,
    ) -> Result<Option<Attachment>> {
        let moved = self.find(from).ok_or(Error::Missing)?;
        self.require_row(to.place.row)?;
        let id = moved.attachment.id;
        let there = if from == to.place { None } else { self.find_displaced(to)? };
        self.put_link(to.place, to.written, id, now);
        self.touch_row(from.row, now);
        self.touch_row(to.place.row, now);
        if from == to.place {
            return Ok(None);
        }
        if there.is_none() && from.folder() == to.place.folder() && from.field == to.place.field {
            self.links.remove(from);
            if let Some(linked) = self.links.get_mut(to.place) {
                linked.position = moved.position;
            }
            return Ok(None);
        }
        self.fix_access(id, terms.there);
        match there {
            Some(other) if to.collision == Collision::Exchange => {
                self.put_link(from, &moved.written, other.attachment.id, now);
                self.fix_access(other.attachment.id, terms.back);
                Ok(self.attachment(other.attachment.id))
            }
            there => {
                self.remove_link(from, now);
                let displaced = there.and_then(|other| self.lose_link(&other, now));
                Ok(displaced.filter(|displaced| displaced.id != id))
            }
        }
    }

    /// Moves a link, and its attachment to blobs in another store.
    pub(super) fn rehome(&mut self, rehoming: &Rehoming) -> Result<Option<Attachment>> {
        let Rehoming { from, blob, original, now, .. } = rehoming;
        let moved = self.find(from).ok_or(Error::Missing)?.attachment;
        rehoming.check(&moved)?;
        let old_original = moved.original.as_ref().map(|original| original.blob);
        let mut after = self.clone();
        let displaced = after.move_link(from, rehoming.destination(), rehoming.terms(), *now)?;
        let contents = moved.original.as_ref().map(|original| &original.content);
        for (key, content) in original.iter().zip(contents).chain([(blob, &moved.content)]) {
            after.require_blob(*key)?;
            after.claim(*key, content, Some(*now));
        }
        after.set_blobs(rehoming, &moved);
        for old in old_original.iter().chain([&moved.blob]) {
            after.release(*old);
        }
        *self = after;
        Ok(displaced)
    }

    fn set_blobs(&mut self, rehoming: &Rehoming, moved: &Attachment) {
        let content = self.stored_content(rehoming.blob, &moved.content);
        let original = moved.original.clone().zip(rehoming.original).map(|(old, blob)| {
            let content = self.stored_content(blob, &old.content);
            Box::new(Original { blob, content })
        });
        if let Some(entry) = self.attachments.get_mut(&moved.id) {
            entry.attachment.blob = rehoming.blob;
            entry.attachment.content = content;
            entry.attachment.original = original;
        }
    }

    /// The link at a destination. Fails if the collision does not allow one there, or needs one.
    fn find_displaced(&self, to: Destination) -> Result<Option<Link>> {
        match (self.find(to.place), to.collision) {
            (Some(_), Collision::Refuse) => Err(Error::Taken),
            (None, Collision::Exchange) => Err(Error::Missing),
            (there, _) => Ok(there),
        }
    }

    /// Links an attachment at a place, instead of the link that is there. That link's position stays. A new item gets the
    /// position that it had within [`VACANCY`], or the last one.
    pub(super) fn put_link(
        &mut self,
        place: &Place,
        written: &Name,
        attachment: AttachmentId,
        now: Timestamp,
    ) {
        let vacated = self.vacated.get(place).filter(|(_, at)| *at >= now.minus(VACANCY));
        let position = match (self.links.get(place), vacated) {
            (Some(linked), _) => linked.position,
            (None, Some((position, _))) => *position,
            (None, None) => self.last_position(place),
        };
        self.vacated.remove(place);
        self.links.insert(place.clone(), Linked { written: written.clone(), attachment, position });
    }

    /// Removes a link. The position of an item is kept for [`VACANCY`].
    fn remove_link(&mut self, place: &Place, now: Timestamp) {
        if let Some(linked) = self.links.remove(place)
            && place.item.is_some()
        {
            self.vacated.retain(|_, (_, at)| *at >= now.minus(VACANCY));
            self.vacated.insert(place.clone(), (linked.position, now));
        }
    }

    /// The position of a new link at a place: behind all others of its collection, and behind those that may come back.
    fn last_position(&self, place: &Place) -> u64 {
        if place.item.is_none() {
            return 0;
        }
        let is_beside = |other: &Place| (other.row, &other.field) == (place.row, &place.field);
        let linked = self.links.iter().map(|(other, linked)| (other, linked.position));
        let vacated = self.vacated.iter().map(|(other, (position, _))| (other, *position));
        let beside = linked.chain(vacated).filter(|(other, _)| is_beside(other));
        1 + beside.map(|(_, position)| position).max().unwrap_or(0)
    }
}
