//! The sweep: the only place that deletes blobs.
//!
//! The catalogue dooms the blobs that nothing needs, the sweep deletes their bytes, and the catalogue forgets them.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::blob::{self, BlobStore};
use crate::catalog::Catalog;
use crate::catalog::blobs::{Doomed, RESERVATION_SPAN};
use crate::library::error::Result;
use crate::library::home::reserve::Reserve;
use crate::library::home::settings::Settings;
use crate::library::keep::promises::Promises;
use crate::library::keep::variant_reads::VariantReads;
use words::attachment::BlobKey;
use words::retired::{Orphan, Retired};
use words::timestamp::Timestamp;

/// The most blobs doomed, variants dropped or reads noted in one transaction, for which other commits wait.
const BATCH: usize = 256;

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
}

impl Sweeper {
    /// Brings the cache of variants within its limit, and deletes the blobs that nothing links any more, with their variants.
    pub fn sweep(&self, patience: Patience) -> Result<Swept> {
        self.note_reads();
        let trim = || Ok(self.catalog.trim_variants(self.settings.cache_bytes, BATCH)?);
        while self.reserve.even_when_full(trim)? == BATCH {}
        let swept = self.sweep_until(|| self.horizons(patience))?;
        self.reserve.fill();
        Ok(swept)
    }

    /// Sweeps at the start, when every reservation without a link is left by a crash. The cache of variants stays as it is.
    pub(in crate::library) fn sweep_leftovers(&self) -> Result<()> {
        let now = Timestamp::now();
        let retired = now.minus(self.time_of(Patience::Hold));
        self.keep_promises(retired, now)?;
        self.recall(now)?;
        self.sweep_until(|| Ok(Horizons { retired, reserved: now }))?;
        Ok(())
    }

    /// Confirms blobs that were put and linked. Other pending ones become reservations without a link.
    fn recall(&self, now: Timestamp) -> Result<()> {
        for keys in self.stores.pending()?.chunks(BATCH) {
            let stored = self.reserve.even_when_full(|| Ok(self.catalog.recall(keys, now)?))?;
            for key in stored {
                self.stores.confirm(key);
            }
        }
        Ok(())
    }

    /// Deletes expired attachments and blobs, batch by batch. Asks for the horizons before each batch.
    fn sweep_until(&self, horizons: impl Fn() -> Result<Horizons>) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut limit = BATCH;
        loop {
            let Horizons { retired, reserved } = horizons()?;
            let doom = || Ok(self.catalog.doom(retired, reserved, limit)?);
            let Doomed { blobs, attachments } = self.reserve.even_when_full(doom)?;
            swept.attachments += attachments.len();
            let before = swept.blobs;
            let postponed = self.delete(&blobs, &mut swept)?;
            let is_full = blobs.len() >= limit || attachments.len() >= limit;
            // Blobs of a closed store may come first every time: the batch grows by their number, so that it reaches others.
            let next = BATCH + postponed;
            // A batch without progress ends the sweep: the rest cannot be deleted now.
            if !is_full || (swept.blobs == before && attachments.is_empty() && next <= limit) {
                break;
            }
            limit = next;
        }
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

    /// Deletes doomed blobs and their records, and counts them. A blob that cannot be deleted stays doomed. Returns how many are
    /// in a store that is no longer configured: they wait until it is.
    fn delete(&self, keys: &[BlobKey], swept: &mut Swept) -> Result<usize> {
        let mut postponed = 0;
        let mut gone = Vec::with_capacity(keys.len());
        for (key, length) in keys.iter().zip(self.catalog.lengths(keys)?) {
            match self.stores.delete(*key) {
                Ok(()) => {
                    gone.push(*key);
                    swept.bytes += length;
                }
                Err(blob::Error::Fenced(fenced)) => return Err(fenced.into()),
                // Its store is not configured, of which the start has warned.
                Err(blob::Error::Closed(_)) => postponed += 1,
                Err(error) => {
                    tracing::error!(%key, error = &error as &dyn StdError, "a blob cannot be deleted");
                }
            }
        }
        if !gone.is_empty() {
            self.reserve.even_when_full(|| Ok(self.catalog.forget(&gone)?))?;
        }
        swept.blobs += gone.len();
        Ok(postponed)
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

    /// What [`Sweeper::sweep`] would delete now, up to a million blobs.
    pub fn sweepable(&self, patience: Patience) -> Result<Swept> {
        let Horizons { retired, reserved } = self.horizons(patience)?;
        let Doomed { blobs, attachments } = self.catalog.doomable(retired, reserved, 1_000_000)?;
        let bytes = self.catalog.lengths(&blobs)?.into_iter().sum();
        Ok(Swept { attachments: attachments.len(), blobs: blobs.len(), bytes })
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
