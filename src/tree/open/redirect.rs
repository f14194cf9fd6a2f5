//! Redirections by `ESTALE`: an operation on an outdated inode is repeated on the right one. For each thread, the inode that was
//! answered so.
//!
//! After `ESTALE` the kernel resolves the path once more, by up to two lookups of the same thread, and repeats the operation on
//! the inode that they return; a second `ESTALE` would reach the program. So a thread that has looked up again is served on the
//! inode that it found, even if that has lost its name since, or is not the draft that it needs. (The first `ESTALE` may answer a
//! permission check, which asks for attributes and says nothing of a writer.) A second `open` of the same inode without a lookup
//! between is a reopen through `/proc/self/fd`, which has no path.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use crate::tree::node::Ino;
use words::place::Place;

/// The most threads that are redirected at a time. Beyond that the oldest redirection is forgotten.
const MAX: usize = 65_536;
/// The longest time from the `ESTALE` to the lookup.
const SPAN_SECS: u64 = 2;
/// The longest time from the lookup's answer to the repeated `open` of a writer, which is then served by handle.
const GRACE: Duration = Duration::from_millis(200);
/// How long a looked-up inode counts as current though it was replaced: less than another process takes to commit and say so.
const FRESH: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub struct Redirects {
    /// Guards the redirections by thread. Never held across I/O.
    by_thread: Mutex<BoundedMap<u32, Redirect, MAX, SPAN_SECS>>,
    /// The number of redirections: while it is 0 a lookup takes no lock.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Redirect {
    ino: Ino,
    seeks: Seeks,
    answered: Option<Answer>,
}

/// The answer to the thread's lookup.
#[derive(Debug)]
struct Answer {
    ino: Ino,
    place: Place,
    at: Instant,
}

/// The inode that a redirected thread needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeks {
    /// The inode that the path leads to now.
    Successor,
    /// The thread's own draft of the slot that the path leads to.
    Draft,
    /// The inode of the name that the path uses.
    Name,
}

/// The answer to an operation on the wrong inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `ESTALE`: the kernel looks the path up again.
    LookAgain,
    /// The thread has looked up again: serve it on this inode, which was the right one then.
    Serve,
    /// The thread will not look up again: serve it on this inode, with its draft by handle. Has the slot of its lookup, if any.
    Reopen(Option<Place>),
}

impl Redirects {
    /// Redirects a thread whose operation on `ino` needs another inode. Returns the answer to the operation.
    pub fn begin(&self, thread: u32, ino: Ino, seeks: Seeks) -> Step {
        let mut by_thread = self.by_thread.lock();
        by_thread.expire(Instant::now());
        let earlier = by_thread.get(&thread);
        let is_repeated = earlier.is_some_and(|earlier| earlier.is_followed_by(ino, seeks));
        let step = match seeks {
            // The kernel asks for attributes before it opens: the redirection must stay for the open.
            Seeks::Successor if is_repeated => Step::Serve,
            Seeks::Draft | Seeks::Name if is_repeated => {
                let answered = by_thread.remove(&thread).and_then(|earlier| earlier.answered);
                Step::Reopen(answered.map(|answer| answer.place))
            }
            _ => {
                by_thread.insert(thread, Redirect { ino, seeks, answered: None });
                Step::LookAgain
            }
        };
        self.count.store(by_thread.len(), Ordering::Release);
        step
    }

    /// The inode that a thread needs which looks a field up. No path leads through a field, so the first one that a thread looks
    /// up after the `ESTALE` is the one that it wants.
    pub fn sought(&self, thread: u32) -> Option<Seeks> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.by_thread.lock().get(&thread).map(|redirect| redirect.seeks)
    }

    /// Notes the answer to a thread's lookup of a field.
    pub fn answered(&self, thread: u32, place: &Place, ino: Ino) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(redirect) = self.by_thread.lock().get_mut(&thread) {
            redirect.answered = Some(Answer { ino, place: place.clone(), at: Instant::now() });
        }
    }

    /// The operation has reached the right inode.
    pub fn end(&self, thread: u32) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut by_thread = self.by_thread.lock();
        by_thread.remove(&thread);
        self.count.store(by_thread.len(), Ordering::Release);
    }
}

impl Redirect {
    /// Whether an operation on this inode repeats the one that was turned away.
    fn is_followed_by(&self, ino: Ino, seeks: Seeks) -> bool {
        match (&self.answered, seeks) {
            (Some(answer), Seeks::Successor) => answer.ino == ino && answer.at.elapsed() < FRESH,
            (Some(answer), Seeks::Draft | Seeks::Name) => {
                answer.ino == ino && answer.at.elapsed() < GRACE
            }
            // Without a lookup between the operations there is no path.
            (None, Seeks::Draft | Seeks::Name) => self.ino == ino && self.seeks == seeks,
            (None, Seeks::Successor) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::RowId;
    use words::slot::Name;

    fn place() -> Place {
        Place::one(RowId(1), Name::parse("avatar").expect("a name"))
    }

    #[test]
    fn a_thread_is_redirected_from_its_open_to_its_next_open() {
        let redirects = Redirects::default();
        assert_eq!(redirects.sought(7), None);
        assert_eq!(redirects.begin(7, Ino(100), Seeks::Draft), Step::LookAgain);
        assert_eq!(redirects.sought(7), Some(Seeks::Draft));
        redirects.answered(7, &place(), Ino(200));
        assert_eq!(redirects.sought(7), Some(Seeks::Draft));
        assert_eq!(redirects.sought(8), None);
        redirects.end(7);
        assert_eq!(redirects.sought(7), None);
    }

    #[test]
    fn a_second_open_without_a_lookup_is_a_reopen() {
        let redirects = Redirects::default();
        assert_eq!(redirects.begin(7, Ino(100), Seeks::Draft), Step::LookAgain);
        assert_eq!(redirects.begin(7, Ino(100), Seeks::Draft), Step::Reopen(None));
        assert_eq!(redirects.begin(7, Ino(100), Seeks::Draft), Step::LookAgain);
    }

    #[test]
    fn a_thread_that_has_looked_again_is_not_turned_away_from_what_it_found() {
        let redirects = Redirects::default();
        let reopen = Step::Reopen(Some(place()));
        for (seeks, step) in [(Seeks::Successor, Step::Serve), (Seeks::Draft, reopen)] {
            assert_eq!(redirects.begin(7, Ino(100), Seeks::Successor), Step::LookAgain);
            redirects.answered(7, &place(), Ino(101));
            assert_eq!(redirects.begin(7, Ino(101), seeks), step);
        }
        assert_eq!(redirects.begin(7, Ino(100), Seeks::Successor), Step::LookAgain);
        redirects.answered(7, &place(), Ino(101));
        assert_eq!(redirects.begin(7, Ino(102), Seeks::Successor), Step::LookAgain);
    }

    /// The kernel looks up again only once. It once asked for the attributes of the found inode, which was replaced by then, and
    /// the open that followed was the second `ESTALE`.
    #[test]
    fn what_a_thread_was_shown_it_may_open() {
        let redirects = Redirects::default();
        for (seeks, step) in
            [(Seeks::Successor, Step::Serve), (Seeks::Draft, Step::Reopen(Some(place())))]
        {
            assert_eq!(redirects.begin(7, Ino(100), Seeks::Successor), Step::LookAgain);
            redirects.answered(7, &place(), Ino(101));
            assert_eq!(redirects.begin(7, Ino(101), Seeks::Successor), Step::Serve);
            assert_eq!(redirects.begin(7, Ino(101), seeks), step);
        }
    }
}
