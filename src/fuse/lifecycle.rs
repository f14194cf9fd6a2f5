//! The lifecycle of a session: its phase, for every thread that waits for the next one.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::event::{EventfdFlags, eventfd};

use crate::fuse::error::Error;

/// The phases of a session, in their order.
pub enum Phase {
    Serving,
    /// The tree has no name any more: no file can be opened, and open files go on.
    Detached,
    Ended(io::Result<()>),
}

/// The phase, shared by all threads of a session.
pub struct Lifecycle {
    /// Guards the phase alone. Held for a look or an assignment.
    phase: Mutex<Phase>,
    changed: Condvar,
    /// Polls as readable once the session has ended.
    pub end: OwnedFd,
}

impl Lifecycle {
    pub fn new() -> Result<Self, Error> {
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Error::Session(error.into()))?;
        Ok(Self { phase: Mutex::new(Phase::Serving), changed: Condvar::new(), end })
    }

    pub fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock()
    }

    pub fn has_ended(&self) -> bool {
        matches!(*self.phase(), Phase::Ended(_))
    }

    /// Notes an unmount. A session that has ended stays ended.
    pub fn detached(&self) {
        let mut phase = self.phase();
        if matches!(*phase, Phase::Serving) {
            *phase = Phase::Detached;
            self.changed.notify_all();
        }
    }

    pub fn ended(&self, outcome: io::Result<()>) {
        *self.phase() = Phase::Ended(outcome);
        self.changed.notify_all();
        if let Err(error) = rustix::io::write(&self.end, &1_u64.to_ne_bytes()) {
            tracing::debug!(%error, "the housekeeper was not told of the end");
        }
    }

    /// Waits while `pending` holds of the phase, for `limit` at most.
    pub fn wait_while(&self, pending: impl Fn(&Phase) -> bool, limit: Option<Duration>) {
        let mut phase = self.phase();
        match limit.and_then(|limit| Instant::now().checked_add(limit)) {
            Some(end) => {
                self.changed.wait_while_until(&mut phase, |phase| pending(phase), end);
            }
            None => self.changed.wait_while(&mut phase, |phase| pending(phase)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn an_unmount_wakes_whoever_waits_and_an_end_is_not_undone_by_it() {
        let lifecycle = Arc::new(Lifecycle::new().expect("an eventfd"));
        let waiting = Arc::clone(&lifecycle);
        let waiter = thread::spawn(move || {
            waiting.wait_while(|phase| matches!(phase, Phase::Serving), None);
        });
        lifecycle.detached();
        waiter.join().expect("woken");
        assert!(!lifecycle.has_ended());
        lifecycle.ended(Ok(()));
        lifecycle.detached();
        assert!(lifecycle.has_ended());
    }

    #[test]
    fn the_end_wakes_a_thread_that_polls() {
        let lifecycle = Lifecycle::new().expect("an eventfd");
        lifecycle.ended(Ok(()));
        let mut events = [PollFd::new(&lifecycle.end, PollFlags::IN)];
        assert_eq!(poll(&mut events, None), Ok(1));
    }
}
