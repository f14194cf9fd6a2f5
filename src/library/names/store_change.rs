//! A change of store: an attachment moves to a field of another store, and its bytes with it.

use std::sync::Arc;

use crate::catalog::blobs::Reservation;
use crate::catalog::slots::Rehoming;
use crate::catalog::{self, Catalog};
use crate::library::blob_files::store_names::StoreNames;
use crate::library::blob_files::{Blobs, MAX_TRIES};
use crate::library::error::Error;
use crate::library::lookup::Lookup;
use crate::library::lookup::target::Target;
use words::attachment::{Attachment, BlobKey, Content, Original, StoreId};
use words::link::{Collision, Link};
use words::timestamp::Timestamp;

/// Moves attachments from store to store.
pub struct StoreChange {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) blobs: Arc<Blobs>,
    pub(in crate::library) store_names: Arc<StoreNames>,
}

impl StoreChange {
    /// Whether the target keeps its blobs in another store than the attachment's. Bytes in a store that is no longer configured
    /// cannot be copied, and stay there.
    pub(super) fn is_needed(
        &self,
        attachment: &Attachment,
        target: &Target,
    ) -> Result<bool, Error> {
        let here = attachment.blob.store;
        let there = self.store_names.of_field(&target.field)?;
        Ok(there != here && self.store_names.is_open(here))
    }

    /// Copies the blobs to the target's store, then moves the link; a sweep deletes the old blobs. Returns what was displaced.
    /// Errors: [`Error::WouldChange`] for an attachment with other names and for an exchange: the client copies then.
    pub(super) fn rename(
        &self,
        from: &Link,
        target: &Target,
        collision: Collision,
    ) -> Result<Option<Attachment>, Error> {
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
    ) -> Result<Reservation, Error> {
        let bytes = self.blobs.open_whole(key, content.length)?;
        self.blobs.put(store, key.digest, &bytes, now)
    }
}
