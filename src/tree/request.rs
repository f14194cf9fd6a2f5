//! The parts of a request other than inodes and bytes: its caller, names, the flags of an open, the attributes to set.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::tree::error::{Error, Result};
use crate::tree::node::Ino;
use words::attachment::{Access, Amendment};
use words::link::Collision;
use words::slot::{Name, NameError};

/// The sender of a request: the effective ids, and the thread as the kernel names it (0: unknown, from another pid namespace).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    pub tid: u32,
}

impl Caller {
    /// Owner and mode of a file that this caller makes, before any policy.
    pub fn makes(self, mode: u32) -> Access {
        Access { uid: self.uid, gid: self.gid, mode }
    }

    /// Errors: [`Error::Denied`] for all but the owner and root.
    pub fn check_owner(self, owner: u32) -> Result<()> {
        if self.uid == 0 || self.uid == owner { Ok(()) } else { Err(Error::Denied) }
    }
}

/// A name in a directory, as the kernel sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameIn<'a> {
    pub parent: Ino,
    pub name: &'a OsStr,
}

/// A name from the kernel, for an operation that looks for it. Errors: [`Error::NotFound`] if no file can have it.
pub fn sought(name: &OsStr) -> Result<Name> {
    match Name::parse_bytes(name.as_bytes()) {
        Err(NameError::TooLong) => Err(NameError::TooLong.into()),
        other => other.map_err(|_| Error::NotFound),
    }
}

/// A name from the kernel, for an operation that makes it.
pub fn made(name: &OsStr) -> Result<Name> {
    Ok(Name::parse_bytes(name.as_bytes())?)
}

/// `O_RDONLY`, `O_WRONLY` or `O_RDWR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Read,
    Write,
    ReadWrite,
}

/// The flags of an `open` that the tree looks at.
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

    /// Whether the open may change the file: `O_TRUNC` does so in every mode, and needs the permission to write (open(2)).
    pub fn changes(self) -> bool {
        self.writes() || self.truncate
    }

    pub fn reads(self) -> bool {
        self.mode != Mode::Write
    }
}

/// The changes that one `setattr` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetAttr {
    pub size: Option<u64>,
    pub amendment: Amendment,
}

/// The mode bits that a file keeps. Set-user-ID and set-group-ID are not kept: the mount is `nosuid`, so they would mean nothing,
/// and a filesystem that keeps them must clear them at every write.
pub const FILE_BITS: u32 = 0o1777;

impl SetAttr {
    /// The change as a file takes it.
    pub fn of_file(mut self) -> Self {
        self.amendment.mode = self.amendment.mode.map(|mode| mode & FILE_BITS);
        self
    }

    /// Whether owner, mode or times are to be set.
    pub fn amends(&self) -> bool {
        self.amendment != Amendment::default()
    }
}

/// How `rename` treats a file that already has the new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameMode {
    Replace,
    /// `RENAME_NOREPLACE`
    NoReplace,
    /// `RENAME_EXCHANGE`
    Exchange,
}

impl From<RenameMode> for Collision {
    fn from(mode: RenameMode) -> Self {
        match mode {
            RenameMode::Replace => Self::Replace,
            RenameMode::NoReplace => Self::Refuse,
            RenameMode::Exchange => Self::Exchange,
        }
    }
}

/// `XATTR_CREATE`, `XATTR_REPLACE` or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeMode {
    Set,
    Create,
    Replace,
}
