//! A node: what an inode number stands for.
//! Does not know whether the thing is still there.

use crate::tree::Ino;
use crate::tree::mark::Mark;
use crate::tree::side::Edition;
use words::attachment::{Attachment, AttachmentId, FieldId, RowId, ScratchId, TableId, VariantId};
use words::day::Day;
use words::refusal::RefusalId;

/// Everything that has an inode number. The number's upper byte is the kind, the rest says which one, so that numbers are
/// stable over restarts and nothing has to be remembered for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Node {
    Root,
    Models,
    Thumbs,
    Control,
    Status,
    Metrics,
    Errors,
    LastError,
    Quarantine,
    /// `/drop`
    Drop,
    Trash,
    /// What was detached on a day.
    TrashDay(Day),
    /// A detached attachment, as the trash shows it.
    Trashed(AttachmentId),
    Table(TableId),
    Row(TableId, RowId),
    /// A drop box.
    DropBox(RowId),
    /// A list or a dict of a row.
    Collection(FieldId, RowId),
    ThumbTable(TableId),
    ThumbRow(TableId, RowId),
    /// `row.json`
    RowJson(TableId, RowId),
    ThumbCollection(FieldId, RowId),
    Originals,
    OriginalTable(TableId),
    OriginalRow(TableId, RowId),
    OriginalCollection(FieldId, RowId),
    /// What was sent for an attachment.
    Original(AttachmentId, Edition),
    /// The variants of an attachment that everybody may read who comes so far: the kernel may keep their names.
    ThumbField(AttachmentId, Mark),
    /// Those of any other: who asks for one is looked at every time.
    GuardedThumbs(AttachmentId, Mark),
    Attachment(AttachmentId, Mark),
    Variant(VariantId),
    Scratch(ScratchId),
    /// An open draft or a placeholder, by its number in this run of the daemon.
    Draft(u64),
    /// A preset that is listed but not rendered yet: never looked up by number.
    Unrendered,
    /// `<field>.url`, by its number in this run of the daemon.
    Url(u64),
    /// A symbolic link that waits to be renamed, or has attached.
    Link(u64),
    QuarantineEntry(RefusalId),
    QuarantineBytes(RefusalId),
    QuarantineReason(RefusalId),
}

/// The permission bits of what owner, group and others may read.
const EVERYBODY_READS: u32 = 0o444;
const KIND_SHIFT: u32 = 56;
const ID_MASK: u64 = (1 << KIND_SHIFT) - 1;
/// A row's number carries its table, a collection's its field in the bits above this: 2^40 rows, 2^16 tables, 2^16 fields.
const ROW_BITS: u32 = 40;
const ROW_MASK: u64 = (1 << ROW_BITS) - 1;

impl Node {
    pub fn ino(self) -> Ino {
        let number = |kind: u64, id: u64| (kind << KIND_SHIFT) | (id & ID_MASK);
        let row = |part: u64, row: RowId| (part << ROW_BITS) | (row.0 & ROW_MASK);
        Ino(match self {
            // FUSE_ROOT_ID; the other single nodes follow it.
            Self::Root => 1,
            Self::Models => 2,
            Self::Thumbs => 3,
            Self::Control => 4,
            Self::Status => 5,
            Self::Metrics => 11,
            Self::Errors => 6,
            Self::LastError => 7,
            Self::Quarantine => 8,
            Self::Unrendered => 9,
            Self::Drop => 10,
            Self::Trash => 20,
            Self::Originals => 50,
            Self::Table(id) => number(1, id.0),
            Self::Row(table, id) => number(2, row(table.0, id)),
            Self::ThumbTable(id) => number(3, id.0),
            Self::ThumbRow(table, id) => number(4, row(table.0, id)),
            Self::ThumbField(id, mark) => number(5, row(mark.number(), RowId(id.0))),
            Self::GuardedThumbs(id, mark) => number(15, row(mark.number(), RowId(id.0))),
            Self::Attachment(id, mark) => number(6, row(mark.number(), RowId(id.0))),
            Self::Variant(id) => number(7, id.0),
            Self::Scratch(id) => number(8, id.0),
            Self::Draft(id) => number(9, id),
            Self::Url(id) => number(90, id),
            Self::Link(id) => number(91, id),
            Self::QuarantineEntry(id) => number(10, id.number()),
            Self::QuarantineBytes(id) => number(11, id.number()),
            Self::QuarantineReason(id) => number(12, id.number()),
            Self::DropBox(id) => number(41, id.0),
            Self::TrashDay(day) => number(20, u64::from(day.0)),
            Self::Trashed(id) => number(21, id.0),
            Self::RowJson(table, id) => number(40, row(table.0, id)),
            Self::OriginalTable(id) => number(50, id.0),
            Self::OriginalRow(table, id) => number(51, row(table.0, id)),
            Self::OriginalCollection(field, id) => number(52, row(field.0, id)),
            Self::Original(id, edition) => number(53, row(edition.number(), RowId(id.0))),
            Self::Collection(field, id) => number(13, row(field.0, id)),
            Self::ThumbCollection(field, id) => number(14, row(field.0, id)),
        })
    }

    /// `None` for a number that this program never gives out.
    pub fn of(ino: Ino) -> Option<Self> {
        let id = ino.0 & ID_MASK;
        let (part, row) = (id >> ROW_BITS, RowId(id & ROW_MASK));
        Some(match ino.0 >> KIND_SHIFT {
            0 => return Self::single(id),
            1 => Self::Table(TableId(id)),
            2 => Self::Row(TableId(part), row),
            3 => Self::ThumbTable(TableId(id)),
            4 => Self::ThumbRow(TableId(part), row),
            5 => Self::ThumbField(AttachmentId(row.0), Mark::from_number(part)),
            15 => Self::GuardedThumbs(AttachmentId(row.0), Mark::from_number(part)),
            6 => Self::Attachment(AttachmentId(row.0), Mark::from_number(part)),
            7 => Self::Variant(VariantId(id)),
            8 => Self::Scratch(ScratchId(id)),
            9 => Self::Draft(id),
            90 => Self::Url(id),
            91 => Self::Link(id),
            10 => Self::QuarantineEntry(RefusalId::from_number(id)),
            11 => Self::QuarantineBytes(RefusalId::from_number(id)),
            12 => Self::QuarantineReason(RefusalId::from_number(id)),
            41 => Self::DropBox(RowId(id)),
            20 => Self::TrashDay(Day(u32::try_from(id).ok()?)),
            21 => Self::Trashed(AttachmentId(id)),
            40 => Self::RowJson(TableId(part), row),
            50 => Self::OriginalTable(TableId(id)),
            51 => Self::OriginalRow(TableId(part), row),
            52 => Self::OriginalCollection(FieldId(part), row),
            53 => Self::Original(AttachmentId(row.0), Edition::from_number(part)),
            13 => Self::Collection(FieldId(part), row),
            14 => Self::ThumbCollection(FieldId(part), row),
            _ => return None,
        })
    }

    fn single(id: u64) -> Option<Self> {
        Some(match id {
            1 => Self::Root,
            2 => Self::Models,
            3 => Self::Thumbs,
            4 => Self::Control,
            5 => Self::Status,
            11 => Self::Metrics,
            6 => Self::Errors,
            7 => Self::LastError,
            8 => Self::Quarantine,
            9 => Self::Unrendered,
            10 => Self::Drop,
            20 => Self::Trash,
            50 => Self::Originals,
            _ => return None,
        })
    }

    /// The directory of an attachment's variants, for one of its names.
    pub fn thumbs_of(attachment: &Attachment, mark: Mark) -> Self {
        let (id, mode) = (attachment.id, attachment.access.mode);
        let is_open = mode & EVERYBODY_READS == EVERYBODY_READS;
        if is_open { Self::ThumbField(id, mark) } else { Self::GuardedThumbs(id, mark) }
    }

    /// The inode of a file for one of its names.
    pub fn under(self, mark: Mark) -> Self {
        match self {
            Self::Attachment(id, _) => Self::Attachment(id, mark),
            Self::Original(id, edition) => Self::Original(id, edition.under(mark)),
            other => other,
        }
    }

    /// The node of `/models` whose operations are those of this one.
    pub fn as_model(self) -> Self {
        match self {
            Self::Originals => Self::Models,
            Self::OriginalTable(table) => Self::Table(table),
            Self::OriginalRow(table, row) => Self::Row(table, row),
            Self::OriginalCollection(field, row) => Self::Collection(field, row),
            Self::Original(id, _) => Self::Attachment(id, Mark::SOLE),
            other => other,
        }
    }

    /// What is stored, and the directories that lead to it.
    pub fn is_stored(self) -> bool {
        match self {
            Self::Root
            | Self::Models
            | Self::Thumbs
            | Self::Originals
            | Self::Attachment(..)
            | Self::Original(..)
            | Self::Variant(_)
            | Self::Unrendered
            | Self::Table(_)
            | Self::OriginalTable(_)
            | Self::ThumbTable(_)
            | Self::Row(..)
            | Self::OriginalRow(..)
            | Self::ThumbRow(..)
            | Self::Collection(..)
            | Self::OriginalCollection(..)
            | Self::ThumbCollection(..)
            | Self::ThumbField(..)
            | Self::GuardedThumbs(..) => true,
            Self::Control
            | Self::Status
            | Self::Metrics
            | Self::Errors
            | Self::LastError
            | Self::Quarantine
            | Self::QuarantineEntry(_)
            | Self::QuarantineBytes(_)
            | Self::QuarantineReason(_)
            | Self::Drop
            | Self::DropBox(_)
            | Self::Trash
            | Self::TrashDay(_)
            | Self::Trashed(_)
            | Self::RowJson(..)
            | Self::Scratch(_)
            | Self::Draft(_)
            | Self::Url(_)
            | Self::Link(_) => false,
        }
    }

    pub fn is_directory(self) -> bool {
        match self {
            Self::Root
            | Self::Models
            | Self::Thumbs
            | Self::Control
            | Self::Quarantine
            | Self::Drop
            | Self::DropBox(_)
            | Self::Trash
            | Self::TrashDay(_)
            | Self::Table(_)
            | Self::Row(..)
            | Self::Originals
            | Self::OriginalTable(_)
            | Self::OriginalRow(..)
            | Self::OriginalCollection(..)
            | Self::ThumbTable(_)
            | Self::ThumbRow(..)
            | Self::Collection(..)
            | Self::ThumbCollection(..)
            | Self::ThumbField(..)
            | Self::GuardedThumbs(..)
            | Self::QuarantineEntry(_) => true,
            Self::Status
            | Self::Metrics
            | Self::Errors
            | Self::LastError
            | Self::RowJson(..)
            | Self::Attachment(..)
            | Self::Original(..)
            | Self::Variant(_)
            | Self::Scratch(_)
            | Self::Draft(_)
            | Self::Url(_)
            | Self::Link(_)
            | Self::Unrendered
            | Self::Trashed(_)
            | Self::QuarantineBytes(_)
            | Self::QuarantineReason(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::timestamp::Timestamp;

    #[test]
    fn every_node_has_a_number_of_its_own_and_is_found_by_it() {
        let refusal = RefusalId::at(Timestamp::now());
        let nodes = [
            Node::Root,
            Node::Models,
            Node::Thumbs,
            Node::Control,
            Node::Status,
            Node::Errors,
            Node::LastError,
            Node::Quarantine,
            Node::Unrendered,
            Node::Trash,
            Node::TrashDay(Day(20_781)),
            Node::Trashed(AttachmentId(1)),
            Node::Table(TableId(1)),
            Node::Row(TableId(3), RowId(1 << 39)),
            Node::ThumbTable(TableId(1)),
            Node::Originals,
            Node::OriginalTable(TableId(1)),
            Node::OriginalRow(TableId(3), RowId(42)),
            Node::OriginalCollection(FieldId(3), RowId(42)),
            Node::Original(AttachmentId(1), Edition::from_number(0xffff)),
            Node::ThumbRow(TableId(3), RowId(42)),
            Node::Collection(FieldId(7), RowId(1 << 39)),
            Node::ThumbCollection(FieldId(7), RowId(42)),
            Node::ThumbField(AttachmentId(1), Mark::SOLE),
            Node::ThumbField(AttachmentId(1), Mark::from_number(0xffff)),
            Node::GuardedThumbs(AttachmentId(1), Mark::SOLE),
            Node::Attachment(AttachmentId(1), Mark::SOLE),
            Node::Attachment(AttachmentId(1 << 39), Mark::from_number(0xffff)),
            Node::Variant(VariantId(1)),
            Node::Scratch(ScratchId(1)),
            Node::Draft(1),
            Node::Url(1),
            Node::Link(1),
            Node::QuarantineEntry(refusal),
            Node::QuarantineBytes(refusal),
            Node::QuarantineReason(refusal),
        ];
        let mut seen = std::collections::HashSet::new();
        for node in nodes {
            assert_eq!(Node::of(node.ino()), Some(node));
            assert!(seen.insert(node.ino()), "{node:?}");
        }
        assert_eq!(Node::of(Ino(u64::MAX)), None);
    }
}
