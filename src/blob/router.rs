//! Several stores as one: every blob is where its key says.
//! Does not know where a store keeps its blobs, nor what it holds.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use crate::blob::{BlobStore, Error};
use words::attachment::{BlobKey, StoreId};
use words::space::Space;

/// A [`BlobStore`] that hands each call to the store of the key.
pub struct Router {
    own: Arc<dyn BlobStore>,
    others: BTreeMap<StoreId, Door>,
}

/// A way to a store beside the library's own.
pub enum Door {
    Open(Arc<dyn BlobStore>),
    /// It has this name, and is not configured any more: whatever is asked of it is [`Error::Closed`].
    Closed(String),
}

impl Router {
    /// `own` is store 0.
    pub fn new(own: Arc<dyn BlobStore>, others: impl IntoIterator<Item = (StoreId, Door)>) -> Self {
        Self { own, others: others.into_iter().collect() }
    }

    fn way(&self, store: StoreId) -> Result<&dyn BlobStore, Error> {
        if store == StoreId::default() {
            return Ok(&*self.own);
        }
        match self.others.get(&store) {
            Some(Door::Open(store)) => Ok(&**store),
            Some(Door::Closed(name)) => Err(Error::Closed(name.clone())),
            None => Err(Error::Closed(store.0.to_string())),
        }
    }
}

impl BlobStore for Router {
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error> {
        self.way(key.store)?.put(key, file)
    }

    fn confirm(&self, key: BlobKey) {
        if let Ok(store) = self.way(key.store) {
            store.confirm(key);
        }
    }

    fn pending(&self) -> Result<Vec<BlobKey>, Error> {
        let mut pending = self.own.pending()?;
        for (id, door) in &self.others {
            if let Door::Open(store) = door {
                let here = |key| BlobKey { store: *id, ..key };
                pending.extend(store.pending()?.into_iter().map(here));
            }
        }
        Ok(pending)
    }

    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        self.way(key.store)?.open(key)
    }

    fn delete(&self, key: BlobKey) -> Result<(), Error> {
        self.way(key.store)?.delete(key)
    }

    fn space(&self, store: StoreId) -> Result<Space, Error> {
        self.way(store)?.space(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::contract::{file, key, put, read};
    use crate::blob::memory::Memory;

    fn two() -> (Arc<Memory>, Arc<Memory>, Router) {
        let (own, cold) = (Arc::new(Memory::new()), Arc::new(Memory::with_capacity(8192)));
        let doors = [
            (StoreId(1), Door::Open(Arc::clone(&cold) as _)),
            (StoreId(2), Door::Closed("old".into())),
        ];
        let router = Router::new(Arc::clone(&own) as _, doors);
        (own, cold, router)
    }

    #[test]
    fn a_blob_is_where_its_key_says_and_nowhere_else() {
        let (own, cold, router) = two();
        let here = put(&router, b"here");
        let there = BlobKey { store: StoreId(1), ..key(b"there") };
        router.put(there, &file(b"there")).unwrap();
        assert_eq!((read(&router, here), read(&router, there)), (b"here".into(), b"there".into()));
        assert!(own.open(there).is_err() && cold.open(here).is_err());
        router.delete(BlobKey { store: StoreId(1), ..here }).unwrap();
        assert_eq!(read(&router, here), b"here");
        let blocks = |store| router.space(StoreId(store)).unwrap().blocks;
        assert_eq!((blocks(0), blocks(1)), (1 << 18, 2));
    }

    #[test]
    fn a_store_that_is_not_configured_any_more_is_named_and_the_others_work() {
        let (_, _, router) = two();
        let lost = BlobKey { store: StoreId(2), ..key(b"x") };
        let named = |error: Error| error.to_string().contains("the store `old` is not configured");
        assert!(named(router.open(lost).unwrap_err()));
        assert!(named(router.put(lost, &file(b"x")).unwrap_err()));
        assert!(named(router.delete(lost).unwrap_err()));
        assert!(named(router.space(StoreId(2)).unwrap_err()));
        assert!(matches!(router.space(StoreId(3)), Err(Error::Closed(name)) if name == "3"));
        put(&router, b"here");
    }
}
