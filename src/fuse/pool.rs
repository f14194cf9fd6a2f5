//! A bounded pool of threads, for work that takes longer than a request should hold a thread of the session.
//!
//! Jobs wait in a lane for each user, and the lanes take turns: a user's hundred jobs keep another user waiting for one of them at
//! most. A user never has all threads, because the spare ones are left to others.
//!
//! Publishing, rendering and long work have a pool each: a render holds its directory's lock in the kernel, and a flush that waited
//! behind renders in one pool was seen to deadlock.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// One piece of work. It answers its request by itself.
pub type Job = Box<dyn FnOnce() + Send>;

/// The limits of a pool.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many threads one user has at most.
    pub threads: usize,
    /// How many threads there are beside them, for other users.
    pub spare: usize,
    /// How far the priority of its threads lies below that of the session's (nice(2)), for work that takes a core and is waited for by
    /// one client alone.
    pub nice: i32,
    /// How many jobs of one user may wait, and how many of all. A job beyond that is handed back.
    pub waiting: usize,
    pub waiting_in_all: usize,
}

/// Threads that take jobs from bounded lanes. Dropping it waits for every job that it took.
pub struct Pool {
    lanes: Arc<Lanes>,
    threads: Vec<JoinHandle<()>>,
}

struct Lanes {
    size: Size,
    /// Guards the jobs that wait. Never held while a job runs.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The users with jobs that wait, in the order of their turns.
    turns: VecDeque<u32>,
    /// The users with jobs that wait or run.
    lanes: HashMap<u32, Lane>,
    waiting: usize,
    is_closed: bool,
}

#[derive(Default)]
struct Lane {
    jobs: VecDeque<Job>,
    running: usize,
}

impl Pool {
    pub fn start(name: &str, size: Size) -> io::Result<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let lanes = Arc::new(Lanes { size, state, changed });
        let threads = (0..size.threads + size.spare)
            .map(|number| {
                let lanes = Arc::clone(&lanes);
                thread::Builder::new().name(format!("{name}-{number}")).spawn(move || lanes.work())
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { lanes, threads })
    }

    /// Queues a job of a user, or hands it back when too many wait.
    pub fn offer(&self, uid: u32, job: Job) -> Result<(), Job> {
        let size = self.lanes.size;
        let state = self.lanes.state.lock();
        let own = state.lanes.get(&uid).map_or(0, |lane| lane.jobs.len());
        if own >= size.waiting || state.waiting >= size.waiting_in_all {
            return Err(job);
        }
        self.lanes.queue(state, uid, job);
        Ok(())
    }

    /// Queues a job however many wait. The caller bounds such jobs.
    pub fn push(&self, uid: u32, job: Job) {
        self.lanes.queue(self.lanes.state.lock(), uid, job);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.lanes.state.lock().is_closed = true;
        self.lanes.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A thread ends without a panic: `work` catches the panics of jobs.
            let _ = thread.join();
        }
    }
}

impl Lanes {
    fn queue(&self, mut state: MutexGuard<'_, State>, uid: u32, job: Job) {
        state.add(uid, job);
        drop(state);
        self.changed.notify_one();
    }

    fn work(&self) {
        // Of this thread alone. Without it the work is done all the same.
        let _ = rustix::process::nice(self.size.nice);
        let mut state = self.state.lock();
        loop {
            if let Some((uid, job)) = state.next(self.size.threads) {
                MutexGuard::unlocked(&mut state, || {
                    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(job)) {
                        tracing::error!(panic = message_of(panic.as_ref()), "a job panicked");
                    }
                });
                // No other thread need be woken: if the user has another job, this one takes it or a job whose turn is earlier.
                state.done(uid);
            } else if state.is_closed && state.waiting == 0 {
                self.changed.notify_all();
                return;
            } else {
                self.changed.wait(&mut state);
            }
        }
    }
}

impl State {
    fn add(&mut self, uid: u32, job: Job) {
        let lane = self.lanes.entry(uid).or_default();
        if lane.jobs.is_empty() {
            self.turns.push_back(uid);
        }
        lane.jobs.push_back(job);
        self.waiting += 1;
    }

    /// The next job, of the first user with fewer than `threads` running ones. Its user's next turn comes after all others'.
    fn next(&mut self, threads: usize) -> Option<(u32, Job)> {
        let may_run = |uid| self.lanes.get(uid).is_some_and(|lane| lane.running < threads);
        let uid = self.turns.remove(self.turns.iter().position(may_run)?)?;
        let lane = self.lanes.get_mut(&uid)?;
        let job = lane.jobs.pop_front()?;
        lane.running += 1;
        if !lane.jobs.is_empty() {
            self.turns.push_back(uid);
        }
        self.waiting -= 1;
        Some((uid, job))
    }

    fn done(&mut self, uid: u32) {
        let Some(lane) = self.lanes.get_mut(&uid) else { return };
        lane.running -= 1;
        if lane.running == 0 && lane.jobs.is_empty() {
            self.lanes.remove(&uid);
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
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    fn pool(threads: usize, spare: usize, waiting: usize) -> Pool {
        let size = Size { threads, spare, nice: 0, waiting, waiting_in_all: 2 * waiting };
        Pool::start("test", size).expect("threads")
    }

    /// A job that says when it begins, and ends when the other end of `released` is dropped.
    fn blocking(begun: &Sender<u32>, uid: u32, released: Receiver<()>) -> Job {
        let begun = begun.clone();
        Box::new(move || {
            begun.send(uid).expect("the test waits");
            let _ = released.recv();
        })
    }

    #[test]
    fn a_full_lane_hands_the_job_back_and_another_users_has_room() {
        let pool = pool(1, 0, 1);
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel();
        assert!(pool.offer(7, blocking(&begun, 7, released)).is_ok());
        assert_eq!(has_begun.recv(), Ok(7));
        assert!(pool.offer(7, Box::new(|| ())).is_ok(), "the lane holds one");

        let (ran, has_run) = mpsc::channel();
        let refused = pool.offer(7, Box::new(move || ran.send(7).expect("the test waits")));
        let Err(job) = refused else { panic!("the lane is full") };
        job();
        assert_eq!(has_run.recv(), Ok(7), "the job that came back is the one that was offered");
        assert!(pool.offer(8, Box::new(|| ())).is_ok());
        assert!(pool.offer(9, Box::new(|| ())).is_err(), "two wait in all");
        pool.push(9, Box::new(move || begun.send(9).expect("the test waits")));
        drop(release);
        assert_eq!(has_begun.recv(), Ok(9), "what is pushed is taken however many wait");
    }

    #[test]
    fn users_take_turns_whoever_has_more_jobs() {
        let pool = pool(1, 0, 100);
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel();
        assert!(pool.offer(1, blocking(&begun, 1, released)).is_ok());
        assert_eq!(has_begun.recv(), Ok(1));
        let say = |uid| {
            let begun = begun.clone();
            assert!(pool.offer(uid, Box::new(move || begun.send(uid).expect("heard"))).is_ok());
        };
        (0..50).for_each(|_| say(1));
        say(2);
        say(2);
        say(3);
        drop(release);
        let order: Vec<_> = has_begun.iter().take(53).collect();
        assert_eq!(order[..7], [1, 2, 3, 1, 2, 1, 1]);
    }

    #[test]
    fn a_user_never_has_the_spare_threads() {
        let pool = pool(2, 1, 100);
        let (begun, has_begun) = mpsc::channel();
        let blocked = |uid| {
            let (release, released) = mpsc::channel::<()>();
            assert!(pool.offer(uid, blocking(&begun, uid, released)).is_ok());
            release
        };
        let releases: Vec<_> = [1, 1, 1, 1, 1, 2].map(blocked).into();
        let mut running: Vec<_> = has_begun.iter().take(3).collect();
        running.sort_unstable();
        assert_eq!(running, [1, 1, 2]);
        assert!(has_begun.try_recv().is_err(), "the user's others wait");
        drop(releases);
    }

    #[test]
    fn a_panicking_job_does_not_end_the_pool() {
        let pool = pool(1, 0, 4);
        assert!(pool.offer(0, Box::new(|| panic!("on purpose"))).is_ok());
        let (ran, has_run) = mpsc::channel();
        assert!(pool.offer(0, Box::new(move || ran.send(()).expect("the test waits"))).is_ok());
        assert_eq!(has_run.recv(), Ok(()));
    }

    #[test]
    fn dropping_a_pool_finishes_what_it_took() {
        let pool = pool(1, 1, 8);
        let (ran, has_run) = mpsc::channel();
        for number in 0..8 {
            let ran = ran.clone();
            assert!(
                pool.offer(0, Box::new(move || ran.send(number).expect("the test waits"))).is_ok()
            );
        }
        drop((pool, ran));
        let mut numbers: Vec<i32> = has_run.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..8).collect::<Vec<_>>());
    }
}
