//! Waits for what another process does, where no event tells of it.

use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a loaded machine, and for what the daemon does once a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until something has happened.
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    found(what, || happened().then_some(()));
}

/// Waits until something is there, and returns it.
pub fn found<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}
