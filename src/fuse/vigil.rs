//! Staying awake: a thread that has answered looks out for the next request a moment before it sleeps.
//! Does not take requests: the session's loop does.
//!
//! A thread that sleeps must be woken on its processor, which on a virtual machine costs more than most requests do. Who opens
//! files one after the other sends the next request within this moment; who does not, has it spent in vain seldom.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::sched_yield;

/// How long one looks out: some of what two wake-ups take.
const SPAN: Duration = Duration::from_micros(40);
/// After looking out in vain this many answers are not followed by another look, at most.
const REST: u32 = 64;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Request,
    Nothing,
    /// Nobody looked, for nothing came the last times.
    Rested,
}

/// Shared by the threads of a session.
pub struct Vigil {
    device: OwnedFd,
    /// Answers that no look follows, from now on and the next time.
    rest: AtomicU32,
    next_rest: AtomicU32,
}

impl Vigil {
    /// `device` is readable when a request waits.
    pub fn over(device: OwnedFd) -> Self {
        Self { device, rest: AtomicU32::new(0), next_rest: AtomicU32::new(1) }
    }

    /// Returns when a request waits, or after a moment without one. Others who want the processor have it meanwhile.
    pub fn keep(&self) -> Outcome {
        let rest = self.rest.load(Ordering::Relaxed);
        if rest > 0 {
            // Threads that do this at once count one answer for two.
            self.rest.store(rest - 1, Ordering::Relaxed);
            return Outcome::Rested;
        }
        let begun = Instant::now();
        while begun.elapsed() < SPAN {
            if self.is_asked() {
                self.next_rest.store(1, Ordering::Relaxed);
                return Outcome::Request;
            }
            sched_yield();
        }
        let rest = self.next_rest.load(Ordering::Relaxed);
        self.rest.store(rest, Ordering::Relaxed);
        self.next_rest.store((rest * 2).min(REST), Ordering::Relaxed);
        Outcome::Nothing
    }

    /// A device that has failed counts: the loop is told why.
    fn is_asked(&self) -> bool {
        let mut events = [PollFd::new(&self.device, PollFlags::IN)];
        !matches!(poll(&mut events, Some(&Timespec::default())), Ok(0))
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    fn vigil(waiting: u32) -> Vigil {
        Vigil::over(eventfd(waiting, EventfdFlags::CLOEXEC).expect("an eventfd"))
    }

    #[test]
    fn a_request_that_waits_is_seen_every_time() {
        let vigil = vigil(1);
        for _ in 0..200 {
            assert_eq!(vigil.keep(), Outcome::Request);
        }
    }

    #[test]
    fn who_looks_out_in_vain_does_so_ever_less_often() {
        let vigil = vigil(0);
        let looks =
            |answers: usize| (0..answers).filter(|_| vigil.keep() == Outcome::Nothing).count();
        assert_eq!((looks(1), looks(1), looks(1)), (1, 0, 1));
        assert!(looks(100) <= 6);
        assert!(looks(1000) <= 1000 / REST as usize + 1);
    }

    #[test]
    fn once_a_request_comes_every_answer_is_followed_by_a_look_again() {
        let vigil = vigil(0);
        for _ in 0..1000 {
            vigil.keep();
        }
        rustix::io::write(&vigil.device, &1_u64.to_ne_bytes()).expect("a request");
        let rested = (0..200).filter(|_| vigil.keep() == Outcome::Rested).count();
        assert!(rested <= REST as usize, "{rested}");
        rustix::io::read(&vigil.device, &mut [0_u8; 8]).expect("taken");
        assert_eq!((vigil.keep(), vigil.keep()), (Outcome::Nothing, Outcome::Rested));
        assert_eq!(vigil.keep(), Outcome::Nothing, "one rest, not the longest");
    }
}
