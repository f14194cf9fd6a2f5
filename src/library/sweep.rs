//! Sweeping: the only place that deletes blobs.
//! Does not decide what is needed: the catalogue dooms, this deletes, and the catalogue forgets.

use std::time::Duration;

use crate::attachment::BlobKey;
use crate::blob;
use crate::catalog::{Doomed, Orphan, RESERVATION_SPAN, Retired};
use crate::library::{Error, Library};
use crate::timestamp::Timestamp;

/// Blobs that are doomed in one transaction.
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

/// What became of a doomed blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Burial {
    Done,
    /// Its store is not configured any more: it waits until it is.
    Postponed,
    Failed,
}

#[derive(Debug, Default)]
struct Burials {
    buried: usize,
    /// Of those.
    bytes: u64,
    postponed: usize,
}

impl Burials {
    fn count(&mut self, burial: Burial, length: u64) {
        match burial {
            Burial::Done => {
                self.buried += 1;
                self.bytes += length;
            }
            Burial::Postponed => self.postponed += 1,
            Burial::Failed => {}
        }
    }
}

impl Library {
    /// Deletes the blobs that nothing links any more, with their variants.
    pub fn sweep(&self, patience: Patience) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        self.even_when_full(|| Ok(self.catalog.trim_variants(self.settings.cache_bytes)?))?;
        let mut limit = BATCH;
        loop {
            let (retired, reserved) = self.horizons(patience)?;
            let doom = || Ok(self.catalog.doom(retired, reserved, limit)?);
            let Doomed { blobs, attachments } = self.even_when_full(doom)?;
            let lengths = self.catalog.lengths(&blobs)?;
            let mut done = Burials::default();
            for (key, length) in blobs.iter().zip(lengths) {
                done.count(self.bury(*key)?, length);
            }
            swept.attachments += attachments.len();
            swept.blobs += done.buried;
            swept.bytes += done.bytes;
            let is_full = blobs.len() >= limit || attachments.len() >= limit;
            // Those of a closed store may be doomed first every time: they stand in nobody's way.
            let next = BATCH + done.postponed;
            // Without progress the rest cannot be deleted now.
            if !is_full || (done.buried == 0 && attachments.is_empty() && next <= limit) {
                self.reserve.fill();
                return Ok(swept);
            }
            limit = next;
        }
    }

    /// Deletes a doomed blob and its record. One that the disk does not let go of stays doomed.
    pub(crate) fn bury(&self, key: BlobKey) -> Result<Burial, Error> {
        match self.blobs.delete(key) {
            Ok(()) => {}
            // The start has said so.
            Err(blob::Error::Closed(_)) => return Ok(Burial::Postponed),
            Err(error) => {
                tracing::error!(%key, error = &error as &dyn std::error::Error, "a blob cannot be deleted");
                return Ok(Burial::Failed);
            }
        }
        self.even_when_full(|| Ok(self.catalog.forget(key)?))?;
        Ok(Burial::Done)
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

    /// At the start, when every reservation without a link is a crash's.
    pub(crate) fn sweep_leftovers(&self) -> Result<(), Error> {
        let now = Timestamp::now();
        let retired = now.minus(self.time_of(Patience::Hold));
        self.keep_promises(retired, now)?;
        for key in self.catalog.doom(retired, now, usize::MAX >> 1)?.blobs {
            self.bury(key)?;
        }
        Ok(())
    }
}
