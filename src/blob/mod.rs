//! Blobs: bytes under keys, written once, never changed, deleted whole.
//! Does not know what the bytes are nor who needs them; never lists what it holds, but for what is pending.

pub mod dir;
pub mod memory;
pub mod recording;
pub mod router;

#[cfg(test)]
mod contract;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::fence::Fenced;
use words::attachment::{BlobKey, StoreId};
use words::space::Space;

/// A place for blobs. Implementations are shared by threads.
pub trait BlobStore: Send + Sync {
    /// Stores the whole of `file` under `key`, durable when it returns. `file` may be linked into place,
    /// and read-only, so the caller must hold no descriptor that can write to it afterwards, and must not write to it meanwhile.
    /// Putting a key that is there already is [`Error::Exists`]: keys are never rewritten. From before its first byte is there
    /// the key is pending, also after a crash.
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error>;

    /// Somebody durably knows that the blob is needed: it is pending no more. Not durable itself, and nothing is lost where it
    /// fails: whoever starts next asks for what is pending.
    fn confirm(&self, key: BlobKey);

    /// The keys that were put, or begun to be, and neither confirmed nor deleted, in any order. Only of what is pending may a
    /// blob be there that is not whole.
    fn pending(&self) -> Result<Vec<BlobKey>, Error>;

    /// The bytes, for reading only. The file stays readable after a `delete`. Errors: [`Error::Missing`].
    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error>;

    /// Deletes a blob, durable when it returns: a crash leaves nothing of it but what is pending. Deleting what is not there is no
    /// error.
    fn delete(&self, key: BlobKey) -> Result<(), Error>;

    /// The space where the blobs of this store are kept. A store that is no router has one answer.
    fn space(&self, store: StoreId) -> Result<Space, Error>;
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("blob {0} is not in the store")]
    Missing(BlobKey),
    #[error("blob {0} is in the store already")]
    Exists(BlobKey),
    /// The catalogue knows the store, the configuration does not.
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
    #[error(
        "what the store's log has cannot be made durable; look at the disk (dmesg, smartctl), then start again"
    )]
    Unsettled(#[source] io::Error),
    #[error("the store's space cannot be read")]
    Space(#[source] io::Error),
}
