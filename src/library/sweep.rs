//! Sweeping: the only place that deletes blobs.
//! Does not decide what is needed: the catalogue dooms, this deletes, and the catalogue forgets.

use crate::attachment::BlobKey;
use crate::blob;
use crate::catalog::{Doomed, RESERVATION_SPAN};
use crate::library::{Error, Library};
use crate::timestamp::Timestamp;

/// Blobs that are doomed in one transaction.
const BATCH: usize = 256;

/// Which attachments without a name are swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Those whose hold has passed.
    Hold,
    /// All of them (`mediafs gc --now`).
    None,
}

/// What a sweep did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub attachments: usize,
    pub blobs: usize,
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
    postponed: usize,
}

impl Burials {
    fn count(&mut self, burial: Burial) {
        self.buried += usize::from(burial == Burial::Done);
        self.postponed += usize::from(burial == Burial::Postponed);
    }
}

impl Library {
    /// Deletes the blobs that nothing links any more, with their variants.
    pub fn sweep(&self, patience: Patience) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        self.even_when_full(|| Ok(self.catalog.trim_variants(self.settings.cache_bytes)?))?;
        let mut limit = BATCH;
        loop {
            let (retired, reserved) = self.horizons(patience);
            let doom = || Ok(self.catalog.doom(retired, reserved, limit)?);
            let Doomed { blobs, attachments } = self.even_when_full(doom)?;
            let mut done = Burials::default();
            for key in &blobs {
                done.count(self.bury(*key)?);
            }
            swept.attachments += attachments.len();
            swept.blobs += done.buried;
            // Those of a closed store may be doomed first every time: they stand in nobody's way.
            let next = BATCH + done.postponed;
            // Without progress the rest cannot be deleted now.
            if blobs.len() < limit || (done.buried == 0 && next <= limit) {
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
        let (retired, reserved) = self.horizons(patience);
        let Doomed { blobs, attachments } = self.catalog.doomable(retired, reserved, 1_000_000)?;
        Ok(Swept { attachments: attachments.len(), blobs: blobs.len() })
    }

    fn horizons(&self, patience: Patience) -> (Timestamp, Timestamp) {
        let now = Timestamp::now();
        let retired = match patience {
            Patience::Hold => now.minus(self.settings.hold),
            Patience::None => now,
        };
        (retired, now.minus(RESERVATION_SPAN))
    }
}
