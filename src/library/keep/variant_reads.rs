//! Which variants were read since the last sweep: reading must not mean writing, so the catalogue is told of many at once.
//! Does not know what a variant is; what a crash loses of this makes one variant look a little older than it is.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use words::attachment::VariantId;
use words::timestamp::Timestamp;

/// Variants that are remembered between two sweeps. What is read beyond them counts as unread.
const MAX_READS: usize = 65_536;

#[derive(Debug, Default)]
pub struct Reads {
    /// Guards when each variant was read last. Never held across I/O.
    last: Mutex<HashMap<VariantId, Timestamp>>,
}

impl Reads {
    pub fn note(&self, id: VariantId, now: Timestamp) {
        let mut last = self.lock();
        if last.len() < MAX_READS || last.contains_key(&id) {
            last.insert(id, now);
        }
    }

    /// All that were noted, which are forgotten with this.
    pub fn take(&self) -> Vec<(VariantId, Timestamp)> {
        std::mem::take(&mut *self.lock()).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<VariantId, Timestamp>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_read_of_each_variant_is_told_once() {
        let reads = Reads::default();
        reads.note(VariantId(1), Timestamp(5));
        reads.note(VariantId(1), Timestamp(7));
        assert_eq!(reads.take(), [(VariantId(1), Timestamp(7))]);
        assert_eq!(reads.take(), []);
    }

    #[test]
    fn reads_are_bounded() {
        let reads = Reads::default();
        for id in 0..MAX_READS as u64 + 9 {
            reads.note(VariantId(id), Timestamp(1));
        }
        assert_eq!(reads.take().len(), MAX_READS);
    }
}
