//! Variants in `SQLite`: which rendered blob belongs to which original, and which were used last.
//! Does not render, and deletes no blob.

use rusqlite::{Connection, params};

use super::columns::{int, number, variant_columns, variant_record};
use super::{all, blobs, one, run};
use crate::catalog::{Error, TOUCH_PRECISION};
use words::attachment::{BlobKey, Content, VariantId};
use words::rendition::VariantRecord;
use words::timestamp::Timestamp;
use words::variant::Variant;

macro_rules! variant_query {
    () => {
        concat!(
            "SELECT ",
            variant_columns!(),
            " FROM variants v JOIN blobs b ON b.id = v.blob JOIN blobs o ON o.id = v.original "
        )
    };
}

pub(super) fn find(
    db: &Connection,
    original: BlobKey,
    variant: Variant,
) -> Result<Option<VariantRecord>, Error> {
    let sql = concat!(variant_query!(), "WHERE v.original = ? AND v.name = ? AND o.digest = ?");
    let params = params![int(original.generation), variant.to_string(), original.digest.as_bytes()];
    one(db, sql, params, variant_record)
}

pub(super) fn by_id(db: &Connection, id: VariantId) -> Result<Option<VariantRecord>, Error> {
    let sql = concat!(variant_query!(), "WHERE v.id = ?");
    one(db, sql, [int(id.0)], variant_record)
}

pub(super) fn of_original(db: &Connection, original: BlobKey) -> Result<Vec<VariantRecord>, Error> {
    let sql = concat!(variant_query!(), "WHERE v.original = ? AND o.digest = ? ORDER BY v.name");
    all(db, sql, params![int(original.generation), original.digest.as_bytes()], variant_record)
}

pub(super) fn add(
    db: &Connection,
    original: BlobKey,
    variant: Variant,
    blob: BlobKey,
    content: &Content,
) -> Result<VariantRecord, Error> {
    blobs::require(db, original)?;
    blobs::require(db, blob)?;
    if let Some(known) = find(db, original, variant)? {
        return Ok(known);
    }
    blobs::claim(db, blob, content, None)?;
    // What was just rendered counts as used last: never before any other, whatever the clock did.
    let sql = "INSERT INTO variants (original, name, blob, used) \
               SELECT ?, ?, id, max(reserved, (SELECT coalesce(max(used), reserved) FROM variants)) \
               FROM blobs WHERE id = ?";
    let params = params![int(original.generation), variant.to_string(), int(blob.generation)];
    run(db, sql, params)?;
    find(db, original, variant)?.ok_or(Error::Missing)
}

/// The total is kept by triggers of the schema.
pub(super) fn cached(db: &Connection) -> Result<u64, Error> {
    Ok(one(db, "SELECT bytes FROM cache", [], |row| number(row, 0))?.unwrap_or(0))
}

pub(super) fn trim(db: &Connection, bytes: u64, limit: usize) -> Result<usize, Error> {
    let mut total = cached(db)?;
    let mut dropped = 0;
    while total > bytes && dropped < limit {
        let sql = "SELECT v.id, v.blob, b.length FROM variants v JOIN blobs b ON b.id = v.blob \
                   ORDER BY v.used, v.id LIMIT 1";
        let read = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?, number::<u64>(row, 2)?));
        let Some((variant, blob, length)) = one(db, sql, [], read)? else {
            break;
        };
        discard(db, variant, blob)?;
        total = total.saturating_sub(length);
        dropped += 1;
    }
    Ok(dropped)
}

pub(super) fn touch(db: &Connection, read: &[(VariantId, Timestamp)]) -> Result<(), Error> {
    let sql = "UPDATE variants SET used = ? WHERE id = ? AND used <= ?";
    for (id, at) in read {
        run(db, sql, params![at.0, int(id.0), at.minus(TOUCH_PRECISION).0])?;
    }
    Ok(())
}

pub(super) fn remove(db: &Connection, id: VariantId) -> Result<bool, Error> {
    let sql = "SELECT blob FROM variants WHERE id = ?";
    let Some(blob) = one(db, sql, [int(id.0)], |row| Ok(row.get(0)?))? else {
        return Ok(false);
    };
    discard(db, int(id.0), blob)?;
    Ok(true)
}

/// Drops one variant.
fn discard(db: &Connection, variant: i64, blob: i64) -> Result<(), Error> {
    run(db, "DELETE FROM variants WHERE id = ?", [variant])?;
    blobs::release(db, blob)
}
