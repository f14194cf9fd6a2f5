//! Requests that their callers have given up: a watch answers EINTR to a caller that was killed while its job waits or runs.
//!
//! The kernel would send `FUSE_INTERRUPT`, but fuser answers that with ENOSYS, and a killed program then waits for its answer in a
//! sleep that nothing ends. So the watch looks at the caller itself. It cannot meet another thread with the same number: the
//! caller's thread cannot end before it is answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use fuser::Errno;
use parking_lot::{Condvar, Mutex};

use crate::fuse::adapter::answer::Answer;
use crate::tree::activity::Operation;

/// How long a request goes unwatched, and the time between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// The bit of SIGKILL in a thread's set of pending signals (proc(5)). The kernel adds it to each thread of a process that a signal
/// ends.
const KILLED: u64 = 1 << 8;

/// A reply that the job or the watch takes, whichever is first.
pub struct Slot<A>(Arc<Mutex<Option<A>>>);

impl<A> Slot<A> {
    pub fn new(reply: A) -> Self {
        // Guards the reply. Held only to take it.
        Self(Arc::new(Mutex::new(Some(reply))))
    }

    pub fn take(&self) -> Option<A> {
        self.0.lock().take()
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().is_none()
    }
}

impl<A> Clone for Slot<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

type Refuse = Box<dyn Fn() + Send>;

/// The requests in pools whose callers may give up. Each is in a pool, whose limit is theirs too.
pub struct Watch(Arc<Watched>);

#[derive(Default)]
struct Watched {
    /// Guards the requests that are watched. Never held while one is answered.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    last: u64,
    requests: HashMap<u64, Request>,
    is_over: bool,
}

struct Request {
    tid: u32,
    since: Instant,
    refuse: Refuse,
}

/// Ends the watch over a request when it is dropped.
pub struct Guard {
    number: u64,
    watched: Arc<Watched>,
}

impl Watch {
    pub fn start() -> io::Result<Self> {
        let watched = Arc::<Watched>::default();
        let mine = Arc::clone(&watched);
        thread::Builder::new().name("given-up".into()).spawn(move || mine.look())?;
        Ok(Self(watched))
    }

    /// Watches the caller of a request until the guard is dropped. None if the operation must be waited for.
    pub fn over<T, A: Answer<T>>(
        &self,
        operation: Operation,
        tid: u32,
        slot: &Slot<A>,
    ) -> Option<Guard> {
        // Without a number the caller is in another pid namespace.
        if tid == 0 || !may_be_given_up(operation) {
            return None;
        }
        let slot = slot.clone();
        let refuse = Box::new(move || {
            if let Some(reply) = slot.take() {
                reply.refuse(Errno::EINTR);
            }
        });
        let mut state = self.0.state.lock();
        state.last += 1;
        let number = state.last;
        state.requests.insert(number, Request { tid, since: Instant::now(), refuse });
        if state.requests.len() == 1 {
            self.0.changed.notify_one();
        }
        Some(Guard { number, watched: Arc::clone(&self.0) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_one();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.watched.state.lock().requests.remove(&self.number);
    }
}

impl Watched {
    fn look(&self) {
        let mut state = self.state.lock();
        while !state.is_over {
            if state.requests.is_empty() {
                self.changed.wait(&mut state);
                continue;
            }
            self.changed.wait_for(&mut state, LOOK);
            let old = state.requests.iter().filter(|(_, it)| it.since.elapsed() >= LOOK);
            let old: Vec<_> = old.map(|(number, it)| (*number, it.tid)).collect();
            let killed = parking_lot::MutexGuard::unlocked(&mut state, || {
                let is_killed = |(number, tid): (u64, u32)| is_killed(tid).then_some(number);
                old.into_iter().filter_map(is_killed).collect::<Vec<_>>()
            });
            let killed: Vec<_> =
                killed.iter().filter_map(|number| state.requests.remove(number)).collect();
            parking_lot::MutexGuard::unlocked(&mut state, || {
                for request in &killed {
                    (request.refuse)();
                }
            });
        }
    }
}

/// Whether a caller that was killed need not learn the outcome. Of a change of names it must: the kernel follows such a change only
/// if it succeeds, and would show the old names otherwise. Only the answer to an open gives its handle back. Bytes of a draft are
/// its writer's alone, and a close that was given up is judged all the same.
fn may_be_given_up(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::CopyFileRange
            | Operation::Fallocate
            | Operation::Flush
            | Operation::Fsync
            | Operation::Getattr
            | Operation::Getxattr
            | Operation::Listxattr
            | Operation::Lookup
            | Operation::Render
            | Operation::Write
    )
}

/// Whether a thread is about to end by a signal, or is gone. One that ends already has lost the bit: what its end closes is waited for,
/// so that a program's file is there once its process is gone.
fn is_killed(tid: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{tid}/status")) else { return true };
    let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:"));
    let pending = u64::from_str_radix(pending.unwrap_or_default().trim(), 16);
    pending.is_ok_and(|pending| pending & KILLED != 0)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Told(Sender<i32>);

    impl Answer<()> for Told {
        fn accept(self, (): ()) {
            let _ = self.0.send(0);
        }
        fn refuse(self, errno: Errno) {
            let _ = self.0.send(errno.code());
        }
    }

    #[test]
    fn a_caller_that_is_gone_is_answered_once_and_others_are_not() {
        let watch = Watch::start().expect("a thread");
        let (told, was_told) = channel();
        let slot = Slot::new(Told(told.clone()));
        // Numbers of threads end below this (pid_max(5)).
        let guard = watch.over(Operation::Getattr, 1 << 30, &slot);
        assert!(guard.is_some());
        assert_eq!(was_told.recv(), Ok(Errno::EINTR.code()));
        assert!(slot.take().is_none());
        let alive = Slot::new(Told(told));
        let guards = (
            watch.over(Operation::Getattr, std::process::id(), &alive),
            watch.over(Operation::Rename, 1 << 30, &alive),
        );
        assert!(guards.0.is_some() && guards.1.is_none());
        assert!(was_told.recv_timeout(3 * LOOK).is_err());
        assert!(!alive.is_empty());
    }
}
