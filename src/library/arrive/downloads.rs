//! The downloads under way, and how far each has come.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::fetch::response::Piece;
use words::locator::Url;
use words::slot::Slot;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The slot that the file is for, `user/42/avatar`.
    pub path: String,
    /// The host of the URL. The whole URL may contain a secret, and every user may read this.
    pub host: String,
    pub received: u64,
    /// The length that the server announced.
    pub expected: Option<u64>,
    pub running: Duration,
}

/// The downloads under way. There are at most as many as there are threads that download.
#[derive(Debug, Default)]
pub struct Downloads {
    /// Guards the downloads, each with its beginning, in that order. Never held across I/O.
    running: Mutex<BTreeMap<u64, (Instant, Progress)>>,
}

/// One download. Dropping it takes it off the list.
pub struct Download<'d> {
    all: &'d Downloads,
    number: u64,
}

impl Downloads {
    pub fn begin(&self, slot: &Slot, url: &Url) -> Download<'_> {
        let (path, host) = (slot.to_string(), url.host());
        let progress = Progress { path, host, ..Progress::default() };
        let mut running = self.running.lock();
        let number = running.last_key_value().map_or(0, |(last, _)| last + 1);
        running.insert(number, (Instant::now(), progress));
        Download { all: self, number }
    }

    /// The downloads under way, oldest first.
    pub fn list(&self) -> Vec<Progress> {
        let shown =
            |(since, it): &(Instant, Progress)| Progress { running: since.elapsed(), ..it.clone() };
        self.running.lock().values().map(shown).collect()
    }
}

impl Download<'_> {
    pub fn advance(&self, piece: &Piece<'_>) {
        if let Some((_, progress)) = self.all.running.lock().get_mut(&self.number) {
            progress.received = piece.offset + piece.bytes.len() as u64;
            progress.expected = piece.expected.filter(|length| *length > 0);
        }
    }
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        self.all.running.lock().remove(&self.number);
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
