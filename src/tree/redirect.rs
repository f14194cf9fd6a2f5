//! Redirections: how the `open` of a writer reaches its draft although the path leads to an attachment.
//! Does not know slots; it remembers, for each thread, the inode whose `open` was answered with `ESTALE`.
//!
//! The kernel resolves the path again after `ESTALE`, by up to two lookups of the same thread, and opens what they answer. A
//! second `open` of the same inode without a lookup between is a reopen through `/proc/self/fd`, which has no path.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::tree::Ino;

/// How long the kernel may take from the `ESTALE` to the next lookup.
const SPAN: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub struct Redirects {
    /// Guards the redirections by thread. Never held across I/O.
    by_thread: Mutex<HashMap<u32, Redirect>>,
    count: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
struct Redirect {
    ino: Ino,
    since: Instant,
    looked_up: bool,
}

/// What an `open` that cannot be served on its inode should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Answer `ESTALE`: the path will be looked up again.
    LookAgain,
    /// There is no path: serve it on this inode, by handle.
    Reopen,
}

impl Redirects {
    /// An `open` of `ino` by this thread needs another inode.
    pub fn begin(&self, thread: u32, ino: Ino) -> Step {
        let mut by_thread = self.lock();
        let now = Instant::now();
        by_thread.retain(|_, redirect| now.duration_since(redirect.since) < SPAN);
        let earlier = by_thread.insert(thread, Redirect { ino, since: now, looked_up: false });
        let step = match earlier {
            Some(earlier) if earlier.ino == ino && !earlier.looked_up => {
                by_thread.remove(&thread);
                Step::Reopen
            }
            _ => Step::LookAgain,
        };
        self.count.store(by_thread.len(), Ordering::Release);
        step
    }

    /// The inode that this thread was turned away from, if it is looking for another now.
    pub fn sought(&self, thread: u32) -> Option<Ino> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let by_thread = self.lock();
        let redirect = by_thread.get(&thread)?;
        (redirect.since.elapsed() < SPAN).then_some(redirect.ino)
    }

    /// The lookup was answered with the draft.
    pub fn answered(&self, thread: u32) {
        if let Some(redirect) = self.lock().get_mut(&thread) {
            redirect.looked_up = true;
        }
    }

    /// The `open` came.
    pub fn end(&self, thread: u32) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut by_thread = self.lock();
        by_thread.remove(&thread);
        self.count.store(by_thread.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Redirect>> {
        self.by_thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_redirected_from_its_open_to_its_next_open() {
        let redirects = Redirects::default();
        assert_eq!(redirects.sought(7), None);
        assert_eq!(redirects.begin(7, Ino(100)), Step::LookAgain);
        assert_eq!(redirects.sought(7), Some(Ino(100)));
        assert_eq!(redirects.sought(8), None);
        redirects.answered(7);
        redirects.end(7);
        assert_eq!(redirects.sought(7), None);
    }

    #[test]
    fn a_second_open_without_a_lookup_is_a_reopen() {
        let redirects = Redirects::default();
        assert_eq!(redirects.begin(7, Ino(100)), Step::LookAgain);
        assert_eq!(redirects.begin(7, Ino(100)), Step::Reopen);
        assert_eq!(redirects.begin(7, Ino(100)), Step::LookAgain);
        redirects.answered(7);
        assert_eq!(redirects.begin(7, Ino(100)), Step::LookAgain);
    }
}
