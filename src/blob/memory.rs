//! Blobs in memory, for tests. The store counts how often each method is called.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::blob::{BlobStore, Error};
use crate::fd;
use words::attachment::{BlobKey, StoreId};
use words::space::Space;

const BLOCK: u64 = 4096;

/// A [`BlobStore`] of sealed memory files, which can only be read. Holds at most its capacity.
pub struct Memory {
    capacity: u64,
    /// Guards the files and their sizes. Held only to look a file up, to add or to remove one.
    held: Mutex<Held>,
    /// Guards the counts of calls. Held only to add one, or to take them.
    calls: Mutex<BTreeMap<&'static str, usize>>,
}

#[derive(Default)]
struct Held {
    files: BTreeMap<BlobKey, (File, u64)>,
    pending: BTreeSet<BlobKey>,
    bytes: u64,
}

impl Memory {
    /// A store of up to 1 GiB.
    pub fn new() -> Self {
        Self::with_capacity(1 << 30)
    }

    /// A store whose blobs have at most this many bytes.
    pub fn with_capacity(bytes: u64) -> Self {
        Self { capacity: bytes, held: Mutex::default(), calls: Mutex::default() }
    }

    /// The number of calls of each method since this was called last; methods that were not called are absent.
    pub fn take_calls(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.calls.lock())
    }

    /// Counts a call of the method of this name, and locks the files.
    fn held(&self, method: &'static str) -> MutexGuard<'_, Held> {
        *self.calls.lock().entry(method).or_default() += 1;
        self.held.lock()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl BlobStore for Memory {
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error> {
        let failed = |action| move |source| Error::Io { key, action, source };
        let length = file.metadata().map_err(failed("measure it"))?.len();
        if self.held("put").bytes.saturating_add(length) > self.capacity {
            return Err(Error::Full);
        }
        let copy = fd::sealed(|copy| fd::copy(file, copy, length)).map_err(failed("copy it"))?;
        let mut held = self.held.lock();
        if held.files.contains_key(&key) {
            return Err(Error::Exists(key));
        }
        if held.bytes.saturating_add(length) > self.capacity {
            return Err(Error::Full);
        }
        held.bytes += length;
        held.files.insert(key, (copy, length));
        held.pending.insert(key);
        Ok(())
    }

    fn confirm(&self, key: BlobKey) {
        self.held("confirm").pending.remove(&key);
    }

    fn pending(&self) -> Result<Vec<BlobKey>, Error> {
        Ok(self.held("pending").pending.iter().copied().collect())
    }

    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        let held = self.held("open");
        let (file, _) = held.files.get(&key).ok_or(Error::Missing(key))?;
        // A new open file description: each reader has its own cursor, and none can write.
        let own = fd::read_only(file);
        own.map(Arc::new).map_err(|source| Error::Io { key, action: "open it", source })
    }

    fn delete_all(&self, keys: &[BlobKey]) -> Vec<Result<(), Error>> {
        let delete = |key| {
            let mut held = self.held("delete");
            held.pending.remove(key);
            if let Some((_, length)) = held.files.remove(key) {
                held.bytes -= length;
            }
            Ok(())
        };
        keys.iter().map(delete).collect()
    }

    fn space(&self, _: StoreId) -> Result<Space, Error> {
        let held = self.held("space");
        let blocks = self.capacity / BLOCK;
        let free = (self.capacity - held.bytes) / BLOCK;
        let used = u64::try_from(held.files.len()).unwrap_or(u64::MAX);
        let files = used.saturating_add(free);
        let (available, files_free) = (free, free);
        Ok(Space { block_size: BLOCK, blocks, free, available, files, files_free })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::contract::key;

    #[test]
    fn calls_are_counted_by_method() {
        let store = Memory::new();
        assert!(matches!(store.open(key(b"x")), Err(Error::Missing(_))));
        assert!(matches!(store.open(key(b"x")), Err(Error::Missing(_))));
        store.delete(key(b"x")).unwrap();
        assert_eq!(store.take_calls(), BTreeMap::from([("open", 2), ("delete", 1)]));
        assert_eq!(store.take_calls(), BTreeMap::new());
    }
}
