//! The pool: a bounded number of worker processes, started when they are needed, and a bounded queue of callers.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::job::{Job, Outcome};
use crate::worker::process::{Failure, Worker};

/// How many callers may wait for a worker.
pub const WAITING_MAX: usize = 256;

/// The program of the workers, and their limits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `mediafs` program, started as `<program> worker <memory>`.
    pub program: PathBuf,
    /// The most workers that live at a time; 0 counts as 1.
    pub workers: usize,
    /// How long one job may take.
    pub job_timeout: Duration,
    /// The address space of one worker, in bytes.
    pub memory: u64,
    /// A worker is replaced after so many jobs.
    pub jobs_per_worker: u32,
}

/// The state of the pool, and its counters since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Workers that live, idle or busy.
    pub live: usize,
    /// Callers that have a worker or are starting one.
    pub busy: usize,
    /// Callers that wait for a worker.
    pub waiting: usize,
    pub spawned: u64,
    /// Workers that died, hung or answered nonsense.
    pub killed: u64,
}

/// Worker processes, shared by threads. Dropping the pool ends them all.
pub struct Pool {
    pub settings: Settings,
    /// Guards the idle workers and all counts. Never held while a worker is started, used, killed or waited for.
    state: Mutex<State>,
    /// Notified whenever a permit is returned.
    returned: Condvar,
    spawner: Sender<Order>,
}

#[derive(Default)]
struct State {
    idle: Vec<Worker>,
    /// Without those that live.
    counts: PoolStatus,
}

impl Pool {
    /// Starts no worker yet.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let spawner = spawner(settings.program.clone(), settings.memory)?;
        Ok(Self { settings, state: Mutex::default(), returned: Condvar::new(), spawner })
    }

    /// Does one job: waits for a worker, then for its outcome.
    pub fn run(&self, job: &Job, input: &File, output: &File) -> Result<Answer<'_>, Error> {
        let permit = self.permit()?;
        let mut worker = permit.worker()?;
        match worker.work(job, input, output, self.settings.job_timeout) {
            Ok(outcome) => Ok(Answer { outcome, worker, permit }),
            Err(failure) => {
                self.state().counts.killed += 1;
                Err(match failure {
                    Failure::Connection(error) => Error::NoWorker(error),
                    failure => Error::Failed(failure),
                })
            }
        }
    }

    /// Starts a worker, if none is idle, so that the first job need not wait for its start.
    pub fn warm(&self) -> Result<(), Error> {
        let mut permit = self.permit()?;
        permit.kept = Some(permit.worker()?);
        Ok(())
    }

    pub fn status(&self) -> PoolStatus {
        let state = self.state();
        PoolStatus { live: state.idle.len() + state.counts.busy, ..state.counts }
    }

    /// Waits for the permit to use a worker.
    fn permit(&self) -> Result<Permit<'_>, Error> {
        let most = self.settings.workers.max(1);
        let timeout = self.settings.job_timeout * 2;
        let mut state = self.state();
        if state.counts.busy >= most && state.counts.waiting >= WAITING_MAX {
            return Err(Error::Busy);
        }
        state.counts.waiting += 1;
        let all_busy = |state: &mut State| state.counts.busy >= most;
        let waited = self.returned.wait_timeout_while(state, timeout, all_busy);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.counts.waiting -= 1;
        if state.counts.busy >= most {
            return Err(Error::Busy);
        }
        state.counts.busy += 1;
        Ok(Permit { pool: self, kept: None })
    }

    /// A thread that panicked with the lock held left the counters right: each is changed by one statement.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's answer, to be accepted or rejected. Dropping it ends the worker.
#[must_use]
pub struct Answer<'a> {
    pub outcome: Outcome,
    // Dropped before the permit: there may be no more workers than permits.
    worker: Worker,
    permit: Permit<'a>,
}

impl Answer<'_> {
    /// Returns the worker to the pool, unless it has done its number of jobs.
    pub fn accept(self) {
        let Self { worker, mut permit, .. } = self;
        if worker.jobs < permit.pool.settings.jobs_per_worker {
            permit.kept = Some(worker);
        }
    }

    /// Ends the worker, which the image may have taken over.
    pub fn reject(self) {
        self.permit.pool.state().counts.killed += 1;
    }
}

/// The permit to use one worker, returned when it is dropped.
struct Permit<'a> {
    pool: &'a Pool,
    /// A worker to return to the pool with the permit.
    kept: Option<Worker>,
}

impl Permit<'_> {
    /// An idle worker, else a new one.
    fn worker(&self) -> Result<Worker, Error> {
        loop {
            // Bound to a name, because a guard in the condition itself would live as long as the body.
            let idle = self.pool.state().idle.pop();
            let Some(worker) = idle else { return self.start_worker() };
            if worker.is_idle() {
                return Ok(worker);
            }
            self.pool.state().counts.killed += 1;
        }
    }

    fn start_worker(&self) -> Result<Worker, Error> {
        let ended = || io::Error::other("the thread that starts workers has ended");
        let (order, started) = sync_channel(1);
        self.pool.spawner.send(order).map_err(|_| Error::NoWorker(ended()))?;
        let started = started.recv().unwrap_or_else(|_| Err(ended()));
        let mut worker = started.map_err(Error::NoWorker)?;
        self.pool.state().counts.spawned += 1;
        worker.wait_until_ready().map_err(|failure| {
            self.pool.state().counts.killed += 1;
            Error::NoWorker(io::Error::other(failure))
        })?;
        Ok(worker)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.counts.busy -= 1;
        state.idle.extend(self.kept.take());
        drop(state);
        self.pool.returned.notify_one();
    }
}

/// An order for a new worker: the channel through which it is delivered.
type Order = SyncSender<io::Result<Worker>>;

/// Starts the thread that starts all workers and ends with the channel of orders. The kernel kills a worker when the *thread*
/// that started it ends (prctl(2), `PR_SET_PDEATHSIG`), and threads that serve requests may end early.
fn spawner(program: PathBuf, memory: u64) -> io::Result<Sender<Order>> {
    let (orders, received) = channel::<Order>();
    thread::Builder::new().name("spawner".into()).spawn(move || {
        for order in received {
            // If the caller has gone, the worker is dropped.
            let _ = order.send(Worker::spawn(&program, memory));
        }
    })?;
    Ok(orders)
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
        pool.run(&job, &file, &file).unwrap().accept();
        let mut worker = pool.state().idle.pop().unwrap();
        assert!(worker.ended(Duration::from_secs(60)).is_some());
        pool.state().idle.push(worker);
        pool.run(&job, &file, &file).unwrap().accept();
        assert_eq!((pool.status().spawned, pool.status().killed), (2, 1));
    }
}
