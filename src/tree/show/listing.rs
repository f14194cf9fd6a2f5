//! Listings of directories: the kernel asks for one page after another, and names no handle.
//!
//! Every entry has a place in its directory that it keeps whatever comes and goes around it, and reading goes on after the place
//! of the last one: so several programs may read at once, and remove while they read. A listing that was made for the first page
//! is kept for the next ones, which would otherwise ask for all of it again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use crate::tree::node::{Ino, Kind};
use crate::tree::show::attr::Entry;

/// Listings that are kept, the entries of all of them, and for how long.
const KEPT: usize = 64;
const KEPT_ENTRIES: usize = 65_536;
const SPAN: Duration = Duration::from_secs(10);

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub ino: Ino,
    pub kind: Kind,
    pub name: Arc<str>,
    /// Its place, after which reading goes on.
    pub next: u64,
    /// The answer to a lookup of the name, where that is known without asking further.
    pub entry: Option<Entry>,
}

/// Entries of a directory in their order, from somewhere on.
#[derive(Debug, Clone)]
pub struct Page {
    entries: Arc<[Listed]>,
    start: usize,
    /// Whether nothing follows.
    pub is_last: bool,
    /// Whether nothing has changed since before the entries were looked up.
    pub is_fresh: bool,
}

impl Page {
    /// A part of a directory that is read part by part.
    pub fn part(entries: Vec<Listed>) -> Self {
        let is_last = entries.is_empty();
        Self { entries: entries.into(), start: 0, is_last, is_fresh: true }
    }

    /// The entries that follow a place.
    pub fn from(self, place: u64) -> Self {
        let start = self.entries.partition_point(|entry| entry.next <= place);
        Self { start, ..self }
    }

    pub fn entries(&self) -> &[Listed] {
        self.entries.get(self.start..).unwrap_or_default()
    }
}

/// The whole listings that were made a moment ago.
#[derive(Debug)]
pub struct Listings {
    /// Guards the listings by directory. Never held across I/O.
    kept: Mutex<BoundedMap<Ino, Kept>>,
}

#[derive(Debug)]
struct Kept {
    entries: Arc<[Listed]>,
    /// The count of changes before it was made.
    changes: u64,
}

impl Default for Listings {
    fn default() -> Self {
        Self { kept: Mutex::new(BoundedMap::new(KEPT, SPAN)) }
    }
}

impl Listings {
    /// Keeps a whole listing, made after so many changes, and returns all of it. There have been `now` changes by now.
    pub fn keep(&self, directory: Ino, entries: Vec<Listed>, changes: u64, now: u64) -> Page {
        let entries: Arc<[Listed]> = entries.into();
        let mut kept = self.kept.lock();
        kept.insert(directory, Kept { entries: Arc::clone(&entries), changes });
        while kept.len() > 1
            && kept.values().map(|it| it.entries.len()).sum::<usize>() > KEPT_ENTRIES
        {
            kept.pop_oldest();
        }
        drop(kept);
        Page { entries, start: 0, is_last: true, is_fresh: changes == now }
    }

    /// The entries after a place, of a listing that was kept. There have been `now` changes by now.
    pub fn after(&self, directory: Ino, place: u64, now: u64) -> Option<Page> {
        let kept = self.kept.lock();
        let found = kept.get(&directory)?;
        let (entries, is_fresh) = (Arc::clone(&found.entries), found.changes == now);
        drop(kept);
        Some(Page { entries, start: 0, is_last: true, is_fresh }.from(place))
    }

    pub fn forget_old(&self, now: Instant) {
        self.kept.lock().expire(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(next: u64) -> Listed {
        let name = next.to_string().into();
        Listed { ino: Ino(next), kind: Kind::File, name, next, entry: None }
    }

    fn places(page: &Page) -> Vec<u64> {
        page.entries().iter().map(|entry| entry.next).collect()
    }

    #[test]
    fn reading_goes_on_after_a_place_whether_its_entry_is_there_or_not() {
        let listings = Listings::default();
        let page = listings.keep(Ino(1), vec![listed(1), listed(2), listed(7)], 0, 0);
        assert_eq!(places(&page), [1, 2, 7]);
        for (place, rest) in [(0, &[1, 2, 7][..]), (2, &[7]), (5, &[7]), (7, &[])] {
            let page = listings.after(Ino(1), place, 0).expect("kept");
            assert_eq!(places(&page), rest);
            assert!(page.is_last && page.is_fresh);
        }
        assert!(listings.after(Ino(2), 0, 0).is_none());
    }

    #[test]
    fn what_changed_since_a_listing_was_begun_makes_it_stale() {
        let listings = Listings::default();
        assert!(!listings.keep(Ino(1), vec![listed(1)], 4, 5).is_fresh);
        assert!(listings.keep(Ino(1), vec![listed(1)], 5, 5).is_fresh);
        assert!(listings.after(Ino(1), 0, 5).expect("kept").is_fresh);
        assert!(!listings.after(Ino(1), 0, 6).expect("kept").is_fresh);
    }

    #[test]
    fn kept_listings_are_bounded_and_the_latest_is_always_there() {
        let listings = Listings::default();
        let is_kept = |number| listings.after(Ino(number), 0, 0).is_some();
        for number in 0..KEPT as u64 + 9 {
            listings.keep(Ino(number), vec![listed(1)], 0, 0);
        }
        assert_eq!(listings.kept.lock().len(), KEPT);
        assert!(!is_kept(0) && is_kept(9));
        let many = || (1..=KEPT_ENTRIES as u64).map(listed).collect::<Vec<_>>();
        listings.keep(Ino(100), many(), 0, 0);
        assert_eq!(listings.kept.lock().len(), 1);
        listings.keep(Ino(101), many(), 0, 0);
        assert!(!is_kept(100) && is_kept(101));
    }
}
