//! Blobs and stores in memory: keys are reserved, blobs are stored, doomed and forgotten.

use super::{Blob, Entry, Memory, Retirement, State, next};
use crate::catalog::blobs::{Blobs, Doomed, Due, Reservation, StoreRecord};
use crate::catalog::error::{Error, Result};
use words::attachment::{BlobKey, Content, StoreId};
use words::digest::Digest;
use words::retired::Orphan;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Blobs for Memory {
    fn store(&self, name: &Name) -> Result<StoreId> {
        let state = &mut *self.state("store");
        let add = || StoreId(next(&mut state.last.store));
        Ok(*state.stores.entry(name.clone()).or_insert_with(add))
    }

    fn stores(&self) -> Result<Vec<StoreRecord>> {
        let state = self.state("stores");
        let named = state.stores.iter().map(|(name, id)| (*id, Some(name.clone())));
        let mut all: Vec<_> = named.chain([(StoreId::default(), None)]).collect();
        all.sort();
        Ok(all.into_iter().map(|(id, name)| state.store_record(id, name)).collect())
    }

    fn reserve(&self, store: StoreId, digest: Digest, now: Timestamp) -> Result<Reservation> {
        let mut state = self.state("reserve");
        let is_same = |blob: &Blob| (blob.key.store, blob.key.digest) == (store, digest);
        let stored = state.keys(|blob| is_same(blob) && blob.is_live());
        if let Some(key) = stored.first() {
            return Ok(Reservation::Stored(*key));
        }
        let generation = next(&mut state.last.blob);
        let key = BlobKey { store, digest, generation };
        state.blobs.insert(generation, Blob::reserved(key, now));
        Ok(Reservation::New(key))
    }

    fn stored(&self, keys: &[BlobKey]) -> Result<Vec<BlobKey>> {
        let state = self.state("stored");
        let is_stored = |key: &&BlobKey| state.blob(**key).is_some_and(Blob::is_live);
        Ok(keys.iter().filter(is_stored).copied().collect())
    }

    fn lengths(&self, keys: &[BlobKey]) -> Result<Vec<u64>> {
        let state = self.state("lengths");
        Ok(keys.iter().map(|key| state.length(*key)).collect())
    }

    fn doom(&self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Result<Doomed> {
        Ok(self.state("doom").doom(retired, reserved, limit))
    }

    fn doomed(&self, after: u64, limit: usize) -> Result<Vec<BlobKey>> {
        let mut doomed = self.state("doomed").keys(|it| it.doomed && it.key.generation > after);
        doomed.truncate(limit);
        Ok(doomed)
    }

    fn due(&self, retired: Timestamp, reserved: Timestamp) -> Result<Due> {
        let mut state = self.state("due").clone();
        let attachments = state.doom(retired, reserved, usize::MAX).attachments.len();
        let doomed = state.keys(|blob| blob.doomed);
        let bytes = doomed.iter().map(|key| state.length(*key)).sum();
        Ok(Due { attachments, blobs: doomed.len(), bytes })
    }

    fn forget(&self, keys: &[BlobKey]) -> Result<()> {
        let mut state = self.state("forget");
        for key in keys {
            if state.blob(*key).is_some_and(|blob| blob.doomed) {
                state.blobs.remove(&key.generation);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Memory {
    /// Every key that was given out and not forgotten.
    pub fn keys(&self) -> Vec<BlobKey> {
        self.state.lock().keys(|_| true)
    }
}

impl Blob {
    fn reserved(key: BlobKey, now: Timestamp) -> Self {
        Self { key, reserved: now, idle: true, doomed: false, stored: None }
    }

    /// Whether it counts as stored.
    pub(super) fn is_live(&self) -> bool {
        self.stored.is_some() && !self.doomed
    }
}

impl State {
    fn blob(&self, key: BlobKey) -> Option<&Blob> {
        self.blobs.get(&key.generation).filter(|blob| blob.key.digest == key.digest)
    }

    /// The keys of some blobs, by generation.
    fn keys(&self, wanted: impl Fn(&Blob) -> bool) -> Vec<BlobKey> {
        self.blobs.values().filter(|blob| wanted(blob)).map(|blob| blob.key).collect()
    }

    pub(super) fn length(&self, key: BlobKey) -> u64 {
        let stored = self.blob(key).and_then(|blob| blob.stored.as_ref());
        stored.map_or(0, |(_, content)| content.length)
    }

    fn store_record(&self, id: StoreId, name: Option<Name>) -> StoreRecord {
        let live = self.blobs.values().filter(|blob| blob.key.store == id && blob.is_live());
        let lengths: Vec<_> =
            live.filter_map(|blob| blob.stored.as_ref()).map(|(_, it)| it.length).collect();
        let blobs = u64::try_from(lengths.len()).unwrap_or(u64::MAX);
        StoreRecord { id, name, blobs, bytes: lengths.iter().sum() }
    }

    /// Fails with [`Error::BlobGone`] if the blob is doomed or forgotten.
    pub(super) fn require_blob(&self, key: BlobKey) -> Result<()> {
        let exists = self.blob(key).is_some_and(|blob| !blob.doomed);
        if exists { Ok(()) } else { Err(Error::BlobGone(key)) }
    }

    /// Marks a blob as used. The first time notes its content, and when it was stored: at `now`, or when it was reserved.
    pub(super) fn claim(&mut self, key: BlobKey, content: &Content, now: Option<Timestamp>) {
        if let Some(blob) = self.blobs.get_mut(&key.generation) {
            blob.idle = false;
            let stored = now.unwrap_or(blob.reserved);
            blob.stored.get_or_insert_with(|| (stored, content.clone()));
        }
    }

    /// The content of a blob as its first publication said it; `said`, if there was none.
    pub(super) fn stored_content(&self, blob: BlobKey, said: &Content) -> Content {
        let stored = self.blobs.get(&blob.generation).and_then(|blob| blob.stored.clone());
        stored.map_or_else(|| said.clone(), |(_, content)| content)
    }

    /// Leaves the blob to the next sweep if no attachment, original or other blob's variant uses it. Its reservation does not
    /// hold the sweep back: a writer that has it as [`Reservation::Stored`] is told that it is gone, and stores the bytes again.
    pub(super) fn release(&mut self, key: BlobKey) {
        let is_used = self.is_attached(key) || self.is_rendered(key);
        if let Some(blob) = self.blobs.get_mut(&key.generation).filter(|_| !is_used) {
            blob.idle = true;
            blob.reserved = Timestamp(0);
        }
    }

    fn doom(&mut self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Doomed {
        let mut doomed = Doomed::default();
        for idle in self.idle(reserved, limit) {
            self.doom_unused(vec![idle], &mut doomed);
        }
        for entry in self.expired(retired, limit) {
            if doomed.blobs.len() >= limit {
                break;
            }
            self.attachments.remove(&entry.attachment.id);
            doomed.attachments.push(entry.attachment.id);
            for blob in blobs_of(&entry) {
                if !self.is_attached(blob) {
                    // The blob may still be a variant of another one. Its own variants go with the attachment in any case.
                    let mut suspects = self.remove_variants(blob);
                    suspects.push(blob);
                    self.doom_unused(suspects, &mut doomed);
                }
            }
        }
        doomed.blobs.sort_unstable_by_key(|key| key.generation);
        doomed.attachments.sort_unstable();
        doomed
    }

    /// Blobs that were never linked, or that have lost their last use as a variant or an original, the oldest first.
    fn idle(&self, reserved: Timestamp, limit: usize) -> Vec<BlobKey> {
        let idle = |blob: &&Blob| blob.idle && blob.reserved <= reserved && !blob.doomed;
        let mut found: Vec<_> = self.blobs.values().filter(idle).collect();
        found.sort_by_key(|blob| blob.reserved);
        found.into_iter().take(limit).map(|blob| blob.key).collect()
    }

    /// Retired attachments whose time is over, the oldest first.
    fn expired(&self, retired: Timestamp, limit: usize) -> Vec<Entry> {
        let is_over = |it: &&Retirement| it.at <= retired && it.orphan == Orphan::Delete;
        let entries = self.attachments.values();
        let mut expired: Vec<_> = entries
            .filter_map(|entry| Some((entry.retired.as_ref().filter(is_over)?.at, entry)))
            .collect();
        expired.sort_by_key(|(at, entry)| (*at, entry.attachment.id));
        expired.into_iter().take(limit).map(|(_, entry)| entry.clone()).collect()
    }

    /// Dooms the suspects that nothing uses, and then their variants that nothing else uses.
    fn doom_unused(&mut self, mut suspects: Vec<BlobKey>, doomed: &mut Doomed) {
        while let Some(suspect) = suspects.pop() {
            if self.is_attached(suspect) || self.is_rendered(suspect) {
                continue;
            }
            suspects.extend(self.remove_variants(suspect));
            if let Some(blob) = self.blobs.get_mut(&suspect.generation).filter(|it| !it.doomed) {
                blob.doomed = true;
                doomed.blobs.push(suspect);
            }
        }
    }

    /// Removes the variants of an original. Returns their blobs.
    fn remove_variants(&mut self, original: BlobKey) -> Vec<BlobKey> {
        let own = self.variants.values().filter(|found| found.original == original);
        let blobs = own.map(|found| found.blob).filter(|blob| *blob != original).collect();
        self.variants.retain(|_, found| found.original != original);
        blobs
    }

    /// Whether an attachment has the blob, also as its original, linked or retired.
    fn is_attached(&self, key: BlobKey) -> bool {
        self.attachments.values().any(|entry| blobs_of(entry).any(|blob| blob == key))
    }

    /// Whether the blob is a variant of another one.
    fn is_rendered(&self, key: BlobKey) -> bool {
        self.variants.values().any(|found| found.blob == key && found.original != key)
    }
}

fn blobs_of(entry: &Entry) -> impl Iterator<Item = BlobKey> {
    let original = entry.attachment.original.as_ref().map(|original| original.blob);
    std::iter::once(entry.attachment.blob).chain(original)
}
