//! The daemon's descriptors, shared by the users whose files are open and by the cache of files for the next open.
//!
//! A user takes at most half of what the others leave: however many descriptors one has, a next one finds some. The cache has what
//! no handle takes. An eighth is left for all else: staged files, the catalogue, workers.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use words::refusal::Refusal;

/// How often a user who has too many files open is told so.
const TOLD_SECS: u64 = 1;
/// The most users who were told so a moment ago.
const MAX_TOLD: usize = 1_024;

#[derive(Debug, Default)]
pub struct Descriptors {
    /// The descriptors to share, set before the first request. A tree without a kernel has no limit.
    all: OnceLock<usize>,
    /// The descriptors that all handles take.
    taken: AtomicUsize,
    /// How many 64ths of all were taken when the size of the cache was last set.
    steps: AtomicUsize,
    /// Guards the refusals that a user was told of a moment ago. Never held across I/O.
    pub told: Mutex<BoundedMap<u32, Refusal, MAX_TOLD, TOLD_SECS>>,
}

/// A user with as many descriptors as one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    pub taken: usize,
    pub allowed: usize,
}

impl Descriptors {
    pub fn share(&self, all: usize) {
        // A tree has one mount: a second limit is ignored.
        let _ = self.all.set(all);
        self.steps.store(usize::MAX, Ordering::Relaxed);
    }

    /// Errors: if a user has `taken` half of what the others leave.
    pub(super) fn check(&self, taken: impl FnOnce() -> usize) -> Result<(), Full> {
        let Some(most) = self.all.get().map(|all| all / 4 * 3) else { return Ok(()) };
        let all_taken = self.taken.load(Ordering::Relaxed);
        // Nobody can have more than half: most opens take no lock.
        if all_taken < most / 2 {
            return Ok(());
        }
        let taken = taken();
        let allowed = most.saturating_sub(all_taken.saturating_sub(taken)) / 2;
        if taken < allowed { Ok(()) } else { Err(Full { taken, allowed }) }
    }

    pub(super) fn take(&self, count: usize) {
        self.taken.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, count: usize) {
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }

    /// The most files that the cache may keep open now; none if that has hardly changed since it was asked for.
    pub fn left_for_cache(&self) -> Option<usize> {
        let all = *self.all.get()?;
        let step = (all / 64).max(1);
        let steps = self.taken.load(Ordering::Relaxed).div_ceil(step);
        if self.steps.load(Ordering::Relaxed) == steps {
            return None;
        }
        self.steps.store(steps, Ordering::Relaxed);
        Some((all / 8 * 7).saturating_sub((steps + 1) * step).min(all / 4 * 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_at_most_half_of_what_the_others_leave() {
        let descriptors = Descriptors::default();
        descriptors.share(800);
        let take_all = |()| {
            let mut taken = 0;
            while descriptors.check(|| taken).is_ok() {
                descriptors.take(1);
                taken += 1;
            }
            taken
        };
        assert_eq!([(), (), ()].map(take_all), [300, 150, 75]);
        assert_eq!(descriptors.check(|| 300), Err(Full { taken: 300, allowed: 187 }));
        descriptors.give_back(300);
        assert_eq!(take_all(()), 187, "half of what is free again");
    }

    #[test]
    fn the_cache_gives_way_to_handles() {
        let descriptors = Descriptors::default();
        assert_eq!((descriptors.check(|| 9), descriptors.left_for_cache()), (Ok(()), None));
        descriptors.share(640);
        descriptors.take(5);
        assert_eq!(descriptors.left_for_cache(), Some(480));
        descriptors.take(5);
        assert_eq!(descriptors.left_for_cache(), None);
        descriptors.take(310);
        assert_eq!(descriptors.left_for_cache(), Some(560 - 330));
        descriptors.give_back(310);
        assert_eq!(descriptors.left_for_cache(), Some(480));
    }
}
