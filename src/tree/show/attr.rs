//! The attributes of a node as `stat` shows them, and how long the kernel may believe them.

use crate::tree::node::{Ino, Kind};
use words::attachment::{Access, Times};

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

/// How long the kernel may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is told otherwise: for what is committed.
    Long,
    /// Not at all: for drafts, scratch, placeholders, aliases and whatever else changes without the kernel's doing.
    None,
}

/// The answer to a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub attr: Attr,
    /// The lifetime of the name.
    pub name: Lifetime,
    /// The lifetime of the attributes.
    pub attributes: Lifetime,
    /// Tells the inode from earlier ones with its number: not 0 only for a directory that was removed and is there again.
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
}

/// The answer to `getattr` and `setattr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub attr: Attr,
    pub attributes: Lifetime,
}

impl Shown {
    /// Attributes that the kernel may keep until it is told otherwise.
    pub fn lasting(attr: Attr) -> Self {
        Self { attr, attributes: Lifetime::Long }
    }

    /// Attributes that the kernel must ask for every time.
    pub fn fleeting(attr: Attr) -> Self {
        Self { attr, attributes: Lifetime::None }
    }
}
