//! The library of a configuration, put together from the embedded default: `SQLite` and a directory for each store.
//! Does not serve it.

use std::sync::Arc;

use super::{Error, stores, workers};
use crate::catalog::sqlite::Sqlite;
use crate::config::{self, Config};
use crate::fence::Fence;
use crate::library::home::Home;
use crate::library::stores::Store;
use crate::library::variant::Renderer;
use crate::library::{Library, Parts, Settings};
use crate::schema::Schema;

/// Opens the library, alone: a second opener is told who has it.
pub fn open(config: &Config) -> Result<Library, Error> {
    let mut home = Home::open(&config.library.path)?;
    let fence = Fence::default();
    let catalog = Arc::new(Sqlite::open_behind(&home.catalog(), &fence)?);
    let blobs = Arc::new(stores::open(config, &mut home, &*catalog, &fence)?);
    let pipeline = Arc::new(workers::pipeline()?);
    let (schema, settings) = (config.schema.clone(), settings(config));
    Ok(Library::open(Parts { fence, home, catalog, blobs, pipeline, schema, settings })?)
}

/// Opens a library that is there, to read it: neither alone nor in anybody's way.
pub fn open_to_read(config: &Config, renderer: Renderer) -> Result<Library, Error> {
    let mut home = Home::open_to_read(&config.library.path)?;
    let catalog = Arc::new(Sqlite::open_to_read(&home.catalog())?);
    let blobs = Arc::new(stores::open_to_read(config, &mut home, &*catalog)?);
    let pipeline = Arc::new(workers::pipeline()?);
    // What lies in boxes is no part of what is stored.
    let schema = Schema { boxes: Vec::new(), ..config.schema.clone() };
    let (fence, settings) = (Fence::default(), settings(config));
    let parts = Parts { fence, home, catalog, blobs, pipeline, schema, settings };
    Ok(Library::open_to_read(parts, renderer)?)
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
