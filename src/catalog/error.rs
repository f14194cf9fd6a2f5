//! Why the catalogue did not do what it was asked.

use words::attachment::BlobKey;
use words::quota::Excess;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the name is taken")]
    Taken,
    #[error("there is no such entry in the catalogue")]
    Missing,
    #[error("the row is not empty")]
    NotEmpty,
    #[error(transparent)]
    Quota(#[from] Excess),
    #[error("the attachment has other names")]
    Shared,
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
    #[error(transparent)]
    Fenced(#[from] crate::fence::Fenced),
    #[error("the catalogue failed")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}
