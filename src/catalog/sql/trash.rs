//! Retired attachments in SQL.

use super::columns::{AFTER_ATTACHMENT, attachment, attachment_query, corrupt, name};
use super::{Result, Row, SqlCatalog, values};
use crate::catalog::trash::Trash;
use words::attachment::AttachmentId;
use words::retired::{Orphan, Retired};
use words::slot::Slot;
use words::timestamp::Timestamp;

/// Attachments with their last link, read by [`retired`].
macro_rules! retired_query {
    ($rest:literal) => {
        attachment_query!(", a.left_slot, a.left_written, a.retired, a.keep", $rest)
    };
}

impl Trash for SqlCatalog {
    fn retired(&self, since: Timestamp, limit: usize) -> Result<Vec<Retired>> {
        let sql = retired_query!(
            "WHERE a.retired >= ? AND a.left_slot IS NOT NULL ORDER BY a.retired, a.id LIMIT ?"
        );
        self.engine.read(|db| db.all(sql, values![since, limit], retired))
    }

    fn retired_by_id(&self, id: AttachmentId) -> Result<Option<Retired>> {
        let sql = retired_query!("WHERE a.id = ? AND a.left_slot IS NOT NULL");
        self.engine.read(|db| db.first(sql, values![id], retired))
    }

    fn first_retired(&self, dashed: &str, since: Timestamp) -> Result<Option<Retired>> {
        // The index `attachments_in_trash` has this very expression.
        let sql = retired_query!(
            "WHERE replace(a.left_slot, '/', '-') = ? AND a.retired >= ? \
             ORDER BY a.retired, a.id LIMIT 1"
        );
        self.engine.read(|db| db.first(sql, values![dashed, since], retired))
    }

    fn renew(&self, id: AttachmentId, now: Timestamp) -> Result<()> {
        let sql = "UPDATE attachments SET retired = ? WHERE id = ? AND retired IS NOT NULL";
        self.engine.write(|db| db.execute(sql, values![now, id]).map(drop))
    }

    fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>> {
        let sql = retired_query!(
            "WHERE a.retired IS NOT NULL AND a.keep = 1 AND a.id > ? ORDER BY a.id LIMIT ?"
        );
        self.engine.read(|db| db.all(sql, values![after, limit], retired))
    }
}

fn retired(row: &Row) -> Result<Retired> {
    const AT: usize = AFTER_ATTACHMENT;
    let slot = row.text(AT)?;
    Ok(Retired {
        attachment: attachment(row)?,
        slot: Slot::parse(slot).ok_or_else(|| corrupt("a slot", slot))?,
        written: name(row, AT + 1)?,
        at: Timestamp(row.int(AT + 2)?),
        orphan: if row.int(AT + 3)? == 0 { Orphan::Delete } else { Orphan::Keep },
    })
}
