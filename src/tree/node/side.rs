//! The two sides of an attachment: `/models` shows the stored bytes, `/originals` the bytes that were sent.

use crate::library::lookup::table::Table;
use crate::tree::node::Node;
use crate::tree::node::mark::{Edition, Mark};
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

    pub fn has(self, field: &Field) -> bool {
        self == Self::Models || field.keep_original
    }

    /// Whether this side shows a field of a table.
    pub fn has_table(self, table: &Table) -> bool {
        self == Self::Models || table.fields.iter().any(|field| field.keep_original)
    }

    /// The link as this side shows it.
    pub fn show(self, link: Link) -> Link {
        Link { attachment: self.face(link.attachment), ..link }
    }

    /// The attachment as this side shows it: in `/originals` with the bytes that were sent. An attachment that was made before its
    /// field kept originals is its own original.
    pub fn face(self, attachment: Attachment) -> Attachment {
        match (self, attachment.original.as_deref()) {
            (Self::Originals, Some(sent)) => {
                let (blob, content) = (sent.blob, sent.content.clone());
                Attachment { blob, content, ..attachment }
            }
            _ => attachment,
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
