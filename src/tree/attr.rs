//! What `stat` shows of a node, and how long the kernel may believe it.
//! Does not know how the kernel's structure looks.

use std::fs::File;
use std::sync::Arc;

use crate::tree::{Fh, Ino};
use words::attachment::{Access, Amendment, Times};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File,
    Symlink,
}

/// `struct stat`, as far as it is ours.
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
    /// Until it is told otherwise: what is committed.
    Long,
    /// Not at all: drafts, scratch, placeholders, aliases, whatever changes without the kernel's doing.
    None,
}

/// The answer to a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub attr: Attr,
    /// Of the name.
    pub name: Lifetime,
    /// Of the attributes.
    pub attributes: Lifetime,
    /// Tells the inode from those that had its number before: not 0 only where a directory outlives its `rmdir`.
    pub generation: u64,
}

/// The answer to `getattr` and `setattr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub attr: Attr,
    pub attributes: Lifetime,
}

/// `O_RDONLY`, `O_WRONLY` or `O_RDWR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Read,
    Write,
    ReadWrite,
}

/// How a file is opened, as far as the tree cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenFlags {
    pub mode: Mode,
    /// `O_TRUNC`
    pub truncate: bool,
    /// `O_EXCL`
    pub exclusive: bool,
}

impl OpenFlags {
    pub fn writes(self) -> bool {
        self.mode != Mode::Read
    }

    /// `O_TRUNC` changes a file whatever else it is opened for; the kernel asks for the permission to write (open(2)).
    pub fn changes(self) -> bool {
        self.writes() || self.truncate
    }

    pub fn reads(self) -> bool {
        self.mode != Mode::Write
    }

    /// What the kernel may do with the pages of a file that can be written. By a handle that only writes nobody reads them:
    /// the kernel would copy every byte twice, and before each first write ask for the file's capabilities. Nor can such a
    /// handle be mapped (mmap(2), EACCES).
    pub fn caching(self) -> Caching {
        if self.reads() { Caching::WhileOpen } else { Caching::Never }
    }
}

/// What the kernel may do with the bytes of an open file.
#[derive(Debug, Clone)]
pub enum Caching {
    /// They are stored and never change: keep pages over opens, send no flush.
    Forever(Stored),
    /// Cache while it is open; send flush.
    WhileOpen,
    /// Ask for every byte, whatever size was shown.
    Never,
}

/// The one file that holds all bytes of an inode.
#[derive(Debug, Clone)]
pub struct Stored {
    pub file: Arc<File>,
    pub length: u64,
}

#[derive(Debug, Clone)]
pub struct Opened {
    pub fh: Fh,
    pub caching: Caching,
}

impl Opened {
    /// A handle on a stored blob.
    pub fn stored(fh: Fh, file: Arc<File>, length: u64) -> Self {
        Self { fh, caching: Caching::Forever(Stored { file, length }) }
    }
}

/// What `setattr` may change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    pub size: Option<u64>,
    pub amendment: Amendment,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub ino: Ino,
    pub kind: Kind,
    pub name: Arc<str>,
    /// Its place, after which reading goes on.
    pub next: u64,
    /// What a lookup would answer, where that is known without asking further.
    pub entry: Option<Entry>,
}

/// How `rename` treats what is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameMode {
    Replace,
    /// `RENAME_NOREPLACE`
    NoReplace,
    /// `RENAME_EXCHANGE`
    Exchange,
}

/// `XATTR_CREATE`, `XATTR_REPLACE` or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeMode {
    Set,
    Create,
    Replace,
}
