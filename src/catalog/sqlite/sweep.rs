//! Finding what nobody needs in `SQLite`.
//! Does not delete bytes: it marks, so that no reservation finds what is about to go.

use rusqlite::{Connection, params};

use super::columns::{int, key, number};
use super::{all, blobs, exists, one, run};
use crate::attachment::{AttachmentId, BlobKey};
use crate::catalog::{Doomed, Error, Totals};
use crate::timestamp::Timestamp;

/// What is old enough to go.
#[derive(Clone, Copy)]
pub(super) struct Horizon {
    /// Attachments retired at or before this.
    pub retired: Timestamp,
    /// Reservations made at or before this.
    pub reserved: Timestamp,
}

/// Blobs that may be needed by nothing: every one that is, and some that are not.
const SUSPECTS: &str = "\
    SELECT id, digest, store FROM blobs WHERE idle = 1 AND doomed = 0 AND reserved <= ?2 \
    UNION \
    SELECT b.id, b.digest, b.store FROM attachments a JOIN blobs b ON b.id IN (a.blob, a.original) \
    WHERE a.retired <= ?1 AND a.keep = 0 AND b.doomed = 0 \
    ORDER BY 1";

/// Whether a blob is needed: by a name, a hold or a fresh reservation, of itself or of what it is a variant of. UNION
/// ends the walk where variants lead back to where they began.
const NEEDED: &str = "\
    WITH RECURSIVE up (blob) AS ( \
        SELECT ?3 UNION SELECT v.original FROM up JOIN variants v ON v.blob = up.blob \
    ) \
    SELECT 1 FROM up JOIN blobs b ON b.id = up.blob \
    WHERE (b.idle = 1 AND b.reserved > ?2) \
       OR EXISTS (SELECT 1 FROM attachments a \
                  WHERE a.blob = b.id AND (a.retired IS NULL OR a.retired > ?1 OR a.keep = 1)) \
       OR EXISTS (SELECT 1 FROM attachments a \
                  WHERE a.original = b.id AND (a.retired IS NULL OR a.retired > ?1 OR a.keep = 1))";

pub(super) fn doom(db: &Connection, horizon: Horizon, limit: usize) -> Result<Doomed, Error> {
    let mut doomed = Doomed { blobs: blobs::doomed(db, limit)?, ..Doomed::default() };
    let params = params![horizon.retired.0, horizon.reserved.0];
    for suspect in all(db, SUSPECTS, params, |row| key(row, 0))? {
        if doomed.blobs.len() >= limit {
            break;
        }
        condemn(db, suspect, horizon, &mut doomed)?;
    }
    forget_retired(db, horizon, limit, &mut doomed)?;
    doomed.blobs.sort_unstable_by_key(|key| key.generation);
    doomed.attachments.sort_unstable();
    Ok(doomed)
}

/// Dooms a blob that nothing needs, and then those of its variants, and of what its attachments keep beside it, that
/// nothing else needs.
fn condemn(
    db: &Connection,
    suspect: BlobKey,
    horizon: Horizon,
    doomed: &mut Doomed,
) -> Result<(), Error> {
    let mut suspects = vec![suspect];
    while let Some(suspect) = suspects.pop() {
        let id = int(suspect.generation);
        let params = params![horizon.retired.0, horizon.reserved.0, id];
        if doomed.blobs.contains(&suspect) || exists(db, NEEDED, params)? {
            continue;
        }
        let sql = "SELECT b.id, b.digest, b.store FROM variants v JOIN blobs b ON b.id = v.blob \
                   WHERE v.original = ?1 AND b.doomed = 0 UNION \
                   SELECT b.id, b.digest, b.store FROM attachments a \
                   JOIN blobs b ON b.id IN (a.blob, a.original) \
                   WHERE (a.blob = ?1 OR a.original = ?1) AND b.id <> ?1 AND b.doomed = 0";
        suspects.extend(all(db, sql, [id], |row| key(row, 0))?);
        run(db, "DELETE FROM variants WHERE original = ?1 OR blob = ?1", [id])?;
        let sql = "DELETE FROM attachments WHERE blob = ?1 OR original = ?1 RETURNING id";
        doomed.attachments.extend(all(db, sql, [id], |row| Ok(AttachmentId(number(row, 0)?)))?);
        run(db, "UPDATE blobs SET doomed = 1 WHERE id = ?", [id])?;
        doomed.blobs.push(suspect);
    }
    Ok(())
}

/// Forgets attachments whose time is over although their blob lives on, or they would pile up behind one popular blob.
/// The last attachment of a blob stays, so that a later sweep is led to the blob by it.
fn forget_retired(
    db: &Connection,
    horizon: Horizon,
    limit: usize,
    doomed: &mut Doomed,
) -> Result<(), Error> {
    let sql = "DELETE FROM attachments WHERE id IN ( \
                   SELECT a.id FROM attachments a WHERE a.retired <= ?1 AND a.keep = 0 AND EXISTS ( \
                       SELECT 1 FROM attachments o WHERE o.blob = a.blob \
                       AND (o.retired IS NULL OR o.retired > ?1 OR o.keep = 1)) \
                   ORDER BY a.id LIMIT ?2) \
               RETURNING id, original";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = |row: &rusqlite::Row| Ok((AttachmentId(number(row, 0)?), row.get(1)?));
    let forgotten: Vec<(_, Option<i64>)> = all(db, sql, params![horizon.retired.0, limit], read)?;
    for (id, sent) in forgotten {
        doomed.attachments.push(id);
        sent.map_or(Ok(()), |sent| blobs::release(db, sent))?;
    }
    Ok(())
}

pub(super) fn totals(db: &Connection) -> Result<Totals, Error> {
    let sql = "SELECT (SELECT count(*) FROM rows), \
                      (SELECT count(*) FROM attachments WHERE links > 0), \
                      (SELECT count(*) FROM blobs WHERE stored IS NOT NULL AND doomed = 0), \
                      (SELECT count(*) FROM variants), \
                      (SELECT count(*) FROM scratch), \
                      (SELECT coalesce(sum(length), 0) FROM blobs WHERE doomed = 0), \
                      count(b.id), coalesce(sum(b.length), 0) \
               FROM attachments a JOIN blobs b ON b.id = a.blob WHERE a.retired IS NOT NULL";
    let totals = one(db, sql, [], |row| {
        Ok(Totals {
            rows: number(row, 0)?,
            attachments: number(row, 1)?,
            blobs: number(row, 2)?,
            variants: number(row, 3)?,
            scratch: number(row, 4)?,
            bytes: number(row, 5)?,
            retired: number(row, 6)?,
            retired_bytes: number(row, 7)?,
        })
    })?;
    Ok(totals.unwrap_or_default())
}
