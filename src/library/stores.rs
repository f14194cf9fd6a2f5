//! The stores that blobs are kept in: the library's own, those of the configuration, and those that it has no more.
//! Does not know where any of them lies.

use crate::blob;
use crate::catalog::Catalog;
use crate::catalog::blobs::StoreRecord;
use crate::library::{Error, Library};
use words::attachment::{BlobKey, StoreId};
use words::schema::Field;
use words::slot::Name;

/// What the library's own store is called.
const OWN: &str = "default";

/// A store beside the library's own, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub name: Name,
    /// In front of a blob's path in public URLs, without a slash at the end.
    pub base_url: Option<String>,
}

/// What there is to say of a store in `status.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    pub name: String,
    pub files: u64,
    pub bytes: u64,
    /// Bytes that are free where it lies; none where it cannot be asked.
    pub free: Option<u64>,
}

/// The catalogue's numbers of the stores that are configured.
#[derive(Debug)]
pub(super) struct Stores {
    configured: Vec<(StoreId, Store)>,
}

impl Stores {
    /// Asks for the numbers. Says once which stores are missed.
    pub fn open(catalog: &dyn Catalog, stores: &[Store]) -> Result<Self, Error> {
        let number = |store: &Store| Ok((catalog.store(&store.name)?, store.clone()));
        let configured = stores.iter().map(number).collect::<Result<Vec<_>, Error>>()?;
        for StoreRecord { id, name, blobs, .. } in catalog.stores()? {
            let known = configured.iter().any(|(known, _)| *known == id);
            if let Some(name) = name.filter(|_| !known && blobs > 0) {
                tracing::warn!(store = %name, files = blobs, "a store is not configured any more; its files cannot be read, and wait to be deleted");
            }
        }
        Ok(Self { configured })
    }

    /// Whether blobs of this store can be reached.
    pub fn is_open(&self, id: StoreId) -> bool {
        id == StoreId::default() || self.find(id).is_some()
    }

    fn find(&self, id: StoreId) -> Option<&Store> {
        self.configured.iter().find(|(known, _)| *known == id).map(|(_, store)| store)
    }
}

impl Library {
    /// Where a field keeps its blobs.
    pub fn store_of(&self, field: &Field) -> Result<StoreId, Error> {
        let Some(name) = &field.store else { return Ok(StoreId::default()) };
        let found = self.stores.configured.iter().find(|(_, store)| store.name == *name);
        let closed = || Error::Blob(blob::Error::Closed(name.to_string()));
        found.map(|(id, _)| *id).ok_or_else(closed)
    }

    /// The name of the store that holds a blob, for people.
    pub fn store_name(&self, key: BlobKey) -> Result<String, Error> {
        if key.store == StoreId::default() {
            return Ok(OWN.to_owned());
        }
        if let Some(store) = self.stores.find(key.store) {
            return Ok(store.name.to_string());
        }
        let records = self.catalog.stores()?;
        let name = records.into_iter().find(|it| it.id == key.store).and_then(|it| it.name);
        Ok(name.map_or_else(|| key.store.0.to_string(), |name| name.to_string()))
    }

    /// `base_url/<store path>`, each store with its own base; the path alone where it has none.
    pub(super) fn address(&self, key: BlobKey) -> String {
        let base = match self.stores.find(key.store) {
            Some(store) => store.base_url.as_deref(),
            None if key.store == StoreId::default() => self.settings.base_url.as_deref(),
            None => None,
        };
        format!("{}/{}", base.unwrap_or(""), key.path())
    }

    /// Every store that is configured or holds anything.
    pub fn store_statuses(&self) -> Result<Vec<StoreStatus>, Error> {
        let wanted = |it: &StoreRecord| {
            it.name.is_none() || it.blobs > 0 || self.stores.find(it.id).is_some()
        };
        let records = self.catalog.stores()?.into_iter().filter(wanted);
        let status = |StoreRecord { id, name, blobs, bytes }| StoreStatus {
            name: name.map_or_else(|| OWN.to_owned(), |name| name.to_string()),
            files: blobs,
            bytes,
            free: self.blobs.space(id).ok().map(|space| space.available * space.block_size),
        };
        Ok(records.map(status).collect())
    }
}
