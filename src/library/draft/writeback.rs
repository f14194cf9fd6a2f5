//! Write-back: a large draft goes to the disk while it is being sent, so that its close does not wait for all of it.
//! Does not make anything durable.

use std::fs::File;
use std::num::NonZeroU64;

use rustix::fs::{Advice, fadvise};

/// Bytes that are sent to the disk at a time. What is smaller waits for the sync, which takes no longer for it.
const STRETCH: u64 = 8 << 20;

/// How much of a file was sent to the disk so far.
#[derive(Debug, Default)]
pub(crate) struct Writeback {
    begun: u64,
}

impl Writeback {
    /// The file was written up to there. A stretch that is complete is on its way to the disk when this returns: that a
    /// range is not needed makes the kernel write it out (`mm/fadvise.c`), and drop of it only what is written already.
    pub fn written_to(&mut self, file: &File, end: u64) {
        let Some(length) = NonZeroU64::new(end.saturating_sub(self.begun)) else { return };
        if length.get() >= STRETCH {
            // Advice: where it is not taken, the sync has more to do.
            let _ = fadvise(file, self.begun, Some(length), Advice::DontNeed);
            self.begun = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_sent_a_stretch_at_a_time_and_no_stretch_twice() {
        let file = tempfile::tempfile().expect("a file");
        let mut writeback = Writeback::default();
        for (end, begun) in [
            (STRETCH - 1, 0),
            (STRETCH + 5, STRETCH + 5),
            (7, STRETCH + 5),
            (2 * STRETCH + 5, 2 * STRETCH + 5),
        ] {
            writeback.written_to(&file, end);
            assert_eq!(writeback.begun, begun);
        }
    }
}
