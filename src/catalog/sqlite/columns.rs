//! Columns to words and back: how each value of the catalogue lies in a row of `SQLite`.
//! Does not know queries beyond the lists of columns that it reads.

use rusqlite::Row;

use crate::attachment::{
    Access, Attachment, AttachmentId, BlobKey, Content, RowId, ScratchId, TableId, Times, VariantId,
};
use crate::catalog::{Error, Link, Place, RowRecord, ScratchRecord, VariantRecord};
use crate::digest::Digest;
use crate::dimensions::Dimensions;
use crate::media_type::MediaType;
use crate::slot::Name;
use crate::timestamp::Timestamp;
use crate::variant::Variant;

/// What [`row_record`] reads.
macro_rules! row_columns {
    () => {
        "id, tab, name, uid, gid, mode, accessed, modified, changed"
    };
}

/// What [`attachment`] reads, of `attachments a` joined with `blobs b`.
macro_rules! attachment_columns {
    () => {
        "b.id, b.digest, b.media_type, b.length, b.width, b.height, \
         a.id, a.uid, a.gid, a.mode, a.accessed, a.modified, a.changed, \
         a.committed, a.version, a.filename, a.links"
    };
}

/// What [`variant_record`] reads, of `variants v` joined with `blobs b` (its own) and `blobs o` (the original).
macro_rules! variant_columns {
    () => {
        "b.id, b.digest, b.media_type, b.length, b.width, b.height, \
         v.id, v.name, o.id, o.digest, coalesce(o.stored, o.reserved)"
    };
}

/// What [`scratch_record`] reads.
macro_rules! scratch_columns {
    () => {
        "id, row_id, name, file, uid, gid, mode, created"
    };
}

pub(super) use {attachment_columns, row_columns, scratch_columns, variant_columns};

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
    Ok(Attachment {
        id: AttachmentId(number(row, 6)?),
        blob: key(row, 0)?,
        content: content(row, 2)?,
        access: access(row, 7)?,
        times: times(row, 10)?,
        committed: Timestamp(row.get(13)?),
        version: number(row, 14)?,
        original_filename: row.get(15)?,
        links: number(row, 16)?,
    })
}

/// [`attachment`], followed by the link's row, field and written name.
pub(super) fn link(row: &Row) -> Result<Link, Error> {
    Ok(Link { place: place(row, 17)?, written: name(row, 19)?, attachment: attachment(row)? })
}

pub(super) fn variant_record(row: &Row) -> Result<VariantRecord, Error> {
    let text: String = row.get(7)?;
    let variant = Variant::parse(&text).ok_or_else(|| corrupt("a variant", &text))?;
    Ok(VariantRecord {
        id: VariantId(number(row, 6)?),
        original: key(row, 8)?,
        variant,
        blob: key(row, 0)?,
        content: content(row, 2)?,
        committed: Timestamp(row.get(10)?),
    })
}

pub(super) fn scratch_record(row: &Row) -> Result<ScratchRecord, Error> {
    Ok(ScratchRecord {
        id: ScratchId(number(row, 0)?),
        row: RowId(number(row, 1)?),
        name: name(row, 2)?,
        file: row.get(3)?,
        access: access(row, 4)?,
        created: Timestamp(row.get(7)?),
    })
}

/// Two columns: row and field.
pub(super) fn place(row: &Row, at: usize) -> Result<Place, Error> {
    Ok(Place { row: RowId(number(row, at)?), field: name(row, at + 1)? })
}

/// Two columns: generation and digest.
pub(super) fn key(row: &Row, at: usize) -> Result<BlobKey, Error> {
    let digest = Digest::from_bytes(row.get(at + 1)?);
    Ok(BlobKey { digest, generation: number(row, at)? })
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

fn corrupt(what: &str, found: &str) -> Error {
    Error::Corrupt(format!("{found:?} is not {what}"))
}
