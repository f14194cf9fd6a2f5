//! Slots in memory: their links are read, and each change keeps to the quotas.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Memory, State, next};
use crate::catalog::error::{Error, Result};
use crate::catalog::slots::{Destination, Publication, Published, Rehoming, Revision, Slots};
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, AttachmentId, Original, RowId};
use words::link::{Collision, Link};
use words::place::Place;
use words::quota::Account;
use words::rendition::VariantRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Slots for Memory {
    fn find(&self, place: &Place) -> Result<Option<Link>> {
        Ok(self.state("find").find(place))
    }

    fn links(&self, row: RowId) -> Result<Vec<Link>> {
        Ok(self.state("links").in_order(|place| place.row == row))
    }

    fn singles(&self, row: RowId) -> Result<Vec<Link>> {
        Ok(self.state("singles").in_order(|place| place.row == row && place.item.is_none()))
    }

    fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>> {
        Ok(self.state("items").items(row, field))
    }

    fn count_items(&self, row: RowId, field: &Name) -> Result<u64> {
        let items = self.state("count_items").items(row, field);
        Ok(u64::try_from(items.len()).unwrap_or(u64::MAX))
    }

    fn row_attributes(&self, row: RowId) -> Result<Vec<(AttachmentId, String, Vec<u8>)>> {
        let state = self.state("row_attributes");
        let ids: BTreeSet<_> = state.linked_in(row).map(|attachment| attachment.id).collect();
        let of = |id: AttachmentId| {
            let entry = state.attachments.get(&id).into_iter();
            let all = entry.flat_map(|entry| &entry.attributes);
            all.map(move |(name, value)| (id, name.clone(), value.clone()))
        };
        Ok(ids.into_iter().flat_map(of).collect())
    }

    fn row_variants(&self, row: RowId) -> Result<Vec<VariantRecord>> {
        let state = self.state("row_variants");
        let blobs: BTreeMap<_, _> =
            state.linked_in(row).map(|it| (it.blob.generation, it.blob)).collect();
        Ok(blobs.into_values().flat_map(|blob| state.variants_of(blob)).collect())
    }

    fn revise(
        &self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>> {
        self.state("revise").revise(row, revisions, now)
    }

    fn publish(&self, publication: &Publication) -> Result<Published> {
        let mut state = self.state("publish");
        let owner = Some(Account::Uid(publication.access.uid));
        let accounts = [state.account_of_row(publication.place.row), owner];
        state.within(&accounts, |state| state.publish(publication))
    }

    fn share(
        &self,
        id: AttachmentId,
        to: Destination,
        fixed: Fixed,
        now: Timestamp,
    ) -> Result<Option<Attachment>> {
        let mut state = self.state("share");
        let owner = state.attachment(id).map(|found| Account::Uid(fixed.of(found.access).uid));
        let accounts = [state.account_of_row(to.place.row), owner];
        state.within(&accounts, |state| state.share(id, to, fixed, now))
    }

    fn put_back(&self, id: AttachmentId, to: &Place, written: &Name, now: Timestamp) -> Result<()> {
        let to = Destination { place: to, written, collision: Collision::Refuse };
        self.state("put_back").share(id, to, Fixed::default(), now).map(drop)
    }

    fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>> {
        Ok(self.state("unlink").unlink(place, now))
    }

    fn move_link(
        &self,
        from: &Place,
        to: Destination,
        terms: Terms,
        now: Timestamp,
    ) -> Result<Option<Attachment>> {
        let mut state = self.state("move_link");
        let accounts = state.accounts_of_move(from, to.place, terms);
        state.within(&accounts, |state| state.move_link(from, to, terms, now))
    }

    fn rehome(&self, rehoming: &Rehoming) -> Result<Option<Attachment>> {
        let mut state = self.state("rehome");
        let accounts = state.accounts_of_move(&rehoming.from, &rehoming.to, rehoming.terms());
        state.within(&accounts, |state| state.rehome(rehoming))
    }
}

impl State {
    /// The attachments that are linked in a row.
    fn linked_in(&self, row: RowId) -> impl Iterator<Item = &Attachment> {
        let own = self.links.iter().filter(move |(place, _)| place.row == row);
        own.filter_map(|(_, linked)| Some(&self.attachments.get(&linked.attachment)?.attachment))
    }

    fn publish(&mut self, publication: &Publication) -> Result<Published> {
        let Publication { place, written, blob, content, now, .. } = publication;
        self.require_row(place.row)?;
        self.require_blob(*blob)?;
        if let Some(original) = &publication.original {
            self.require_blob(original.blob)?;
            self.claim(original.blob, &original.content, Some(*now));
        }
        self.claim(*blob, content, Some(*now));
        let there = self.find(place);
        let same = there.as_ref().filter(|link| link.attachment.blob == *blob);
        let id = match same {
            Some(link) => link.attachment.id,
            None => self.add_attachment(publication, there.as_ref()),
        };
        if let Some(old) = self.describe(id, publication) {
            self.release(old.blob);
        }
        self.put_link(place, written, id, *now);
        let lost = there.as_ref().filter(|link| link.attachment.id != id);
        let displaced = lost.and_then(|lost| self.lose_link(lost, *now));
        if there.is_none_or(|link| link.attachment.id != id || link.written != *written) {
            self.touch_row(place.row, *now);
        }
        let attachment = self.attachment(id).ok_or(Error::Missing)?;
        Ok(Published { attachment, displaced })
    }

    /// Adds an attachment with one link.
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
            original_filename: String::new(),
            source: None,
            original: None,
            links: 1,
        };
        let entry = Entry { attachment, retired: None, attributes: BTreeMap::new() };
        self.attachments.insert(id, entry);
        id
    }

    /// Gives an attachment what a publication says of it. Returns the original that it had.
    fn describe(&mut self, id: AttachmentId, publication: &Publication) -> Option<Box<Original>> {
        let original = publication.original.as_ref().map(|original| {
            let content = self.stored_content(original.blob, &original.content);
            Box::new(Original { content, blob: original.blob })
        });
        let entry = self.attachments.get_mut(&id)?;
        entry.attributes.extend(publication.attributes.iter().cloned());
        let attachment = &mut entry.attachment;
        attachment.access = publication.access;
        attachment.times = publication.times;
        attachment.original_filename.clone_from(&publication.original_filename);
        attachment.source.clone_from(&publication.source);
        std::mem::replace(&mut attachment.original, original)
    }

    fn revise(
        &mut self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>> {
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
    ) -> Result<Option<Attachment>> {
        match revision {
            Revision::Require { place, id } => {
                if self.linked(place)? != *id {
                    return Err(Error::Missing);
                }
            }
            Revision::Detach(place) => {
                return self.unlink(place, now).ok_or(Error::Missing).map(Some);
            }
            Revision::Arrange { field, order } => self.arrange(row, field, order),
            Revision::Rename { place, original_filename } => {
                let Entry { attachment, .. } = self.entry(place)?;
                attachment.original_filename.clone_from(original_filename);
                attachment.times.changed = now;
            }
            Revision::Annotate { place, name, value } => {
                let id = self.linked(place)?;
                self.set_attribute(id, name, value.as_deref(), now)?;
            }
            Revision::Trace { place, source } => {
                let Entry { attachment, .. } = self.entry(place)?;
                attachment.source.clone_from(source);
                attachment.times.changed = now;
            }
        }
        Ok(None)
    }

    fn linked(&self, place: &Place) -> Result<AttachmentId> {
        Ok(self.links.get(place).ok_or(Error::Missing)?.attachment)
    }

    fn entry(&mut self, place: &Place) -> Result<&mut Entry> {
        let id = self.linked(place)?;
        self.attachments.get_mut(&id).ok_or(Error::Missing)
    }

    fn arrange(&mut self, row: RowId, field: &Name, order: &[Name]) {
        let there: Vec<_> =
            self.items(row, field).into_iter().filter_map(|link| link.place.item).collect();
        let named: BTreeSet<_> = order.iter().collect();
        let others = there.iter().filter(|item| !named.contains(item));
        for (position, item) in (1..).zip(order.iter().chain(others)) {
            let item = Some(item.clone());
            if let Some(linked) = self.links.get_mut(&Place { row, field: field.clone(), item }) {
                linked.position = position;
            }
        }
    }
}
