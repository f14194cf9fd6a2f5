//! Links: an attachment gets another name, moves to another slot, loses its name, or is put back. Its bytes stay as they are; a
//! move to a field of another store copies them there.

use std::sync::Arc;

use crate::catalog::blobs::Reservation;
use crate::catalog::slots::Rehoming;
use crate::catalog::{self, Catalog};
use crate::library::blob_files::store_names::StoreNames;
use crate::library::blob_files::{Blobs, MAX_TRIES};
use crate::library::error::{Error, Result};
use crate::library::home::reserve::Reserve;
use crate::library::lookup::Lookup;
use crate::library::lookup::target::Target;
use crate::library::names::as_is::leaves_as_is;
use crate::library::refuse::Refusals;
use pipeline::policy;
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, AttachmentId, BlobKey, Content, Original, StoreId};
use words::author::Author;
use words::link::{Collision, Link};
use words::place::Place;
use words::retired::Retired;
use words::rule::Rules;
use words::slot::Name;
use words::timestamp::Timestamp;

pub struct Links {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) reserve: Arc<Reserve>,
    pub(in crate::library) refusals: Arc<Refusals>,
    pub(in crate::library) blobs: Arc<Blobs>,
    pub(in crate::library) store_names: Arc<StoreNames>,
}

/// A `rename` of a link to another slot.
#[derive(Debug)]
pub struct Move<'m> {
    pub from: &'m Link,
    /// The rules of the field that the link comes from.
    pub rules: &'m Rules,
    /// The access that is fixed there, for the file that an exchange brings back.
    pub back: Fixed,
    pub target: &'m Target,
    pub collision: Collision,
}

impl Links {
    /// `link`: gives the attachment a second name. The slot must be free.
    pub fn share(&self, from: &Link, rules: &Rules, target: &Target, author: Author) -> Result<()> {
        self.check_transfer(&from.attachment, rules, target, author)?;
        let fixed = self.lookup.fixed(target);
        // An attachment has one blob, which is in one store, and it has one owner and one mode.
        let elsewhere = self.changes_store(&from.attachment, target)?;
        if elsewhere || !fixed.agrees(from.attachment.access) {
            return Err(Error::WouldChange);
        }
        let to = target.destination(Collision::Refuse);
        let shared = self.catalog.share(from.attachment.id, to, fixed, Timestamp::now());
        self.finish(shared.map_err(Error::from), target, author)?;
        Ok(())
    }

    /// `rename`: moves a link, also into another store. The attachment keeps its number; owner and mode become the target's
    /// where the target fixes them. Returns what was displaced.
    pub fn rename(&self, link: &Move<'_>, author: Author) -> Result<Option<Attachment>> {
        let Move { from, rules, back, target, collision } = *link;
        self.check_transfer(&from.attachment, rules, target, author)?;
        let terms = Terms { there: self.lookup.fixed(target), back };
        self.check_terms(from, target, collision, terms)?;
        let moved = if self.changes_store(&from.attachment, target)? {
            self.rehome(from, target, collision)
        } else {
            let to = target.destination(collision);
            let moved = self.catalog.move_link(&from.place, to, terms, Timestamp::now());
            moved.map_err(Error::from)
        };
        self.finish(moved, target, author)
    }

    /// Checks that the fixed owner and mode of the target can be applied: other names of an attachment would share them.
    fn check_terms(
        &self,
        from: &Link,
        target: &Target,
        collision: Collision,
        terms: Terms,
    ) -> Result<()> {
        let Place { row, field, .. } = &target.place;
        if (&from.place.row, &from.place.field) == (row, field) {
            return Ok(());
        }
        let stays = |attachment: &Attachment, fixed: Fixed| {
            attachment.links == 1 || fixed.agrees(attachment.access)
        };
        let other = match collision {
            Collision::Exchange => self.lookup.link(&target.place)?,
            Collision::Replace | Collision::Refuse => None,
        };
        let back = other.is_none_or(|other| stays(&other.attachment, terms.back));
        if back && stays(&from.attachment, terms.there) { Ok(()) } else { Err(Error::WouldChange) }
    }

    /// Whether the target keeps its blobs in another store. An attachment in a store that is no longer configured stays there.
    fn changes_store(&self, attachment: &Attachment, target: &Target) -> Result<bool> {
        let here = attachment.blob.store;
        let there = self.store_names.of_field(&target.field)?;
        Ok(there != here && self.store_names.is_open(here))
    }

    /// Copies the blobs to the target's store, then moves the link; a sweep deletes the old blobs. Returns what was displaced.
    /// Errors: [`Error::WouldChange`] for an attachment with other names and for an exchange: the client copies then.
    fn rehome(
        &self,
        from: &Link,
        target: &Target,
        collision: Collision,
    ) -> Result<Option<Attachment>> {
        if collision == Collision::Exchange || from.attachment.links != 1 {
            return Err(Error::WouldChange);
        }
        let store = self.store_names.of_field(&target.field)?;
        let mut tries = 0;
        loop {
            let now = Timestamp::now();
            // The attachment may have been replaced, or moved to another store, since it was looked up.
            let attachment = self.lookup.link(&from.place)?.ok_or(Error::Missing)?.attachment;
            if attachment.id != from.attachment.id {
                return Err(Error::Missing);
            }
            let blob = self.copy(attachment.blob, &attachment.content, store, now)?;
            let copy = |sent: &Original| match sent.blob {
                same if same == attachment.blob => Ok(blob),
                other => self.copy(other, &sent.content, store, now),
            };
            let original = attachment.original.as_deref().map(copy).transpose()?;
            let rehoming = Rehoming {
                from: from.place.clone(),
                to: target.place.clone(),
                written: target.written.clone(),
                collision,
                blob: blob.key(),
                original: original.map(Reservation::key),
                fixed: self.lookup.fixed(target),
                now,
            };
            match self.catalog.rehome(&rehoming) {
                Err(catalog::Error::BlobGone(_)) if tries < MAX_TRIES => tries += 1,
                answer => {
                    let displaced = answer?;
                    [Some(blob), original]
                        .into_iter()
                        .flatten()
                        .for_each(|it| self.blobs.confirm(it));
                    return Ok(displaced);
                }
            }
        }
    }

    /// Puts the bytes of a blob into another store.
    fn copy(
        &self,
        key: BlobKey,
        content: &Content,
        store: StoreId,
        now: Timestamp,
    ) -> Result<Reservation> {
        let bytes = self.blobs.open_whole(key, content.length)?;
        self.blobs.put(store, key.digest, &bytes, now)
    }

    /// Removes a name. An attachment without names is held for a while.
    pub fn unlink(&self, place: &Place) -> Result<Option<Attachment>> {
        self.reserve.even_when_full(|| Ok(self.catalog.unlink(place, Timestamp::now())?))
    }

    /// Gives a held attachment its name back. False if the slot was taken meanwhile (CONTRACT 2.11).
    pub fn put_back(&self, id: AttachmentId, place: &Place, written: &Name) -> Result<bool> {
        let back = || match self.catalog.put_back(id, place, written, Timestamp::now()) {
            Ok(()) => Ok(true),
            Err(catalog::Error::Taken | catalog::Error::Missing | catalog::Error::BlobGone(_)) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        };
        self.reserve.even_when_full(back)
    }

    /// Gives an attachment of the trash a name again. It keeps its number and metadata, and is judged like a move. Returns the
    /// displaced attachment. Errors: [`Error::Missing`] if it was swept meanwhile, [`Error::Damaged`] if its bytes are lost.
    pub fn restore(
        &self,
        retired: &Retired,
        target: &Target,
        collision: Collision,
        author: Author,
    ) -> Result<Option<Attachment>> {
        // A field that is no longer configured has no rules; it held files.
        let unknown = Rules::file();
        let table = self.lookup.table_named(retired.slot.row.table.as_str());
        let field = table.and_then(|table| table.field(retired.slot.field.as_str()));
        let source = field.map_or(&unknown, |field| &field.rules);
        self.check_transfer(&retired.attachment, source, target, author)?;
        let (id, to) = (retired.attachment.id, target.destination(collision));
        match self.blobs.open(&retired.attachment) {
            // A sweep forgets the attachment before it deletes the bytes.
            Err(_) if self.catalog.retired_by_id(id)?.is_none() => return Err(Error::Missing),
            opened => drop(opened?),
        }
        let fixed = self.lookup.fixed(target);
        let share = || Ok(self.catalog.share(id, to, fixed, Timestamp::now())?);
        self.finish(self.reserve.even_when_full(share), target, author)
    }

    /// Ends a change that gave the target's slot an attachment: refuses an excess of a quota, or forgets the slot's last refusal.
    fn finish(
        &self,
        changed: Result<Option<Attachment>>,
        target: &Target,
        author: Author,
    ) -> Result<Option<Attachment>> {
        let displaced = changed.map_err(|error| match error {
            Error::Quota(excess) => self.refusals.refuse_over_quota(target, author, &excess).into(),
            error => error,
        })?;
        self.refusals.clear(target);
        Ok(displaced)
    }

    /// Judges stored bytes by the rules of a target, for a transfer without a copy. Rules that refuse the bytes refuse the
    /// transfer; rules that would change them are [`Error::WouldChange`].
    pub fn check_transfer(
        &self,
        attachment: &Attachment,
        source: &Rules,
        target: &Target,
        author: Author,
    ) -> Result<()> {
        let rules = &target.field.rules;
        let content = &attachment.content;
        if let Err(violation) =
            policy::judge_final(rules, content.length, &content.media_type, content.dimensions)
        {
            return Err(self.refusals.refuse(target, author, violation, None).into());
        }
        if leaves_as_is(source, rules, content) { Ok(()) } else { Err(Error::WouldChange) }
    }
}
