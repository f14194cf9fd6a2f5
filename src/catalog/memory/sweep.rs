//! Finding what nobody needs in memory.
//! Does not delete bytes: it marks, so that no reservation finds what is about to go.

use std::collections::BTreeSet;

use super::{Kept, Retirement, State};
use crate::attachment::BlobKey;
use crate::catalog::{Doomed, Orphan, Totals};
use crate::timestamp::Timestamp;

/// What is old enough to go.
#[derive(Clone, Copy)]
pub(super) struct Horizon {
    /// Attachments retired at or before this.
    pub retired: Timestamp,
    /// Reservations made at or before this.
    pub reserved: Timestamp,
}

impl Horizon {
    /// Whether an attachment still needs its blob.
    fn keeps(self, kept: &Kept) -> bool {
        let over = |it: &Retirement| it.at <= self.retired && it.orphan == Orphan::Delete;
        !kept.retired.as_ref().is_some_and(over)
    }
}

impl State {
    pub(super) fn doom(&mut self, horizon: Horizon, limit: usize) -> Doomed {
        let mut doomed = Doomed { blobs: self.keys(|blob| blob.doomed), ..Doomed::default() };
        doomed.blobs.truncate(limit);
        for suspect in self.keys(|blob| !blob.doomed) {
            if doomed.blobs.len() >= limit {
                break;
            }
            if self.is_suspect(suspect, horizon) {
                self.condemn(suspect, horizon, &mut doomed);
            }
        }
        self.forget_retired(horizon, limit, &mut doomed);
        doomed.blobs.sort_unstable_by_key(|key| key.generation);
        doomed.attachments.sort_unstable();
        doomed
    }

    pub(super) fn forget(&mut self, key: BlobKey) {
        let doomed = |blob: &super::Blob| blob.doomed && blob.digest == key.digest;
        if self.blobs.get(&key.generation).is_some_and(doomed) {
            self.blobs.remove(&key.generation);
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

    /// Whether a blob may be needed by nothing.
    fn is_suspect(&self, key: BlobKey, horizon: Horizon) -> bool {
        let idle = self.blobs.get(&key.generation).is_some_and(|blob| blob.idle);
        idle || self.kept_of(key).any(|kept| !horizon.keeps(kept))
    }

    /// Dooms a blob that nothing needs, and then those of its variants that nothing else needs.
    fn condemn(&mut self, suspect: BlobKey, horizon: Horizon, doomed: &mut Doomed) {
        let mut suspects = vec![suspect];
        while let Some(suspect) = suspects.pop() {
            if doomed.blobs.contains(&suspect) || self.is_needed(suspect, horizon) {
                continue;
            }
            let own = self.variants.values().filter(|found| found.original == suspect);
            suspects.extend(own.map(|found| found.blob));
            suspects.extend(self.kept_of(suspect).flat_map(blobs_of).filter(|it| *it != suspect));
            self.variants.retain(|_, found| found.original != suspect && found.blob != suspect);
            doomed.attachments.extend(self.kept_of(suspect).map(|kept| kept.attachment.id));
            self.attachments.retain(|_, kept| !blobs_of(kept).any(|blob| blob == suspect));
            if let Some(blob) = self.blobs.get_mut(&suspect.generation) {
                blob.doomed = true;
            }
            doomed.blobs.push(suspect);
        }
    }

    /// Whether a name, a hold or a fresh reservation needs the blob, or one that it is a variant of.
    fn is_needed(&self, key: BlobKey, horizon: Horizon) -> bool {
        let mut seen = BTreeSet::new();
        let mut up = vec![key];
        while let Some(key) = up.pop() {
            if !seen.insert(key) {
                continue;
            }
            let blob = self.blobs.get(&key.generation);
            let fresh = blob.is_some_and(|blob| blob.idle && blob.reserved > horizon.reserved);
            if fresh || self.kept_of(key).any(|kept| horizon.keeps(kept)) {
                return true;
            }
            let originals = self.variants.values().filter(|found| found.blob == key);
            up.extend(originals.map(|found| found.original));
        }
        false
    }

    /// Forgets attachments whose time is over although their blob lives on with others.
    fn forget_retired(&mut self, horizon: Horizon, limit: usize, doomed: &mut Doomed) {
        let over = self.attachments.values().filter(|kept| !horizon.keeps(kept));
        let beside =
            over.filter(|kept| self.hung(kept.attachment.blob).any(|other| horizon.keeps(other)));
        let gone: Vec<_> = beside.map(|kept| kept.attachment.clone()).take(limit).collect();
        for attachment in gone {
            self.attachments.remove(&attachment.id);
            doomed.attachments.push(attachment.id);
            if let Some(sent) = attachment.original {
                self.release(sent.blob);
            }
        }
    }

    /// The attachments of a blob, and those that keep it as what was sent.
    pub(super) fn kept_of(&self, key: BlobKey) -> impl Iterator<Item = &Kept> {
        self.attachments.values().filter(move |kept| blobs_of(kept).any(|blob| blob == key))
    }

    /// The attachments of a blob.
    fn hung(&self, key: BlobKey) -> impl Iterator<Item = &Kept> {
        self.attachments.values().filter(move |kept| kept.attachment.blob == key)
    }
}

fn blobs_of(kept: &Kept) -> impl Iterator<Item = BlobKey> {
    let sent = kept.attachment.original.as_ref().map(|sent| sent.blob);
    std::iter::once(kept.attachment.blob).chain(sent)
}
