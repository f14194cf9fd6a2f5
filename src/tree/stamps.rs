//! When the names in a row changed that the catalogue knows nothing of: first drafts, placeholders, links that wait.
//! Does not know the names. The kernel keeps what a directory lists for as long as the directory's time of change stays the
//! same, so it must move with every one of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::attachment::{RowId, Times};
use crate::timestamp::Timestamp;

/// Rows that are remembered. When there are more, all of them count as changed when the last one was.
const MAX: usize = 65_536;
/// Longer than the kernel may believe a listing.
const SPAN: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Debug, Default)]
pub struct Stamps {
    /// Whether there are any: most looks need not ask further.
    any: AtomicBool,
    /// Guards what is remembered. Never held across I/O.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Of every row that is not in the map.
    base: Option<Timestamp>,
    of: HashMap<RowId, Timestamp>,
}

impl Stamps {
    /// A row's names changed.
    pub fn note(&self, row: RowId, now: Timestamp) {
        let mut known = self.lock();
        if known.of.len() >= MAX && !known.of.contains_key(&row) {
            known.of.clear();
            known.base = Some(now);
        } else {
            known.of.insert(row, now);
        }
        self.any.store(true, Ordering::Release);
    }

    /// Somebody set the row's times: they are to be seen.
    pub fn forget(&self, row: RowId) {
        if self.any.load(Ordering::Acquire) {
            self.lock().of.remove(&row);
        }
    }

    /// A row's times as they are shown.
    pub fn shown(&self, row: RowId, times: Times) -> Times {
        if !self.any.load(Ordering::Acquire) {
            return times;
        }
        let known = self.lock();
        let Some(at) = known.of.get(&row).copied().or(known.base) else { return times };
        Times { modified: times.modified.max(at), changed: times.changed.max(at), ..times }
    }

    pub fn forget_old(&self, now: Timestamp) {
        if self.any.load(Ordering::Acquire) {
            let before = now.minus(SPAN);
            let mut known = self.lock();
            known.of.retain(|_, at| *at >= before);
            known.base = known.base.filter(|at| *at >= before);
            self.any.store(known.base.is_some() || !known.of.is_empty(), Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64) -> Timestamp {
        Timestamp(time)
    }

    fn modified(stamps: &Stamps, row: u64) -> Timestamp {
        stamps.shown(RowId(row), Times::all(at(5))).modified
    }

    #[test]
    fn a_row_shows_the_later_of_its_times() {
        let stamps = Stamps::default();
        assert_eq!(modified(&stamps, 1), at(5));
        stamps.note(RowId(1), at(7));
        assert_eq!((modified(&stamps, 1), modified(&stamps, 2)), (at(7), at(5)));
        stamps.note(RowId(1), at(3));
        assert_eq!(modified(&stamps, 1), at(5));
        stamps.note(RowId(1), at(9));
        stamps.forget(RowId(1));
        assert_eq!(modified(&stamps, 1), at(5));
    }

    #[test]
    fn the_rows_that_are_remembered_are_bounded_and_none_goes_back_in_time_for_it() {
        let stamps = Stamps::default();
        for row in 0..=MAX as u64 {
            stamps.note(RowId(row), at(7));
        }
        assert!(stamps.lock().of.is_empty());
        assert_eq!(modified(&stamps, 1), at(7));
        stamps.forget_old(Timestamp::now());
        assert_eq!(modified(&stamps, 1), at(5));
    }
}
