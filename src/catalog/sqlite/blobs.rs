//! The catalogue's knowledge of blobs in `SQLite`: reserved, stored, doomed, forgotten.
//! Does not know what needs a blob: `sweep.rs` finds that out.

use rusqlite::{Connection, params};

use super::columns::{int, key, number};
use super::{all, exists, one, run};
use crate::catalog::Error;
use words::attachment::{BlobKey, Content, StoreId};
use words::digest::Digest;
use words::timestamp::Timestamp;

/// The oldest stored blob with these bytes that is not doomed.
pub(super) fn stored(
    db: &Connection,
    store: StoreId,
    digest: Digest,
) -> Result<Option<BlobKey>, Error> {
    let sql = "SELECT id, digest, store FROM blobs WHERE digest = ? AND store = ? \
               AND stored IS NOT NULL AND doomed = 0 ORDER BY id LIMIT 1";
    one(db, sql, params![digest.as_bytes(), int(store.0)], |row| key(row, 0))
}

/// Those of these blobs that are known to be stored.
pub(super) fn of_these(db: &Connection, keys: &[BlobKey]) -> Result<Vec<BlobKey>, Error> {
    let sql =
        "SELECT 1 FROM blobs WHERE id = ? AND digest = ? AND stored IS NOT NULL AND doomed = 0";
    let mut known = Vec::new();
    for key in keys {
        if exists(db, sql, params![int(key.generation), key.digest.as_bytes()])? {
            known.push(*key);
        }
    }
    Ok(known)
}

/// Fails with [`Error::BlobGone`] if the blob is doomed or forgotten.
pub(super) fn require(db: &Connection, key: BlobKey) -> Result<(), Error> {
    let sql = "SELECT 1 FROM blobs WHERE id = ? AND digest = ? AND doomed = 0";
    let live = exists(db, sql, params![int(key.generation), key.digest.as_bytes()])?;
    if live { Ok(()) } else { Err(Error::BlobGone(key)) }
}

/// Notes that the blob is needed, and, the first time, what it holds. `now` is when it was stored; where nobody says,
/// it is when it was reserved.
pub(super) fn claim(
    db: &Connection,
    key: BlobKey,
    content: &Content,
    now: Option<Timestamp>,
) -> Result<(), Error> {
    let id = int(key.generation);
    run(db, "UPDATE blobs SET idle = 0 WHERE id = ? AND idle = 1", [id])?;
    let sql = "UPDATE blobs SET stored = coalesce(?, reserved), media_type = ?, length = ?, \
               width = ?, height = ? WHERE id = ? AND stored IS NULL";
    let (width, height) = content.dimensions.map(|size| (size.width, size.height)).unzip();
    let (media_type, length) = (content.media_type.as_str(), int(content.length));
    run(db, sql, params![now.map(|at| at.0), media_type, length, width, height, id])?;
    Ok(())
}

/// Somebody needs this blob no more: it is the next sweep's, unless attachments or variants lead a sweep there anyway. No
/// reservation holds it back: whoever would share it is told that it is gone, and stores it anew.
pub(super) fn release(db: &Connection, blob: i64) -> Result<(), Error> {
    let sql = "UPDATE blobs SET idle = 1, reserved = 0 WHERE id = ?1 \
               AND NOT EXISTS (SELECT 1 FROM attachments WHERE blob = ?1) \
               AND NOT EXISTS (SELECT 1 FROM attachments WHERE original = ?1) \
               AND NOT EXISTS (SELECT 1 FROM variants WHERE blob = ?1 AND original <> ?1)";
    run(db, sql, [blob]).map(drop)
}

pub(super) fn doomed(db: &Connection, limit: usize) -> Result<Vec<BlobKey>, Error> {
    let sql = "SELECT id, digest, store FROM blobs WHERE doomed = 1 ORDER BY id LIMIT ?";
    all(db, sql, [i64::try_from(limit).unwrap_or(i64::MAX)], |row| key(row, 0))
}

pub(super) fn lengths(db: &Connection, keys: &[BlobKey]) -> Result<Vec<u64>, Error> {
    let sql = "SELECT coalesce(length, 0) FROM blobs WHERE id = ? AND digest = ?";
    let length = |key: &BlobKey| {
        let params = params![int(key.generation), key.digest.as_bytes()];
        Ok(one(db, sql, params, |row| number(row, 0))?.unwrap_or(0))
    };
    keys.iter().map(length).collect()
}

pub(super) fn forget(db: &Connection, keys: &[BlobKey]) -> Result<(), Error> {
    let sql = "DELETE FROM blobs WHERE id = ? AND digest = ? AND doomed = 1";
    for key in keys {
        run(db, sql, params![int(key.generation), key.digest.as_bytes()])?;
    }
    Ok(())
}

pub(super) fn after(
    db: &Connection,
    after: Option<BlobKey>,
    limit: usize,
) -> Result<Vec<BlobKey>, Error> {
    let sql = "SELECT id, digest, store FROM blobs \
               WHERE id > ? AND stored IS NOT NULL AND doomed = 0 ORDER BY id LIMIT ?";
    let after = after.map_or(0, |key| int(key.generation));
    all(db, sql, [after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| key(row, 0))
}
