//! Threads that were answered `ESTALE` a moment ago.
//! Does not know why.
//!
//! The kernel looks a path up again once (`path_openat` with `LOOKUP_REVAL`); a second `ESTALE` is the program's. The first may
//! be spent on the attributes of an inode that lost its name, and a second commit may come between the lookup and the open.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::catalog::Place;
use crate::tree::Ino;

/// How long the kernel may take from the `ESTALE` to the `open` that follows.
const SPAN: Duration = Duration::from_millis(100);
/// How long an inode that was looked up is as good as current. Less than another process takes to commit and say so.
const FRESH: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
pub struct Turned {
    /// Guards the threads. Never held across I/O.
    by_thread: Mutex<HashMap<u32, Turn>>,
    /// How many there are, so that the common answer 'none' takes no lock.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Turn {
    since: Instant,
    looked_up: Option<Found>,
}

/// What the second try was led to.
#[derive(Debug)]
struct Found {
    place: Place,
    ino: Ino,
    at: Instant,
}

impl Turned {
    /// This thread is being answered `ESTALE`.
    pub fn note(&self, thread: u32) {
        let mut by_thread = self.lock();
        by_thread.retain(|_, turn| turn.since.elapsed() < SPAN);
        by_thread.insert(thread, Turn { since: Instant::now(), looked_up: None });
        self.count.store(by_thread.len(), Ordering::Release);
    }

    /// This thread's lookup was answered with the inode of a slot.
    pub fn looked_up(&self, thread: u32, place: &Place, ino: Ino) {
        if self.count.load(Ordering::Acquire) > 0
            && let Some(turn) = self.lock().get_mut(&thread)
        {
            turn.looked_up = Some(Found { place: place.clone(), ino, at: Instant::now() });
        }
    }

    /// The slot that this thread looked up after it was answered `ESTALE`; asked once.
    pub fn take(&self, thread: u32) -> Option<Place> {
        let turn = self.remove(thread)?;
        turn.looked_up.filter(|_| turn.since.elapsed() < SPAN).map(|found| found.place)
    }

    /// Whether this thread, on its second try, was led to this inode just now.
    pub fn is_fresh(&self, thread: u32, ino: Ino) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let by_thread = self.lock();
        let found = by_thread.get(&thread).and_then(|turn| turn.looked_up.as_ref());
        found.is_some_and(|found| found.ino == ino && found.at.elapsed() < FRESH)
    }

    fn remove(&self, thread: u32) -> Option<Turn> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut by_thread = self.lock();
        let turn = by_thread.remove(&thread);
        self.count.store(by_thread.len(), Ordering::Release);
        turn
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Turn>> {
        self.by_thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::RowId;
    use crate::slot::Name;

    fn place() -> Place {
        Place { row: RowId(1), field: Name::parse("avatar").expect("a name") }
    }

    #[test]
    fn a_thread_is_turned_away_once_and_only_with_a_lookup_since() {
        let turned = Turned::default();
        assert_eq!(turned.take(7), None);
        turned.note(7);
        assert_eq!(turned.take(7), None, "it has not looked again");
        turned.note(7);
        turned.looked_up(7, &place(), Ino(100));
        assert_eq!(turned.take(8), None);
        assert_eq!(turned.take(7), Some(place()));
        assert_eq!(turned.take(7), None, "asked once");
    }

    #[test]
    fn only_the_inode_that_was_looked_up_is_fresh() {
        let turned = Turned::default();
        turned.note(7);
        turned.looked_up(7, &place(), Ino(100));
        assert!(!turned.is_fresh(7, Ino(101)));
        assert!(turned.take(7).is_some());
        turned.looked_up(7, &place(), Ino(100));
        assert!(!turned.is_fresh(7, Ino(100)), "nobody turned it away");
    }
}
