//! Sweeping: the only place that deletes blobs.
//! Does not decide what is needed: the catalogue dooms, this deletes, and the catalogue forgets.

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
            for key in &blobs {
                self.blobs.delete(*key)?;
                self.even_when_full(|| Ok(self.catalog.forget(*key)?))?;
            }
            swept.attachments += attachments.len();
            swept.blobs += blobs.len();
            if blobs.len() < BATCH {
                self.reserve.fill();
                return Ok(swept);
            }
        }
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
