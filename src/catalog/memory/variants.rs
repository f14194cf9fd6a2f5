//! Blobs and variants in memory: which bytes are known, and which rendered ones belong to which original.
//! Does not render, and deletes no blob.

use super::{Blob, Rendered, State, next};
use crate::catalog::{Error, Reservation, TOUCH_PRECISION};
use words::attachment::{BlobKey, Content, StoreId, VariantId};
use words::digest::Digest;
use words::rendition::VariantRecord;
use words::timestamp::Timestamp;
use words::variant::Variant;

impl State {
    pub(super) fn reserve(
        &mut self,
        store: StoreId,
        digest: Digest,
        now: Timestamp,
    ) -> Reservation {
        let same = |blob: &Blob| blob.store == store && blob.digest == digest;
        let stored = |blob: &Blob| same(blob) && blob.stored.is_some() && !blob.doomed;
        if let Some((&generation, _)) = self.blobs.iter().find(|(_, blob)| stored(blob)) {
            return Reservation::Stored(BlobKey { store, digest, generation });
        }
        let generation = next(&mut self.last.blob);
        let blob = Blob { store, digest, reserved: now, idle: true, doomed: false, stored: None };
        self.blobs.insert(generation, blob);
        Reservation::New(BlobKey { store, digest, generation })
    }

    pub(super) fn recall(&mut self, pending: &[BlobKey], now: Timestamp) -> Vec<BlobKey> {
        for &BlobKey { store, digest, generation } in pending {
            let (idle, doomed, stored) = (true, false, None);
            let blob = Blob { store, digest, reserved: now, idle, doomed, stored };
            self.blobs.entry(generation).or_insert(blob);
            self.last.blob = self.last.blob.max(generation);
        }
        let known = |key: &&BlobKey| {
            let blob = self.blobs.get(&key.generation);
            blob.is_some_and(|it| it.digest == key.digest && it.stored.is_some() && !it.doomed)
        };
        pending.iter().filter(known).copied().collect()
    }

    /// Fails with [`Error::BlobGone`] if the blob is doomed or forgotten.
    pub(super) fn require_blob(&self, key: BlobKey) -> Result<(), Error> {
        let known = self.blobs.get(&key.generation);
        let live = known.is_some_and(|blob| blob.digest == key.digest && !blob.doomed);
        if live { Ok(()) } else { Err(Error::BlobGone(key)) }
    }

    /// Notes that the blob is needed, and, the first time, what it holds.
    pub(super) fn claim(&mut self, key: BlobKey, content: &Content, now: Option<Timestamp>) {
        if let Some(blob) = self.blobs.get_mut(&key.generation) {
            blob.idle = false;
            let stored = now.unwrap_or(blob.reserved);
            blob.stored.get_or_insert_with(|| (stored, content.clone()));
        }
    }

    pub(super) fn variant(&self, original: BlobKey, variant: Variant) -> Option<VariantRecord> {
        let wanted = |found: &Rendered| found.original == original && found.variant == variant;
        let (id, _) = self.variants.iter().find(|(_, found)| wanted(found))?;
        self.variant_by_id(*id)
    }

    pub(super) fn variant_by_id(&self, id: VariantId) -> Option<VariantRecord> {
        let Rendered { original, variant, blob, .. } = self.variants.get(&id)?.clone();
        let (_, content) = self.blobs.get(&blob.generation)?.stored.clone()?;
        let source = self.blobs.get(&original.generation)?;
        let committed = source.stored.as_ref().map_or(source.reserved, |(at, _)| *at);
        Some(VariantRecord { id, original, variant, blob, content, committed })
    }

    pub(super) fn variants(&self, original: BlobKey) -> Vec<VariantRecord> {
        let ids = self.variants.iter().filter(|(_, found)| found.original == original);
        let mut found: Vec<_> = ids.filter_map(|(id, _)| self.variant_by_id(*id)).collect();
        found.sort_by_cached_key(|record| record.variant.to_string());
        found
    }

    pub(super) fn add_variant(
        &mut self,
        original: BlobKey,
        variant: Variant,
        blob: BlobKey,
        content: &Content,
    ) -> Result<VariantRecord, Error> {
        self.require_blob(original)?;
        self.require_blob(blob)?;
        if let Some(known) = self.variant(original, variant) {
            return Ok(known);
        }
        self.claim(blob, content, None);
        let reserved = self.blobs.get(&blob.generation).map(|blob| blob.reserved);
        let latest = self.variants.values().map(|found| found.used).max();
        let used = reserved.max(latest).ok_or(Error::BlobGone(blob))?;
        let id = VariantId(next(&mut self.last.variant));
        self.variants.insert(id, Rendered { original, variant, blob, used });
        self.variant_by_id(id).ok_or(Error::Missing)
    }

    pub(super) fn remove_variant(&mut self, id: VariantId) -> bool {
        let Some(Rendered { blob, .. }) = self.variants.remove(&id) else { return false };
        self.release(blob);
        true
    }

    pub(super) fn trim_variants(&mut self, bytes: u64, limit: usize) -> usize {
        let mut total: u64 = self.variants.values().map(|found| self.length(found.blob)).sum();
        let mut dropped = 0;
        while total > bytes && dropped < limit {
            let oldest = self.variants.iter().min_by_key(|(id, found)| (found.used, **id));
            let Some((&id, &Rendered { blob, .. })) = oldest else {
                break;
            };
            total -= self.length(blob);
            self.variants.remove(&id);
            self.release(blob);
            dropped += 1;
        }
        dropped
    }

    pub(super) fn touch_variants(&mut self, read: &[(VariantId, Timestamp)]) {
        for (id, at) in read {
            if let Some(found) = self.variants.get_mut(id)
                && found.used <= at.minus(TOUCH_PRECISION)
            {
                found.used = *at;
            }
        }
    }

    fn length(&self, key: BlobKey) -> u64 {
        let stored = self.blobs.get(&key.generation).and_then(|blob| blob.stored.as_ref());
        stored.map_or(0, |(_, content)| content.length)
    }

    /// Somebody needs this blob no more: it is the next sweep's, unless attachments or variants lead a sweep there anyway. No
    /// reservation holds it back: whoever would share it is told that it is gone, and stores it anew.
    pub(super) fn release(&mut self, key: BlobKey) {
        let held = self.is_attached(key) || self.is_rendered(key);
        if let Some(blob) = self.blobs.get_mut(&key.generation).filter(|_| !held) {
            blob.idle = true;
            blob.reserved = Timestamp(0);
        }
    }
}
