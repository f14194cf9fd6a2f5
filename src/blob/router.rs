//! Several stores as one: a blob is in the store that its key names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use crate::blob::{BlobStore, Error};
use words::attachment::{BlobKey, StoreId};
use words::space::Space;

/// A [`BlobStore`] that passes each call to the store of the key.
pub struct Router {
    own: Arc<dyn BlobStore>,
    others: BTreeMap<StoreId, Route>,
}

/// Where the blobs of a store beside the library's own are.
pub enum Route {
    Open(Arc<dyn BlobStore>),
    /// The store of this name is not configured any more: each call fails with [`Error::Closed`].
    Closed(String),
}

impl Router {
    /// `own` is store 0.
    pub fn new(
        own: Arc<dyn BlobStore>,
        others: impl IntoIterator<Item = (StoreId, Route)>,
    ) -> Self {
        Self { own, others: others.into_iter().collect() }
    }

    fn route(&self, store: StoreId) -> Result<&dyn BlobStore, Error> {
        if store == StoreId::default() {
            return Ok(&*self.own);
        }
        match self.others.get(&store) {
            Some(Route::Open(store)) => Ok(&**store),
            Some(Route::Closed(name)) => Err(Error::Closed(name.clone())),
            None => Err(Error::Closed(store.0.to_string())),
        }
    }
}

impl BlobStore for Router {
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error> {
        self.route(key.store)?.put(key, file)
    }

    fn confirm(&self, key: BlobKey) {
        if let Ok(store) = self.route(key.store) {
            store.confirm(key);
        }
    }

    fn pending(&self) -> Result<Vec<BlobKey>, Error> {
        let mut pending = self.own.pending()?;
        for (id, route) in &self.others {
            if let Route::Open(store) = route {
                // A store does not know its own number.
                let with_store = |key| BlobKey { store: *id, ..key };
                pending.extend(store.pending()?.into_iter().map(with_store));
            }
        }
        Ok(pending)
    }

    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        self.route(key.store)?.open(key)
    }

    fn delete_all(&self, keys: &[BlobKey]) -> Vec<Result<(), Error>> {
        let mut outcomes = BTreeMap::new();
        for store in keys.iter().map(|key| key.store).collect::<BTreeSet<_>>() {
            let own: Vec<_> = keys.iter().copied().filter(|key| key.store == store).collect();
            match self.route(store) {
                Ok(there) => outcomes.extend(own.iter().copied().zip(there.delete_all(&own))),
                Err(_) => {
                    outcomes.extend(own.iter().map(|key| (*key, self.route(store).map(drop))));
                }
            }
        }
        keys.iter().map(|key| outcomes.remove(key).unwrap_or(Ok(()))).collect()
    }

    fn space(&self, store: StoreId) -> Result<Space, Error> {
        self.route(store)?.space(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::contract::{file, key, put, read};
    use crate::blob::memory::Memory;

    fn two() -> (Arc<Memory>, Arc<Memory>, Router) {
        let (own, cold) = (Arc::new(Memory::new()), Arc::new(Memory::with_capacity(8192)));
        let others = [
            (StoreId(1), Route::Open(Arc::clone(&cold) as _)),
            (StoreId(2), Route::Closed("old".into())),
        ];
        let router = Router::new(Arc::clone(&own) as _, others);
        (own, cold, router)
    }

    #[test]
    fn a_blob_is_in_the_store_of_its_key_and_in_no_other() {
        let (own, cold, router) = two();
        let here = put(&router, b"here");
        let there = BlobKey { store: StoreId(1), ..key(b"there") };
        router.put(there, &file(b"there")).unwrap();
        assert_eq!((read(&router, here), read(&router, there)), (b"here".into(), b"there".into()));
        assert!(own.open(there).is_err() && cold.open(here).is_err());
        let elsewhere = [1, 2, 0].map(|store| BlobKey { store: StoreId(store), ..key(b"x") });
        let deleted = router.delete_all(&elsewhere);
        assert!(matches!(deleted[..], [Ok(()), Err(Error::Closed(_)), Ok(())]), "{deleted:?}");
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
