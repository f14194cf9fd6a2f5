//! The downloads under way, and how far each has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::fetch::response::Piece;
use words::locator::Url;
use words::slot::Slot;

/// How far a download has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The slot that it is for, `user/42/avatar`.
    pub path: String,
    /// The host that it comes from. Not the whole URL: that may contain a secret, and everybody may read this.
    pub host: String,
    pub received: u64,
    /// The length that the server announced.
    pub expected: Option<u64>,
    pub running: Duration,
}

/// The downloads under way. There are at most as many as there are threads that download.
#[derive(Debug, Default)]
pub struct Downloads {
    next: AtomicU64,
    /// Guards the list alone. Never held across I/O.
    running: Mutex<BTreeMap<u64, Arc<Counters>>>,
}

#[derive(Debug)]
struct Counters {
    path: String,
    host: String,
    since: Instant,
    received: AtomicU64,
    /// 0 if the server announced none.
    expected: AtomicU64,
}

/// One download. Dropping it takes it off the list.
pub struct Download<'d> {
    all: &'d Downloads,
    number: u64,
    counters: Arc<Counters>,
}

impl Downloads {
    pub fn begin(&self, slot: &Slot, url: &Url) -> Download<'_> {
        let counters = Arc::new(Counters {
            path: slot.to_string(),
            host: url.host(),
            since: Instant::now(),
            received: AtomicU64::new(0),
            expected: AtomicU64::new(0),
        });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::clone(&counters));
        Download { all: self, number, counters }
    }

    /// The downloads under way, oldest first.
    pub fn list(&self) -> Vec<Progress> {
        let running = self.lock();
        running.values().map(|counters| counters.progress()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Counters>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    fn progress(&self) -> Progress {
        let expected = self.expected.load(Ordering::Relaxed);
        Progress {
            path: self.path.clone(),
            host: self.host.clone(),
            received: self.received.load(Ordering::Relaxed),
            expected: (expected > 0).then_some(expected),
            running: self.since.elapsed(),
        }
    }
}

impl Download<'_> {
    pub fn advance(&self, piece: &Piece<'_>) {
        let received = piece.offset + piece.bytes.len() as u64;
        self.counters.received.store(received, Ordering::Relaxed);
        self.counters.expected.store(piece.expected.unwrap_or(0), Ordering::Relaxed);
    }
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::slot::{Name, Row};

    #[test]
    fn a_download_is_listed_with_its_progress_until_it_ends() {
        let name = |text| Name::parse(text).expect("a name");
        let slot = Slot {
            row: Row { table: name("user"), id: name("42") },
            field: name("avatar"),
            item: None,
        };
        let url = Url::parse("https://cdn.example:8443/a.jpg?secret=x").expect("an URL");
        let downloads = Downloads::default();
        let download = downloads.begin(&slot, &url);
        download.advance(&Piece { offset: 10, bytes: b"hello", expected: Some(20) });
        let [progress] = &downloads.list()[..] else { panic!("one download") };
        assert_eq!(progress.path, "user/42/avatar");
        assert_eq!(progress.host, "cdn.example:8443");
        assert_eq!((progress.received, progress.expected), (15, Some(20)));
        drop(download);
        assert_eq!(downloads.list(), []);
    }
}
