//! Columns: which of them hold each value of the catalogue, and how a value is read from them and written to them.

use super::{Db, Error, Result, Row, Value, values};
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

/// The columns that [`row_record`] reads.
macro_rules! row_columns {
    () => {
        "id, tab, name, uid, gid, mode, accessed, modified, changed"
    };
}

/// The columns that [`scratch_record`] reads.
macro_rules! scratch_columns {
    () => {
        "id, row_id, field, name, file, uid, gid, mode, created, waiting, becomes, taken"
    };
}

/// Selects the columns of [`scratch_record`].
macro_rules! scratch_query {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            $crate::catalog::sql::columns::scratch_columns!(),
            " FROM scratch ",
            $rest
        )
    };
}

/// Selects the columns of [`attachment`] and others, of `attachments a`, its blob `b`, and the blob `s` of the sent bytes.
macro_rules! attachment_query {
    ($others:literal, $($rest:literal),*) => {
        concat!(
            "SELECT b.id, b.digest, b.store, b.media_type, b.length, b.width, b.height, \
             s.id, s.digest, s.store, s.media_type, s.length, s.width, s.height, \
             a.id, a.uid, a.gid, a.mode, a.accessed, a.modified, a.changed, \
             a.committed, a.version, a.filename, a.links, a.source",
            $others,
            " FROM attachments a JOIN blobs b ON b.id = a.blob LEFT JOIN blobs s ON s.id = a.original ",
            $($rest),*
        )
    };
}

/// The first column after those of [`attachment`].
pub(super) const AFTER_ATTACHMENT: usize = 26;

pub(super) use {attachment_query, row_columns, scratch_columns, scratch_query};

macro_rules! ids {
    ($($id:ident)*) => {
        $(impl From<$id> for Value<'_> {
            fn from(id: $id) -> Self {
                id.0.into()
            }
        })*
    };
}
ids!(TableId RowId AttachmentId VariantId ScratchId StoreId Timestamp);

impl<'v> From<&'v Name> for Value<'v> {
    fn from(name: &'v Name) -> Self {
        name.as_str().into()
    }
}

impl<'v> From<&'v Digest> for Value<'v> {
    fn from(digest: &'v Digest) -> Self {
        digest.as_bytes().as_slice().into()
    }
}

/// The text of an optional name: empty for none, since a column of a key cannot hold NULL.
pub(super) fn or_empty(name: Option<&Name>) -> &str {
    name.map_or("", Name::as_str)
}

/// Runs the statement that sets owner, group, mode and times of the entry with a number, in this order.
pub(super) fn set_access(db: &Db, sql: &str, access: Access, times: Times, id: u64) -> Result<()> {
    let (Access { uid, gid, mode }, Times { accessed, modified, changed }) = (access, times);
    db.execute(sql, values![uid, gid, mode, accessed, modified, changed, id]).map(drop)
}

/// Four columns: media type, length, width, height.
pub(super) fn content_values(content: &Content) -> [Value<'_>; 4] {
    let (width, height) = content.dimensions.map(|size| (size.width, size.height)).unzip();
    [content.media_type.as_str().into(), content.length.into(), width.into(), height.into()]
}

pub(super) fn row_record(row: &Row) -> Result<RowRecord> {
    Ok(RowRecord {
        id: RowId(number(row, 0)?),
        table: TableId(number(row, 1)?),
        name: name(row, 2)?,
        access: access(row, 3)?,
        times: times(row, 6)?,
    })
}

pub(super) fn attachment(row: &Row) -> Result<Attachment> {
    let original =
        |at| Ok(Box::new(Original { blob: key(row, at)?, content: content(row, at + 3)? }));
    Ok(Attachment {
        id: AttachmentId(number(row, 14)?),
        blob: key(row, 0)?,
        content: content(row, 3)?,
        access: access(row, 15)?,
        times: times(row, 18)?,
        committed: Timestamp(row.int(21)?),
        version: number(row, 22)?,
        original_filename: row.text(23)?.to_owned(),
        links: number(row, 24)?,
        source: optional(row, 25, |at| row.text(at).map(str::to_owned))?,
        original: optional(row, 7, original)?,
    })
}

/// The columns of [`attachment`], then row, field, item, written name and position of a link to it.
pub(super) fn link(row: &Row) -> Result<Link> {
    const AT: usize = AFTER_ATTACHMENT;
    Ok(Link {
        place: place(row, AT)?,
        written: name(row, AT + 3)?,
        attachment: attachment(row)?,
        position: number(row, AT + 4)?,
    })
}

pub(super) fn variant_record(row: &Row) -> Result<VariantRecord> {
    let text = row.text(8)?;
    Ok(VariantRecord {
        id: VariantId(number(row, 7)?),
        original: key(row, 9)?,
        variant: Variant::parse(text).ok_or_else(|| corrupt("a variant", text))?,
        blob: key(row, 0)?,
        content: content(row, 3)?,
        committed: Timestamp(row.int(12)?),
    })
}

pub(super) fn scratch_record(row: &Row) -> Result<ScratchRecord> {
    Ok(ScratchRecord {
        id: ScratchId(number(row, 0)?),
        folder: Folder { row: RowId(number(row, 1)?), field: optional_name(row, 2)? },
        name: name(row, 3)?,
        file: row.text(4)?.to_owned(),
        access: access(row, 5)?,
        created: Timestamp(row.int(8)?),
        arrival: arrival(row, 9)?,
    })
}

/// Three columns: whether it waits, its row, its digest.
fn arrival(row: &Row, at: usize) -> Result<Arrival> {
    Ok(Arrival {
        waiting: row.int(at)? != 0,
        becomes: optional(row, at + 1, |at| number(row, at).map(RowId))?,
        taken: optional(row, at + 2, |at| digest(row, at))?,
    })
}

/// Three columns: row, field and item.
pub(super) fn place(row: &Row, at: usize) -> Result<Place> {
    let item = optional_name(row, at + 2)?;
    Ok(Place { row: RowId(number(row, at)?), field: name(row, at + 1)?, item })
}

/// Three columns: generation, digest and store.
pub(super) fn key(row: &Row, at: usize) -> Result<BlobKey> {
    let store = StoreId(number(row, at + 2)?);
    Ok(BlobKey { store, digest: digest(row, at + 1)?, generation: number(row, at)? })
}

fn digest(row: &Row, at: usize) -> Result<Digest> {
    let bytes = row.bytes(at)?;
    let digest = bytes.try_into().map(Digest::from_bytes);
    digest.map_err(|_| corrupt("a digest", &format!("{bytes:?}")))
}

/// The empty text is no name, see [`or_empty`].
fn optional_name(row: &Row, at: usize) -> Result<Option<Name>> {
    if row.text(at)?.is_empty() { Ok(None) } else { name(row, at).map(Some) }
}

pub(super) fn name(row: &Row, at: usize) -> Result<Name> {
    let text = row.text(at)?;
    Name::parse(text).map_err(|_| corrupt("a name", text))
}

/// Reads a number. Integers of SQL are signed, and no number of the catalogue is negative.
pub(super) fn number<T: TryFrom<i64>>(row: &Row, at: usize) -> Result<T> {
    let value = row.int(at)?;
    T::try_from(value).map_err(|_| corrupt("a number", &value.to_string()))
}

/// None where the first column is NULL.
pub(super) fn optional<T>(
    row: &Row,
    at: usize,
    read: impl FnOnce(usize) -> Result<T>,
) -> Result<Option<T>> {
    if row.is_null(at)? { Ok(None) } else { read(at).map(Some) }
}

/// Four columns: media type, length, width, height.
fn content(row: &Row, at: usize) -> Result<Content> {
    let text = row.text(at)?;
    let media_type = MediaType::parse(text).ok_or_else(|| corrupt("a media type", text))?;
    let size = |at| Ok(Dimensions::new(number(row, at)?, number(row, at + 1)?));
    let dimensions = optional(row, at + 2, size)?;
    Ok(Content { media_type, length: number(row, at + 1)?, dimensions })
}

/// Three columns: owner, group, mode.
fn access(row: &Row, at: usize) -> Result<Access> {
    Ok(Access { uid: number(row, at)?, gid: number(row, at + 1)?, mode: number(row, at + 2)? })
}

/// Three columns: accessed, modified, changed.
fn times(row: &Row, at: usize) -> Result<Times> {
    let time = |at| row.int(at).map(Timestamp);
    Ok(Times { accessed: time(at)?, modified: time(at + 1)?, changed: time(at + 2)? })
}

pub(super) fn corrupt(what: &str, found: &str) -> Error {
    Error::Corrupt(format!("{found:?} is not {what}"))
}
