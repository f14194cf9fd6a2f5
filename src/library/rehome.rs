//! Rehoming: an attachment moves to a field of another store, and its bytes with it.
//! Does not judge: the transfer was allowed.

use crate::catalog;
use crate::catalog::blobs::Reservation;
use crate::catalog::slots::Rehoming;
use crate::library::publish::MAX_TRIES;
use crate::library::{Error, Library, Target};
use words::attachment::{Attachment, BlobKey, Content, Original, StoreId};
use words::link::{Collision, Link};
use words::timestamp::Timestamp;

impl Library {
    /// Whether the target keeps its blobs in another store than the one that has this attachment's. What lies in a store that
    /// is not configured any more cannot be copied, and stays there.
    pub(super) fn is_elsewhere(
        &self,
        attachment: &Attachment,
        target: &Target,
    ) -> Result<bool, Error> {
        let here = attachment.blob.store;
        Ok(self.store_of(&target.field)? != here && self.stores.is_open(here))
    }

    /// Copies the blobs to the target's store, then moves the link; a sweep forgets the old ones. An attachment with other
    /// names is [`Error::WouldChange`], and so is an exchange: the client copies.
    pub(super) fn rehome(
        &self,
        from: &Link,
        target: &Target,
        collision: Collision,
    ) -> Result<Option<Attachment>, Error> {
        if collision == Collision::Exchange || from.attachment.links != 1 {
            return Err(Error::WouldChange);
        }
        let store = self.store_of(&target.field)?;
        let mut tries = 0;
        loop {
            let now = Timestamp::now();
            // It may have been replaced, or rehomed, since it was looked up.
            let attachment = self.find(&from.place)?.ok_or(Error::Missing)?.attachment;
            if attachment.id != from.attachment.id {
                return Err(Error::Missing);
            }
            let blob = self.carry((attachment.blob, &attachment.content), store, now)?;
            let carry = |sent: &Original| match sent.blob {
                same if same == attachment.blob => Ok(blob),
                other => self.carry((other, &sent.content), store, now),
            };
            let original = attachment.original.as_deref().map(carry).transpose()?;
            let rehoming = Rehoming {
                from: from.place.clone(),
                to: target.place.clone(),
                written: target.written.clone(),
                collision,
                blob: blob.key(),
                original: original.map(Reservation::key),
                fixed: self.fixed(target),
                now,
            };
            match self.catalog.rehome(&rehoming) {
                Err(catalog::Error::BlobGone(_)) if tries < MAX_TRIES => tries += 1,
                answer => {
                    let displaced = answer?;
                    self.confirm([Some(blob), original]);
                    return Ok(displaced);
                }
            }
        }
    }

    /// The same bytes in another store.
    fn carry(
        &self,
        (key, content): (BlobKey, &Content),
        store: StoreId,
        now: Timestamp,
    ) -> Result<Reservation, Error> {
        let bytes = self.open_whole(key, content.length)?;
        self.keep_blob(store, key.digest, &bytes, now)
    }
}
