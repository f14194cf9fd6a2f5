//! The library of a configuration, put together from the embedded default: `SQLite` and a directory for each store.
//! Does not serve it.

use std::sync::Arc;

use super::{Error, stores, workers};
use crate::catalog::sqlite::Sqlite;
use crate::config::{self, Config};
use crate::library::home::Home;
use crate::library::stores::Store;
use crate::library::{Library, Parts, Settings};

/// Opens the library, alone: a second opener is told who has it.
pub fn open(config: &Config) -> Result<Library, Error> {
    let mut home = Home::open(&config.library.path)?;
    let catalog = Arc::new(Sqlite::open(&home.catalog())?);
    let blobs = Arc::new(stores::open(config, &mut home, &*catalog)?);
    let pipeline = Arc::new(workers::pipeline()?);
    let schema = config.schema.clone();
    Ok(Library::open(Parts { home, catalog, blobs, pipeline, schema, settings: settings(config) })?)
}

fn settings(config: &Config) -> Settings {
    Settings {
        hold: config.library.hold,
        trash: config.library.trash,
        scratch: config.library.scratch,
        cache_bytes: config.cache.size.0,
        quarantine: config.quarantine,
        quotas: config.quotas.clone(),
        base_url: config.library.base_url.clone(),
        stores: config.stores.iter().map(store).collect(),
        access: config.mount.access,
        fetch: config.fetch.clone(),
    }
}

fn store(store: &config::Store) -> Store {
    Store { name: store.name.clone(), base_url: store.base_url.clone() }
}
