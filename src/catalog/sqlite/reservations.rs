//! Keys that are given out and not published yet, and the numbers that are next.
//! Does not know blobs. A crash forgets all of it: the stores remember what was put ([`Catalog::recall`]).
//!
//! Numbers are taken from the database a block at a time, so that no crash makes one come twice, and a reservation costs no
//! transaction.
//!
//! [`Catalog::recall`]: crate::catalog::Catalog::recall

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, params};

use super::columns::{int, number};
use super::sweep::{self, Horizon};
use super::{Sqlite, blobs, lock, one, run};
use crate::catalog::{Doomed, Error, Publication};
use words::attachment::{BlobKey, Content, StoreId};
use words::digest::Digest;
use words::timestamp::Timestamp;

/// Numbers that one transaction takes.
const BLOCK: u64 = 1024;

/// Reservations that are kept in memory; more are written to the database, each by itself.
const MOST: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Reservations {
    /// Guards what is given out and what is next. Never held across I/O.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The numbers from here up to `end` are ours to give.
    next: u64,
    end: u64,
    open: BTreeMap<u64, Reserved>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reserved {
    pub key: BlobKey,
    pub at: Timestamp,
}

/// A blob that a change links.
pub(super) struct Linked<'c> {
    pub key: BlobKey,
    /// What it holds, and since when it is stored. None where the change may find that it has no need of it.
    pub content: Option<(&'c Content, Timestamp)>,
}

impl Linked<'_> {
    /// A blob of which it is not said here what it holds.
    pub fn perhaps(key: BlobKey) -> Self {
        Self { key, content: None }
    }
}

impl Publication {
    /// The blobs that it links for certain.
    pub(super) fn linked(&self) -> Vec<Linked<'_>> {
        let sent = self.original.as_ref().map(|sent| (sent.blob, &sent.content));
        let all = [(self.blob, &self.content)].into_iter().chain(sent);
        all.map(|(key, content)| Linked { key, content: Some((content, self.now)) }).collect()
    }
}

impl Reservations {
    /// The next number, if there is one without asking the database.
    pub fn next(&self) -> Option<u64> {
        let mut state = self.state();
        let number = state.next;
        (number < state.end).then(|| {
            state.next += 1;
            number
        })
    }

    /// Numbers that were taken from the database. What two threads take at once is given out of the higher block alone.
    pub fn supply(&self, first: u64) {
        let mut state = self.state();
        if first >= state.end {
            (state.next, state.end) = (first, first.saturating_add(BLOCK));
        }
    }

    /// Remembers a reservation. Returns whether there is room for it.
    pub fn add(&self, reserved: Reserved) -> bool {
        let mut state = self.state();
        let has_room = state.open.len() < MOST;
        if has_room {
            state.open.insert(reserved.key.generation, reserved);
        }
        has_room
    }

    /// Those of these keys that are reserved.
    pub fn of(&self, keys: impl IntoIterator<Item = BlobKey>) -> Vec<Reserved> {
        let state = self.state();
        let find = |key: BlobKey| state.open.get(&key.generation).filter(|it| it.key == key);
        keys.into_iter().filter_map(find).copied().collect()
    }

    /// Up to `limit` of those made at or before a time, the oldest first.
    pub fn until(&self, at: Timestamp, limit: usize) -> Vec<Reserved> {
        let state = self.state();
        let mut old: Vec<_> = state.open.values().filter(|it| it.at <= at).copied().collect();
        old.sort_unstable_by_key(|it| (it.at, it.key.generation));
        old.truncate(limit);
        old
    }

    /// The database knows them now.
    pub fn settle(&self, noted: &[Reserved]) {
        let mut state = self.state();
        for Reserved { key, .. } in noted {
            state.open.remove(&key.generation);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Sqlite {
    /// A key that nobody else has.
    pub(super) fn new_key(
        &self,
        store: StoreId,
        digest: Digest,
        now: Timestamp,
    ) -> Result<BlobKey, Error> {
        let generation = loop {
            match self.reservations.next() {
                Some(generation) => break generation,
                None => self.reservations.supply(self.write(take_block)?),
            }
        };
        let reserved = Reserved { key: BlobKey { store, digest, generation }, at: now };
        if !self.reservations.add(reserved) {
            self.write(|db| note(db, &[reserved]))?;
        }
        Ok(reserved.key)
    }

    /// Gives out no number up to this one, which a blob has that the catalogue does not know.
    pub fn skip_numbers(&self, last: u64) -> Result<(), Error> {
        self.write(|db| {
            take_block(db)?;
            let sql = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'blobs'";
            run(db, sql, [int(last)]).map(drop)
        })
    }

    /// Makes a change that links blobs: what of them is only reserved is noted in the same transaction.
    pub(super) fn write_linking<T>(
        &self,
        blobs: &[Linked],
        change: impl Fn(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let new = self.reservations.of(blobs.iter().map(|it| it.key));
        let answer = self.write(|db| {
            for reserved in &new {
                match blobs.iter().find(|it| it.key == reserved.key && it.content.is_some()) {
                    Some(linked) => note_linked(db, *reserved, linked)?,
                    None => note(db, std::slice::from_ref(reserved))?,
                }
            }
            change(db)
        })?;
        self.reservations.settle(&new);
        Ok(answer)
    }

    /// The reservations whose time is over are the next sweep's, which finds what it looks for in the database.
    pub(super) fn doom_until(&self, horizon: Horizon, limit: usize) -> Result<Doomed, Error> {
        let over = self.reservations.until(horizon.reserved, limit);
        let doomed = self.write(|db| {
            note(db, &over)?;
            sweep::doom(db, horizon, limit)
        })?;
        self.reservations.settle(&over);
        Ok(doomed)
    }

    pub(super) fn doomable_until(&self, horizon: Horizon, limit: usize) -> Result<Doomed, Error> {
        let over = self.reservations.until(horizon.reserved, limit);
        self.writer.rehearse(|db| {
            note(db, &over)?;
            sweep::doom(db, horizon, limit)
        })
    }
}

/// Takes back what a crash made forget; returns what of it is stored.
pub(super) fn recall(
    db: &Connection,
    pending: &[BlobKey],
    now: Timestamp,
) -> Result<Vec<BlobKey>, Error> {
    let reserved: Vec<_> = pending.iter().map(|key| Reserved { key: *key, at: now }).collect();
    note(db, &reserved)?;
    blobs::of_these(db, pending)
}

/// Takes a block of numbers; returns the first.
fn take_block(db: &Connection) -> Result<u64, Error> {
    let sql = "INSERT INTO sqlite_sequence (name, seq) SELECT 'blobs', 0 \
               WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'blobs')";
    run(db, sql, [])?;
    let sql = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'blobs' RETURNING seq";
    let last: Option<u64> = one(db, sql, [int(BLOCK)], |row| number(row, 0))?;
    let last = last.ok_or_else(|| Error::Corrupt("no numbers are left for blobs".into()))?;
    Ok(last.saturating_sub(BLOCK - 1))
}

/// Writes reservations into the database. One that it knows already, doomed or not, stays as it is.
fn note(db: &Connection, reserved: &[Reserved]) -> Result<(), Error> {
    let sql = "INSERT OR IGNORE INTO blobs (id, digest, store, reserved) VALUES (?, ?, ?, ?)";
    for Reserved { key, at } in reserved {
        let digest = key.digest.as_bytes();
        run(db, sql, params![int(key.generation), digest, int(key.store.0), at.0])?;
    }
    Ok(())
}

/// The same, of one that is linked in this very transaction: it is stored, and was never idle.
fn note_linked(db: &Connection, reserved: Reserved, linked: &Linked) -> Result<(), Error> {
    let Some((content, stored)) = linked.content else { return Ok(()) };
    let sql = "INSERT OR IGNORE INTO blobs \
               (id, digest, store, reserved, idle, stored, media_type, length, width, height) \
               VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?)";
    let Reserved { key, at } = reserved;
    let (width, height) = content.dimensions.map(|size| (size.width, size.height)).unzip();
    let params = params![
        int(key.generation),
        key.digest.as_bytes(),
        int(key.store.0),
        at.0,
        stored.0,
        content.media_type.as_str(),
        int(content.length),
        width,
        height
    ];
    run(db, sql, params).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserved(generation: u64, at: i64) -> Reserved {
        let key = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation };
        Reserved { key, at: Timestamp(at) }
    }

    #[test]
    fn numbers_are_given_out_once_also_where_two_threads_took_a_block() {
        let reservations = Reservations::default();
        assert_eq!(reservations.next(), None);
        reservations.supply(1);
        assert_eq!((reservations.next(), reservations.next()), (Some(1), Some(2)));
        reservations.supply(1 + BLOCK);
        assert_eq!(reservations.next(), Some(1 + BLOCK));
        reservations.supply(1);
        assert_eq!(reservations.next(), Some(2 + BLOCK));
    }

    #[test]
    fn reservations_in_memory_are_bounded() {
        let reservations = Reservations::default();
        for generation in 0..MOST as u64 {
            assert!(reservations.add(reserved(generation, 1)));
        }
        assert!(!reservations.add(reserved(u64::MAX, 1)));
        reservations.settle(&[reserved(0, 1)]);
        assert!(reservations.add(reserved(u64::MAX, 1)));
    }

    #[test]
    fn the_oldest_reservations_are_told_first() {
        let reservations = Reservations::default();
        for (generation, at) in [(1, 5), (2, 3), (3, 9), (4, 3)] {
            reservations.add(reserved(generation, at));
        }
        let told = reservations.until(Timestamp(5), 2);
        assert_eq!(told, [reserved(2, 3), reserved(4, 3)]);
    }
}
