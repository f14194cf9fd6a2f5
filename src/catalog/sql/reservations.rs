//! Reservations in memory: keys that were given out and are not linked yet, and the numbers that are next.
//!
//! A crash forgets them: the stores remember which blobs are pending.
//! Numbers are taken from the database a block at a time, so that no crash makes one come twice and most reservations cost no
//! transaction.

use std::collections::BTreeMap;
use std::ops::Range;

use parking_lot::Mutex;
use words::attachment::BlobKey;
use words::timestamp::Timestamp;

/// The most reservations in memory. Each further one is written to the database.
const MOST: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Reservations {
    /// Guards the reservations and the next number. Never held across I/O.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Numbers that were taken from the database and not given out.
    numbers: Range<u64>,
    /// By generation.
    open: BTreeMap<u64, Reserved>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reserved {
    pub key: BlobKey,
    pub at: Timestamp,
}

impl Reservations {
    /// The next number. None if the database has to be asked for more.
    pub fn next(&self) -> Option<u64> {
        self.state.lock().numbers.next()
    }

    /// Adds numbers that were taken from the database. If two threads took a block each, the lower one is dropped.
    pub fn supply(&self, numbers: Range<u64>) {
        let mut state = self.state.lock();
        if numbers.start >= state.numbers.end {
            state.numbers = numbers;
        }
    }

    /// Remembers a reservation. Returns false if there is no room for it.
    pub fn add(&self, reserved: Reserved) -> bool {
        let mut state = self.state.lock();
        let has_room = state.open.len() < MOST;
        if has_room {
            state.open.insert(reserved.key.generation, reserved);
        }
        has_room
    }

    /// The reservations of these keys. A key may have none.
    pub fn of(&self, keys: impl IntoIterator<Item = BlobKey>) -> Vec<Reserved> {
        let state = self.state.lock();
        let find = |key: BlobKey| state.open.get(&key.generation).filter(|it| it.key == key);
        keys.into_iter().filter_map(find).copied().collect()
    }

    /// Up to `limit` reservations made at or before a time, the oldest first.
    pub fn until(&self, at: Timestamp, limit: usize) -> Vec<Reserved> {
        let state = self.state.lock();
        let mut old: Vec<_> = state.open.values().filter(|it| it.at <= at).copied().collect();
        old.sort_unstable_by_key(|it| (it.at, it.key.generation));
        old.truncate(limit);
        old
    }

    /// Forgets reservations that the database has now.
    pub fn remove(&self, noted: &[Reserved]) {
        let mut state = self.state.lock();
        for Reserved { key, .. } in noted {
            state.open.remove(&key.generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::StoreId;
    use words::digest::Digest;

    fn reserved(generation: u64, at: i64) -> Reserved {
        let key = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation };
        Reserved { key, at: Timestamp(at) }
    }

    #[test]
    fn a_number_is_given_out_once_also_if_two_threads_took_a_block() {
        let reservations = Reservations::default();
        assert_eq!(reservations.next(), None);
        reservations.supply(1..9);
        assert_eq!((reservations.next(), reservations.next()), (Some(1), Some(2)));
        reservations.supply(9..17);
        assert_eq!(reservations.next(), Some(9));
        reservations.supply(1..9);
        assert_eq!(reservations.next(), Some(10));
    }

    #[test]
    fn reservations_in_memory_are_bounded() {
        let reservations = Reservations::default();
        for generation in 0..MOST as u64 {
            assert!(reservations.add(reserved(generation, 1)));
        }
        assert!(!reservations.add(reserved(u64::MAX, 1)));
        reservations.remove(&[reserved(0, 1)]);
        assert!(reservations.add(reserved(u64::MAX, 1)));
    }

    #[test]
    fn the_oldest_reservations_come_first() {
        let reservations = Reservations::default();
        for (generation, at) in [(1, 5), (2, 3), (3, 9), (4, 3)] {
            reservations.add(reserved(generation, at));
        }
        let old = reservations.until(Timestamp(5), 2);
        assert_eq!(old, [reserved(2, 3), reserved(4, 3)]);
    }
}
