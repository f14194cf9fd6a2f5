//! Busy polling: a thread that has answered polls the device for a moment before it sleeps.
//!
//! A sleeping thread must be woken on its processor, which on a virtual machine costs more than most requests do. A client that
//! opens files one after the other sends the next request within this moment. Where no request comes, polling soon pauses.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::sched_yield;

use crate::fd;

/// How long one poll lasts: a part of what two wake-ups take.
const SPAN: Duration = Duration::from_micros(40);
/// The longest pause after polls without a request, in answers.
const PAUSE_MAX: u32 = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Request,
    Nothing,
    /// The device was not polled, because the last polls brought nothing.
    Paused,
}

/// Shared by the threads of a session.
pub struct BusyPoll {
    device: OwnedFd,
    /// How many answers from now on no poll follows.
    pause: AtomicU32,
    next_pause: AtomicU32,
}

impl BusyPoll {
    /// `device` is readable when a request waits.
    pub fn over(device: OwnedFd) -> Self {
        Self { device, pause: AtomicU32::new(0), next_pause: AtomicU32::new(1) }
    }

    /// Returns when a request waits, or after [`SPAN`] without one. Yields the processor to other threads meanwhile.
    pub fn wait(&self) -> Outcome {
        let pause = self.pause.load(Ordering::Relaxed);
        if pause > 0 {
            // Two threads that do this at once may count one answer instead of two.
            self.pause.store(pause - 1, Ordering::Relaxed);
            return Outcome::Paused;
        }
        let begun = Instant::now();
        while begun.elapsed() < SPAN {
            if self.is_readable() {
                self.next_pause.store(1, Ordering::Relaxed);
                return Outcome::Request;
            }
            sched_yield();
        }
        let pause = self.next_pause.load(Ordering::Relaxed);
        self.pause.store(pause, Ordering::Relaxed);
        self.next_pause.store((pause * 2).min(PAUSE_MAX), Ordering::Relaxed);
        Outcome::Nothing
    }

    /// A device that has failed counts as readable: the session's loop then reads the error.
    fn is_readable(&self) -> bool {
        fd::await_readable(&self.device, Duration::ZERO).unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    fn busy_poll(waiting: u32) -> BusyPoll {
        BusyPoll::over(eventfd(waiting, EventfdFlags::CLOEXEC).expect("an eventfd"))
    }

    #[test]
    fn a_request_that_waits_is_seen_every_time() {
        let busy_poll = busy_poll(1);
        for _ in 0..200 {
            assert_eq!(busy_poll.wait(), Outcome::Request);
        }
    }

    #[test]
    fn polls_without_a_request_become_ever_rarer() {
        let busy_poll = busy_poll(0);
        let polls =
            |answers: usize| (0..answers).filter(|_| busy_poll.wait() == Outcome::Nothing).count();
        assert_eq!((polls(1), polls(1), polls(1)), (1, 0, 1));
        assert!(polls(100) <= 6);
        assert!(polls(1000) <= 1000 / PAUSE_MAX as usize + 1);
    }

    #[test]
    fn once_a_request_comes_every_answer_is_followed_by_a_poll_again() {
        let busy_poll = busy_poll(0);
        for _ in 0..1000 {
            busy_poll.wait();
        }
        rustix::io::write(&busy_poll.device, &1_u64.to_ne_bytes()).expect("a request");
        let paused = (0..200).filter(|_| busy_poll.wait() == Outcome::Paused).count();
        assert!(paused <= PAUSE_MAX as usize, "{paused}");
        rustix::io::read(&busy_poll.device, &mut [0_u8; 8]).expect("taken");
        assert_eq!((busy_poll.wait(), busy_poll.wait()), (Outcome::Nothing, Outcome::Paused));
        assert_eq!(busy_poll.wait(), Outcome::Nothing, "one pause, not the longest");
    }
}
