//! The dispatcher: runs the work of a request in the thread that took it or in a pool, and answers it whatever happens.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{io, thread};

use fuser::Errno;

use crate::fence::chain;
use crate::fuse::adapter::answer::Answer;
use crate::fuse::busy_poll::BusyPoll;
use crate::fuse::errno::errno;
use crate::fuse::pool::{Pool, message_of};
use crate::tree::activity::{Operation, Queue};
use crate::tree::ops::cost::Work;
use crate::tree::{Error, Result, Tree};

/// The queue of the publish pool. When it is full a thread of the session publishes by itself, and new requests wait.
const PUBLICATIONS_WAITING: usize = 64;
/// The queue of the render pool. When it is full a lookup fails with EAGAIN (CONTRACT 4).
const RENDERS_WAITING: usize = 256;
/// Threads of the download pool, which wait for servers rather than for a core, and its queue. When it is full: EAGAIN.
const DOWNLOADS: usize = 4;
const DOWNLOADS_WAITING: usize = 32;
/// Threads of the publish pool. They wait for the disk and for workers rather than for a core, and commits that wait at one
/// time share one sync.
const PUBLISHERS: usize = 16;
/// Bounds of the render pool, which has a thread a core.
const MIN_THREADS: usize = 2;
const MAX_THREADS: usize = 16;

/// How many requests may render at a time.
pub fn pool_threads() -> usize {
    let cores = thread::available_parallelism().map_or(MIN_THREADS, usize::from);
    cores.clamp(MIN_THREADS, MAX_THREADS)
}

/// The tree and the threads that work on it.
pub struct Dispatcher {
    pub tree: Arc<Tree>,
    /// Used after the answers that a client which reads many files waits for. Writers wait for the disk anyway.
    pub busy_poll: BusyPoll,
    /// How many threads of the session publish at this moment.
    in_place: AtomicUsize,
    publishers: Pool,
    renderers: Pool,
    downloaders: Pool,
}

impl Dispatcher {
    pub fn new(tree: Arc<Tree>, busy_poll: BusyPoll) -> io::Result<Self> {
        Ok(Self {
            tree,
            busy_poll,
            in_place: AtomicUsize::new(0),
            publishers: Pool::start("publish", PUBLISHERS, PUBLICATIONS_WAITING)?,
            renderers: Pool::start("render", pool_threads(), RENDERS_WAITING)?,
            downloaders: Pool::start("download", DOWNLOADS, DOWNLOADS_WAITING)?,
        })
    }

    /// Runs the work in this thread.
    pub fn inline<T>(
        &self,
        operation: Operation,
        reply: impl Answer<T>,
        work: impl FnOnce(&Tree) -> Result<T>,
    ) {
        reply.answer(Timed::start(operation).run(&self.tree, work));
    }

    /// Runs the work in the publish pool, or in this thread when the queue is full: a full queue never refuses a write.
    pub fn publish<T>(
        &self,
        operation: Operation,
        reply: impl Answer<T>,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) {
        let (timed, waiting) =
            (Timed::start(operation), Waiting::enter(&self.tree, Queue::Publish));
        let job = Box::new(move || {
            let tree = waiting.leave();
            reply.answer(timed.run(&tree, work));
        });
        if let Err(job) = self.publishers.offer(job) {
            job();
        }
    }

    /// Runs the work in this thread if no other thread of the session publishes: a change of threads costs more than it saves.
    /// Otherwise uses the pool, so that the threads of the session stay free for other requests.
    fn small<T>(
        &self,
        operation: Operation,
        reply: impl Answer<T>,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) {
        if self.in_place.fetch_add(1, Ordering::AcqRel) == 0 {
            self.inline(operation, reply, work);
        } else {
            self.publish(operation, reply, work);
        }
        self.in_place.fetch_sub(1, Ordering::AcqRel);
    }

    /// Runs the work where its size asks for. `queue_full` runs instead of a download that no thread takes up in time.
    pub fn sized<T, A: Answer<T>>(
        &self,
        operation: Operation,
        reply: A,
        size: impl FnOnce(&Tree) -> Work,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
        queue_full: impl Fn(&Tree) -> Result<T> + Clone + Send + 'static,
    ) {
        match caught(operation, || Ok(size(&self.tree))) {
            Ok(Work::Trifle) => {
                self.inline(operation, reply, work);
                self.busy_poll.wait();
            }
            Ok(Work::Small) => self.small(operation, reply, work),
            Ok(Work::Large) => self.publish(operation, reply, work),
            Ok(Work::Download { patience }) => {
                let asked = Instant::now();
                let (in_time, late) = (move || asked.elapsed() <= patience, queue_full.clone());
                let work = move |tree: &Tree| if in_time() { work(tree) } else { late(tree) };
                if let Some(reply) = self.offer(Queue::Download, operation, reply, work) {
                    self.inline(operation, reply, queue_full);
                }
            }
            Err(errno) => reply.refuse(errno),
        }
    }

    /// Runs the work in the render pool, or answers EAGAIN when its queue is full.
    pub fn render<T, A: Answer<T>>(
        &self,
        operation: Operation,
        reply: A,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) {
        if let Some(reply) = self.offer(Queue::Render, operation, reply, work) {
            reply.refuse(refuse(operation, &Error::TooBusy));
        }
    }

    /// Runs the work in the pool of this queue, or returns the reply if the queue is full.
    fn offer<T, A: Answer<T>>(
        &self,
        queue: Queue,
        operation: Operation,
        reply: A,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) -> Option<A> {
        // The reply must outlive a job that the pool hands back.
        let (send, receive) = std::sync::mpsc::sync_channel::<A>(1);
        let (timed, waiting) = (Timed::start(operation), Waiting::enter(&self.tree, queue));
        let job = Box::new(move || {
            let tree = waiting.leave();
            if let Ok(reply) = receive.recv() {
                reply.answer(timed.run(&tree, work));
            }
        });
        let pool = match queue {
            Queue::Publish => &self.publishers,
            Queue::Render => &self.renderers,
            Queue::Download => &self.downloaders,
        };
        if pool.offer(job).is_err() {
            return Some(reply);
        }
        // If the receiver is gone the reply is dropped, which answers EIO.
        drop(send.send(reply));
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
