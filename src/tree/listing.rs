//! Directories that are being read: the kernel asks for one page after another, and names no handle.
//! Does not know what a directory holds.
//!
//! Every entry has a place in its directory that it keeps whatever comes and goes around it, and reading goes on after the place
//! of the last one: so several may read at once, and remove while they read. A listing that was made for the first page is
//! kept for the next ones, which would else ask for all of it again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::tree::Ino;
use crate::tree::attr::Listed;

/// Listings that are kept, the entries of all of them, and for how long.
const KEPT: usize = 64;
const KEPT_ENTRIES: usize = 65_536;
const SPAN: Duration = Duration::from_secs(10);

/// Entries of a directory in their order, from somewhere on.
#[derive(Debug, Clone)]
pub struct Page {
    entries: Arc<[Listed]>,
    start: usize,
    /// Whether nothing follows.
    pub is_last: bool,
    /// Whether anything was changed since what the entries show was found out.
    pub is_fresh: bool,
}

impl Page {
    /// A part of a directory that is read part by part.
    pub fn part(entries: Vec<Listed>) -> Self {
        let is_last = entries.is_empty();
        Self { entries: entries.into(), start: 0, is_last, is_fresh: true }
    }

    pub fn entries(&self) -> &[Listed] {
        self.entries.get(self.start..).unwrap_or_default()
    }
}

/// The listings that were made a moment ago.
#[derive(Debug, Default)]
pub struct Listings {
    /// Guards the listings, the latest first. Never held across I/O.
    kept: Mutex<VecDeque<Kept>>,
    /// Counts what the kernel was told to forget.
    changes: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    directory: Ino,
    entries: Arc<[Listed]>,
    at: Instant,
    /// The changes before it was made.
    changes: u64,
}

impl Listings {
    /// Something that a listing may show was changed.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// To be asked before a listing is made.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Keeps a whole listing, made after so many changes. Returns all of it.
    pub fn keep(&self, directory: Ino, entries: Vec<Listed>, changes: u64) -> Page {
        let entries: Arc<[Listed]> = entries.into();
        let mut kept = self.lock();
        kept.retain(|other| other.directory != directory);
        let at = Instant::now();
        kept.push_front(Kept { directory, entries: Arc::clone(&entries), at, changes });
        let mut sum = 0;
        let within = kept.iter().take(KEPT).take_while(|it| {
            sum += it.entries.len();
            sum <= KEPT_ENTRIES
        });
        let within = within.count().max(1);
        kept.truncate(within);
        drop(kept);
        Page { entries, start: 0, is_last: true, is_fresh: self.changes() == changes }
    }

    /// The entries after a place, of a listing that was kept.
    pub fn after(&self, directory: Ino, place: u64) -> Option<Page> {
        let kept = self.lock();
        let found = kept.iter().find(|it| it.directory == directory)?;
        let (entries, changes) = (Arc::clone(&found.entries), found.changes);
        drop(kept);
        let is_fresh = self.changes() == changes;
        Some(Page { entries, start: 0, is_last: true, is_fresh }.from(place))
    }

    /// Forgets what is old.
    pub fn forget_old(&self) {
        self.lock().retain(|it| it.at.elapsed() < SPAN);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// What follows a place.
    pub fn from(self, place: u64) -> Self {
        let start = self.entries.partition_point(|entry| entry.next <= place);
        Self { start, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::attr::Kind;

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
        let page = listings.keep(Ino(1), vec![listed(1), listed(2), listed(7)], 0);
        assert_eq!(places(&page), [1, 2, 7]);
        for (place, rest) in [(0, &[1, 2, 7][..]), (2, &[7]), (5, &[7]), (7, &[])] {
            let page = listings.after(Ino(1), place).expect("kept");
            assert_eq!(places(&page), rest);
            assert!(page.is_last && page.is_fresh);
        }
        assert!(listings.after(Ino(2), 0).is_none());
    }

    #[test]
    fn what_changed_since_a_listing_was_begun_makes_it_stale() {
        let listings = Listings::default();
        let before = listings.changes();
        listings.changed();
        assert!(!listings.keep(Ino(1), vec![listed(1)], before).is_fresh);
        assert!(listings.keep(Ino(1), vec![listed(1)], listings.changes()).is_fresh);
        listings.changed();
        assert!(!listings.after(Ino(1), 0).expect("kept").is_fresh);
    }

    #[test]
    fn kept_listings_are_bounded_and_the_latest_is_always_there() {
        let listings = Listings::default();
        for number in 0..KEPT as u64 + 9 {
            listings.keep(Ino(number), vec![listed(1)], 0);
        }
        assert_eq!(listings.lock().len(), KEPT);
        assert!(listings.after(Ino(0), 0).is_none() && listings.after(Ino(9), 0).is_some());
        let many = || (1..=KEPT_ENTRIES as u64).map(listed).collect::<Vec<_>>();
        listings.keep(Ino(100), many(), 0);
        assert_eq!(listings.lock().len(), 1);
        listings.keep(Ino(101), many(), 0);
        assert!(listings.after(Ino(100), 0).is_none() && listings.after(Ino(101), 0).is_some());
    }
}
