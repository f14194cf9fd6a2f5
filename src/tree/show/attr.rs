//! The attributes of a node as `stat` shows them, and how long the kernel may believe them.

use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Kind, Node, meaning};
use words::attachment::{Access, Attachment, Times};
use words::link::Link;
use words::rendition::VariantRecord;
use words::schema::Field;
use words::slot::Name;

/// `struct stat`, as far as the tree fills it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    pub ino: Ino,
    pub kind: Kind,
    /// Bytes, exact.
    pub size: u64,
    pub links: u32,
    pub access: Access,
    pub times: Times,
}

impl Attr {
    pub fn directory(node: Node, access: Access, times: Times) -> Self {
        Self { ino: node.ino(), kind: Kind::Directory, size: 0, links: 2, access, times }
    }

    /// A file with one name.
    pub fn file(node: Node, size: u64, access: Access, times: Times) -> Self {
        Self { ino: node.ino(), kind: Kind::File, size, links: 1, access, times }
    }

    /// An attachment as a side shows it ([`Side::face`]).
    pub fn attachment(side: Side, shown: &Attachment) -> Self {
        let length = shown.content.length;
        let attr = Self::file(side.file(shown), length, shown.access, shown.times);
        Self { links: shown.links, ..attr }
    }

    pub fn variant(VariantRecord { id, content, committed, .. }: &VariantRecord) -> Self {
        let access = Access { uid: 0, gid: 0, mode: 0o444 };
        Self::file(Node::Variant(*id), content.length, access, Times::all(*committed))
    }
}

/// How long the kernel may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is told otherwise: for what is committed.
    Long,
    /// Not at all: for drafts, scratch, placeholders, aliases and all else that changes without a request of the kernel.
    None,
}

/// The answer to a lookup, which may have to wait for a render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub attr: Attr,
    pub name: Lifetime,
    pub attributes: Lifetime,
    /// Tells the inode from earlier ones with its number: 0 unless it is a directory that exists again after its removal.
    pub generation: u64,
}

impl Entry {
    /// An entry that the kernel may keep until it is told otherwise.
    pub fn lasting(attr: Attr) -> Self {
        Self { attr, name: Lifetime::Long, attributes: Lifetime::Long, generation: 0 }
    }

    /// An entry that the kernel may not keep.
    pub fn fleeting(attr: Attr) -> Self {
        Self { attr, name: Lifetime::None, attributes: Lifetime::None, generation: 0 }
    }

    /// The answer to a lookup of a name that led to a link, as a side shows it. The kernel may keep the listed name, but no
    /// alias: it is not told of those when the link goes. Of an original it may keep pages only: it is told of changes by the
    /// names and numbers of `/models`.
    pub fn link(side: Side, shown: &Link, field: &Field, asked: &Name) -> Self {
        let attr = Attr::attachment(side, &shown.attachment);
        match side {
            Side::Models if meaning::listed(shown, field.collection) == *asked => {
                Self::lasting(attr)
            }
            Side::Models => Self { name: Lifetime::None, ..Self::lasting(attr) },
            Side::Originals => Self::fleeting(attr),
        }
    }

    /// An attachment as a side shows it, by one of its inodes. The kernel is told of changes by the number that `stat` shows in
    /// `/models`: it may keep the attributes of that inode alone.
    pub fn attachment(side: Side, node: Node, shown: &Attachment) -> Self {
        let attr = Attr::attachment(side, shown);
        let keeps = side == Side::Models && node.ino() == attr.ino;
        if keeps { Self::lasting(attr) } else { Self::fleeting(attr) }
    }
}
