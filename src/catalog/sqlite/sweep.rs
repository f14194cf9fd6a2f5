//! Finding what nobody needs in `SQLite`.
//! Does not delete bytes: it marks, so that no reservation finds what is about to go.

use rusqlite::{Connection, params};

use super::columns::{int, key, number};
use super::{all, blobs, exists, run};
use crate::catalog::{Doomed, Error};
use words::attachment::{AttachmentId, BlobKey};
use words::timestamp::Timestamp;

/// What is old enough to go.
#[derive(Clone, Copy)]
pub(super) struct Horizon {
    /// Attachments retired at or before this.
    pub retired: Timestamp,
    /// Reservations made at or before this.
    pub reserved: Timestamp,
}

/// Blobs that nothing was ever hung from, or whose last variant was dropped.
const IDLE: &str = "\
    SELECT id, digest, store FROM blobs WHERE idle = 1 AND doomed = 0 AND reserved <= ? \
    ORDER BY reserved, id LIMIT ?";

/// Attachments whose time is over, with what was sent where that is kept.
const GOING: &str = "\
    SELECT a.id, b.id, b.digest, b.store, o.id, o.digest, o.store FROM attachments a \
    JOIN blobs b ON b.id = a.blob LEFT JOIN blobs o ON o.id = a.original \
    WHERE a.retired IS NOT NULL AND a.keep = 0 AND a.retired <= ? \
    ORDER BY a.retired, a.id LIMIT ?";

/// Whether an attachment has the blob, held ones included.
const ATTACHED: &str = "SELECT 1 FROM attachments WHERE blob = ? LIMIT 1";

/// Whether an attachment keeps the blob as what was sent.
const SENT: &str = "SELECT 1 FROM attachments WHERE original = ? LIMIT 1";

/// Whether another blob has it as a variant. One that has itself is no reason to keep it.
const RENDERED: &str = "SELECT 1 FROM variants WHERE blob = ?1 AND original <> ?1 LIMIT 1";

const CHILDREN: &str = "\
    SELECT DISTINCT b.id, b.digest, b.store FROM variants v JOIN blobs b ON b.id = v.blob \
    WHERE v.original = ?1 AND b.doomed = 0";

/// Looks at no more than `limit` idle blobs and `limit` retired attachments, whatever there is. All that it looks at is
/// gone afterwards, so that the next batch begins where this one ended.
pub(super) fn doom(db: &Connection, horizon: Horizon, limit: usize) -> Result<Doomed, Error> {
    let mut doomed = Doomed { blobs: blobs::doomed(db, limit)?, ..Doomed::default() };
    let room = rows(limit.saturating_sub(doomed.blobs.len()));
    for idle in all(db, IDLE, params![horizon.reserved.0, room], |row| key(row, 0))? {
        condemn(db, vec![idle], &mut doomed)?;
    }
    let read = |row: &rusqlite::Row| {
        let sent = row.get::<_, Option<i64>>(4)?.map(|_| key(row, 4)).transpose()?;
        Ok((number(row, 0)?, std::iter::once(key(row, 1)?).chain(sent).collect::<Vec<_>>()))
    };
    for (id, blobs) in all(db, GOING, params![horizon.retired.0, rows(limit)], read)? {
        if doomed.blobs.len() >= limit {
            break;
        }
        run(db, "DELETE FROM attachments WHERE id = ?", [int(id)])?;
        doomed.attachments.push(AttachmentId(id));
        for blob in blobs {
            if !is_attached(db, blob)? {
                // It may live on as a variant of something; what was rendered from it does not.
                let mut suspects = orphaned(db, blob)?;
                suspects.push(blob);
                condemn(db, suspects, &mut doomed)?;
            }
        }
    }
    doomed.blobs.sort_unstable_by_key(|key| key.generation);
    doomed.attachments.sort_unstable();
    Ok(doomed)
}

fn is_attached(db: &Connection, key: BlobKey) -> Result<bool, Error> {
    let id = int(key.generation);
    Ok(exists(db, ATTACHED, [id])? || exists(db, SENT, [id])?)
}

/// Dooms those blobs that nothing needs, and then those of their variants that nothing else needs.
fn condemn(db: &Connection, mut suspects: Vec<BlobKey>, doomed: &mut Doomed) -> Result<(), Error> {
    while let Some(suspect) = suspects.pop() {
        let id = int(suspect.generation);
        if is_attached(db, suspect)? || exists(db, RENDERED, [id])? {
            continue;
        }
        suspects.extend(orphaned(db, suspect)?);
        if run(db, "UPDATE blobs SET doomed = 1 WHERE id = ? AND doomed = 0", [id])? > 0 {
            doomed.blobs.push(suspect);
        }
    }
    Ok(())
}

/// Drops the variants of an original that is gone; returns their blobs.
fn orphaned(db: &Connection, original: BlobKey) -> Result<Vec<BlobKey>, Error> {
    let id = int(original.generation);
    let mut children = all(db, CHILDREN, [id], |row| key(row, 0))?;
    children.retain(|child| *child != original);
    run(db, "DELETE FROM variants WHERE original = ?", [id])?;
    Ok(children)
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::sqlite::Sqlite;

    /// One line for each step of the plan.
    fn plan(db: &Connection, sql: &str) -> Vec<String> {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = statement.parameter_count();
        let params = rusqlite::params_from_iter(vec![1_i64; count]);
        let steps = statement.query_map(params, |row| row.get("detail")).unwrap();
        steps.map(Result::unwrap).collect()
    }

    #[test]
    fn a_batch_of_a_sweep_walks_no_table_and_sorts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Sqlite::open(&folder.path().join("catalog.sqlite")).unwrap();
        let turn = catalog.writer.still();
        let db = &turn.db;
        for sql in [IDLE, GOING, ATTACHED, SENT, RENDERED] {
            for step in plan(db, sql) {
                assert!(!step.contains("SCAN") && !step.contains("TEMP"), "{sql}\n{step}");
            }
        }
        // An original's variants are few: they may be sorted.
        let children = plan(db, CHILDREN);
        assert!(!children.iter().any(|step| step.contains("SCAN")), "{children:?}");
    }
}
