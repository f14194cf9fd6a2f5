//! Signals: waits for those that ask the daemon to stop, and ignores all others that would end it without an unmount.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGXCPU, SIGXFSZ,
};
use signal_hook::flag::register_conditional_shutdown;
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::signal_name;

use crate::cli::error::Error;

const STOP: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Signals that end a process by default (signal(7)) although it is healthy. `SIGXFSZ` comes with a write beyond the file size
/// limit; when it is ignored, the write fails with `EFBIG`.
const OTHER: [i32; 8] = [SIGUSR1, SIGUSR2, SIGALRM, SIGIO, SIGPROF, SIGVTALRM, SIGXCPU, SIGXFSZ];

/// `SIGSTKFLT` and `SIGPWR` of Linux, which have no portable names, and the real-time signals that the C library leaves to
/// programs.
const UNNAMED: [i32; 2] = [16, 30];
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// The process's signals, which no longer end it.
pub struct Stop {
    signals: Signals,
    /// Read by the signals' handlers.
    is_starting: Arc<AtomicBool>,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// One of [`STOP`] came.
    Asked,
    /// The handle was closed, because the mount has ended.
    Ended,
}

impl Stop {
    /// Takes over the signals, so that none interrupts the mount. Until [`Stop::begin_wait`] one of [`STOP`] ends the process at
    /// once with 0, however long the start takes: nothing is mounted, and a library survives that as it survives a crash.
    pub fn listen() -> Result<Self, Error> {
        let taken = STOP.into_iter().chain(OTHER).chain(UNNAMED).chain(REAL_TIME);
        // Under nohup(1) the end of the terminal is no reason to stop.
        let taken = taken.filter(|signal| *signal != SIGHUP || !is_ignored(SIGHUP));
        let taken: Vec<_> = taken.collect();
        let is_starting = Arc::new(AtomicBool::new(true));
        for signal in taken.iter().filter(|signal| STOP.contains(signal)) {
            register_conditional_shutdown(*signal, 0, Arc::clone(&is_starting))
                .map_err(Error::Signals)?;
        }
        let signals = Signals::new(taken).map_err(Error::Signals)?;
        Ok(Self { signals, is_starting })
    }

    /// From here on a signal waits for [`Stop::wait`]. Must be called before the mount.
    pub fn begin_wait(&self) {
        self.is_starting.store(false, Ordering::SeqCst);
    }

    /// A handle whose `close` ends the wait, from any thread. Idempotent.
    pub fn ender(&self) -> Handle {
        self.signals.handle()
    }

    /// Blocks until a signal of [`STOP`] comes or the handle is closed. A signal that came before the call counts.
    pub fn wait(&mut self) -> Reason {
        for signal in self.signals.forever() {
            let name = signal_name(signal).unwrap_or("a signal without a name");
            if STOP.contains(&signal) {
                tracing::info!(signal = name, "asked to stop");
                return Reason::Asked;
            }
            tracing::info!(signal = name, number = signal, "a signal means nothing here");
        }
        Reason::Ended
    }
}

/// Whether this process was started with a signal ignored (`proc_pid_status(5)`).
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_the_wait_and_so_does_the_end_of_the_mount() {
        let mut stop = Stop::listen().expect("signals");
        stop.begin_wait();
        // Under nohup(1) the test is not told of SIGHUP either.
        for signal in STOP.into_iter().filter(|signal| !is_ignored(*signal)) {
            signal_hook::low_level::raise(SIGUSR1).expect("a signal");
            signal_hook::low_level::raise(signal).expect("a signal");
            assert_eq!(stop.wait(), Reason::Asked);
        }
        let ender = stop.ender();
        let thread = std::thread::spawn(move || ender.close());
        assert_eq!(stop.wait(), Reason::Ended);
        thread.join().expect("a thread");
    }
}
