//! Blobs and stores in SQL: keys are reserved, blobs are stored, doomed and forgotten.

use super::columns::{content_values, key, name, number};
use super::linking::note;
use super::reservations::Reserved;
use super::{Db, Error, Result, SqlCatalog, sweep, values};
use crate::catalog::blobs::{Blobs, Doomed, Due, Reservation, StoreRecord};
use words::attachment::{BlobKey, Content, StoreId};
use words::digest::Digest;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Numbers of blobs that one transaction takes.
const BLOCK: u64 = 1024;

impl Blobs for SqlCatalog {
    fn store(&self, name: &Name) -> Result<StoreId> {
        let find = "SELECT id FROM stores WHERE name = ?";
        let add = "INSERT INTO stores (name) VALUES (?) \
                   ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id";
        self.find_or_add(find, add, values![name]).map(StoreId)
    }

    fn stores(&self) -> Result<Vec<StoreRecord>> {
        let sql = "SELECT s.id, s.name, coalesce(h.blobs, 0), coalesce(h.bytes, 0) \
                   FROM (SELECT 0 AS id, NULL AS name UNION ALL SELECT id, name FROM stores) s \
                   LEFT JOIN held h ON h.store = s.id ORDER BY s.id";
        self.engine.read(|db| {
            db.all(sql, &[], |row| {
                let id = StoreId(number(row, 0)?);
                let name = if id == StoreId::default() { None } else { Some(name(row, 1)?) };
                Ok(StoreRecord { id, name, blobs: number(row, 2)?, bytes: number(row, 3)? })
            })
        })
    }

    fn reserve(&self, store: StoreId, digest: Digest, now: Timestamp) -> Result<Reservation> {
        // The oldest, if two threads stored the same bytes at once.
        let sql = "SELECT id, digest, store FROM blobs WHERE digest = ? AND store = ? \
                   AND stored IS NOT NULL AND doomed = 0 ORDER BY id LIMIT 1";
        let find = |db: &Db| db.first(sql, values![&digest, store], |row| key(row, 0));
        if let Some(key) = self.engine.read(find)? {
            return Ok(Reservation::Stored(key));
        }
        let key = BlobKey { store, digest, generation: self.next_generation()? };
        let reserved = Reserved { key, at: now };
        if !self.reservations.add(reserved) {
            self.engine.write(|db| note(db, &[reserved]))?;
        }
        Ok(Reservation::New(key))
    }

    fn stored(&self, keys: &[BlobKey]) -> Result<Vec<BlobKey>> {
        let sql =
            "SELECT 1 FROM blobs WHERE id = ? AND digest = ? AND stored IS NOT NULL AND doomed = 0";
        self.engine.read(|db| {
            let mut stored = Vec::new();
            for key in keys {
                if db.exists(sql, values![key.generation, &key.digest])? {
                    stored.push(*key);
                }
            }
            Ok(stored)
        })
    }

    fn lengths(&self, keys: &[BlobKey]) -> Result<Vec<u64>> {
        let sql = "SELECT coalesce(length, 0) FROM blobs WHERE id = ? AND digest = ?";
        self.engine.read(|db| {
            let length = |key: &BlobKey| {
                let values = values![key.generation, &key.digest];
                Ok(db.first(sql, values, |row| number(row, 0))?.unwrap_or(0))
            };
            keys.iter().map(length).collect()
        })
    }

    fn doom(&self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Result<Doomed> {
        let old = self.reservations.until(reserved, limit);
        let doomed = self.engine.write(|db| sweep::doom(db, &old, retired, reserved, limit))?;
        self.reservations.remove(&old);
        Ok(doomed)
    }

    fn doomed(&self, after: u64, limit: usize) -> Result<Vec<BlobKey>> {
        let sql =
            "SELECT id, digest, store FROM blobs WHERE doomed = 1 AND id > ? ORDER BY id LIMIT ?";
        self.engine.read(|db| db.all(sql, values![after, limit], |row| key(row, 0)))
    }

    fn due(&self, retired: Timestamp, reserved: Timestamp) -> Result<Due> {
        let unwritten = self.reservations.until(reserved, usize::MAX).len();
        let due = self.engine.read(|db| sweep::due(db, retired, reserved))?;
        Ok(Due { blobs: due.blobs + unwritten, ..due })
    }

    fn forget(&self, keys: &[BlobKey]) -> Result<()> {
        let sql = "DELETE FROM blobs WHERE id = ? AND digest = ? AND doomed = 1";
        self.engine.write(|db| {
            for key in keys {
                db.execute(sql, values![key.generation, &key.digest])?;
            }
            Ok(())
        })
    }
}

impl SqlCatalog {
    /// A number that no other blob has. Most calls need no transaction.
    fn next_generation(&self) -> Result<u64> {
        loop {
            if let Some(generation) = self.reservations.next() {
                return Ok(generation);
            }
            let first = self.engine.write(|db| db.take_blob_numbers(BLOCK))?;
            self.reservations.supply(first..first.saturating_add(BLOCK));
        }
    }
}

/// Fails with [`Error::BlobGone`] if the blob is doomed or forgotten.
pub(super) fn require(db: &Db, key: BlobKey) -> Result<()> {
    let sql = "SELECT 1 FROM blobs WHERE id = ? AND digest = ? AND doomed = 0";
    let exists = db.exists(sql, values![key.generation, &key.digest])?;
    if exists { Ok(()) } else { Err(Error::BlobGone(key)) }
}

/// Marks a blob as used. The first time notes its content, and when it was stored: at `now`, or when it was reserved.
pub(super) fn claim(
    db: &Db,
    key: BlobKey,
    content: &Content,
    now: Option<Timestamp>,
) -> Result<()> {
    let id = key.generation;
    db.execute("UPDATE blobs SET idle = 0 WHERE id = ? AND idle = 1", values![id])?;
    let sql = "UPDATE blobs SET stored = coalesce(?, reserved), media_type = ?, length = ?, \
               width = ?, height = ? WHERE id = ? AND stored IS NULL";
    let [media_type, length, width, height] = content_values(content);
    db.execute(sql, &[now.into(), media_type, length, width, height, id.into()]).map(drop)
}

/// Leaves the blob to the next sweep if no attachment, original or other blob's variant uses it. Its reservation does not hold
/// the sweep back: a writer that has it as [`Reservation::Stored`] is told that it is gone, and stores the bytes again.
pub(super) fn release(db: &Db, blob: u64) -> Result<()> {
    let sql = "UPDATE blobs SET idle = 1, reserved = 0 WHERE id = ?1 \
               AND NOT EXISTS (SELECT 1 FROM attachments WHERE blob = ?1) \
               AND NOT EXISTS (SELECT 1 FROM attachments WHERE original = ?1) \
               AND NOT EXISTS (SELECT 1 FROM variants WHERE blob = ?1 AND original <> ?1)";
    db.execute(sql, values![blob]).map(drop)
}
