//! Columns to words and back: how each value of the catalogue lies in a row of `SQLite`.
//! Does not know queries beyond the lists of columns that it reads.

use rusqlite::Row;

use crate::catalog::Error;
use words::attachment::{
    Access, Attachment, AttachmentId, BlobKey, Content, Original, RowId, ScratchId, StoreId,
    TableId, Times, VariantId,
};
use words::digest::Digest;
use words::dimensions::Dimensions;
use words::link::Link;
use words::media_type::MediaType;
use words::place::{Folder, Place};
use words::rendition::VariantRecord;
use words::row::RowRecord;
use words::scratch::{Arrival, ScratchRecord};
use words::slot::Name;
use words::timestamp::Timestamp;
use words::variant::Variant;

/// What [`row_record`] reads.
macro_rules! row_columns {
    () => {
        "id, tab, name, uid, gid, mode, accessed, modified, changed"
    };
}

/// What [`attachment`] reads, of [`attachment_tables`].
macro_rules! attachment_columns {
    () => {
        "b.id, b.digest, b.store, b.media_type, b.length, b.width, b.height, \
         s.id, s.digest, s.store, s.media_type, s.length, s.width, s.height, \
         a.id, a.uid, a.gid, a.mode, a.accessed, a.modified, a.changed, \
         a.committed, a.version, a.filename, a.links, a.source"
    };
}

/// `attachments a` with its blob `b` and, where it is kept, the blob `s` of what was sent.
macro_rules! attachment_tables {
    () => {
        "attachments a JOIN blobs b ON b.id = a.blob LEFT JOIN blobs s ON s.id = a.original "
    };
}

/// What [`variant_record`] reads, of `variants v` joined with `blobs b` (its own) and `blobs o` (the original).
macro_rules! variant_columns {
    () => {
        "b.id, b.digest, b.store, b.media_type, b.length, b.width, b.height, \
         v.id, v.name, o.id, o.digest, o.store, coalesce(o.stored, o.reserved)"
    };
}

/// What [`scratch_record`] reads.
macro_rules! scratch_columns {
    () => {
        "id, row_id, field, name, file, uid, gid, mode, created, waiting, becomes, taken"
    };
}

/// Columns after those of [`attachment`] begin here.
pub(super) const AFTER_ATTACHMENT: usize = 26;

pub(super) use {
    attachment_columns, attachment_tables, row_columns, scratch_columns, variant_columns,
};

pub(super) fn row_record(row: &Row) -> Result<RowRecord, Error> {
    Ok(RowRecord {
        id: RowId(number(row, 0)?),
        table: TableId(number(row, 1)?),
        name: name(row, 2)?,
        access: access(row, 3)?,
        times: times(row, 6)?,
    })
}

pub(super) fn attachment(row: &Row) -> Result<Attachment, Error> {
    let sent: Option<i64> = row.get(7)?;
    let original = match sent {
        Some(_) => Some(Box::new(Original { blob: key(row, 7)?, content: content(row, 10)? })),
        None => None,
    };
    Ok(Attachment {
        id: AttachmentId(number(row, 14)?),
        blob: key(row, 0)?,
        content: content(row, 3)?,
        access: access(row, 15)?,
        times: times(row, 18)?,
        committed: Timestamp(row.get(21)?),
        version: number(row, 22)?,
        original_filename: row.get(23)?,
        links: number(row, 24)?,
        source: row.get(25)?,
        original,
    })
}

/// [`attachment`], followed by the link's place, written name and position.
pub(super) fn link(row: &Row) -> Result<Link, Error> {
    const AT: usize = AFTER_ATTACHMENT;
    Ok(Link {
        place: place(row, AT)?,
        written: name(row, AT + 3)?,
        attachment: attachment(row)?,
        position: number(row, AT + 4)?,
    })
}

pub(super) fn variant_record(row: &Row) -> Result<VariantRecord, Error> {
    let text: String = row.get(8)?;
    let variant = Variant::parse(&text).ok_or_else(|| corrupt("a variant", &text))?;
    Ok(VariantRecord {
        id: VariantId(number(row, 7)?),
        original: key(row, 9)?,
        variant,
        blob: key(row, 0)?,
        content: content(row, 3)?,
        committed: Timestamp(row.get(12)?),
    })
}

pub(super) fn scratch_record(row: &Row) -> Result<ScratchRecord, Error> {
    Ok(ScratchRecord {
        id: ScratchId(number(row, 0)?),
        folder: Folder { row: RowId(number(row, 1)?), field: optional_name(row, 2)? },
        name: name(row, 3)?,
        file: row.get(4)?,
        access: access(row, 5)?,
        created: Timestamp(row.get(8)?),
        arrival: arrival(row, 9)?,
    })
}

/// Three columns: whether it waits, its row, its digest.
fn arrival(row: &Row, at: usize) -> Result<Arrival, Error> {
    let becomes: Option<i64> = row.get(at + 1)?;
    let becomes = becomes.map(|_| number(row, at + 1)).transpose()?.map(RowId);
    let taken: Option<[u8; 32]> = row.get(at + 2)?;
    Ok(Arrival { waiting: row.get(at)?, becomes, taken: taken.map(Digest::from_bytes) })
}

/// Three columns: row, field and item.
pub(super) fn place(row: &Row, at: usize) -> Result<Place, Error> {
    let item = optional_name(row, at + 2)?;
    Ok(Place { row: RowId(number(row, at)?), field: name(row, at + 1)?, item })
}

/// Three columns: generation, digest and store.
pub(super) fn key(row: &Row, at: usize) -> Result<BlobKey, Error> {
    let digest = Digest::from_bytes(row.get(at + 1)?);
    Ok(BlobKey { store: StoreId(number(row, at + 2)?), digest, generation: number(row, at)? })
}

/// A name, or the empty text for none: a key of `SQLite` cannot hold NULL.
fn optional_name(row: &Row, at: usize) -> Result<Option<Name>, Error> {
    let text: String = row.get(at)?;
    if text.is_empty() { Ok(None) } else { name(row, at).map(Some) }
}

/// The text of an optional name in a key.
pub(super) fn or_empty(name: Option<&Name>) -> &str {
    name.map_or("", Name::as_str)
}

pub(super) fn name(row: &Row, at: usize) -> Result<Name, Error> {
    let text: String = row.get(at)?;
    Name::parse(&text).map_err(|_| corrupt("a name", &text))
}

/// `SQLite`'s integers are signed; none of ours is.
pub(super) fn number<T: TryFrom<i64>>(row: &Row, at: usize) -> Result<T, Error> {
    let value: i64 = row.get(at)?;
    T::try_from(value).map_err(|_| corrupt("a number", &value.to_string()))
}

/// Four columns: media type, length, width, height.
fn content(row: &Row, at: usize) -> Result<Content, Error> {
    let text: String = row.get(at)?;
    let media_type = MediaType::parse(&text).ok_or_else(|| corrupt("a media type", &text))?;
    let width: Option<i64> = row.get(at + 2)?;
    let dimensions = match width {
        Some(_) => Some(Dimensions::new(number(row, at + 2)?, number(row, at + 3)?)),
        None => None,
    };
    Ok(Content { media_type, length: number(row, at + 1)?, dimensions })
}

/// Three columns: owner, group, mode.
fn access(row: &Row, at: usize) -> Result<Access, Error> {
    Ok(Access { uid: number(row, at)?, gid: number(row, at + 1)?, mode: number(row, at + 2)? })
}

/// Three columns: accessed, modified, changed.
fn times(row: &Row, at: usize) -> Result<Times, Error> {
    let time = |at| row.get(at).map(Timestamp);
    Ok(Times { accessed: time(at)?, modified: time(at + 1)?, changed: time(at + 2)? })
}

/// To `SQLite`'s integer. What does not fit is no number that was ever given out, and no length of a file.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn corrupt(what: &str, found: &str) -> Error {
    Error::Corrupt(format!("{found:?} is not {what}"))
}
