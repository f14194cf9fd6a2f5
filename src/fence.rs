//! The fence: raised once, for a whole library, by the first write that its disk failed. After it nothing is acknowledged.
//! The kernel reports a failed write once (fsync(2)): every later fsync would succeed although the bytes are lost.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, OnceLock};

use words::timestamp::Timestamp;

/// Shared by the catalogue and the stores of one library: clones are the same fence.
#[derive(Clone, Default)]
pub struct Fence(Arc<State>);

#[derive(Default)]
struct State {
    raised: OnceLock<Fenced>,
    listener: OnceLock<Listener>,
}

type Listener = Box<dyn Fn(&Fenced) + Send + Sync>;

/// Why nothing is stored any more, and since when.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing has been stored since {}, when the disk failed ({because}); what was stored before can be read. \
     Look at the disk (dmesg, smartctl -a), then start the daemon again",
    since.as_rfc3339()
)]
pub struct Fenced {
    pub since: Timestamp,
    pub because: String,
}

impl Fence {
    /// Raises the fence for good. The first reason stays.
    pub fn raise(&self, failed: impl fmt::Display, error: &dyn Error) {
        let fenced =
            Fenced { since: Timestamp::now(), because: format!("{failed}: {}", chain(error)) };
        if self.0.raised.set(fenced.clone()).is_ok() {
            tracing::error!(
                because = fenced.because,
                "the disk failed: nothing is stored any more, and what is stored can be read; look at the disk (dmesg, smartctl -a), then start the daemon again"
            );
            if let Some(listener) = self.0.listener.get() {
                listener(&fenced);
            }
        }
    }

    /// Returns the outcome of a sync. A failure raises the fence, unless the disk is full.
    pub fn watch<T>(&self, failed: impl fmt::Display, synced: io::Result<T>) -> io::Result<T> {
        synced.inspect_err(|error| {
            if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
                self.raise(failed, error);
            }
        })
    }

    /// Called before a change is made, and again before it is acknowledged.
    pub fn check(&self) -> Result<(), Fenced> {
        self.raised().map_or(Ok(()), |fenced| Err(fenced.clone()))
    }

    pub fn is_raised(&self) -> bool {
        self.raised().is_some()
    }

    pub fn raised(&self) -> Option<&Fenced> {
        self.0.raised.get()
    }

    /// Sets the listener, which is called when the fence is raised, or at once if it is. The first listener stays.
    pub fn tell(&self, listener: impl Fn(&Fenced) + Send + Sync + 'static) {
        let is_first = self.0.listener.set(Box::new(listener)).is_ok();
        if let (true, Some(fenced), Some(listener)) =
            (is_first, self.raised(), self.0.listener.get())
        {
            listener(fenced);
        }
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Fence").field(&self.raised()).finish()
    }
}

/// An error and its causes, joined by colons.
pub fn chain(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_first_failure_is_the_reason_and_is_told_once() {
        let fence = Fence::default();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        fence.tell(move |fenced| told.lock().expect("a lock").push(fenced.because.clone()));
        assert_eq!(fence.check(), Ok(()));
        for errno in [5, 30] {
            fence.clone().raise("a file could not be synced", &io::Error::from_raw_os_error(errno));
        }
        let because = "a file could not be synced: Input/output error (os error 5)";
        assert_eq!(*heard.lock().expect("a lock"), [because]);
        let told = fence.check().expect_err("it is raised").to_string();
        assert!(told.contains(because) && told.contains("start the daemon again"), "{told}");
    }

    #[test]
    fn who_listens_late_is_told_all_the_same() {
        let fence = Fence::default();
        fence.raise("it", &io::Error::other("failed"));
        let heard = Arc::new(Mutex::new(0));
        let told = Arc::clone(&heard);
        fence.tell(move |_| *told.lock().expect("a lock") += 1);
        assert_eq!(*heard.lock().expect("a lock"), 1);
    }

    #[test]
    fn a_disk_that_is_full_has_not_failed() {
        let fence = Fence::default();
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
            assert!(fence.watch("it", Err::<(), _>(kind.into())).is_err());
        }
        assert!(fence.watch("it", Ok(7)).is_ok_and(|it| it == 7) && !fence.is_raised());
        assert!(fence.watch("it", Err::<(), _>(ErrorKind::Other.into())).is_err());
        assert!(fence.is_raised());
    }
}
