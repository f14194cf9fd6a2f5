//! The errors of a blob store: why it refused something, or failed.

use std::io;
use std::path::PathBuf;

use crate::fence::Fenced;
use words::attachment::BlobKey;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("blob {0} is not in the store")]
    Missing(BlobKey),
    #[error("blob {0} is in the store already")]
    Exists(BlobKey),
    /// The catalogue knows the store, and the configuration does not.
    #[error("the store `{0}` is not configured any more")]
    Closed(String),
    #[error("no space is left in the store")]
    Full,
    #[error("blob {key}: cannot {action}")]
    Io {
        key: BlobKey,
        action: &'static str,
        #[source]
        source: io::Error,
    },
    /// An earlier write of this library failed on the disk, and nothing is stored any more.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error("the directory {path} cannot hold blobs")]
    Root {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the store in {0} was laid out by an older mediafs; mount it once for writing")]
    Older(PathBuf),
    #[error("what is pending in the store cannot be read")]
    Pending(#[source] io::Error),
    /// A start could not sync the blobs that it has restored from the log.
    #[error(
        "what the store's log has cannot be made durable; look at the disk (dmesg, smartctl), then start again"
    )]
    NotDurable(#[source] io::Error),
    #[error("the store's space cannot be read")]
    Space(#[source] io::Error),
}
