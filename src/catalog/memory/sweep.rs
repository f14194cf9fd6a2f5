//! Finding what nobody needs in memory.
//! Does not delete bytes: it marks, so that no reservation finds what is about to go.

use super::{Kept, Retirement, State};
use crate::catalog::{Doomed, Totals};
use words::attachment::BlobKey;
use words::retired::Orphan;
use words::timestamp::Timestamp;

/// What is old enough to go.
#[derive(Clone, Copy)]
pub(super) struct Horizon {
    /// Attachments retired at or before this.
    pub retired: Timestamp,
    /// Reservations made at or before this.
    pub reserved: Timestamp,
}

impl State {
    pub(super) fn doom(&mut self, horizon: Horizon, limit: usize) -> Doomed {
        let mut doomed = Doomed { blobs: self.keys(|blob| blob.doomed), ..Doomed::default() };
        doomed.blobs.truncate(limit);
        for idle in self.idle(horizon, limit.saturating_sub(doomed.blobs.len())) {
            self.condemn(vec![idle], &mut doomed);
        }
        for kept in self.going(horizon, limit) {
            if doomed.blobs.len() >= limit {
                break;
            }
            self.attachments.remove(&kept.attachment.id);
            doomed.attachments.push(kept.attachment.id);
            for blob in blobs_of(&kept).filter(|blob| !self.is_attached(*blob)).collect::<Vec<_>>()
            {
                // It may live on as a variant of something; what was rendered from it does not.
                let mut suspects = self.orphaned(blob);
                suspects.push(blob);
                self.condemn(suspects, &mut doomed);
            }
        }
        doomed.blobs.sort_unstable_by_key(|key| key.generation);
        doomed.attachments.sort_unstable();
        doomed
    }

    pub(super) fn forget(&mut self, keys: &[BlobKey]) {
        for key in keys {
            let doomed = |blob: &super::Blob| blob.doomed && blob.digest == key.digest;
            if self.blobs.get(&key.generation).is_some_and(doomed) {
                self.blobs.remove(&key.generation);
            }
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let live = || self.blobs.values().filter(|blob| !blob.doomed);
        let contents = || live().filter_map(|blob| blob.stored.as_ref());
        let retired = || self.attachments.values().filter(|kept| kept.attachment.links == 0);
        let named = self.attachments.values().filter(|kept| kept.attachment.links > 0);
        Totals {
            rows: count(self.rows.len()),
            attachments: count(named.count()),
            blobs: count(contents().count()),
            variants: count(self.variants.len()),
            scratch: count(self.scratch.len()),
            bytes: contents().map(|(_, content)| content.length).sum(),
            retired: count(retired().count()),
            retired_bytes: retired().map(|kept| kept.attachment.content.length).sum(),
        }
    }

    pub(super) fn lengths(&self, keys: &[BlobKey]) -> Vec<u64> {
        let length = |key: &BlobKey| {
            let blob = self.blobs.get(&key.generation).filter(|blob| blob.digest == key.digest);
            blob.and_then(|blob| blob.stored.as_ref()).map_or(0, |(_, content)| content.length)
        };
        keys.iter().map(length).collect()
    }

    pub(super) fn blobs_after(&self, after: Option<BlobKey>, limit: usize) -> Vec<BlobKey> {
        let after = after.map_or(0, |key| key.generation);
        let mut keys = self.keys(|blob| blob.stored.is_some() && !blob.doomed);
        keys.retain(|key| key.generation > after);
        keys.truncate(limit);
        keys
    }

    /// The keys of some blobs, by generation.
    pub(super) fn keys(&self, wanted: impl Fn(&super::Blob) -> bool) -> Vec<BlobKey> {
        let found = self.blobs.iter().filter(|(_, blob)| wanted(blob));
        found
            .map(|(&generation, blob)| BlobKey {
                store: blob.store,
                digest: blob.digest,
                generation,
            })
            .collect()
    }

    /// Blobs that nothing was ever hung from, or whose last variant was dropped; the oldest first.
    fn idle(&self, horizon: Horizon, limit: usize) -> Vec<BlobKey> {
        let old = |blob: &super::Blob| blob.idle && blob.reserved <= horizon.reserved;
        let mut found = self.keys(|blob| old(blob) && !blob.doomed);
        found.sort_by_key(|key| self.blobs.get(&key.generation).map(|blob| blob.reserved));
        found.truncate(limit);
        found
    }

    /// Attachments whose time is over, the oldest first.
    fn going(&self, horizon: Horizon, limit: usize) -> Vec<Kept> {
        let over = |it: &&Retirement| it.at <= horizon.retired && it.orphan == Orphan::Delete;
        let all = self.attachments.values();
        let mut going: Vec<_> =
            all.filter_map(|kept| Some((kept.retired.as_ref().filter(over)?.at, kept))).collect();
        going.sort_by_key(|(at, kept)| (*at, kept.attachment.id));
        going.into_iter().take(limit).map(|(_, kept)| kept.clone()).collect()
    }

    /// Dooms those blobs that nothing needs, and then those of their variants that nothing else needs.
    fn condemn(&mut self, mut suspects: Vec<BlobKey>, doomed: &mut Doomed) {
        while let Some(suspect) = suspects.pop() {
            if self.is_attached(suspect) || self.is_rendered(suspect) {
                continue;
            }
            suspects.extend(self.orphaned(suspect));
            if let Some(blob) = self.blobs.get_mut(&suspect.generation).filter(|it| !it.doomed) {
                blob.doomed = true;
                doomed.blobs.push(suspect);
            }
        }
    }

    /// Drops the variants of an original that is gone; returns their blobs.
    fn orphaned(&mut self, original: BlobKey) -> Vec<BlobKey> {
        let own = self.variants.values().filter(|found| found.original == original);
        let mut children: Vec<_> = own.map(|found| found.blob).collect();
        children.retain(|child| *child != original);
        self.variants.retain(|_, found| found.original != original);
        children
    }

    /// Whether an attachment has the blob, or keeps it as what was sent; held ones included.
    pub(super) fn is_attached(&self, key: BlobKey) -> bool {
        self.attachments.values().any(|kept| blobs_of(kept).any(|blob| blob == key))
    }

    /// Whether another blob has it as a variant.
    pub(super) fn is_rendered(&self, key: BlobKey) -> bool {
        self.variants.values().any(|found| found.blob == key && found.original != key)
    }
}

fn blobs_of(kept: &Kept) -> impl Iterator<Item = BlobKey> {
    let sent = kept.attachment.original.as_ref().map(|sent| sent.blob);
    std::iter::once(kept.attachment.blob).chain(sent)
}
