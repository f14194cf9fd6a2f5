//! Waits for the signals that mean 'stop'.
//! Does not stop anything itself.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use super::Error;

/// SIGINT and SIGTERM, which from now on do not end the process.
pub struct Stop {
    signals: Signals,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// SIGINT or SIGTERM came.
    Asked,
    /// [`Ender::end`] was called: the mount is gone already.
    Ended,
}

/// Ends a wait from another thread.
#[derive(Clone)]
pub struct Ender(Handle);

impl Stop {
    /// Takes the signals over. Call it before there is anything that a signal must not interrupt.
    pub fn listen() -> Result<Self, Error> {
        let signals =
            Signals::new([SIGINT, SIGTERM]).map_err(|source: io::Error| Error::Signals(source))?;
        Ok(Self { signals })
    }

    pub fn ender(&self) -> Ender {
        Ender(self.signals.handle())
    }

    /// Blocks until a signal comes or a wait is ended. A signal that came before the call counts.
    pub fn wait(&mut self) -> Reason {
        match self.signals.forever().next() {
            Some(_) => Reason::Asked,
            None => Reason::Ended,
        }
    }
}

impl Ender {
    /// Idempotent.
    pub fn end(&self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_the_wait_and_so_does_the_end_of_the_mount() {
        let mut stop = Stop::listen().expect("signals");
        signal_hook::low_level::raise(SIGTERM).expect("a signal");
        assert_eq!(stop.wait(), Reason::Asked);
        let ender = stop.ender();
        let thread = std::thread::spawn(move || ender.end());
        assert_eq!(stop.wait(), Reason::Ended);
        thread.join().expect("a thread");
    }
}
