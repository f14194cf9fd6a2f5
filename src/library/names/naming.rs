//! Links: an attachment gets another name, moves to another slot, loses its name, or is put back. Its bytes are not touched.

use std::sync::Arc;

use crate::catalog::slots::Destination;
use crate::catalog::{self, Catalog};
use crate::library::error::Error;
use crate::library::home::reserve::Reserve;
use crate::library::lookup::Lookup;
use crate::library::lookup::target::Target;
use crate::library::names::as_is::leaves_as_is;
use crate::library::names::store_change::StoreChange;
use crate::library::refuse::Refusals;
use pipeline::policy;
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, AttachmentId};
use words::author::Author;
use words::link::{Collision, Link};
use words::place::Place;
use words::retired::Retired;
use words::rule::Rules;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Changes the names of attachments.
pub struct Links {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) reserve: Arc<Reserve>,
    pub(in crate::library) refusals: Arc<Refusals>,
    pub(in crate::library) store_change: StoreChange,
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
    pub fn share(
        &self,
        from: &Link,
        source: &Rules,
        target: &Target,
        author: Author,
    ) -> Result<(), Error> {
        self.check_transfer(&from.attachment, source, target, author)?;
        let fixed = self.lookup.fixed(target);
        // An attachment has one blob, which is in one store, and it has one owner and one mode.
        let elsewhere = self.store_change.is_needed(&from.attachment, target)?;
        if elsewhere || !fixed.agrees(from.attachment.access) {
            return Err(Error::WouldChange);
        }
        let Target { place, written, .. } = target;
        let (id, now) = (from.attachment.id, Timestamp::now());
        let shared = self.catalog.share(
            id,
            Destination { place, written, collision: Collision::Refuse },
            fixed,
            now,
        );
        self.finish(shared.map_err(Error::from), target, author)?;
        Ok(())
    }

    /// `rename`: moves a link, also into another store. The attachment keeps its number; owner and mode become the target's
    /// where the target fixes them. Returns what was displaced.
    pub fn rename(&self, link: &Move<'_>, author: Author) -> Result<Option<Attachment>, Error> {
        let Move { from, rules, back, target, collision } = *link;
        self.check_transfer(&from.attachment, rules, target, author)?;
        let terms = Terms { there: self.lookup.fixed(target), back };
        self.check_terms(from, target, collision, terms)?;
        let Target { place, written, .. } = target;
        let moved = if self.store_change.is_needed(&from.attachment, target)? {
            self.store_change.rename(from, target, collision)
        } else {
            let now = Timestamp::now();
            let moved = self.catalog.move_link(
                &from.place,
                Destination { place, written, collision },
                terms,
                now,
            );
            moved.map_err(Error::from)
        };
        self.finish(moved, target, author)
    }

    /// Checks that the fixed owner and mode of the target can be applied. An attachment with other names keeps its owner and
    /// mode, since the other names share them.
    fn check_terms(
        &self,
        from: &Link,
        target: &Target,
        collision: Collision,
        terms: Terms,
    ) -> Result<(), Error> {
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

    /// Takes a name away. An attachment that has lost its last name is held for a while.
    pub fn unlink(&self, place: &Place) -> Result<Option<Attachment>, Error> {
        self.reserve.even_when_full(|| Ok(self.catalog.unlink(place, Timestamp::now())?))
    }

    /// Gives a held attachment its name back. False if the slot was taken meanwhile (CONTRACT 2.11).
    pub fn put_back(&self, id: AttachmentId, place: &Place, written: &Name) -> Result<bool, Error> {
        let back = || match self.catalog.put_back(id, place, written, Timestamp::now()) {
            Ok(()) => Ok(true),
            Err(catalog::Error::Taken | catalog::Error::Missing | catalog::Error::BlobGone(_)) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        };
        self.reserve.even_when_full(back)
    }

    /// Gives an attachment of the trash a name again. It keeps its number and metadata, is judged by the slot's rules like a
    /// move, and gets the owner and mode that are fixed there. Returns what was displaced. Errors: [`Error::Missing`] if it was
    /// swept meanwhile.
    pub fn restore(
        &self,
        retired: &Retired,
        target: &Target,
        collision: Collision,
        author: Author,
    ) -> Result<Option<Attachment>, Error> {
        // A field that is no longer configured has no rules; it held files.
        let unknown = Rules::file();
        let field = self.lookup.field_of(&retired.slot);
        let source = field.map_or(&unknown, |field| &field.rules);
        self.check_transfer(&retired.attachment, source, target, author)?;
        let (id, now) = (retired.attachment.id, Timestamp::now());
        let Target { place, written, .. } = target;
        let fixed = self.lookup.fixed(target);
        let share =
            || Ok(self.catalog.share(id, Destination { place, written, collision }, fixed, now)?);
        self.finish(self.reserve.even_when_full(share), target, author)
    }

    /// Ends a change that gave the target's slot an attachment: it refuses what exceeds a quota, or forgets the slot's last
    /// refusal.
    fn finish(
        &self,
        changed: Result<Option<Attachment>, Error>,
        target: &Target,
        author: Author,
    ) -> Result<Option<Attachment>, Error> {
        match changed {
            Err(Error::Quota(excess)) => {
                Err(self.refusals.refuse_over_quota(target, author, &excess).into())
            }
            Err(error) => Err(error),
            Ok(displaced) => {
                self.refusals.clear(target);
                Ok(displaced)
            }
        }
    }

    /// Judges stored bytes by the rules of a target, for a transfer without a copy. Rules that refuse the bytes refuse the
    /// transfer; rules that would change them are [`Error::WouldChange`].
    pub fn check_transfer(
        &self,
        attachment: &Attachment,
        source: &Rules,
        target: &Target,
        author: Author,
    ) -> Result<(), Error> {
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
