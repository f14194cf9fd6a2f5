//! Times of change that the catalogue does not know: of directories with first drafts, placeholders or links that wait, and of
//! tables. The kernel keeps a listing for as long as the directory's time of change stays the same, so the time must move with
//! every name that comes or goes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use crate::tree::bounded::BoundedMap;
use words::attachment::{RowId, TableId, Times};
use words::place::Folder;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Rows that are remembered. When there are more, all of them count as changed when the last one was.
const MAX_ROWS: usize = 65_536;
/// Longer than the kernel may believe a listing.
const SPAN: Duration = Duration::from_secs(2 * 60 * 60);

/// When names changed in rows and their collections.
#[derive(Debug)]
pub struct RowTimes {
    /// Whether anything is remembered: otherwise a look takes no lock.
    any: AtomicBool,
    /// Guards the times that are remembered. Never held across I/O.
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// The time of every row that is not in the map, and since when it is that.
    base: Option<(Timestamp, Instant)>,
    /// The times of each row: its own (no name), and those of the collections in it.
    of: BoundedMap<RowId, Vec<(Option<Name>, Timestamp)>>,
}

impl Default for RowTimes {
    fn default() -> Self {
        let known = Known { base: None, of: BoundedMap::new(MAX_ROWS, SPAN) };
        Self { any: AtomicBool::new(false), known: Mutex::new(known) }
    }
}

impl RowTimes {
    /// The names in a directory changed.
    pub(super) fn note(&self, Folder { row, field }: Folder, now: Timestamp) {
        let mut known = self.known.lock();
        let of = known.of.remove(&row);
        if of.is_none() && known.of.is_full() {
            known.of.clear();
            known.base = Some((now, Instant::now()));
        } else {
            let mut of = of.unwrap_or_default();
            of.retain(|(other, _)| *other != field);
            of.push((field, now));
            known.of.insert(row, of);
        }
        self.any.store(true, Ordering::Release);
    }

    /// The catalogue's time of a row has moved, which its collections show too: earlier times are no longer needed.
    pub(super) fn overtake(&self, row: RowId, modified: Timestamp) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut known = self.known.lock();
        if let Some(of) = known.of.get_mut(&row) {
            of.retain(|(_, at)| *at > modified);
            if of.is_empty() {
                known.of.remove(&row);
            }
        }
    }

    /// Somebody set the times of a row: they are shown from now on.
    pub(super) fn forget(&self, row: RowId) {
        if self.any.load(Ordering::Acquire) {
            self.known.lock().of.remove(&row);
        }
    }

    /// The times that a row shows, or a collection in it.
    pub fn shown(&self, row: RowId, field: Option<&Name>, times: Times) -> Times {
        if !self.any.load(Ordering::Acquire) {
            return times;
        }
        let known = self.known.lock();
        let of = known.of.get(&row);
        let own = of.and_then(|of| of.iter().find(|(name, _)| name.as_ref() == field));
        let base = || known.base.map(|(at, _)| at);
        let Some(at) = own.map(|(_, at)| *at).or_else(base) else { return times };
        Times { modified: times.modified.max(at), changed: times.changed.max(at), ..times }
    }

    pub(super) fn forget_old(&self, now: Instant) {
        if self.any.load(Ordering::Acquire) {
            let mut known = self.known.lock();
            known.of.expire(now);
            let young = |since: Instant| now.saturating_duration_since(since) < SPAN;
            known.base = known.base.filter(|(_, since)| young(*since));
            self.any.store(known.base.is_some() || !known.of.is_empty(), Ordering::Release);
        }
    }
}

/// When rows of each table were last made, renamed or removed.
#[derive(Debug)]
pub struct TableTimes {
    started: Timestamp,
    /// Guards the times that moved in this run of the daemon, or were set. Never held across I/O.
    moved: RwLock<HashMap<TableId, Timestamp>>,
}

impl TableTimes {
    /// Times of a daemon that starts now.
    pub(super) fn starting(started: Timestamp) -> Self {
        Self { started, moved: RwLock::default() }
    }

    pub(super) fn set(&self, table: TableId, at: Timestamp) {
        self.moved.write().insert(table, at);
    }

    pub fn of(&self, table: TableId) -> Timestamp {
        self.moved.read().get(&table).copied().unwrap_or(self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64) -> Timestamp {
        Timestamp(time)
    }

    fn modified(times: &RowTimes, row: u64) -> Timestamp {
        times.shown(RowId(row), None, Times::all(at(5))).modified
    }

    fn note(times: &RowTimes, row: u64, time: i64) {
        times.note(Folder::row(RowId(row)), at(time));
    }

    #[test]
    fn a_row_shows_the_later_of_its_times() {
        let times = RowTimes::default();
        assert_eq!(modified(&times, 1), at(5));
        note(&times, 1, 7);
        assert_eq!((modified(&times, 1), modified(&times, 2)), (at(7), at(5)));
        note(&times, 1, 3);
        assert_eq!(modified(&times, 1), at(5));
        note(&times, 1, 9);
        times.forget(RowId(1));
        assert_eq!(modified(&times, 1), at(5));
    }

    #[test]
    fn a_collection_has_a_time_of_its_own_until_its_rows_is_later() {
        let times = RowTimes::default();
        let photos = Name::parse("photos").expect("a name");
        times.note(Folder { row: RowId(1), field: Some(photos.clone()) }, at(7));
        let shown = || times.shown(RowId(1), Some(&photos), Times::all(at(5))).modified;
        assert_eq!((shown(), modified(&times, 1)), (at(7), at(5)));
        times.overtake(RowId(1), at(6));
        assert_eq!(shown(), at(7));
        times.overtake(RowId(1), at(7));
        assert!(times.known.lock().of.is_empty());
    }

    #[test]
    fn the_rows_that_are_remembered_are_bounded_and_none_goes_back_in_time_for_it() {
        let times = RowTimes::default();
        for row in 0..=MAX_ROWS as u64 {
            note(&times, row, 7);
        }
        assert!(times.known.lock().of.is_empty());
        assert_eq!(modified(&times, 1), at(7));
        times.forget_old(Instant::now());
        assert_eq!(modified(&times, 1), at(7));
        times.forget_old(Instant::now() + SPAN);
        assert_eq!(modified(&times, 1), at(5));
    }
}
