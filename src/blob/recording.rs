//! A blob store that counts how often it was asked what.
//! Does not change any answer: it passes everything on to another store.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use crate::blob::{BlobStore, Error};
use words::attachment::{BlobKey, StoreId};
use words::space::Space;

/// Wraps any [`BlobStore`] and counts the calls by the method's name, so that call counts can be laws.
pub struct RecordingStore<S> {
    inner: S,
    /// Guards the counts; held only to add one or to take them.
    calls: Mutex<BTreeMap<&'static str, usize>>,
}

impl<S> RecordingStore<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, calls: Mutex::new(BTreeMap::new()) }
    }

    /// The counts since the last call of this, by method; methods that were not called are absent.
    pub fn take_calls(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn count(&self, method: &'static str) -> &S {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(method).or_default() += 1;
        &self.inner
    }
}

impl<S: BlobStore> BlobStore for RecordingStore<S> {
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error> {
        self.count("put").put(key, file)
    }

    fn confirm(&self, key: BlobKey) {
        self.count("confirm").confirm(key);
    }

    fn pending(&self) -> Result<Vec<BlobKey>, Error> {
        self.count("pending").pending()
    }

    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        self.count("open").open(key)
    }

    fn delete(&self, key: BlobKey) -> Result<(), Error> {
        self.count("delete").delete(key)
    }

    fn space(&self, store: StoreId) -> Result<Space, Error> {
        self.count("space").space(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::memory::Memory;
    use words::digest::Digest;

    #[test]
    fn calls_are_counted_by_method_and_passed_on() {
        let store = RecordingStore::new(Memory::new());
        let key = BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 1 };
        assert!(matches!(store.open(key), Err(Error::Missing(_))));
        assert!(matches!(store.open(key), Err(Error::Missing(_))));
        store.delete(key).unwrap();
        assert_eq!(store.take_calls(), BTreeMap::from([("open", 2), ("delete", 1)]));
        assert_eq!(store.take_calls(), BTreeMap::new());
    }
}
