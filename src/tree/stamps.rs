//! When the names in a directory changed that the catalogue knows nothing of: first drafts, placeholders, links that wait.
//! Does not know the names. The kernel keeps what a directory lists for as long as the directory's time of change stays the
//! same, so it must move with every one of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use words::attachment::{RowId, Times};
use words::place::Folder;
use words::slot::Name;
use words::timestamp::Timestamp;

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
    /// The times of each row: its own (no name), and those of the collections in it.
    of: HashMap<RowId, Vec<(Option<Name>, Timestamp)>>,
}

impl Stamps {
    /// A directory's names changed.
    pub fn note(&self, Folder { row, field }: Folder, now: Timestamp) {
        let mut known = self.lock();
        if known.of.len() >= MAX && !known.of.contains_key(&row) {
            known.of.clear();
            known.base = Some(now);
        } else {
            let of = known.of.entry(row).or_default();
            of.retain(|(other, _)| *other != field);
            of.push((field, now));
        }
        self.any.store(true, Ordering::Release);
    }

    /// The catalogue's own time of a row has moved to this, which its collections show too: what is earlier is not needed any
    /// more.
    pub fn settle(&self, row: RowId, modified: Timestamp) {
        if self.any.load(Ordering::Acquire) {
            self.lock().keep(row, |at| at > modified);
        }
    }

    /// Somebody set the row's times: they are to be seen.
    pub fn forget(&self, row: RowId) {
        if self.any.load(Ordering::Acquire) {
            self.lock().of.remove(&row);
        }
    }

    /// The times of a row, or of a collection in it, as they are shown.
    pub fn shown(&self, row: RowId, field: Option<&Name>, times: Times) -> Times {
        if !self.any.load(Ordering::Acquire) {
            return times;
        }
        let known = self.lock();
        let own = known.of.get(&row).and_then(|of| of.iter().find(|(it, _)| it.as_ref() == field));
        let Some(at) = own.map(|(_, at)| *at).or(known.base) else { return times };
        Times { modified: times.modified.max(at), changed: times.changed.max(at), ..times }
    }

    pub fn forget_old(&self, now: Timestamp) {
        if self.any.load(Ordering::Acquire) {
            let before = now.minus(SPAN);
            let mut known = self.lock();
            known.of.retain(|_, of| of.iter().any(|(_, at)| *at >= before));
            known.base = known.base.filter(|at| *at >= before);
            self.any.store(known.base.is_some() || !known.of.is_empty(), Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn keep(&mut self, row: RowId, stays: impl Fn(Timestamp) -> bool) {
        if let Entry::Occupied(mut of) = self.of.entry(row) {
            of.get_mut().retain(|(_, at)| stays(*at));
            if of.get().is_empty() {
                of.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64) -> Timestamp {
        Timestamp(time)
    }

    fn modified(stamps: &Stamps, row: u64) -> Timestamp {
        stamps.shown(RowId(row), None, Times::all(at(5))).modified
    }

    fn note(stamps: &Stamps, row: u64, time: i64) {
        stamps.note(Folder::row(RowId(row)), at(time));
    }

    #[test]
    fn a_row_shows_the_later_of_its_times() {
        let stamps = Stamps::default();
        assert_eq!(modified(&stamps, 1), at(5));
        note(&stamps, 1, 7);
        assert_eq!((modified(&stamps, 1), modified(&stamps, 2)), (at(7), at(5)));
        note(&stamps, 1, 3);
        assert_eq!(modified(&stamps, 1), at(5));
        note(&stamps, 1, 9);
        stamps.forget(RowId(1));
        assert_eq!(modified(&stamps, 1), at(5));
    }

    #[test]
    fn a_collection_has_a_time_of_its_own_until_its_rows_is_later() {
        let stamps = Stamps::default();
        let photos = Name::parse("photos").expect("a name");
        stamps.note(Folder { row: RowId(1), field: Some(photos.clone()) }, at(7));
        let shown = || stamps.shown(RowId(1), Some(&photos), Times::all(at(5))).modified;
        assert_eq!((shown(), modified(&stamps, 1)), (at(7), at(5)));
        stamps.settle(RowId(1), at(6));
        assert_eq!(shown(), at(7));
        stamps.settle(RowId(1), at(7));
        assert!(stamps.lock().of.is_empty());
    }

    #[test]
    fn the_rows_that_are_remembered_are_bounded_and_none_goes_back_in_time_for_it() {
        let stamps = Stamps::default();
        for row in 0..=MAX as u64 {
            note(&stamps, row, 7);
        }
        assert!(stamps.lock().of.is_empty());
        assert_eq!(modified(&stamps, 1), at(7));
        stamps.forget_old(Timestamp::now());
        assert_eq!(modified(&stamps, 1), at(5));
    }
}
