//! The tree: the filesystem that a program sees, without FUSE.
//! Does not know errnos, requests or the kernel's structures; it asks `library` for every byte and every fact.
//!
//! A node's inode number says what it is and, where the catalogue counts it, which one: numbers are stable over restarts
//! and the tree keeps no table of what the kernel has seen. What it does keep is what no catalogue knows: open handles,
//! open drafts with their owners, and for the time of one `open` the redirection of a writer to its draft.

pub mod attr;
pub mod ops;

use crate::refusal::Refusal;
use crate::slot::{Name, NameError};

/// An inode number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

/// The number of an open file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fh(pub u64);

/// Who asks: the effective ids, and the thread as the kernel names it (0: unknown, from another pid namespace).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    pub tid: u32,
}

/// What the kernel must be told of changes that it did not ask for, or whose effect reaches beyond the names it named.
pub trait Kernel: Send + Sync {
    /// The attributes of an inode must be asked for again. Takes no lock of the kernel that a request could hold.
    fn forget_attributes(&self, ino: Ino);

    /// A name must be looked up again. May need the directory's lock: done by another thread, awaited 50 ms at most.
    fn forget_name(&self, parent: Ino, name: &Name);
}

/// Why an operation was not done. `fuse::errno` has the errno of each.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such file")]
    NotFound,
    #[error("the file exists")]
    Exists,
    #[error("the directory is not empty")]
    NotEmpty,
    #[error("it is not a directory")]
    NotDirectory,
    #[error("it is a directory")]
    IsDirectory,
    #[error("it cannot be moved as it is; copy it")]
    CrossDevice,
    #[error("it is read-only")]
    ReadOnly,
    #[error("the tree does not take this here")]
    NotPermitted,
    #[error("another user's")]
    Denied,
    #[error(transparent)]
    BadName(#[from] NameError),
    #[error("{0}")]
    Invalid(&'static str),
    #[error("another process is writing it")]
    Busy,
    #[error("the inode has lost its name; look it up again")]
    Stale,
    #[error("the handle is not open for this")]
    BadHandle,
    #[error("there is no such attribute")]
    NoAttribute,
    #[error("the attribute exists")]
    AttributeExists,
    #[error("the attribute is too long")]
    AttributeTooLong,
    #[error("the operation is not supported")]
    NotSupported,
    #[error("there is no data beyond this offset")]
    NoData,
    #[error("the file would be too large")]
    TooLarge,
    #[error("no space is left")]
    NoSpace,
    #[error("too much is waiting; try again")]
    TooBusy,
    #[error("a store or the catalogue failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub type Result<T> = std::result::Result<T, Error>;
