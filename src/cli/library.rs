//! The library of a configuration, put together from the embedded default: `SQLite` and a directory.
//! Does not serve it.

use std::sync::Arc;

use super::{Error, workers};
use crate::blob::dir;
use crate::catalog::sqlite::Sqlite;
use crate::config::Config;
use crate::library::home::Home;
use crate::library::{Library, Parts, Settings};

/// Opens the library, alone: a second opener is told who has it.
pub fn open(config: &Config) -> Result<Library, Error> {
    let home = Home::open(&config.library.path)?;
    let catalog = Arc::new(Sqlite::open(&home.catalog())?);
    let blobs = Arc::new(dir::Store::open(&home.blobs())?);
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
        base_url: config.library.base_url.clone(),
        owner: config.mount.owner,
        file_mode: config.mount.file_mode,
        dir_mode: config.mount.dir_mode,
    }
}
