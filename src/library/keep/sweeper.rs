//! The sweep: the only place that deletes blobs.
//!
//! The catalogue dooms the blobs that nothing needs, the sweep deletes their bytes, and the catalogue forgets them.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::blob::{self, BlobStore};
use crate::catalog::Catalog;
use crate::catalog::blobs::{Doomed, Due, RESERVATION_SPAN};
use crate::library::error::Result;
use crate::library::home::reserve::Reserve;
use crate::library::home::settings::Settings;
use crate::library::keep::promises::Promises;
use crate::library::keep::variant_reads::VariantReads;
use words::attachment::BlobKey;
use words::retired::{Orphan, Retired};
use words::timestamp::Timestamp;

/// The most blobs doomed, variants dropped or reads noted in one transaction, for which other commits wait.
const BATCH: usize = 64;

/// About how many blobs are deleted together. A store has 256 directories, and each is synced once for all of them.
const DELETIONS: usize = 4_096;

/// The attachments without a name that a sweep takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Those whose hold and whose time in the trash have passed.
    Hold,
    /// Those whose time in the trash has passed (`mediafs gc --now`).
    Trash,
    /// All of them (`mediafs gc --now --empty-trash`).
    None,
}

/// The figures of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    pub attachments: usize,
    pub blobs: usize,
    /// The bytes of these blobs.
    pub bytes: u64,
}

/// Attachments that were detached by `retired` and reservations that were made by `reserved` are over.
#[derive(Debug, Clone, Copy)]
struct Horizons {
    retired: Timestamp,
    reserved: Timestamp,
}

pub struct Sweeper {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) stores: Arc<dyn BlobStore>,
    pub(in crate::library) settings: Settings,
    pub(in crate::library) reserve: Arc<Reserve>,
    pub(in crate::library) promises: Arc<Promises>,
    pub(in crate::library) reads: Arc<VariantReads>,
    /// Set once, when the daemon stops.
    pub(in crate::library) is_ending: AtomicBool,
}

impl Sweeper {
    /// Brings the cache of variants within its limit, and deletes the blobs that nothing links any more, with their variants.
    pub fn sweep(&self, patience: Patience) -> Result<Swept> {
        self.note_reads();
        let trim = || Ok(self.catalog.trim_variants(self.settings.cache_bytes, BATCH)?);
        while self.reserve.even_when_full(trim)? == BATCH && !self.is_ending() {}
        let mut swept = Swept::default();
        self.delete_left(&mut swept)?;
        while self.step(patience, &mut swept)? {}
        self.reserve.fill();
        if swept.attachments > 0 {
            let Swept { attachments, blobs, bytes } = swept;
            tracing::info!(
                attachments,
                blobs,
                bytes,
                "deleted what was removed or replaced and is held no longer"
            );
        }
        Ok(swept)
    }

    /// Ends every sweep after its present batch, for good: the daemon stops.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Confirms pending blobs that were linked, and deletes the others: a crash came before their link. Must come before staged
    /// files are looked at, which may be the same files.
    pub(in crate::library) fn settle(&self) -> Result<()> {
        for keys in self.stores.pending()?.chunks(DELETIONS) {
            let stored: BTreeSet<_> = self.catalog.stored(keys)?.into_iter().collect();
            for key in &stored {
                self.stores.confirm(*key);
            }
            let left: Vec<_> = keys.iter().copied().filter(|key| !stored.contains(key)).collect();
            self.delete_bytes(&left)?;
        }
        Ok(())
    }

    /// Deletes what earlier sweeps have doomed and left: they ended before, or its store was not there.
    fn delete_left(&self, swept: &mut Swept) -> Result<()> {
        let mut after = 0;
        while !self.is_ending() {
            let left = self.catalog.doomed(after, DELETIONS)?;
            let Some(last) = left.last() else { break };
            after = last.generation;
            self.delete(&left, swept)?;
        }
        Ok(())
    }

    /// Dooms blobs in short transactions until there are enough, then deletes their bytes. Returns whether more is to be done.
    fn step(&self, patience: Patience, swept: &mut Swept) -> Result<bool> {
        let (mut doomed, mut more) = (Vec::new(), true);
        while more && doomed.len() < DELETIONS {
            let Horizons { retired, reserved } = self.horizons(patience)?;
            let doom = || Ok(self.catalog.doom(retired, reserved, BATCH)?);
            let Doomed { blobs, attachments } = self.reserve.even_when_full(doom)?;
            let is_full = blobs.len() >= BATCH || attachments.len() >= BATCH;
            more = is_full && !self.is_ending();
            swept.attachments += attachments.len();
            doomed.extend(blobs);
        }
        self.delete(&doomed, swept)?;
        Ok(more)
    }

    /// Deletes doomed blobs and their records, and counts them.
    fn delete(&self, keys: &[BlobKey], swept: &mut Swept) -> Result<()> {
        let gone = self.delete_bytes(keys)?;
        swept.blobs += gone.len();
        swept.bytes += self.catalog.lengths(&gone)?.into_iter().sum::<u64>();
        for batch in gone.chunks(BATCH) {
            self.reserve.even_when_full(|| Ok(self.catalog.forget(batch)?))?;
        }
        Ok(())
    }

    /// Returns the blobs that have no bytes any more. Others stay as they are.
    fn delete_bytes(&self, keys: &[BlobKey]) -> Result<Vec<BlobKey>> {
        let mut gone = Vec::with_capacity(keys.len());
        for (key, deleted) in keys.iter().zip(self.stores.delete_all(keys)) {
            match deleted {
                Ok(()) => {
                    tracing::trace!(%key, "deleted a blob");
                    gone.push(*key);
                }
                Err(blob::Error::Fenced(fenced)) => return Err(fenced.into()),
                // Its store is not configured, of which the start has warned. It waits until it is.
                Err(blob::Error::Closed(_)) => {}
                Err(error) => {
                    tracing::error!(%key, error = &error as &dyn StdError, "a blob cannot be deleted");
                }
            }
        }
        Ok(gone)
    }

    /// Tells the catalogue which variants were read. Only the order in which variants are dropped depends on it.
    fn note_reads(&self) {
        for batch in self.reads.take().chunks(BATCH) {
            if let Err(error) = self.catalog.touch_variants(batch) {
                tracing::warn!(error = &error as &dyn StdError, "reads of variants are not noted");
                return;
            }
        }
    }

    /// Counts what [`Sweeper::sweep`] would delete now, except for variants beyond the limit of their cache. Holds no writer up.
    pub fn due(&self, patience: Patience) -> Result<Swept> {
        let Horizons { retired, reserved } = self.horizons(patience)?;
        let Due { attachments, blobs, bytes } = self.catalog.due(retired, reserved)?;
        Ok(Swept { attachments, blobs, bytes })
    }

    fn horizons(&self, patience: Patience) -> Result<Horizons> {
        let now = Timestamp::now();
        let retired = now.minus(self.time_of(patience));
        self.keep_promises(retired, now)?;
        Ok(Horizons { retired, reserved: now.minus(RESERVATION_SPAN) })
    }

    fn time_of(&self, patience: Patience) -> Duration {
        match patience {
            Patience::Hold => self.settings.hold.max(self.settings.trash),
            Patience::Trash => self.settings.trash,
            Patience::None => Duration::ZERO,
        }
    }

    /// Holds promised attachments anew that would be over.
    fn keep_promises(&self, over: Timestamp, now: Timestamp) -> Result<()> {
        for id in self.promises.all() {
            let retired = self.catalog.retired_by_id(id)?;
            let goes = |it: &Retired| it.at <= over && it.orphan == Orphan::Delete;
            if retired.as_ref().is_some_and(goes) {
                // After `now`, for a sweep of everything that was detached until now.
                let after = Timestamp(now.0.saturating_add(1));
                self.reserve.even_when_full(|| Ok(self.catalog.renew(id, after)?))?;
            }
        }
        Ok(())
    }
}
