//! Variants in SQL. The schema's triggers keep the number of their bytes.

use super::columns::{number, variant_record};
use super::linking::Linked;
use super::{Db, Error, Result, SqlCatalog, blobs, values};
use crate::catalog::variants::{TOUCH_PRECISION, Variants};
use words::attachment::{BlobKey, Content, VariantId};
use words::rendition::VariantRecord;
use words::timestamp::Timestamp;
use words::variant::Variant;

/// Selects the columns of [`variant_record`], of `variants v` with its blob `b` and its original's blob `o`.
macro_rules! variant_query {
    ($rest:literal) => {
        concat!(
            "SELECT b.id, b.digest, b.store, b.media_type, b.length, b.width, b.height, \
             v.id, v.name, o.id, o.digest, o.store, coalesce(o.stored, o.reserved) \
             FROM variants v JOIN blobs b ON b.id = v.blob JOIN blobs o ON o.id = v.original ",
            $rest
        )
    };
}

pub(super) use variant_query;

impl Variants for SqlCatalog {
    fn variant(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>> {
        self.engine.read(|db| find(db, original, variant))
    }

    fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>> {
        let sql = variant_query!("WHERE v.id = ?");
        self.engine.read(|db| db.first(sql, values![id], variant_record))
    }

    fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>> {
        let sql = variant_query!("WHERE v.original = ? AND o.digest = ? ORDER BY v.name");
        let BlobKey { generation, digest, .. } = original;
        self.engine.read(|db| db.all(sql, values![generation, &digest], variant_record))
    }

    fn add_variant(
        &self,
        original: BlobKey,
        variant: Variant,
        blob: BlobKey,
        content: &Content,
    ) -> Result<VariantRecord> {
        self.write_linking(&[original, blob].map(Linked::perhaps), |db| {
            blobs::require(db, original)?;
            blobs::require(db, blob)?;
            if let Some(known) = find(db, original, variant)? {
                return Ok(known);
            }
            blobs::claim(db, blob, content, None)?;
            insert(db, original, variant, blob)?;
            find(db, original, variant)?.ok_or(Error::Missing)
        })
    }

    fn remove_variant(&self, id: VariantId) -> Result<bool> {
        self.engine.write(|db| {
            let sql = "SELECT blob FROM variants WHERE id = ?";
            let Some(blob) = db.first(sql, values![id], |row| number(row, 0))? else {
                return Ok(false);
            };
            remove(db, id, blob)?;
            Ok(true)
        })
    }

    fn trim_variants(&self, bytes: u64, limit: usize) -> Result<usize> {
        // Most sweeps find the variants within their limit. They need not wait for the writer to learn that.
        let is_within = self.engine.read(total)? <= bytes;
        if is_within { Ok(0) } else { self.engine.write(|db| trim(db, bytes, limit)) }
    }

    fn touch_variants(&self, read: &[(VariantId, Timestamp)]) -> Result<()> {
        let sql = "UPDATE variants SET used = ? WHERE id = ? AND used <= ?";
        self.engine.write(|db| {
            for (id, at) in read {
                db.execute(sql, values![*at, *id, at.minus(TOUCH_PRECISION)])?;
            }
            Ok(())
        })
    }
}

fn find(db: &Db, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>> {
    let sql = variant_query!("WHERE v.original = ? AND v.name = ? AND o.digest = ?");
    let name = variant.to_string();
    db.first(sql, values![original.generation, name.as_str(), &original.digest], variant_record)
}

/// Adds the variant, used at least as late as any other, whatever the clock says.
fn insert(db: &Db, original: BlobKey, variant: Variant, blob: BlobKey) -> Result<()> {
    let sql = "INSERT INTO variants (original, name, blob, used) \
               SELECT ?, ?, id, max(reserved, (SELECT coalesce(max(used), reserved) FROM variants)) \
               FROM blobs WHERE id = ?";
    let name = variant.to_string();
    db.execute(sql, values![original.generation, name.as_str(), blob.generation]).map(drop)
}

/// The bytes of all variants.
fn total(db: &Db) -> Result<u64> {
    Ok(db.first("SELECT bytes FROM cache", &[], |row| number(row, 0))?.unwrap_or(0))
}

fn trim(db: &Db, bytes: u64, limit: usize) -> Result<usize> {
    let mut left = total(db)?;
    let mut removed = 0;
    while left > bytes && removed < limit {
        let sql = "SELECT v.id, v.blob, b.length FROM variants v JOIN blobs b ON b.id = v.blob \
                   ORDER BY v.used, v.id LIMIT 1";
        let oldest = db.first(sql, &[], |row| {
            Ok((VariantId(number(row, 0)?), number(row, 1)?, number::<u64>(row, 2)?))
        })?;
        let Some((id, blob, length)) = oldest else { break };
        remove(db, id, blob)?;
        left = left.saturating_sub(length);
        removed += 1;
    }
    Ok(removed)
}

fn remove(db: &Db, id: VariantId, blob: u64) -> Result<()> {
    db.execute("DELETE FROM variants WHERE id = ?", values![id])?;
    blobs::release(db, blob)
}
