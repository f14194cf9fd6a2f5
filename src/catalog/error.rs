//! The errors of the catalogue: why a change was refused, or failed.

use words::attachment::BlobKey;
use words::quota::Excess;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the name is taken")]
    Taken,
    /// The row, slot, attachment or other entry that a change needs does not exist.
    #[error("there is no such entry in the catalogue")]
    Missing,
    #[error("the row is not empty")]
    NotEmpty,
    /// The change would let an account grow above its quota.
    #[error(transparent)]
    Quota(#[from] Excess),
    /// An attachment with several links cannot move to another store: its other links would move too.
    #[error("the attachment has other names")]
    Shared,
    /// A sweep has marked the blob for deletion or deleted it. Its bytes must be reserved and stored again.
    #[error("blob {0} was deleted meanwhile")]
    BlobGone(BlobKey),
    #[error(
        "the catalogue at {path} was written by a newer mediafs (schema {found}, this one knows {known})"
    )]
    Newer { path: String, found: i64, known: i64 },
    #[error("the catalogue holds a value that it should not: {0}")]
    Corrupt(String),
    #[error("no space is left for the catalogue")]
    Full,
    /// An earlier write of this library failed on the disk, and nothing is stored any more.
    #[error(transparent)]
    Fenced(#[from] crate::fence::Fenced),
    #[error("the catalogue failed")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An error of the engine, or of the file that it needs.
    pub(super) fn engine(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Engine(error.into())
    }
}
