//! The pool: a bounded number of worker processes, started when they are needed, and the callers that wait for one.
//! Does not know what the jobs are.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::job::{Job, Outcome};
use crate::worker::process::{Failure, Worker};

/// How many callers may wait for a worker.
pub const WAITING_MAX: usize = 256;

/// How workers are started and what they may cost.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `mediafs` program, started as `<program> worker <memory>`.
    pub program: PathBuf,
    /// The most workers alive at a time; at least one is allowed.
    pub workers: usize,
    /// How long one job may take.
    pub job_timeout: Duration,
    /// Bytes of address space of one worker.
    pub memory: u64,
    /// After so many jobs a worker is replaced.
    pub jobs_per_worker: u32,
}

/// The pool at a moment, and what it did since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Workers alive: idle and busy ones.
    pub live: usize,
    pub busy: usize,
    /// Callers that wait for a worker.
    pub waiting: usize,
    pub spawned: u64,
    /// Workers that died, hung or answered nonsense.
    pub killed: u64,
}

/// Worker processes, shared by threads. Dropping it ends them all.
pub struct Pool {
    settings: Settings,
    /// Guards who works and who waits. Never held while a worker is started, asked, killed or waited for.
    state: Mutex<State>,
    /// Told whenever a seat is given back.
    freed: Condvar,
    spawner: Spawner,
}

#[derive(Default)]
struct State {
    idle: Vec<Worker>,
    /// Seats taken: callers that have, or are getting, a worker.
    seats: usize,
    waiting: usize,
    spawned: u64,
    killed: u64,
}

impl Pool {
    /// Starts no worker yet.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let spawner = Spawner::start(settings.program.clone(), settings.memory)?;
        Ok(Self { settings, state: Mutex::default(), freed: Condvar::new(), spawner })
    }

    /// Has one job done by one worker; waits for it and, before that, for its turn.
    pub fn run(&self, job: &Job, input: &File, output: &File) -> Result<Answer<'_>, Error> {
        let seat = self.sit()?;
        let mut worker = seat.worker()?;
        match worker.work(job, input, output, self.settings.job_timeout) {
            Ok(outcome) => Ok(Answer { outcome, worker, seat }),
            Err(failure) => {
                self.state().killed += 1;
                Err(match failure {
                    Failure::Connection(error) => Error::NoWorker(error),
                    failure => Error::Failed(failure),
                })
            }
        }
    }

    /// Has a worker wait for the first job, so that nobody waits for its start.
    pub fn warm(&self) -> Result<(), Error> {
        let mut seat = self.sit()?;
        seat.kept = Some(seat.worker()?);
        Ok(())
    }

    pub fn status(&self) -> PoolStatus {
        let state = self.state();
        PoolStatus {
            live: state.idle.len() + state.seats,
            busy: state.seats,
            waiting: state.waiting,
            spawned: state.spawned,
            killed: state.killed,
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Waits for one of the bounded number of seats.
    fn sit(&self) -> Result<Seat<'_>, Error> {
        let most = self.settings.workers.max(1);
        let deadline = Instant::now() + self.settings.job_timeout * 2;
        let mut state = self.state();
        if state.seats >= most && state.waiting >= WAITING_MAX {
            return Err(Error::Busy);
        }
        state.waiting += 1;
        while state.seats >= most {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.waiting -= 1;
                return Err(Error::Busy);
            }
            let woken = self.freed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting -= 1;
        state.seats += 1;
        Ok(Seat { pool: self, kept: None })
    }

    /// A thread that panicked with the lock held left counters that are still whole: each change is one statement.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's answer, to be believed or not. Dropped unjudged it ends the worker.
#[must_use]
pub struct Answer<'a> {
    outcome: Outcome,
    // Before the seat: no more workers may live than there are seats.
    worker: Worker,
    seat: Seat<'a>,
}

impl Answer<'_> {
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Gives the worker back to the pool, unless it has done its number of jobs.
    pub fn believe(self) {
        let Self { worker, mut seat, .. } = self;
        if worker.jobs() < seat.pool.settings.jobs_per_worker {
            seat.kept = Some(worker);
        }
    }

    /// Ends the worker: the image may have taken it over.
    pub fn disbelieve(self) {
        self.seat.pool.state().killed += 1;
    }
}

/// The right to use one worker. Given back when dropped, together with a worker that may go on.
struct Seat<'a> {
    pool: &'a Pool,
    kept: Option<Worker>,
}

impl Seat<'_> {
    /// An idle worker, else a new one.
    fn worker(&self) -> Result<Worker, Error> {
        loop {
            // Bound to a name first: in the condition itself the guard would live through the body.
            let idle = self.pool.state().idle.pop();
            let Some(worker) = idle else { return self.fresh() };
            if worker.is_idle() {
                return Ok(worker);
            }
            self.pool.state().killed += 1;
        }
    }

    fn fresh(&self) -> Result<Worker, Error> {
        let mut worker = self.pool.spawner.spawn().map_err(Error::NoWorker)?;
        self.pool.state().spawned += 1;
        worker.greet().map_err(|failure| {
            self.pool.state().killed += 1;
            Error::NoWorker(io::Error::other(failure))
        })?;
        Ok(worker)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.seats -= 1;
        state.idle.extend(self.kept.take());
        drop(state);
        self.pool.freed.notify_one();
    }
}

/// The thread that starts all workers. The kernel sends a worker's death signal when the *thread* that started it ends
/// (prctl(2), `PR_SET_PDEATHSIG`), so the threads that serve requests, which come and go, must not start any.
struct Spawner {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

type Order = SyncSender<io::Result<Worker>>;

impl Spawner {
    fn start(program: PathBuf, memory: u64) -> io::Result<Self> {
        let (orders, received): (Sender<Order>, Receiver<Order>) = channel();
        let thread = thread::Builder::new().name("spawner".into()).spawn(move || {
            for order in received {
                // An order whose giver is gone gives its worker back to be dropped.
                let _ = order.send(Worker::spawn(&program, memory));
            }
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    fn spawn(&self) -> io::Result<Worker> {
        let ended = || io::Error::other("the thread that starts workers has ended");
        let (order, worker) = sync_channel(1);
        let orders = self.orders.as_ref().ok_or_else(ended)?;
        orders.send(order).map_err(|_| ended())?;
        worker.recv().map_err(|_| ended())?
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // It ends with its channel; a panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("too many images wait for a worker")]
    Busy,
    #[error("no worker can be started")]
    NoWorker(#[source] io::Error),
    #[error("the worker failed")]
    Failed(#[source] Failure),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Limits;
    use words::media_type::Format;
    use words::rule::Normal;

    #[test]
    fn an_idle_worker_that_died_refuses_no_file() {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/it/workers/once.sh").into();
        let job_timeout = Duration::from_secs(60);
        let memory = 1 << 30;
        let settings = Settings { program, workers: 1, job_timeout, memory, jobs_per_worker: 100 };
        let pool = Pool::start(settings).unwrap();
        let normal = Normal::default();
        let job = Job::Refine { format: Format::Png, normal, limits: Limits::default() };
        let file = tempfile::tempfile().unwrap();
        pool.run(&job, &file, &file).unwrap().believe();
        let mut worker = pool.state().idle.pop().unwrap();
        assert!(worker.ended(Duration::from_secs(60)).is_some());
        pool.state().idle.push(worker);
        pool.run(&job, &file, &file).unwrap().believe();
        assert_eq!((pool.status().spawned, pool.status().killed), (2, 1));
    }
}
