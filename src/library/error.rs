//! The errors of the library.

use std::io;

use crate::blob;
use crate::catalog;
use crate::fence::Fenced;
use crate::session_thread::Elsewhere;
use words::attachment::BlobKey;
use words::quota::Excess;
use words::refusal::Refusal;
use words::variant::Variant;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such entry")]
    Missing,
    #[error("the name is taken")]
    Taken,
    #[error("the directory is not empty")]
    NotEmpty,
    #[error("the target's rules would change the bytes; copy the file instead")]
    WouldChange,
    #[error(transparent)]
    Quota(Excess),
    #[error("no space is left")]
    NoSpace,
    #[error("too much is waiting already")]
    Busy,
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error(transparent)]
    Elsewhere(#[from] Elsewhere),
    #[error("the catalogue failed")]
    Catalog(#[source] catalog::Error),
    #[error("blob {key} {fact}")]
    Damaged { key: BlobKey, fact: String },
    #[error("the blob store failed")]
    Blob(#[source] blob::Error),
    #[error("the image pipeline failed")]
    Pipeline(#[source] pipeline::Error),
    #[error("cannot {action}")]
    Io { action: &'static str, source: io::Error },
    #[error("variant {variant} of blob {original} cannot be rendered: {fact}")]
    Unrendered { original: BlobKey, variant: Variant, fact: String },
}

impl Error {
    /// Wraps an I/O error; a full disk stays recognisable.
    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io { action, source },
        }
    }
}

impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        match error {
            catalog::Error::Taken => Self::Taken,
            catalog::Error::Missing => Self::Missing,
            catalog::Error::NotEmpty => Self::NotEmpty,
            catalog::Error::Quota(excess) => Self::Quota(excess),
            catalog::Error::Shared => Self::WouldChange,
            catalog::Error::Full => Self::NoSpace,
            catalog::Error::Fenced(fenced) => Self::Fenced(fenced),
            other => Self::Catalog(other),
        }
    }
}

impl From<blob::Error> for Error {
    fn from(error: blob::Error) -> Self {
        match error {
            blob::Error::Full => Self::NoSpace,
            blob::Error::Fenced(fenced) => Self::Fenced(fenced),
            other => Self::Blob(other),
        }
    }
}

impl From<pipeline::Error> for Error {
    fn from(error: pipeline::Error) -> Self {
        match error {
            pipeline::Error::Output(source) | pipeline::Error::Input(source) => {
                Self::io("refine the file")(source)
            }
            pipeline::Error::Busy => Self::Busy,
            other => Self::Pipeline(other),
        }
    }
}
