//! The names of blob stores: the library's own, those of the configuration, and those that were removed from it.

use std::sync::Arc;

use crate::blob::{self, BlobStore};
use crate::catalog::Catalog;
use crate::catalog::blobs::StoreRecord;
use crate::library::error::{Error, Result};
use crate::library::home::settings::{Settings, Store};
use words::attachment::{BlobKey, StoreId};
use words::schema::Field;

const OWN: &str = "default";

/// The entry of a store in `status.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    pub name: String,
    pub files: u64,
    pub bytes: u64,
    /// Free bytes on its disk; none if that cannot be asked.
    pub free: Option<u64>,
}

/// The configured stores by the catalogue's numbers, with their names and public URLs.
pub struct StoreNames {
    catalog: Arc<dyn Catalog>,
    stores: Arc<dyn BlobStore>,
    /// The address of the tree in public URLs.
    base_url: Option<String>,
    configured: Vec<(StoreId, Store)>,
}

impl StoreNames {
    /// Asks the catalogue for the numbers. Warns of stores that hold blobs and are no longer configured.
    pub fn open(
        catalog: Arc<dyn Catalog>,
        stores: Arc<dyn BlobStore>,
        settings: &Settings,
    ) -> Result<Self> {
        let number = |store: &Store| Ok((catalog.store(&store.name)?, store.clone()));
        let configured = settings.stores.iter().map(number).collect::<Result<Vec<_>>>()?;
        for StoreRecord { id, name, blobs, .. } in catalog.stores()? {
            let known = configured.iter().any(|(known, _)| *known == id);
            if let Some(name) = name.filter(|_| !known && blobs > 0) {
                tracing::warn!(store = %name, files = blobs, "a store is not configured any more: its files are kept, and cannot be read until [stores.{name}] is back");
            }
        }
        Ok(Self { catalog, stores, base_url: settings.base_url.clone(), configured })
    }

    /// Whether a store is configured, so that its blobs can be opened.
    pub(in crate::library) fn is_open(&self, id: StoreId) -> bool {
        id == StoreId::default() || self.configured(id).is_some()
    }

    fn configured(&self, id: StoreId) -> Option<&Store> {
        self.configured.iter().find(|(known, _)| *known == id).map(|(_, store)| store)
    }

    /// The store that keeps the blobs of a field.
    pub(in crate::library) fn of_field(&self, field: &Field) -> Result<StoreId> {
        let Some(name) = &field.store else { return Ok(StoreId::default()) };
        let found = self.configured.iter().find(|(_, store)| store.name == *name);
        let closed = || Error::Blob(blob::Error::Closed(name.to_string()));
        found.map(|(id, _)| *id).ok_or_else(closed)
    }

    /// The name of the store that holds a blob, for people.
    pub fn of_blob(&self, key: BlobKey) -> Result<String> {
        if key.store == StoreId::default() {
            return Ok(OWN.to_owned());
        }
        if let Some(store) = self.configured(key.store) {
            return Ok(store.name.to_string());
        }
        let records = self.catalog.stores()?;
        let name = records.into_iter().find(|it| it.id == key.store).and_then(|it| it.name);
        Ok(name.map_or_else(|| key.store.0.to_string(), |name| name.to_string()))
    }

    /// The address of the tree for a file of this blob: of its store, or else of the library. Nothing if neither has one.
    pub fn base_url(&self, key: BlobKey) -> &str {
        let own = self.configured(key.store).and_then(|store| store.base_url.as_ref());
        own.or(self.base_url.as_ref()).map_or("", String::as_str)
    }

    /// Every store that is configured or holds anything.
    pub fn statuses(&self) -> Result<Vec<StoreStatus>> {
        let wanted = |it: &StoreRecord| {
            it.name.is_none() || it.blobs > 0 || self.configured(it.id).is_some()
        };
        let records = self.catalog.stores()?.into_iter().filter(wanted);
        let status = |StoreRecord { id, name, blobs, bytes }| StoreStatus {
            name: name.map_or_else(|| OWN.to_owned(), |name| name.to_string()),
            files: blobs,
            bytes,
            free: self.stores.space(id).ok().map(|space| space.available * space.block_size),
        };
        Ok(records.map(status).collect())
    }
}
