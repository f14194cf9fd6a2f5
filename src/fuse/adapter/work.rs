//! Where the work of a request is done, in place or in a pool, and that it is answered whatever happens.
//! Does not know what the work is.

use std::error::Error as _;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{io, thread};

use fuser::Errno;

use crate::fuse::adapter::answer::Answer;
use crate::fuse::errno::errno;
use crate::fuse::pool::{Pool, said_by};
use crate::fuse::vigil::Vigil;
use crate::tree::Tree;
use crate::tree::activity::{Operation, Queue};
use crate::tree::ops::cost::Work;
use crate::tree::{Error, Result};

/// Publications that wait; beyond them a thread of the session publishes by itself, and new requests wait.
const PUBLICATIONS_WAITING: usize = 64;
/// Renders that wait; beyond them a lookup is EAGAIN (CONTRACT 4).
const RENDERS_WAITING: usize = 256;
/// Downloads at a time, and those that wait; beyond them it is EAGAIN. They wait for servers, not for a core.
const DOWNLOADS: usize = 4;
const DOWNLOADS_WAITING: usize = 32;
/// Threads that publish. They wait for the disk and for workers rather than for a core, and commits that wait together share
/// what they wait for.
const PUBLISHERS: usize = 16;
/// Threads that render: as many as there are cores, within these bounds.
const MIN_THREADS: usize = 2;
const MAX_THREADS: usize = 16;

/// How many requests may render at a time.
pub fn pool_threads() -> usize {
    let cores = thread::available_parallelism().map_or(MIN_THREADS, usize::from);
    cores.clamp(MIN_THREADS, MAX_THREADS)
}

/// The tree and the threads that work on it.
pub struct Workshop {
    pub tree: Arc<Tree>,
    /// Kept by the session's threads after answers that whoever reads many files waits for. Writers wait for the disk.
    pub vigil: Vigil,
    /// Small publications that threads of the session make in place.
    in_place: AtomicUsize,
    publish: Pool,
    render: Pool,
    download: Pool,
}

impl Workshop {
    pub fn new(tree: Arc<Tree>, vigil: Vigil) -> io::Result<Self> {
        let threads = pool_threads();
        let publish = Pool::start("publish", PUBLISHERS, PUBLICATIONS_WAITING)?;
        let render = Pool::start("render", threads, RENDERS_WAITING)?;
        let download = Pool::start("download", DOWNLOADS, DOWNLOADS_WAITING)?;
        Ok(Self { tree, vigil, in_place: AtomicUsize::new(0), publish, render, download })
    }

    /// Does it in place.
    pub fn here<T>(
        &self,
        operation: Operation,
        reply: impl Answer<T>,
        work: impl FnOnce(&Tree) -> Result<T>,
    ) {
        reply.answer(Asked::now(operation).attempt(&self.tree, work));
    }

    /// Does it in a thread that publishes; in place when they all have enough to do, for a write is never refused for that.
    pub fn publishing<T>(
        &self,
        operation: Operation,
        reply: impl Answer<T>,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) {
        let (asked, waiting) = (Asked::now(operation), Waiting::enter(&self.tree, Queue::Publish));
        let job = Box::new(move || {
            let tree = waiting.leave();
            reply.answer(asked.attempt(&tree, work));
        });
        if let Err(job) = self.publish.offer(job) {
            job();
        }
    }

    /// Alone it is done in place: a change of threads costs more than it brings. While another waits for the disk in place it
    /// is handed on, so that the threads of the session go on with other requests.
    fn small<T>(
        &self,
        operation: Operation,
        reply: impl Answer<T>,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) {
        if self.in_place.fetch_add(1, Ordering::AcqRel) == 0 {
            self.here(operation, reply, work);
        } else {
            self.publishing(operation, reply, work);
        }
        self.in_place.fetch_sub(1, Ordering::AcqRel);
    }

    /// Small work costs less than handing it to another thread. `crowded` is done instead of a download that finds no room in
    /// time.
    pub fn sized<T, A: Answer<T>>(
        &self,
        operation: Operation,
        reply: A,
        size: impl FnOnce(&Tree) -> Work,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
        crowded: impl Fn(&Tree) -> Result<T> + Clone + Send + 'static,
    ) {
        match guarded(operation, || Ok(size(&self.tree))) {
            Ok(Work::Trifle) => {
                self.here(operation, reply, work);
                self.vigil.keep();
            }
            Ok(Work::Small) => self.small(operation, reply, work),
            Ok(Work::Large) => self.publishing(operation, reply, work),
            Ok(Work::Download { patience }) => {
                let asked = Instant::now();
                let (in_time, late) = (move || asked.elapsed() <= patience, crowded.clone());
                let work = move |tree: &Tree| if in_time() { work(tree) } else { late(tree) };
                if let Some(reply) = self.offer(Queue::Download, operation, reply, work) {
                    self.here(operation, reply, crowded);
                }
            }
            Err(errno) => reply.refuse(errno),
        }
    }

    /// Does it in a thread that renders, or answers EAGAIN when too many wait.
    pub fn rendering<T, A: Answer<T>>(
        &self,
        operation: Operation,
        reply: A,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) {
        if let Some(reply) = self.offer(Queue::Render, operation, reply, work) {
            reply.refuse(refuse(operation, &Error::TooBusy));
        }
    }

    /// Does it in a thread of this queue's pool, or gives the reply back.
    fn offer<T, A: Answer<T>>(
        &self,
        queue: Queue,
        operation: Operation,
        reply: A,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) -> Option<A> {
        // The reply must outlive a job that is handed back unrun.
        let (send, receive) = std::sync::mpsc::sync_channel::<A>(1);
        let (asked, waiting) = (Asked::now(operation), Waiting::enter(&self.tree, queue));
        let job = Box::new(move || {
            let tree = waiting.leave();
            if let Ok(reply) = receive.recv() {
                reply.answer(asked.attempt(&tree, work));
            }
        });
        let pool = match queue {
            Queue::Publish => &self.publish,
            Queue::Render => &self.render,
            Queue::Download => &self.download,
        };
        if pool.offer(job).is_err() {
            return Some(reply);
        }
        // A receiver that is gone drops the reply, which answers EIO.
        drop(send.send(reply));
        None
    }
}

/// For what can be tried again.
pub fn crowded<T>(_: &Tree) -> Result<T> {
    Err(Error::TooBusy)
}

/// A request under way: counted, with the time since it came, when it is answered.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    operation: Operation,
    at: Instant,
}

impl Asked {
    pub fn now(operation: Operation) -> Self {
        Self { operation, at: Instant::now() }
    }

    /// Counts a request that no part of the tree answers.
    pub fn count(self, tree: &Tree) {
        tree.activity().note(self.operation, self.at.elapsed(), false);
    }

    /// Runs the work; its error or its panic becomes an errno.
    pub fn attempt<T>(
        self,
        tree: &Tree,
        work: impl FnOnce(&Tree) -> Result<T>,
    ) -> std::result::Result<T, Errno> {
        let outcome = guarded(self.operation, || tree.behind_the_fence(self.operation, work));
        tree.activity().note(self.operation, self.at.elapsed(), outcome.is_err());
        outcome
    }
}

/// A place in a queue, given up when the work begins, or when it is not taken.
struct Waiting {
    tree: Arc<Tree>,
    queue: Queue,
}

impl Waiting {
    fn enter(tree: &Arc<Tree>, queue: Queue) -> Self {
        tree.activity().enter(queue);
        Self { tree: Arc::clone(tree), queue }
    }

    fn leave(self) -> Arc<Tree> {
        Arc::clone(&self.tree)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.tree.activity().leave(self.queue);
    }
}

fn guarded<T>(
    operation: Operation,
    work: impl FnOnce() -> Result<T>,
) -> std::result::Result<T, Errno> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(|error| refuse(operation, &error)),
        Err(panic) => {
            let operation = operation.name();
            tracing::error!(operation, panic = said_by(panic.as_ref()), "an operation panicked");
            Err(Errno::EIO)
        }
    }
}

/// The errno of an error, after it was logged: what only an operator can mend as an error, the rest for who debugs a program.
pub fn refuse(operation: Operation, error: &Error) -> Errno {
    let name = operation.name();
    if let Error::Failed(_) = error {
        tracing::error!(operation = name, error = chain(error), "an operation failed");
    } else {
        tracing::debug!(operation = name, %error, "an operation was refused");
    }
    errno(error)
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_panics_answers_eio() {
        let outcome: std::result::Result<(), Errno> =
            guarded(Operation::Open, || panic!("on purpose"));
        assert_eq!(outcome.map_err(Errno::code), Err(Errno::EIO.code()));
        let refused: std::result::Result<(), Errno> =
            guarded(Operation::Open, || Err(Error::Stale));
        assert_eq!(refused.map_err(Errno::code), Err(Errno::ESTALE.code()));
        assert_eq!(guarded(Operation::Open, || Ok(3)).map_err(Errno::code), Ok(3));
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
