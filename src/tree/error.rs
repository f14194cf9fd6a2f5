//! The errors of the tree.

use std::io;

use rustix::io::Errno;

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
    #[error("the daemon, or the machine, has too many files open")]
    TooManyFiles,
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

/// A failure with the path of the file that it hit.
#[derive(Debug, thiserror::Error)]
#[error("{path}")]
struct Located {
    path: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    /// Adds a path to a failure, for the log. Other errors are told to the client, who knows it.
    pub fn at(self, path: &impl ToString) -> Self {
        match self {
            Self::Failed(source) => {
                Self::Failed(Box::new(Located { path: path.to_string(), source }))
            }
            other => other,
        }
    }
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
            other if lacks_descriptors(&other) => Self::TooManyFiles,
            other => Self::Failed(Box::new(other)),
        }
    }
}

/// Whether an operation failed because this process, or the machine, has too many files open.
fn lacks_descriptors(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let errno = cause.downcast_ref().and_then(Errno::from_io_error);
        matches!(errno, Some(Errno::MFILE | Errno::NFILE))
    })
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::FileTooLarge => Self::TooLarge,
            io::ErrorKind::Unsupported => Self::NotSupported,
            _ if lacks_descriptors(&error) => Self::TooManyFiles,
            _ => Self::Failed(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_descriptors_is_named_however_deep_its_cause_lies() {
        for errno in [Errno::MFILE, Errno::NFILE] {
            let io = || io::Error::from(errno);
            let deep = library::Error::Blob(crate::blob::Error::Space(io()));
            assert!(matches!(Error::from(io()), Error::TooManyFiles));
            assert!(matches!(Error::from(deep), Error::TooManyFiles));
        }
        assert!(matches!(Error::from(io::Error::from(Errno::IO)), Error::Failed(_)));
    }
}
