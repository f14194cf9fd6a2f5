//! One step of a sweep in SQL: finds blobs that nothing uses, and dooms them. And a count of all that such steps would find.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{key, number, optional};
use super::linking::note;
use super::reservations::Reserved;
use super::{Db, Result, Row, values};
use crate::catalog::blobs::{Doomed, Due};
use words::attachment::{AttachmentId, BlobKey};
use words::timestamp::Timestamp;

/// The most blobs of each kind that a count looks at.
const MOST_COUNTED: usize = 1_000_000;

/// Blobs that were never linked, or that have lost their last use as a variant or an original.
const IDLE: &str = "\
    SELECT id, digest, store, coalesce(length, 0) FROM blobs WHERE idle = 1 AND doomed = 0 AND reserved <= ? \
    ORDER BY reserved, id LIMIT ?";

/// Retired attachments whose time is over: their blobs, and the blobs of their originals.
const EXPIRED: &str = "\
    SELECT a.id, b.id, b.digest, b.store, o.id, o.digest, o.store FROM attachments a \
    JOIN blobs b ON b.id = a.blob LEFT JOIN blobs o ON o.id = a.original \
    WHERE a.retired IS NOT NULL AND a.keep = 0 AND a.retired <= ? \
    ORDER BY a.retired, a.id LIMIT ?";

/// Finds an attachment of the blob, linked or retired.
const ATTACHED: &str = "SELECT 1 FROM attachments WHERE blob = ? LIMIT 1";

/// Finds an attachment whose original the blob is.
const SENT: &str = "SELECT 1 FROM attachments WHERE original = ? LIMIT 1";

/// Finds another blob whose variant the blob is. A blob that is its own variant does not keep itself.
const RENDERED: &str = "SELECT 1 FROM variants WHERE blob = ?1 AND original <> ?1 LIMIT 1";

const VARIANTS: &str = "\
    SELECT DISTINCT b.id, b.digest, b.store, coalesce(b.length, 0) FROM variants v JOIN blobs b ON b.id = v.blob \
    WHERE v.original = ?1 AND b.doomed = 0";

/// Writes `old` reservations to the database. Then reads up to `limit` idle blobs and up to `limit` expired attachments. All that
/// it reads is gone afterwards, so that the next step begins where this one ended.
pub(super) fn doom(
    db: &Db,
    old: &[Reserved],
    retired: Timestamp,
    reserved: Timestamp,
    limit: usize,
) -> Result<Doomed> {
    note(db, old)?;
    let mut doomed = Doomed::default();
    for idle in db.all(IDLE, values![reserved, limit], |row| key(row, 0))? {
        doom_unused(db, vec![idle], &mut doomed)?;
    }
    for expired in db.all(EXPIRED, values![retired, limit], expired)? {
        if doomed.blobs.len() >= limit {
            break;
        }
        db.execute("DELETE FROM attachments WHERE id = ?", values![expired.id])?;
        doomed.attachments.push(expired.id);
        for blob in [Some(expired.blob), expired.original].into_iter().flatten() {
            if !is_attached(db, blob)? {
                // The blob may still be a variant of another one. Its own variants go with the attachment in any case.
                let mut suspects = remove_variants(db, blob)?;
                suspects.push(blob);
                doom_unused(db, suspects, &mut doomed)?;
            }
        }
    }
    doomed.blobs.sort_unstable_by_key(|key| key.generation);
    doomed.attachments.sort_unstable();
    Ok(doomed)
}

struct Expired {
    id: AttachmentId,
    blob: BlobKey,
    original: Option<BlobKey>,
}

fn expired(row: &Row) -> Result<Expired> {
    let original = optional(row, 4, |at| key(row, at))?;
    Ok(Expired { id: AttachmentId(number(row, 0)?), blob: key(row, 1)?, original })
}

fn is_attached(db: &Db, key: BlobKey) -> Result<bool> {
    let blob = values![key.generation];
    Ok(db.exists(ATTACHED, blob)? || db.exists(SENT, blob)?)
}

/// Dooms the suspects that nothing uses, and then their variants that nothing else uses.
fn doom_unused(db: &Db, mut suspects: Vec<BlobKey>, doomed: &mut Doomed) -> Result<()> {
    while let Some(suspect) = suspects.pop() {
        let blob = values![suspect.generation];
        if is_attached(db, suspect)? || db.exists(RENDERED, blob)? {
            continue;
        }
        suspects.extend(remove_variants(db, suspect)?);
        if db.execute("UPDATE blobs SET doomed = 1 WHERE id = ? AND doomed = 0", blob)? > 0 {
            doomed.blobs.push(suspect);
        }
    }
    Ok(())
}

/// Removes the variants of an original. Returns their blobs.
fn remove_variants(db: &Db, original: BlobKey) -> Result<Vec<BlobKey>> {
    let id = values![original.generation];
    let mut blobs = db.all(VARIANTS, id, |row| key(row, 0))?;
    blobs.retain(|blob| *blob != original);
    db.execute("DELETE FROM variants WHERE original = ?", id)?;
    Ok(blobs)
}

/// Counts what is doomed already, and what expires.
const SURE: &str = "\
    SELECT (SELECT count(*) FROM attachments WHERE retired IS NOT NULL AND keep = 0 AND retired <= ?1), \
    count(*), coalesce(sum(length), 0) FROM blobs WHERE doomed = 1";

/// The blobs of expired attachments and of their originals that no other attachment has.
const UNATTACHED: &str = "\
    WITH losing (id) AS ( \
        SELECT blob FROM attachments WHERE retired IS NOT NULL AND keep = 0 AND retired <= ?1 UNION \
        SELECT original FROM attachments WHERE retired IS NOT NULL AND keep = 0 AND retired <= ?1 \
        AND original IS NOT NULL \
    ) SELECT b.id, coalesce(b.length, 0) FROM losing JOIN blobs b ON b.id = losing.id \
    WHERE NOT EXISTS (SELECT 1 FROM attachments a WHERE a.blob = losing.id \
                      AND (a.retired IS NULL OR a.keep = 1 OR a.retired > ?1)) \
    AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.original = losing.id \
                    AND (a.retired IS NULL OR a.keep = 1 OR a.retired > ?1)) \
    LIMIT ?2";

/// Finds an attachment of the blob that does not expire.
const STAYS: &str = "\
    SELECT 1 FROM attachments WHERE blob = ?1 AND (retired IS NULL OR keep = 1 OR retired > ?2) \
    UNION ALL \
    SELECT 1 FROM attachments WHERE original = ?1 AND (retired IS NULL OR keep = 1 OR retired > ?2) \
    LIMIT 1";

/// The other blobs whose variant the blob is.
const RENDERED_FROM: &str = "SELECT original FROM variants WHERE blob = ?1 AND original <> ?1";

/// Counts what [`doom`] would find, call after call, until nothing is left. Makes queries alone.
pub(super) fn due(db: &Db, retired: Timestamp, reserved: Timestamp) -> Result<Due> {
    let sure = |row: &Row| {
        Ok(Due { attachments: number(row, 0)?, blobs: number(row, 1)?, bytes: number(row, 2)? })
    };
    let mut due = db.first(SURE, values![retired], sure)?.unwrap_or_default();
    let measured = |row: &Row| Ok((number(row, 0)?, number(row, 3)?));
    let variants = |blob: u64| db.all(VARIANTS, values![blob], measured);
    let unattached = db.all(UNATTACHED, values![retired, MOST_COUNTED], |row| {
        Ok((number(row, 0)?, number(row, 1)?))
    })?;
    // The blobs whose variants go.
    let mut bare: BTreeSet<u64> = unattached.iter().map(|(blob, _)| *blob).collect();
    let mut suspects: BTreeMap<u64, u64> =
        db.all(IDLE, values![reserved, MOST_COUNTED], measured)?.into_iter().collect();
    for (blob, length) in unattached {
        suspects.insert(blob, length);
        suspects.extend(variants(blob)?);
    }
    let mut gone = BTreeSet::new();
    while let Some((blob, length)) = suspects.pop_last() {
        let from = db.all(RENDERED_FROM, values![blob], |row| number(row, 0))?;
        let is_used = from.iter().any(|original| !bare.contains(original))
            || (!bare.contains(&blob) && db.exists(STAYS, values![blob, retired])?);
        if !is_used && gone.insert(blob) {
            (due.blobs, due.bytes) = (due.blobs + 1, due.bytes + length);
            if bare.insert(blob) {
                suspects.extend(variants(blob)?);
            }
        }
    }
    Ok(due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::blobs::Blobs;
    use crate::catalog::contract::{at, open, place, publish, row};
    use crate::catalog::slots::Slots;
    use crate::catalog::sqlite::Value;

    /// The steps of a plan.
    fn plan(db: &Db, sql: &str) -> Vec<String> {
        let numbered = ["?1", "?2"].iter().filter(|parameter| sql.contains(**parameter)).count();
        let count = if numbered > 0 { numbered } else { sql.matches('?').count() };
        let values = vec![Value::Int(1); count];
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        db.all(&sql, &values, |row| Ok(row.text(3)?.to_owned())).unwrap()
    }

    #[test]
    fn what_is_due_is_counted_while_a_change_is_under_way() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = open(&folder.path().join("catalog.sqlite"));
        let avatar = place(row(&catalog, "1"), "avatar");
        publish(&catalog, &avatar, "a", 2);
        catalog.unlink(&avatar, at(3)).unwrap();
        let counted = catalog.engine.write(|db| {
            db.execute("DELETE FROM attributes", &[])?;
            catalog.due(at(3), at(3))
        });
        assert_eq!(counted.unwrap(), Due { attachments: 1, blobs: 1, bytes: 100 });
    }

    #[test]
    fn a_step_of_a_sweep_walks_no_table_and_sorts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = open(&folder.path().join("catalog.sqlite"));
        let (steps, variants) = catalog
            .engine
            .read(|db| {
                let all = [IDLE, EXPIRED, ATTACHED, SENT, RENDERED, STAYS, RENDERED_FROM];
                Ok((all.map(|sql| plan(db, sql)).concat(), plan(db, VARIANTS)))
            })
            .unwrap();
        for step in steps {
            assert!(!step.contains("SCAN") && !step.contains("TEMP"), "{step}");
        }
        // An original has few variants: they may be sorted.
        assert!(!variants.iter().any(|step| step.contains("SCAN")), "{variants:?}");
    }
}
