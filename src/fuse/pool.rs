//! A bounded pool of threads, for work that takes longer than a request should hold a thread of the session.
//!
//! Publishing and rendering have a pool each: a render holds its directory's lock in the kernel, and a flush that waited
//! behind renders in one pool was seen to deadlock.

use std::any::Any;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

/// One piece of work. It answers its request by itself.
pub type Job = Box<dyn FnOnce() + Send>;

/// Threads that take jobs from one bounded queue. Dropping it waits for every job that it took.
pub struct Pool {
    /// `None` only while it is dropped.
    queue: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `threads` threads over a queue of `waiting` jobs.
    pub fn start(name: &str, threads: usize, waiting: usize) -> io::Result<Self> {
        let (queue, jobs) = mpsc::sync_channel(waiting);
        // Guards the receiving end: the thread that holds the lock waits for the next job.
        let jobs = Arc::new(Mutex::new(jobs));
        let threads = (0..threads)
            .map(|number| {
                let jobs = Arc::clone(&jobs);
                thread::Builder::new().name(format!("{name}-{number}")).spawn(move || work(&jobs))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { queue: Some(queue), threads })
    }

    /// Queues a job, or hands it back when the queue is full.
    pub fn offer(&self, job: Job) -> Result<(), Job> {
        let Some(queue) = &self.queue else { return Err(job) };
        queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread ends without a panic: `work` catches the panics of jobs.
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().recv();
        let Ok(job) = next else { return };
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(job)) {
            tracing::error!(panic = message_of(panic.as_ref()), "a job panicked");
        }
    }
}

pub fn message_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_hands_the_job_back() {
        let pool = Pool::start("test", 1, 1).expect("threads");
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let blocking = Box::new(move || {
            started.send(()).expect("the test waits");
            let _ = released.recv();
        });
        assert!(pool.offer(blocking).is_ok());
        has_started.recv().expect("the first job runs");
        assert!(pool.offer(Box::new(|| ())).is_ok(), "the queue holds one");

        let (ran, has_run) = mpsc::channel();
        let refused = pool.offer(Box::new(move || ran.send(7).expect("the test waits")));
        let Err(job) = refused else { panic!("the queue is full") };
        job();
        assert_eq!(has_run.recv(), Ok(7), "the job that came back is the one that was offered");
        drop(release);
    }

    #[test]
    fn a_panicking_job_does_not_end_the_pool() {
        let pool = Pool::start("test", 1, 4).expect("threads");
        assert!(pool.offer(Box::new(|| panic!("on purpose"))).is_ok());
        let (ran, has_run) = mpsc::channel();
        assert!(pool.offer(Box::new(move || ran.send(()).expect("the test waits"))).is_ok());
        assert_eq!(has_run.recv(), Ok(()));
    }

    #[test]
    fn dropping_a_pool_finishes_what_it_took() {
        let pool = Pool::start("test", 2, 8).expect("threads");
        let (ran, has_run) = mpsc::channel();
        for number in 0..8 {
            let ran = ran.clone();
            assert!(
                pool.offer(Box::new(move || ran.send(number).expect("the test waits"))).is_ok()
            );
        }
        drop((pool, ran));
        let mut numbers: Vec<i32> = has_run.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..8).collect::<Vec<_>>());
    }
}
