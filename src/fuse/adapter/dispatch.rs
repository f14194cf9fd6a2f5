//! The dispatcher: runs the work of a request in the thread that took it or in a pool, and answers it whatever happens.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{io, thread};

use fuser::Errno;

use crate::fence::chain;
use crate::fuse::adapter::answer::Answer;
use crate::fuse::adapter::given_up::{Slot, Watch};
use crate::fuse::busy_poll::BusyPoll;
use crate::fuse::errno::errno;
use crate::fuse::pool::{Pool, Size, message_of};
use crate::session_thread;
use crate::tree::activity::{Operation, Queue};
use crate::tree::ops::cost::Work;
use crate::tree::{Caller, Error, Result, Tree};

/// The publish pool. Its threads wait for the disk and for workers rather than for a core, and commits that wait at one time share
/// one sync. When too many wait the request fails with EAGAIN, unless it closes a file: each open file has one of those at a time
/// in each thread of its programs.
const PUBLISH: Size =
    Size { threads: 16, spare: 4, nice: 0, waiting: 4_096, waiting_in_all: 16_384 };
/// The pool of long work, for requests that would hold a thread of the session too long. When too many wait: EAGAIN. A write that
/// waits keeps its bytes, at most 1 MiB.
const LONG: Size = Size { threads: 6, spare: 2, nice: 5, waiting: 256, waiting_in_all: 1_024 };
/// The render pool, but for its threads, of which a user may have one a core. When too many wait a lookup fails with EAGAIN
/// (CONTRACT 4).
const RENDER: Size = Size { threads: 0, spare: 1, nice: 0, waiting: 256, waiting_in_all: 1_024 };
/// The download pool, whose threads wait for servers rather than for a core. When too many wait: EAGAIN.
const DOWNLOAD: Size = Size { threads: 4, spare: 1, nice: 0, waiting: 32, waiting_in_all: 128 };
/// Bounds of the threads that render for one user.
const MIN_THREADS: usize = 2;
const MAX_THREADS: usize = 16;

/// How many requests of a user may render at a time.
pub fn pool_threads() -> usize {
    let cores = thread::available_parallelism().map_or(MIN_THREADS, usize::from);
    cores.clamp(MIN_THREADS, MAX_THREADS)
}

/// The tree and the threads that work on it.
pub struct Dispatcher {
    pub tree: Arc<Tree>,
    /// Used after the answers that a client which reads many files waits for. Writers wait for the disk anyway.
    pub busy_poll: BusyPoll,
    /// How many threads of the session wait for the disk at this moment.
    in_place: AtomicUsize,
    watch: Watch,
    publishers: Pool,
    long: Pool,
    renderers: Pool,
    downloaders: Pool,
}

impl Dispatcher {
    pub fn new(tree: Arc<Tree>, busy_poll: BusyPoll) -> io::Result<Self> {
        Ok(Self {
            tree,
            busy_poll,
            in_place: AtomicUsize::new(0),
            watch: Watch::start()?,
            publishers: Pool::start("publish", PUBLISH)?,
            long: Pool::start("long", LONG)?,
            renderers: Pool::start("render", Size { threads: pool_threads(), ..RENDER })?,
            downloaders: Pool::start("download", DOWNLOAD)?,
        })
    }

    /// Runs the work in this thread, or in the pool of long work if it must leave the session.
    pub fn brief<T, A: Answer<T>>(
        &self,
        (operation, who): (Operation, Caller),
        reply: A,
        work: impl Fn(&Tree) -> Result<T> + Send + 'static,
    ) {
        let timed = Timed::start(operation);
        match timed.run_in_session(&self.tree, &work) {
            Some(outcome) => reply.answer(outcome),
            None => self.queue(Queue::Long, (timed, who), reply, work),
        }
    }

    /// Runs the work in this thread if no other thread of the session waits for the disk: a change of threads costs more than it
    /// saves. Otherwise uses the publish pool, so that the threads of the session stay free for other requests.
    pub fn small<T, A: Answer<T>>(
        &self,
        (operation, who): (Operation, Caller),
        reply: A,
        work: impl Fn(&Tree) -> Result<T> + Send + 'static,
    ) {
        let timed = Timed::start(operation);
        let is_alone = self.in_place.fetch_add(1, Ordering::AcqRel) == 0;
        let outcome = if is_alone { timed.run_in_session(&self.tree, &work) } else { None };
        self.in_place.fetch_sub(1, Ordering::AcqRel);
        match outcome {
            Some(outcome) => reply.answer(outcome),
            None => self.queue(Queue::Publish, (timed, who), reply, work),
        }
    }

    /// Runs the work in the pool of this queue. When too many wait it answers EAGAIN.
    pub fn pooled<T, A: Answer<T>>(
        &self,
        queue: Queue,
        (operation, who): (Operation, Caller),
        reply: A,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) {
        self.queue(queue, (Timed::start(operation), who), reply, work);
    }

    /// Runs the work where its size asks for. `queue_full` runs instead of a download that no thread takes up in time.
    pub fn sized<T, A: Answer<T>>(
        &self,
        (operation, who): (Operation, Caller),
        reply: A,
        size: impl FnOnce(&Tree) -> Work,
        work: impl Fn(&Tree) -> Result<T> + Send + 'static,
        queue_full: impl Fn(&Tree) -> Result<T> + Clone + Send + 'static,
    ) {
        match caught(operation, || Ok(size(&self.tree))) {
            Ok(Work::Trifle) => {
                self.brief((operation, who), reply, work);
                self.busy_poll.wait();
            }
            Ok(Work::Small) => self.small((operation, who), reply, work),
            Ok(Work::Large) => self.pooled(Queue::Publish, (operation, who), reply, work),
            Ok(Work::Download { patience }) => {
                let timed = Timed::start(operation);
                // Whatever waits for a download changes something.
                let queue_full = move |tree: &Tree| {
                    let outcome = queue_full(tree);
                    outcome.inspect_err(|error| tree.explain_outside(who, None, error))
                };
                let (in_time, late) = (move || timed.at.elapsed() <= patience, queue_full.clone());
                let work = move |tree: &Tree| if in_time() { work(tree) } else { late(tree) };
                if let Some(reply) = self.offer(Queue::Download, (timed, who), reply, work) {
                    reply.answer(timed.run(&self.tree, queue_full));
                }
            }
            Err(errno) => reply.refuse(errno),
        }
    }

    fn queue<T, A: Answer<T>>(
        &self,
        queue: Queue,
        (timed, who): (Timed, Caller),
        reply: A,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) {
        if let Some(reply) = self.offer(queue, (timed, who), reply, work) {
            if timed.operation.changes() || matches!(timed.operation, Operation::Fsync) {
                self.tree.explain_outside(who, None, &Error::TooBusy);
            }
            reply.refuse(refuse(timed.operation, &Error::TooBusy));
        }
    }

    /// Runs the work in the pool of this queue, or returns the reply if too many wait.
    fn offer<T, A: Answer<T>>(
        &self,
        queue: Queue,
        (timed, who): (Timed, Caller),
        reply: A,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) -> Option<A> {
        let waiting = Waiting::enter(&self.tree, queue);
        let slot = Slot::new(reply);
        let (mine, watched) = (slot.clone(), self.watch.over(timed.operation, who.tid, &slot));
        let job = Box::new(move || {
            let tree = waiting.leave();
            // Whoever asked was killed meanwhile. A close that is not begun is left to the release.
            if mine.is_empty() {
                return;
            }
            let outcome = timed.run(&tree, work);
            drop(watched);
            if let Some(reply) = mine.take() {
                reply.answer(outcome);
            }
        });
        let pool = match queue {
            Queue::Publish => &self.publishers,
            Queue::Long => &self.long,
            Queue::Render => &self.renderers,
            Queue::Download => &self.downloaders,
        };
        if matches!(
            (queue, timed.operation),
            (Queue::Publish, Operation::Flush | Operation::Release)
        ) {
            pool.push(who.uid, job);
        } else if pool.offer(who.uid, job).is_err() {
            return slot.take();
        }
        None
    }
}

/// The answer of a full queue: the client may try again.
pub fn queue_full<T>(_: &Tree) -> Result<T> {
    Err(Error::TooBusy)
}

/// A request in progress. Its outcome and its duration are counted when it is answered.
#[derive(Debug, Clone, Copy)]
pub struct Timed {
    operation: Operation,
    at: Instant,
}

impl Timed {
    pub fn start(operation: Operation) -> Self {
        Self { operation, at: Instant::now() }
    }

    /// Counts a request that no part of the tree answers.
    pub fn count(self, tree: &Tree) {
        tree.activity.note(self.operation, self.at.elapsed(), false);
    }

    /// Runs the work as a thread of the session does. None, and nothing is counted, if it must run elsewhere.
    pub fn run_in_session<T>(
        self,
        tree: &Tree,
        work: impl FnOnce(&Tree) -> Result<T>,
    ) -> Option<std::result::Result<T, Errno>> {
        let work = || match tree.behind_the_fence(self.operation, work) {
            Err(Error::Elsewhere(_)) => Ok(None),
            done => done.map(Some),
        };
        let outcome = session_thread::within(|| caught(self.operation, work)).transpose()?;
        tree.activity.note(self.operation, self.at.elapsed(), outcome.is_err());
        Some(outcome)
    }

    /// Runs the work. Turns an error or a panic into an errno.
    pub fn run<T>(
        self,
        tree: &Tree,
        work: impl FnOnce(&Tree) -> Result<T>,
    ) -> std::result::Result<T, Errno> {
        let outcome = caught(self.operation, || tree.behind_the_fence(self.operation, work));
        let (took, failed) = (self.at.elapsed(), outcome.is_err());
        tree.activity.note(self.operation, took, failed);
        tracing::trace!(operation = self.operation.name(), ?took, failed, "an operation has ended");
        outcome
    }
}

/// A place in a queue, given up when the work begins or when the queue is full.
struct Waiting {
    tree: Arc<Tree>,
    queue: Queue,
}

impl Waiting {
    fn enter(tree: &Arc<Tree>, queue: Queue) -> Self {
        tree.activity.enter(queue);
        Self { tree: Arc::clone(tree), queue }
    }

    fn leave(self) -> Arc<Tree> {
        Arc::clone(&self.tree)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.tree.activity.leave(self.queue);
    }
}

fn caught<T>(
    operation: Operation,
    work: impl FnOnce() -> Result<T>,
) -> std::result::Result<T, Errno> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(|error| refuse(operation, &error)),
        Err(panic) => {
            let operation = operation.name();
            tracing::error!(operation, panic = message_of(panic.as_ref()), "an operation panicked");
            Err(Errno::EIO)
        }
    }
}

/// Logs an error and returns its errno. Failures, which only an operator can mend, are logged as errors, refusals for debugging,
/// and misses, which programs expect, as steps.
pub fn refuse(operation: Operation, error: &Error) -> Errno {
    let name = operation.name();
    match error {
        Error::Failed(_) => {
            tracing::error!(operation = name, error = chain(error), "an operation failed");
        }
        Error::NotFound | Error::NoAttribute | Error::Stale => {
            tracing::trace!(operation = name, %error, "an operation found nothing");
        }
        _ => tracing::debug!(operation = name, %error, "an operation was refused"),
    }
    errno(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_panics_answers_eio() {
        let outcome: std::result::Result<(), Errno> =
            caught(Operation::Open, || panic!("on purpose"));
        assert_eq!(outcome.map_err(Errno::code), Err(Errno::EIO.code()));
        let refused: std::result::Result<(), Errno> = caught(Operation::Open, || Err(Error::Stale));
        assert_eq!(refused.map_err(Errno::code), Err(Errno::ESTALE.code()));
        assert_eq!(caught(Operation::Open, || Ok(3)).map_err(Errno::code), Ok(3));
    }

    #[test]
    fn a_failure_is_logged_with_its_chain_of_causes() {
        let cause = crate::blob::Error::Space(io::Error::other("disk gone"));
        let error = Error::Failed(Box::new(cause));
        assert_eq!(
            chain(&error),
            "a store or the catalogue failed: the store's space cannot be read: disk gone"
        );
    }
}
