//! The two sides of an attachment: `/models` shows what is stored, `/originals` what was sent. One set of operations is for
//! both.
//! Does not look anything up.

use crate::tree::attr::{Attr, Entry};
use crate::tree::mark::Mark;
use crate::tree::node::Node;
use crate::tree::ops::stat::{attachment_attr, fleeting, lasting, link_entry};
use words::attachment::{Attachment, BlobKey, FieldId, RowId, TableId};
use words::link::Link;
use words::schema::Field;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Models,
    Originals,
}

/// Tells the bytes that were sent for one attachment from those that were sent for it before: the same picture may be sent
/// with another comment. An inode's bytes never change, so that its pages may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edition(u16);

impl Edition {
    /// The lower bits of the number of the blob.
    fn of(key: BlobKey) -> Self {
        Self(u16::try_from(key.generation & 0xffff).unwrap_or_default())
    }

    pub fn from_number(number: u64) -> Self {
        Self(u16::try_from(number & 0xffff).unwrap_or_default())
    }

    pub fn number(self) -> u64 {
        self.0.into()
    }

    /// The edition's number for one of several names of the attachment: the bytes are the same.
    pub fn under(self, mark: Mark) -> Self {
        Self::from_number(self.number() ^ mark.number())
    }

    /// For which name it is, if its bytes are those that are shown now.
    pub fn mark(self, shown: &Attachment) -> Mark {
        Mark::from_number(self.number() ^ Self::of(shown.blob).number())
    }
}

impl Side {
    pub fn of(node: Node) -> Self {
        match node {
            Node::Originals
            | Node::OriginalTable(_)
            | Node::OriginalRow(..)
            | Node::OriginalCollection(..)
            | Node::Original(..) => Self::Originals,
            _ => Self::Models,
        }
    }

    /// Whether a field is there.
    pub fn has(self, field: &Field) -> bool {
        self == Self::Models || field.keep_original
    }

    /// The link as it is shown here. What has no original, because it was attached before its field kept any, is its own.
    pub fn show(self, link: Link) -> Link {
        Link { attachment: self.face(link.attachment), ..link }
    }

    /// The attachment as it is shown here.
    pub fn face(self, attachment: Attachment) -> Attachment {
        match self {
            Self::Models => attachment,
            Self::Originals => as_sent(attachment),
        }
    }

    /// The inode of an attachment that was shown, by the number that `stat` tells.
    pub fn file(self, shown: &Attachment) -> Node {
        match self {
            Self::Models => Node::Attachment(shown.id, Mark::SOLE),
            Self::Originals => Node::Original(shown.id, Edition::of(shown.blob)),
        }
    }

    pub fn table(self, table: TableId) -> Node {
        match self {
            Self::Models => Node::Table(table),
            Self::Originals => Node::OriginalTable(table),
        }
    }

    pub fn row(self, table: TableId, row: RowId) -> Node {
        match self {
            Self::Models => Node::Row(table, row),
            Self::Originals => Node::OriginalRow(table, row),
        }
    }

    pub fn collection(self, field: FieldId, row: RowId) -> Node {
        match self {
            Self::Models => Node::Collection(field, row),
            Self::Originals => Node::OriginalCollection(field, row),
        }
    }

    /// The answer to a lookup that led to a link that was shown. Of an original the kernel keeps nothing but pages: what
    /// changes it is told to it in the words of `/models`.
    pub fn entry(self, shown: &Link, field: &Field, asked: &words::slot::Name) -> Entry {
        match self {
            Self::Models => link_entry(shown, field.collection, asked),
            Self::Originals => fleeting(self.attr(&shown.attachment)),
        }
    }

    /// The entry for a row, or a collection in it.
    pub fn directory(self, node: Node, attr: Attr) -> Entry {
        let attr = Attr { ino: node.ino(), ..attr };
        match self {
            Self::Models => lasting(attr),
            Self::Originals => fleeting(attr),
        }
    }

    /// Of a link that was shown.
    pub fn attr(self, shown: &Attachment) -> Attr {
        Attr { ino: self.file(shown).ino(), ..attachment_attr(shown) }
    }
}

/// The attachment with what was sent in the place of what is stored.
pub fn as_sent(attachment: Attachment) -> Attachment {
    match attachment.original.as_deref().cloned() {
        Some(sent) => Attachment { blob: sent.blob, content: sent.content, ..attachment },
        None => attachment,
    }
}
