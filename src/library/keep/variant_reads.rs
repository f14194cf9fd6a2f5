//! Reads of variants since the last sweep.
//!
//! Reading must not mean writing, so a sweep tells the catalogue of many reads at once. Reads that a crash loses make a variant
//! look a little older than it is.

use std::collections::HashMap;

use parking_lot::Mutex;
use words::attachment::VariantId;
use words::timestamp::Timestamp;

/// The most variants that are remembered between two sweeps. Reads of further ones are forgotten.
const MAX_READS: usize = 65_536;

/// When each variant was read last, since the last sweep.
#[derive(Debug, Default)]
pub struct VariantReads {
    /// Guards the times. Never held across I/O.
    last: Mutex<HashMap<VariantId, Timestamp>>,
}

impl VariantReads {
    pub fn note(&self, id: VariantId, now: Timestamp) {
        let mut last = self.last.lock();
        if last.len() < MAX_READS || last.contains_key(&id) {
            last.insert(id, now);
        }
    }

    /// Returns all reads, and forgets them.
    pub(super) fn take(&self) -> Vec<(VariantId, Timestamp)> {
        std::mem::take(&mut *self.last.lock()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_read_of_each_variant_is_taken_once() {
        let reads = VariantReads::default();
        reads.note(VariantId(1), Timestamp(5));
        reads.note(VariantId(1), Timestamp(7));
        assert_eq!(reads.take(), [(VariantId(1), Timestamp(7))]);
        assert_eq!(reads.take(), []);
    }

    #[test]
    fn reads_are_bounded() {
        let reads = VariantReads::default();
        for id in 0..MAX_READS as u64 + 9 {
            reads.note(VariantId(id), Timestamp(1));
        }
        assert_eq!(reads.take().len(), MAX_READS);
    }
}
