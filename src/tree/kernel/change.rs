//! Changes as values: each makes something untrue that the kernel may have cached.

use crate::tree::node::meaning::Directory;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use words::attachment::{Amendment, Attachment, AttachmentId, RowId, TableId};
use words::link::Link;
use words::place::{Folder, Place};
use words::row::RowRecord;
use words::schema::Field;
use words::slot::Name;
use words::timestamp::Timestamp;

/// One kind of change. [`Knowledge::tell`](super::tell::Knowledge::tell) decides what the kernel must forget of each.
#[derive(Debug)]
pub enum Change<'a> {
    /// A file was attached at a place. If it displaced nothing, the slot was free, or had the same bytes and has new times.
    Attached {
        place: &'a Place,
        id: AttachmentId,
        displaced: Option<Displaced<'a>>,
    },
    /// An attachment got another name: it was linked, or put back from the trash.
    Linked {
        place: &'a Place,
        id: AttachmentId,
        displaced: Option<Displaced<'a>>,
    },
    /// An attachment was renamed, and may have displaced another.
    Moved {
        id: AttachmentId,
        from: &'a Place,
        to: &'a Place,
        displaced: Option<Displaced<'a>>,
    },
    /// An attachment lost a name that the kernel asked to remove or to move.
    Detached {
        place: &'a Place,
        lost: &'a Attachment,
    },
    /// A link is removed or moved by the name `asked`. If that is an alias, the kernel forgets the alias by itself but not the name
    /// that is listed, and keeps the directory locked until it is answered.
    Alias {
        link: &'a Link,
        field: &'a Field,
        asked: &'a Name,
    },
    /// A file was removed, moved or displaced by another Unicode form of its name than the kernel may know.
    Form {
        parent: Node,
        name: &'a Name,
    },
    /// A link was removed, moved or displaced by its name in `/originals`: the kernel may know its name in `/models`.
    ByOriginal(&'a Link),
    /// Owner, mode or times of an attachment were set, on one side.
    Amended {
        id: AttachmentId,
        side: Side,
    },
    /// A row was patched by its `row.json`. `detached`: the links that were removed, each with its attachment as it is now.
    /// `changed`: the links with other metadata.
    Patched {
        row: &'a RowRecord,
        detached: &'a [(Link, Attachment)],
        changed: &'a [Link],
    },
    /// Names in a row or in its collections changed, and so did the row's times in the catalogue.
    Names(RowId),
    /// Names in a directory changed that are not in the catalogue: first drafts, placeholders, links that wait.
    Unstored {
        folder: Folder,
        by: Maker,
    },
    /// A scratch file in a directory was made, removed or renamed.
    Scratch(&'a Directory<'a>),
    /// Owner, mode or times of a row were set through the inode `asked`. `links` are those of the row if owner or mode changed.
    RowAmended {
        row: &'a RowRecord,
        amendment: Amendment,
        links: &'a [Link],
        asked: Ino,
    },
    RowRenamed {
        table: TableId,
        row: RowId,
        from: &'a Name,
        to: &'a Name,
    },
    RowRemoved {
        table: TableId,
        row: RowId,
    },
    /// A row was removed or renamed by this name in `/originals`, old or new.
    RowByOriginal {
        table: TableId,
        row: RowId,
        name: &'a Name,
    },
    /// A row of a table was made, or the table's times were set.
    Table {
        table: TableId,
        at: Timestamp,
    },
    /// A variant was rendered or purged, or variants were swept.
    Variants,
    /// A directory was removed that exists again at the next lookup. `folder` is set for a collection.
    Cleared {
        directory: Node,
        folder: Option<Folder>,
    },
}

/// An attachment that lost its name to another.
#[derive(Debug)]
pub struct Displaced<'a> {
    pub attachment: &'a Attachment,
    /// The link as it was before, if the kernel may still have its name cached. None if the kernel replaced that name itself.
    pub known: Option<&'a Link>,
    pub lock: Lock,
}

impl<'a> Displaced<'a> {
    /// Displaced by written bytes, or without a request: the kernel may have the name cached, and holds no lock.
    pub fn by_handle(attachment: &'a Attachment, known: Option<&'a Link>) -> Self {
        Self { attachment, known, lock: Lock::Free }
    }

    /// Displaced by a rename or a link, for which the kernel keeps the directory locked.
    pub fn by_name(attachment: &'a Attachment, known: Option<&'a Link>) -> Self {
        Self { attachment, known, lock: Lock::Held }
    }
}

/// Whether the kernel keeps the directory locked until the reply. Waiting for it to forget a name would be in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    Held,
    Free,
}

/// The side that made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// The kernel asked for it by name: it knows of the change in `/models` or `/originals`, where that name is.
    Kernel,
    Daemon,
}
