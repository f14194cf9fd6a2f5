//! Sweeping: the only place that deletes blobs.
//! Does not decide what is needed: the catalogue dooms, this deletes, and the catalogue forgets.

use crate::attachment::BlobKey;
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

impl Library {
    /// Deletes the blobs that nothing links any more, with their variants.
    pub fn sweep(&self, patience: Patience) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        self.even_when_full(|| Ok(self.catalog.trim_variants(self.settings.cache_bytes)?))?;
        loop {
            let (retired, reserved) = self.horizons(patience);
            let doom = || Ok(self.catalog.doom(retired, reserved, BATCH)?);
            let Doomed { blobs, attachments } = self.even_when_full(doom)?;
            let mut buried = 0;
            for key in &blobs {
                buried += usize::from(self.bury(*key)?);
            }
            swept.attachments += attachments.len();
            swept.blobs += buried;
            // Without progress the rest cannot be deleted now.
            if blobs.len() < BATCH || buried == 0 {
                self.reserve.fill();
                return Ok(swept);
            }
        }
    }

    /// Deletes a doomed blob and its record; whether it could be. One that the disk does not let go of stays doomed, and
    /// stands in nobody's way.
    pub(crate) fn bury(&self, key: BlobKey) -> Result<bool, Error> {
        if let Err(error) = self.blobs.delete(key) {
            tracing::error!(%key, error = &error as &dyn std::error::Error, "a blob cannot be deleted");
            return Ok(false);
        }
        self.even_when_full(|| Ok(self.catalog.forget(key)?))?;
        Ok(true)
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
