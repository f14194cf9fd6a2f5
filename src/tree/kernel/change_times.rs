//! Times of change that are not in the catalogue, and generations of directories. The kernel keeps a listing for as long as the
//! directory's time of change stays the same, so the time must change with every name that is added or removed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};

use crate::tree::bounded::BoundedMap;
use crate::tree::node::Ino;
use words::attachment::{RowId, TableId, Times};
use words::place::Folder;
use words::slot::Name;
use words::timestamp::Timestamp;

/// The most rows whose times are kept. Beyond that, every row counts as changed when the last one was.
const MAX_ROWS: usize = 65_536;
/// The most directories of variants that are kept. Beyond that, the kernel forgets the listings of all of them.
const MAX_DIRECTORIES: usize = 4_096;
/// The most directories whose generation is kept. Beyond that, all begin another generation.
const MAX_GENERATIONS: usize = 65_536;
/// Longer than the kernel may believe a listing.
const SPAN_SECS: u64 = 2 * 60 * 60;

/// When names changed in rows and their collections.
#[derive(Debug, Default)]
pub struct RowTimes {
    /// Whether any time is kept: otherwise `shown` takes no lock.
    any: AtomicBool,
    /// Guards the times. Never held across I/O.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The time of every row that is not in the map, and when it was set.
    base: Option<(Timestamp, Instant)>,
    /// The times of each row: its own (no name), and those of the collections in it.
    of: BoundedMap<RowId, Vec<(Option<Name>, Timestamp)>, MAX_ROWS, SPAN_SECS>,
}

impl RowTimes {
    /// Notes that names in a directory changed.
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

    /// The catalogue has a new time for a row, which its collections show too: earlier times are no longer needed.
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

    /// The times of a row were set by a request: they are shown from now on.
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

    pub fn forget_old(&self, now: Instant) {
        if self.any.load(Ordering::Acquire) {
            let mut known = self.known.lock();
            known.of.expire(now);
            let young = |since: Instant| now.saturating_duration_since(since).as_secs() < SPAN_SECS;
            known.base = known.base.filter(|(_, since)| young(*since));
            self.any.store(known.base.is_some() || !known.of.is_empty(), Ordering::Release);
        }
    }
}

/// When rows of each table were last made, renamed or removed.
#[derive(Debug)]
pub struct TableTimes {
    started: Timestamp,
    /// Guards the times that changed in this run of the daemon. Never held across I/O.
    moved: RwLock<HashMap<TableId, Timestamp>>,
}

impl TableTimes {
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

/// The directories of variants that were listed since a variant was last rendered or removed. Equal pictures share their
/// variants, so that many directories may list the same one: all of them show the same new time of change.
#[derive(Debug, Default)]
pub struct VariantDirectories {
    /// Guards the directories and their time. Never held across I/O.
    listed: Mutex<Listed>,
}

#[derive(Debug, Default)]
struct Listed {
    /// The last change of a variant that one of these directories may list.
    changed: Option<Timestamp>,
    directories: BoundedMap<Ino, (), MAX_DIRECTORIES>,
}

impl VariantDirectories {
    /// A directory is about to be listed. Returns the directories whose listings must be forgotten.
    pub(super) fn list(&self, directory: Ino, now: Timestamp) -> Vec<Ino> {
        let mut listed = self.listed.lock();
        let over = if listed.directories.is_full() { listed.change(now) } else { Vec::new() };
        listed.directories.insert(directory, ());
        over
    }

    /// A variant was rendered or removed. Returns the directories whose listings must be forgotten.
    pub(super) fn changed(&self, now: Timestamp) -> Vec<Ino> {
        let mut listed = self.listed.lock();
        if listed.directories.is_empty() { Vec::new() } else { listed.change(now) }
    }

    pub fn shown(&self, times: Times) -> Times {
        match self.listed.lock().changed {
            Some(at) => Times { modified: times.modified.max(at), ..times },
            None => times,
        }
    }
}

impl Listed {
    fn change(&mut self, now: Timestamp) -> Vec<Ino> {
        self.changed = Some(now);
        self.directories.clear()
    }
}

/// Generations of directories that exist again after their `rmdir`: collections and directories of variants. The kernel's inode of
/// a removed directory stays dead for as long as a process has it open; with a new generation the kernel makes a new one.
#[derive(Debug, Default)]
pub struct Generations {
    /// Whether any directory was ever removed: until then a lookup takes no lock.
    any: AtomicBool,
    /// Guards the generations. Never held across I/O.
    known: RwLock<KnownGenerations>,
}

#[derive(Debug, Default)]
struct KnownGenerations {
    last: u64,
    /// The generation of every directory that is not in the map.
    base: u64,
    of: BoundedMap<Ino, u64, MAX_GENERATIONS>,
}

impl Generations {
    pub fn of(&self, ino: Ino) -> u64 {
        if !self.any.load(Ordering::Acquire) {
            return 0;
        }
        let known = self.known.read();
        known.of.get(&ino).copied().unwrap_or(known.base)
    }

    /// Gives a directory that was removed a generation that it has never had.
    pub(super) fn renew(&self, ino: Ino) {
        let mut known = self.known.write();
        known.last += 1;
        let last = known.last;
        if known.of.is_full() {
            known.of.clear();
            known.base = last;
        } else {
            known.of.insert(ino, last);
        }
        self.any.store(true, Ordering::Release);
    }

    /// Forgets a directory whose inode number is never used again.
    pub(super) fn forget(&self, ino: Ino) {
        if self.any.load(Ordering::Acquire) {
            self.known.write().of.remove(&ino);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        times.forget_old(Instant::now() + Duration::from_secs(SPAN_SECS));
        assert_eq!(modified(&times, 1), at(5));
    }

    #[test]
    fn a_listing_is_to_be_forgotten_once() {
        let directories = VariantDirectories::default();
        let times = Times::all(Timestamp(5));
        assert_eq!(directories.changed(Timestamp(7)), []);
        assert_eq!(directories.shown(times), times, "nobody has looked");
        assert_eq!(directories.list(Ino(1), Timestamp(8)), []);
        assert_eq!(directories.changed(Timestamp(9)), [Ino(1)]);
        assert_eq!(directories.shown(times).modified, Timestamp(9));
        assert_eq!(directories.changed(Timestamp(10)), []);
    }

    #[test]
    fn the_directories_that_are_remembered_are_bounded() {
        let directories = VariantDirectories::default();
        for number in 0..MAX_DIRECTORIES as u64 {
            assert_eq!(directories.list(Ino(number), Timestamp(1)), []);
        }
        assert_eq!(
            directories.list(Ino(MAX_DIRECTORIES as u64), Timestamp(2)).len(),
            MAX_DIRECTORIES
        );
        assert_eq!(directories.changed(Timestamp(3)), [Ino(MAX_DIRECTORIES as u64)]);
    }

    #[test]
    fn a_directory_that_was_removed_has_a_new_generation_each_time() {
        let generations = Generations::default();
        assert_eq!(generations.of(Ino(7)), 0);
        generations.renew(Ino(7));
        let first = generations.of(Ino(7));
        generations.renew(Ino(7));
        assert!(first > 0 && generations.of(Ino(7)) > first);
        assert_eq!(generations.of(Ino(8)), 0);
        generations.forget(Ino(7));
        assert_eq!(generations.of(Ino(7)), 0);
    }

    #[test]
    fn the_directories_that_are_remembered_are_bounded_and_no_generation_comes_twice() {
        let generations = Generations::default();
        for number in 0..=MAX_GENERATIONS as u64 {
            let before = generations.of(Ino(number));
            generations.renew(Ino(number));
            assert!(generations.of(Ino(number)) > before);
        }
        assert!(generations.known.read().of.is_empty());
        assert!(generations.of(Ino(0)) > MAX_GENERATIONS as u64);
    }
}
