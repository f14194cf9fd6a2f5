//! Blobs: bytes under keys, stored once, never changed, and deleted as a whole.
//!
//! A store lists its pending blobs alone: those that were put and that the catalogue may not know.

pub mod dir;
mod error;
pub mod memory;
pub mod router;

#[cfg(test)]
mod contract;

use std::fs::File;
use std::sync::Arc;

use words::attachment::{BlobKey, StoreId};
use words::space::Space;

pub use error::Error;

/// A store of blobs, shared by threads.
pub trait BlobStore: Send + Sync {
    /// Stores all bytes of `file` under `key`, durable when it returns. From before the first byte is stored the key is pending,
    /// also after a crash. Errors: [`Error::Exists`] if the key has a blob, since a key is never written twice.
    ///
    /// The store may link `file` into place and make it read-only: the caller must not write to it meanwhile, and must hold no
    /// descriptor afterwards that can.
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error>;

    /// The catalogue links the blob: it is no longer pending. Need not be durable, and may fail: a start confirms again.
    fn confirm(&self, key: BlobKey);

    /// The keys that were put, or begun to be put, and neither confirmed nor deleted, in any order. After a crash only a pending
    /// blob may be incomplete.
    fn pending(&self) -> Result<Vec<BlobKey>, Error>;

    /// The bytes of a blob, for reading only. The file stays readable after a `delete`. Errors: [`Error::Missing`].
    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error>;

    /// Deletes blobs, durable when it returns, and returns the outcome of each in their order. A directory of many blobs is synced
    /// once. After a crash a deleted blob may be pending again. Deleting a blob that does not exist is no error.
    fn delete_all(&self, keys: &[BlobKey]) -> Vec<Result<(), Error>>;

    /// Deletes one blob, as [`BlobStore::delete_all`] does.
    fn delete(&self, key: BlobKey) -> Result<(), Error> {
        self.delete_all(&[key]).into_iter().collect()
    }

    /// The space where a store keeps its blobs. Only a router looks at `store`.
    fn space(&self, store: StoreId) -> Result<Space, Error>;
}
