//! Write-back: the kernel writes a large draft to the disk while more is sent, so that its close waits for less. Not durable.

use std::fs::File;
use std::num::NonZeroU64;

use rustix::fs::{Advice, fadvise};

/// Bytes that are sent to the disk at a time. A smaller file waits for the sync, which takes no longer for it.
const STRETCH: u64 = 8 << 20;

/// How much of a file was sent to the disk so far.
#[derive(Debug, Default)]
pub(super) struct Writeback {
    begun: u64,
}

impl Writeback {
    /// Sends a stretch to the disk once the file is written up to its end. The advice that a range is not needed makes the kernel
    /// write it out (`mm/fadvise.c`), and drop only what is written already.
    pub fn written_to(&mut self, file: &File, end: u64) {
        let Some(length) = NonZeroU64::new(end.saturating_sub(self.begun)) else { return };
        if length.get() >= STRETCH {
            // Only advice: if it is ignored, the sync has more to do.
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
