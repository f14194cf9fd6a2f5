//! What is detached in `SQLite`: attachments without a name, and the name that each lost last.
//! Does not decide how long they stay.

use rusqlite::{Connection, Row, params};

use super::columns::{
    AFTER_ATTACHMENT, attachment, attachment_columns, attachment_tables, corrupt, int, name,
};
use super::{all, one, run};
use crate::catalog::Error;
use words::attachment::AttachmentId;
use words::retired::{Orphan, Retired};
use words::slot::Slot;
use words::timestamp::Timestamp;

macro_rules! retired_query {
    () => {
        concat!(
            "SELECT ",
            attachment_columns!(),
            ", a.left_slot, a.left_written, a.retired, a.keep FROM ",
            attachment_tables!()
        )
    };
}

pub(super) fn since(
    db: &Connection,
    since: Timestamp,
    after: Option<(Timestamp, AttachmentId)>,
    limit: usize,
) -> Result<Vec<Retired>, Error> {
    let sql = concat!(
        retired_query!(),
        "WHERE a.retired >= ?1 AND (a.retired, a.id) > (?2, ?3) AND a.left_slot IS NOT NULL \
         ORDER BY a.retired, a.id LIMIT ?4"
    );
    let (time, id) = after.map_or((i64::MIN, 0), |(time, id)| (time.0, int(id.0)));
    all(db, sql, params![since.0, time, id, limit_of(limit)], read)
}

pub(super) fn by_id(db: &Connection, id: AttachmentId) -> Result<Option<Retired>, Error> {
    let sql = concat!(retired_query!(), "WHERE a.id = ? AND a.left_slot IS NOT NULL");
    one(db, sql, [int(id.0)], read)
}

pub(super) fn first(
    db: &Connection,
    dashed: &str,
    since: Timestamp,
) -> Result<Option<Retired>, Error> {
    // The expression is that of the index.
    let sql = concat!(
        retired_query!(),
        "WHERE replace(a.left_slot, '/', '-') = ? AND a.retired >= ? ORDER BY a.retired, a.id LIMIT 1"
    );
    one(db, sql, params![dashed, since.0], read)
}

pub(super) fn renew(db: &Connection, id: AttachmentId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE attachments SET retired = ? WHERE id = ? AND retired IS NOT NULL";
    run(db, sql, params![now.0, int(id.0)]).map(drop)
}

pub(super) fn orphans(
    db: &Connection,
    after: AttachmentId,
    limit: usize,
) -> Result<Vec<Retired>, Error> {
    let sql = concat!(
        retired_query!(),
        "WHERE a.retired IS NOT NULL AND a.keep = 1 AND a.id > ? ORDER BY a.id LIMIT ?"
    );
    all(db, sql, params![int(after.0), limit_of(limit)], read)
}

fn read(row: &Row) -> Result<Retired, Error> {
    const AT: usize = AFTER_ATTACHMENT;
    let slot: String = row.get(AT)?;
    let keep: bool = row.get(AT + 3)?;
    Ok(Retired {
        attachment: attachment(row)?,
        slot: Slot::parse(&slot).ok_or_else(|| corrupt("a slot", &slot))?,
        written: name(row, AT + 1)?,
        at: Timestamp(row.get(AT + 2)?),
        orphan: if keep { Orphan::Keep } else { Orphan::Delete },
    })
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
