//! Nodes: everything that has an inode number. A node may no longer exist when its number is used.

pub mod mark;
pub mod meaning;
mod number;
pub mod places;
pub mod side;

use crate::tree::error::{Error, Result};
use crate::tree::node::mark::{Edition, Mark};
use crate::tree::node::number::{Identity, KIND_SHIFT, MASK};
use words::attachment::{Attachment, AttachmentId, FieldId, RowId, ScratchId, TableId, VariantId};
use words::day::Day;
use words::refusal::RefusalId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File,
    Symlink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Properties {
    pub kind: Kind,
    /// Whether it is stored, or a directory that leads to stored files: a read-only tree shows these alone.
    pub is_stored: bool,
}

/// The read bits of owner, group and others.
const EVERYBODY_READS: u32 = 0o444;

/// Makes [`Node`] and its methods from one line for each node. Most single nodes have a fixed name in a fixed directory, which
/// lists them in the order of the lines. The number of any other node has its kind in the upper byte and its identity below:
/// numbers are stable over restarts without a table. `as` names the node of `/models` whose operations a node of `/originals`
/// shares.
macro_rules! nodes {
    (@if) => { false };
    (@if stored) => { true };
    (@or $own:expr) => { $own };
    (@or $own:expr, $other:expr) => { $other };
    (
        single { $(
            $(#[$doc:meta])*
            $one:ident = $number:literal [$one_kind:ident $($one_stored:ident)?]
            $($name:literal in $parent:ident)? $(as $one_model:expr)?;
        )* }
        numbered { $(
            $(#[$many_doc:meta])*
            $many:ident($($id:ident: $type:ty),+) = $byte:literal [$kind:ident $($stored:ident)?]
            $(as $model:expr)?;
        )* }
    ) => {
        /// Everything that has an inode number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Node {
            $($(#[$doc])* $one,)*
            $($(#[$many_doc])* $many($($type),+),)*
        }

        impl Node {
            /// The single nodes that have a fixed name, and where.
            const NAMED: &[(Self, &'static str, Self)] =
                &[$($((Self::$one, $name, Self::$parent),)?)*];

            pub fn ino(self) -> Ino {
                Ino(match self {
                    $(Self::$one => $number,)*
                    $(Self::$many($($id),+) => ($byte << KIND_SHIFT) | ($($id,)+).bits(),)*
                })
            }

            /// `None` for a number of no node.
            pub fn of(ino: Ino) -> Option<Self> {
                let bits = ino.0 & MASK;
                match ino.0 >> KIND_SHIFT {
                    0 => match bits {
                        $($number => Some(Self::$one),)*
                        _ => None,
                    },
                    $($byte => {
                        let identity = Identity::from_bits(bits);
                        identity.map(|($($id,)+): ($($type,)+)| Self::$many($($id),+))
                    })*
                    _ => None,
                }
            }

            pub fn properties(self) -> Properties {
                let (kind, is_stored) = match self {
                    $(Self::$one => (Kind::$one_kind, nodes!(@if $($one_stored)?)),)*
                    $(Self::$many(..) => (Kind::$kind, nodes!(@if $($stored)?)),)*
                };
                Properties { kind, is_stored }
            }

            /// The node of `/models` whose operations are those of this one.
            pub fn as_model(self) -> Self {
                match self {
                    $(Self::$one => nodes!(@or Self::$one $(, $one_model)?),)*
                    $(Self::$many($($id),+) => {
                        let _ = ($(&$id,)+);
                        nodes!(@or Self::$many($($id),+) $(, $model)?)
                    })*
                }
            }

            /// Each node, with identities at both ends of what a number holds.
            #[cfg(test)]
            fn samples() -> Vec<Self> {
                let mut all = vec![$(Self::$one,)*];
                $(
                    let identities = number::SAMPLES.iter().filter_map(|bits| Identity::from_bits(*bits));
                    all.extend(identities.map(|($($id,)+): ($($type,)+)| Self::$many($($id),+)));
                )*
                all
            }
        }
    };
}
nodes! {
    single {
        /// Its number is `FUSE_ROOT_ID`.
        Root = 1 [Directory stored];
        Models = 2 [Directory stored] "models" in Root;
        Thumbs = 3 [Directory stored] "thumbs" in Root;
        Trash = 20 [Directory] "trash" in Root;
        Control = 4 [Directory] ".mediafs" in Root;
        Drop = 10 [Directory] "drop" in Root;
        Originals = 50 [Directory stored] "originals" in Root as Self::Models;
        Status = 5 [File] "status.json" in Control;
        Metrics = 11 [File] "metrics" in Control;
        Errors = 6 [File] "errors.jsonl" in Control;
        LastError = 7 [File] "last-error" in Control;
        Quarantine = 8 [Directory] "quarantine" in Control;
        /// A preset that is listed but not rendered: never looked up by number.
        Unrendered = 9 [File stored];
    }
    numbered {
        Table(id: TableId) = 1 [Directory stored];
        Row(table: TableId, id: RowId) = 2 [Directory stored];
        /// A list or a dict of a row.
        Collection(field: FieldId, row: RowId) = 13 [Directory stored];
        /// One of the inodes of an attachment.
        Attachment(id: AttachmentId, mark: Mark) = 6 [File stored];
        Variant(id: VariantId) = 7 [File stored];
        Scratch(id: ScratchId) = 8 [File];
        /// An open draft or a placeholder, by its number in this run of the daemon.
        Draft(id: u64) = 9 [File];
        /// `row.json`
        RowJson(table: TableId, row: RowId) = 40 [File];
        /// `last-error` of a row
        RowError(table: TableId, row: RowId) = 42 [File];
        /// `<field>.url`, by its number in this run of the daemon.
        Url(id: u64) = 90 [File];
        /// A symbolic link that waits to be renamed, or has attached; by its number in this run of the daemon.
        Link(id: u64) = 91 [Symlink];
        /// `.DS_Store` and its like, by its number in this run of the daemon.
        Litter(id: u64) = 92 [File];
        /// `.~tmp~` of a row, of a collection, and of a table.
        Delayed(table: TableId, row: RowId) = 16 [Directory];
        DelayedItems(field: FieldId, row: RowId) = 17 [Directory];
        DelayedRows(table: TableId) = 18 [Directory];
        ThumbTable(id: TableId) = 3 [Directory stored];
        ThumbRow(table: TableId, id: RowId) = 4 [Directory stored];
        ThumbCollection(field: FieldId, row: RowId) = 14 [Directory stored];
        /// The variants of an attachment that everybody may read: the kernel may keep their names.
        ThumbField(id: AttachmentId, mark: Mark) = 5 [Directory stored];
        /// The variants of any other attachment: the daemon checks each lookup for permission.
        GuardedThumbs(id: AttachmentId, mark: Mark) = 15 [Directory stored];
        OriginalTable(id: TableId) = 50 [Directory stored] as Self::Table(id);
        OriginalRow(table: TableId, id: RowId) = 51 [Directory stored] as Self::Row(table, id);
        OriginalCollection(field: FieldId, row: RowId) = 52 [Directory stored] as Self::Collection(field, row);
        /// The bytes that were sent for an attachment.
        Original(id: AttachmentId, edition: Edition) = 53 [File stored] as Self::Attachment(id, Mark::SOLE);
        DropBox(row: RowId) = 41 [Directory];
        /// The attachments that were detached on a day.
        TrashDay(day: Day) = 20 [Directory];
        /// A detached attachment, as the trash shows it.
        Trashed(id: AttachmentId) = 21 [File];
        /// `/.Trash-<uid>`, its `files` and `info`, and any note in that.
        DesktopTrash(uid: u64) = 22 [Directory];
        DesktopTrashFiles(uid: u64) = 23 [Directory];
        DesktopTrashInfo(uid: u64) = 24 [Directory];
        DesktopTrashNote(uid: u64) = 25 [File];
        QuarantineEntry(id: RefusalId) = 10 [Directory];
        QuarantineBytes(id: RefusalId) = 11 [File];
        QuarantineReason(id: RefusalId) = 12 [File];
    }
}

impl Node {
    /// The node of a number that the kernel names. Errors: [`Error::Stale`] if no node has it.
    pub fn at(ino: Ino) -> Result<Self> {
        Self::of(ino).ok_or(Error::Stale)
    }

    /// The node with a fixed name in a directory.
    pub fn child(self, name: &str) -> Option<Self> {
        self.children().find(|(_, known)| *known == name).map(|(node, _)| node)
    }

    /// The nodes with a fixed name in a directory, in the order in which it lists them.
    pub fn children(self) -> impl Iterator<Item = (Self, &'static str)> {
        let here = Self::NAMED.iter().filter(move |(_, _, parent)| *parent == self);
        here.map(|(node, name, _)| (*node, *name))
    }

    pub fn is_directory(self) -> bool {
        self.properties().kind == Kind::Directory
    }

    /// The error of a change that the node cannot take.
    pub fn refusal(self) -> Error {
        match self.as_model() {
            Self::Root
            | Self::Models
            | Self::Table(_)
            | Self::Row(..)
            | Self::Collection(..)
            | Self::Drop
            | Self::DropBox(_)
            | Self::DesktopTrash(_)
            | Self::DesktopTrashFiles(_)
            | Self::DesktopTrashInfo(_) => Error::NotPermitted,
            _ => Error::ReadOnly,
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_a_number_of_its_own_and_is_found_by_it() {
        let mut seen = std::collections::HashSet::new();
        for node in Node::samples() {
            assert_eq!(Node::of(node.ino()), Some(node));
            assert!(seen.insert(node.ino()), "{node:?}");
        }
        assert_eq!(Node::of(Ino(u64::MAX)), None);
    }

    /// Programs remember them over restarts and new versions, as incremental backups do.
    #[test]
    fn numbers_never_change() {
        let (table, row, id) = (TableId(3), RowId(42), AttachmentId(7));
        let (mark, edition) = (Mark::from_number(0x0102), Edition::from_number(0x0304));
        let numbers = [
            (Node::Root, 1),
            (Node::Status, 5),
            (Node::Metrics, 11),
            (Node::Originals, 50),
            (Node::Table(table), 0x01 << 56 | 3),
            (Node::Row(table, row), 0x02 << 56 | 3 << 40 | 0x2a),
            (Node::Collection(FieldId(3), row), 0x0d << 56 | 3 << 40 | 0x2a),
            (Node::Attachment(id, mark), 0x06 << 56 | 0x0102 << 40 | 7),
            (Node::Original(id, edition), 0x35 << 56 | 0x0304 << 40 | 7),
            (Node::Scratch(ScratchId(9)), 0x08 << 56 | 9),
            (Node::Link(9), 0x5b << 56 | 9),
            (Node::TrashDay(Day(20_781)), 0x14 << 56 | 0x512d),
        ];
        for (node, number) in numbers {
            assert_eq!(node.ino(), Ino(number), "{node:?}");
        }
    }

    #[test]
    fn single_nodes_are_listed_in_their_order_and_found_by_name() {
        let names = |node: Node| node.children().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(
            names(Node::Root),
            ["models", "thumbs", "trash", ".mediafs", "drop", "originals"]
        );
        assert_eq!(Node::Control.child("last-error"), Some(Node::LastError));
        assert_eq!((Node::Root.child("metrics"), names(Node::Status)), (None, vec![]));
    }
}
