//! Redirections by `ESTALE`: an operation on an outdated inode is repeated on another one.
//!
//! After `ESTALE` the kernel resolves the path once more, by lookups of the same thread, and repeats the operation on the inode that
//! the last of them returned; a second `ESTALE` would reach the program. So these lookups return an inode of their own, which stands
//! for the place. It is opened as the lookup found the place, whatever has become of that since: the stored file to read, a
//! draft of the opener to write. The kernel keeps no such answer, so that only the walk that made it can use it.
//!
//! A thread is redirected until it comes back with such an inode, or dies. A thread of another pid namespace has the number 0: for
//! these, the places are redirected, and stay so.
//!
//! An operation that comes again without a lookup between has no path (`/proc/self/fd/N`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use crate::tree::node::Ino;
use crate::tree::node::meaning::Spot;
use crate::tree::node::side::Side;
use crate::tree::show::attr::Attr;
use words::link::Link;
use words::place::Place;
use words::slot::Name;

/// The most threads and the most places that are redirected at a time. Beyond that the oldest is forgotten, and may see `ESTALE`.
const MAX_THREADS: usize = 65_536;
const MAX_PLACES: usize = 4_096;
/// The most inodes of places. The kernel opens one at once or never, so the oldest is forgotten beyond that.
const MAX_INODES: usize = 16_384;

#[derive(Debug, Default)]
pub struct Redirects {
    /// Guards the redirections by thread. Never held across I/O.
    threads: Mutex<BoundedMap<u32, Redirect, MAX_THREADS>>,
    /// The number of redirected threads: while it is 0 a lookup takes no lock.
    thread_count: AtomicUsize,
    /// Guards the places on which a thread of another namespace was redirected. Never held across I/O.
    places: Mutex<BoundedMap<Place, (), MAX_PLACES>>,
    /// Guards the places that inodes stand for, by the number of the inode. Never held across I/O.
    inodes: Mutex<BoundedMap<u64, Arc<PlaceInode>, MAX_INODES>>,
}

#[derive(Debug)]
struct Redirect {
    thread: u32,
    ino: Ino,
    seeks: Seeks,
    /// Whether the thread has looked a field up since.
    has_looked: bool,
}

/// A place as a lookup found it.
#[derive(Debug, Clone)]
pub struct PlaceInode {
    pub spot: Spot,
    pub side: Side,
    /// The name that was looked up.
    pub name: Name,
    /// The link of the place, as it is under `/models`; none if a first draft was there.
    pub link: Option<Link>,
    /// The attributes that the lookup answered.
    pub attr: Attr,
    /// Whether no draft was ever open on the inode, so that the kernel has no pages of one.
    pub is_new: bool,
}

/// The inode that a redirected thread needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeks {
    /// The file that the path leads to now.
    Successor,
    /// The process's own draft of the place that the path leads to, if it has one.
    Draft,
}

/// The answer to an operation on the wrong inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `ESTALE`: the kernel looks the path up again.
    LookAgain,
    /// The thread has no path: serve it on this inode.
    Serve,
}

impl Redirects {
    /// Redirects a thread whose operation on `ino` needs another inode. `places`: those that the path may lead to.
    pub fn begin(
        &self,
        thread: u32,
        ino: Ino,
        seeks: Seeks,
        places: impl FnOnce() -> Vec<Place>,
    ) -> Step {
        if thread == 0 {
            let found = places();
            let mut places = self.places.lock();
            for place in found {
                places.insert(place, ());
            }
            return Step::LookAgain;
        }
        let mut threads = self.threads.lock();
        if threads.get(&thread).is_some_and(|earlier| earlier.ino == ino && !earlier.has_looked) {
            return Step::Serve;
        }
        threads.insert(thread, Redirect { thread, ino, seeks, has_looked: false });
        self.thread_count.store(threads.len(), Ordering::Release);
        Step::LookAgain
    }

    /// The inode that a thread needs which looks a field up. No path leads through a field, so the first one that a thread looks
    /// up after the `ESTALE` is the one that it wants.
    pub fn sought(&self, thread: u32, place: &Place) -> Option<Seeks> {
        if thread == 0 {
            return self.places.lock().get(place).map(|()| Seeks::Successor);
        }
        if self.thread_count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut threads = self.threads.lock();
        let redirect = threads.get_mut(&thread)?;
        redirect.has_looked = true;
        Some(redirect.seeks)
    }

    /// Whether a redirected thread has looked a field up again: what it found may have been replaced since.
    pub fn has_looked(&self, thread: u32) -> bool {
        self.thread_count.load(Ordering::Acquire) > 0
            && self.threads.lock().get(&thread).is_some_and(|redirect| redirect.has_looked)
    }

    /// The thread has come back with the right inode.
    pub fn end(&self, thread: u32) {
        if self.thread_count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut threads = self.threads.lock();
        threads.remove(&thread);
        self.thread_count.store(threads.len(), Ordering::Release);
    }

    /// Forgets the threads that have ended.
    pub fn forget_ended(&self, has_ended: impl Fn(u32) -> bool) {
        let threads: Vec<_> = self.threads.lock().values().map(|it| it.thread).collect();
        threads.into_iter().filter(|thread| has_ended(*thread)).for_each(|thread| self.end(thread));
    }

    /// Notes the place that an inode stands for.
    pub fn note(&self, number: u64, found: PlaceInode) -> Arc<PlaceInode> {
        let found = Arc::new(found);
        self.inodes.lock().insert(number, Arc::clone(&found));
        found
    }

    /// The place that an inode stands for, unless it is forgotten.
    pub fn place_inode(&self, number: u64) -> Option<Arc<PlaceInode>> {
        self.inodes.lock().get(&number).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::RowId;

    const A: Ino = Ino(100);
    const B: Ino = Ino(101);

    fn place(name: &str) -> Place {
        Place::one(RowId(1), Name::parse(name).expect("a name"))
    }

    fn begin(redirects: &Redirects, thread: u32, ino: Ino, seeks: Seeks) -> Step {
        redirects.begin(thread, ino, seeks, || vec![place("avatar")])
    }

    #[test]
    fn a_thread_is_redirected_until_it_comes_back() {
        let redirects = Redirects::default();
        assert_eq!(redirects.sought(7, &place("avatar")), None);
        assert_eq!(begin(&redirects, 7, A, Seeks::Draft), Step::LookAgain);
        for _ in 0..3 {
            assert_eq!(redirects.sought(7, &place("avatar")), Some(Seeks::Draft));
            assert!(redirects.has_looked(7) && !redirects.has_looked(8));
        }
        assert_eq!(redirects.sought(8, &place("avatar")), None);
        redirects.end(7);
        assert_eq!(redirects.sought(7, &place("avatar")), None);
    }

    #[test]
    fn an_operation_that_comes_again_without_a_lookup_has_no_path() {
        let redirects = Redirects::default();
        for seeks in [Seeks::Draft, Seeks::Successor] {
            assert_eq!(begin(&redirects, 7, A, seeks), Step::LookAgain);
            assert_eq!(begin(&redirects, 7, A, seeks), Step::Serve);
            assert_eq!(begin(&redirects, 8, A, seeks), Step::LookAgain, "another thread");
            assert_eq!(begin(&redirects, 7, B, seeks), Step::LookAgain, "another inode");
            redirects.sought(7, &place("avatar"));
            assert_eq!(begin(&redirects, 7, B, seeks), Step::LookAgain, "it has looked up");
            redirects.end(7);
            redirects.end(8);
        }
    }

    /// All threads of another pid namespace have the number 0.
    #[test]
    fn a_place_is_redirected_for_threads_without_a_number() {
        let redirects = Redirects::default();
        for _ in 0..2 {
            assert_eq!(begin(&redirects, 0, A, Seeks::Draft), Step::LookAgain);
        }
        redirects.end(0);
        assert_eq!(redirects.sought(0, &place("avatar")), Some(Seeks::Successor));
        assert_eq!(redirects.sought(0, &place("cover")), None);
        assert_eq!(redirects.sought(7, &place("avatar")), None);
    }

    #[test]
    fn a_thread_that_ended_is_forgotten() {
        let redirects = Redirects::default();
        begin(&redirects, 7, A, Seeks::Draft);
        begin(&redirects, 8, A, Seeks::Draft);
        redirects.forget_ended(|thread| thread == 7);
        assert_eq!(redirects.sought(7, &place("avatar")), None);
        assert_eq!(redirects.sought(8, &place("avatar")), Some(Seeks::Draft));
    }
}
