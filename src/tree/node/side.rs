//! The two sides of an attachment: `/models` shows what is stored, `/originals` what was sent. One set of operations serves both.

use crate::tree::node::Node;
use crate::tree::node::edition::Edition;
use crate::tree::node::mark::Mark;
use words::attachment::{Attachment, FieldId, RowId, TableId};
use words::link::Link;
use words::schema::Field;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Models,
    Originals,
}

impl Side {
    pub fn of(node: Node) -> Self {
        if node.as_model() == node { Self::Models } else { Self::Originals }
    }

    /// Whether this side shows a field.
    pub fn has(self, field: &Field) -> bool {
        self == Self::Models || field.keep_original
    }

    /// The link as this side shows it.
    pub fn show(self, link: Link) -> Link {
        Link { attachment: self.face(link.attachment), ..link }
    }

    /// The attachment as this side shows it.
    pub fn face(self, attachment: Attachment) -> Attachment {
        match self {
            Self::Models => attachment,
            Self::Originals => as_sent(attachment),
        }
    }

    /// The inode of an attachment as this side shows it, by the number that `stat` tells.
    pub fn file(self, shown: &Attachment) -> Node {
        match self {
            Self::Models => Node::Attachment(shown.id, Mark::SOLE),
            Self::Originals => Node::Original(shown.id, Edition::of(shown.blob)),
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
}

/// The attachment with the bytes that were sent instead of those that are stored. An attachment that was made before its field
/// kept originals is its own original.
pub fn as_sent(attachment: Attachment) -> Attachment {
    match attachment.original.as_deref().cloned() {
        Some(sent) => Attachment { blob: sent.blob, content: sent.content, ..attachment },
        None => attachment,
    }
}
