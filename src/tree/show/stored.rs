//! The attributes of stored files: attachments under each of their names, what was sent for them, and variants.

use crate::tree::node::meaning;
use crate::tree::node::side::Side;
use crate::tree::node::{Kind, Node};
use crate::tree::show::attr::{Attr, Entry, Lifetime, Shown};
use words::attachment::{Access, Attachment, Times};
use words::link::Link;
use words::rendition::VariantRecord;
use words::schema::Field;
use words::slot::Name;

/// The attributes of an attachment as a side shows it ([`Side::face`]).
pub fn attachment(side: Side, shown: &Attachment) -> Attr {
    Attr {
        ino: side.file(shown).ino(),
        kind: Kind::File,
        size: shown.content.length,
        links: shown.links,
        access: shown.access,
        times: shown.times,
    }
}

/// The attributes of an attachment, for one of its inodes. The kernel keeps them for one inode alone: it is told of changes by
/// that number.
pub fn inode(node: Node, attr: Attr) -> Shown {
    if node.ino() == attr.ino { Shown::lasting(attr) } else { Shown::fleeting(attr) }
}

/// The answer to a lookup of a name that led to a link, as a side shows it. Only the listed name may be kept: the kernel is not
/// told of aliases when the link goes. Nothing but pages may be kept of an original: the kernel is told of changes by the names
/// and numbers of `/models`.
pub fn link(side: Side, shown: &Link, field: &Field, asked: &Name) -> Entry {
    let attr = attachment(side, &shown.attachment);
    match side {
        Side::Models if meaning::listed(shown, field.collection) == *asked => Entry::lasting(attr),
        Side::Models => Entry { name: Lifetime::None, ..Entry::lasting(attr) },
        Side::Originals => Entry::fleeting(attr),
    }
}

pub fn variant(record: &VariantRecord) -> Attr {
    let access = Access { uid: 0, gid: 0, mode: 0o444 };
    let VariantRecord { id, content, committed, .. } = record;
    let times = Times::all(*committed);
    let ino = Node::Variant(*id).ino();
    Attr { ino, kind: Kind::File, size: content.length, links: 1, access, times }
}

/// The answer to a lookup that led to a row, or to a collection in it. The kernel keeps none of `/originals`.
pub fn directory(node: Node, attr: Attr) -> Entry {
    let attr = Attr { ino: node.ino(), ..attr };
    match Side::of(node) {
        Side::Models => Entry::lasting(attr),
        Side::Originals => Entry::fleeting(attr),
    }
}
