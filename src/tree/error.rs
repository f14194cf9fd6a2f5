//! The errors of the tree.

use std::io;

use crate::fence::Fenced;
use crate::library;
use crate::session_thread::Elsewhere;
use words::quota::Excess;
use words::refusal::Refusal;
use words::slot::NameError;

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
    #[error("it is being read, and cannot be written by a handle that names no path")]
    BeingRead,
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
    #[error(transparent)]
    OverQuota(Excess),
    #[error("no space is left")]
    NoSpace,
    #[error("too much is waiting; try again")]
    TooBusy,
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error(transparent)]
    Elsewhere(#[from] Elsewhere),
    /// The library has logged it, with the key.
    #[error("the stored file is damaged")]
    Damaged,
    #[error("a store or the catalogue failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub type Result<T> = std::result::Result<T, Error>;

impl From<library::Error> for Error {
    fn from(error: library::Error) -> Self {
        match error {
            library::Error::Refused(refusal) => Self::Refused(refusal),
            library::Error::Missing => Self::NotFound,
            library::Error::Taken => Self::Exists,
            library::Error::NotEmpty => Self::NotEmpty,
            library::Error::WouldChange => Self::CrossDevice,
            library::Error::Quota(excess) => Self::OverQuota(excess),
            library::Error::NoSpace => Self::NoSpace,
            library::Error::Busy => Self::TooBusy,
            library::Error::Fenced(fenced) => Self::Fenced(fenced),
            library::Error::Elsewhere(elsewhere) => Self::Elsewhere(elsewhere),
            library::Error::Damaged { .. } => Self::Damaged,
            other => Self::Failed(Box::new(other)),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::FileTooLarge => Self::TooLarge,
            io::ErrorKind::Unsupported => Self::NotSupported,
            _ => Self::Failed(Box::new(error)),
        }
    }
}
