//! Sweeping: the only place that deletes blobs.
//! Does not decide what is needed: the catalogue dooms, this deletes, and the catalogue forgets.

use std::time::Duration;

use crate::blob;
use crate::catalog::blobs::{Doomed, RESERVATION_SPAN};
use crate::library::{Error, Library};
use words::attachment::BlobKey;
use words::retired::{Orphan, Retired};
use words::timestamp::Timestamp;

/// Blobs that are doomed, variants that are dropped and reads that are noted in one transaction: whoever commits meanwhile
/// waits for one batch at most.
const BATCH: usize = 256;

/// Which attachments without a name are swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Those whose hold and whose time in the trash have passed.
    Hold,
    /// Those whose time in the trash has passed (`mediafs gc --now`).
    Trash,
    /// All of them (`mediafs gc --now --empty-trash`).
    None,
}

/// What a sweep did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub attachments: usize,
    pub blobs: usize,
    /// Of these blobs.
    pub bytes: u64,
}

/// What became of a batch of doomed blobs.
#[derive(Debug, Default)]
struct Burials {
    buried: usize,
    /// Of those.
    bytes: u64,
    /// Those whose store is not configured any more: they wait until it is.
    postponed: usize,
}

impl Library {
    /// Brings the cache of variants within its limit, and deletes the blobs that nothing links any more, with their
    /// variants.
    pub fn sweep(&self, patience: Patience) -> Result<Swept, Error> {
        self.note_reads();
        let trim = || Ok(self.catalog.trim_variants(self.settings.cache_bytes, BATCH)?);
        while self.even_when_full(trim)? == BATCH {}
        let swept = self.sweep_until(|| self.horizons(patience))?;
        self.reserve.fill();
        Ok(swept)
    }

    /// At the start, when every reservation without a link is a crash's. Whatever the cache holds.
    pub(crate) fn sweep_leftovers(&self) -> Result<(), Error> {
        let now = Timestamp::now();
        let retired = now.minus(self.time_of(Patience::Hold));
        self.keep_promises(retired, now)?;
        self.recall(now)?;
        self.sweep_until(|| Ok((retired, now)))?;
        Ok(())
    }

    /// What the stores say was put and never confirmed is confirmed now, or a reservation that came to nothing.
    fn recall(&self, now: Timestamp) -> Result<(), Error> {
        for keys in self.blobs.pending()?.chunks(BATCH) {
            let stored = self.even_when_full(|| Ok(self.catalog.recall(keys, now)?))?;
            for key in stored {
                self.blobs.confirm(key);
            }
        }
        Ok(())
    }

    /// Deletes what is over at the times that are asked for before each batch.
    fn sweep_until(
        &self,
        horizons: impl Fn() -> Result<(Timestamp, Timestamp), Error>,
    ) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let mut limit = BATCH;
        loop {
            let (retired, reserved) = horizons()?;
            let doom = || Ok(self.catalog.doom(retired, reserved, limit)?);
            let Doomed { blobs, attachments } = self.even_when_full(doom)?;
            let done = self.bury(&blobs)?;
            swept.attachments += attachments.len();
            swept.blobs += done.buried;
            swept.bytes += done.bytes;
            let is_full = blobs.len() >= limit || attachments.len() >= limit;
            // Those of a closed store may be doomed first every time: they stand in nobody's way.
            let next = BATCH + done.postponed;
            // Without progress the rest cannot be deleted now.
            if !is_full || (done.buried == 0 && attachments.is_empty() && next <= limit) {
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

    /// Deletes doomed blobs and their records. One that the disk does not let go of stays doomed.
    fn bury(&self, keys: &[BlobKey]) -> Result<Burials, Error> {
        let mut done = Burials::default();
        let mut gone = Vec::with_capacity(keys.len());
        for (key, length) in keys.iter().zip(self.catalog.lengths(keys)?) {
            match self.blobs.delete(*key) {
                Ok(()) => {
                    gone.push(*key);
                    done.buried += 1;
                    done.bytes += length;
                }
                Err(blob::Error::Fenced(fenced)) => return Err(fenced.into()),
                // The start has said so.
                Err(blob::Error::Closed(_)) => done.postponed += 1,
                Err(error) => {
                    tracing::error!(%key, error = &error as &dyn std::error::Error, "a blob cannot be deleted");
                }
            }
        }
        if !gone.is_empty() {
            self.even_when_full(|| Ok(self.catalog.forget(&gone)?))?;
        }
        Ok(done)
    }

    /// Which variants go first depends on it, and nothing else.
    fn note_reads(&self) {
        for batch in self.reads.take().chunks(BATCH) {
            if let Err(error) = self.catalog.touch_variants(batch) {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "reads of variants are not noted"
                );
                return;
            }
        }
    }

    /// What [`Library::sweep`] would delete now, up to a million blobs.
    pub fn sweepable(&self, patience: Patience) -> Result<Swept, Error> {
        let (retired, reserved) = self.horizons(patience)?;
        let Doomed { blobs, attachments } = self.catalog.doomable(retired, reserved, 1_000_000)?;
        let bytes = self.catalog.lengths(&blobs)?.into_iter().sum();
        Ok(Swept { attachments: attachments.len(), blobs: blobs.len(), bytes })
    }

    /// Attachments that were detached by the first, and reservations that were made by the second, are over.
    fn horizons(&self, patience: Patience) -> Result<(Timestamp, Timestamp), Error> {
        let now = Timestamp::now();
        let retired = now.minus(self.time_of(patience));
        self.keep_promises(retired, now)?;
        Ok((retired, now.minus(RESERVATION_SPAN)))
    }

    fn time_of(&self, patience: Patience) -> Duration {
        match patience {
            Patience::Hold => self.settings.hold.max(self.settings.trash),
            Patience::Trash => self.settings.trash,
            Patience::None => Duration::ZERO,
        }
    }

    /// What an open draft may put back is held anew, whatever its time.
    fn keep_promises(&self, over: Timestamp, now: Timestamp) -> Result<(), Error> {
        for id in self.promises.all() {
            let retired = self.catalog.retired_by_id(id)?;
            let goes = |it: &Retired| it.at <= over && it.orphan == Orphan::Delete;
            if retired.as_ref().is_some_and(goes) {
                // Also where everything is over that was detached until now.
                let after = Timestamp(now.0.saturating_add(1));
                self.even_when_full(|| Ok(self.catalog.renew(id, after)?))?;
            }
        }
        Ok(())
    }
}
