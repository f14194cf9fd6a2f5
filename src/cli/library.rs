//! The library of a configuration, put together from the embedded default: `SQLite` and a directory for each store.
//! Does not serve it.

use std::sync::Arc;

use super::stores::{self, Find};
use super::{Error, workers};
use crate::blob::dir;
use crate::catalog::sqlite::{Loss, Sqlite};
use crate::config::{self, Config};
use crate::fence::Fence;
use crate::library::depot::Depot;
use crate::library::home::{self, Home};
use crate::library::stores::Store;
use crate::library::variant::Renderer;
use crate::library::{Library, Parts, Settings};
use words::attachment::BlobKey;
use words::schema::Schema;

/// Names of blobs that a start looks at, in each store.
const LOOKS: usize = 10_000;

/// Opens the library, alone: a second opener is told who has it. Makes nothing that is not there.
pub fn open(config: &Config) -> Result<Library, Error> {
    assemble(config, Home::find(&config.library.path)?, Loss::Refused, Depot::find)
}

/// Opens the library for a mount, alone: one that is not there is made, and the log says that it is new.
pub fn open_or_make(config: &Config, loss: Loss) -> Result<Library, Error> {
    let home = Home::open(&config.library.path)?;
    let made = home.is_new().then(|| home.root().display().to_string());
    let library = assemble(config, home, loss, Depot::open)?;
    if let Some(path) = made {
        tracing::info!("made a new library in {path}");
    }
    Ok(library)
}

fn assemble(config: &Config, mut home: Home, loss: Loss, find: Find) -> Result<Library, Error> {
    let beyond = if home.is_new() { None } else { check(config, &home, loss)? };
    let fence = Fence::default();
    let catalog = Arc::new(Sqlite::open_behind(&home.catalog(), &fence)?);
    if let Some(key) = beyond {
        catalog.skip_numbers(key.generation)?;
    }
    let blobs = Arc::new(stores::open(config, &mut home, &*catalog, (&fence, find))?);
    let pipeline = Arc::new(workers::pipeline()?);
    let (schema, settings) = (config.schema.clone(), settings(config));
    Ok(Library::open(Parts { fence, home, catalog, blobs, pipeline, schema, settings })?)
}

/// Opens a library that is there, to read it: neither alone nor in anybody's way. One that is not what it was is shown as far
/// as it can be read.
pub fn open_to_read(config: &Config, renderer: Renderer) -> Result<Library, Error> {
    let mut home = Home::open_to_read(&config.library.path)?;
    let unsound = check(config, &home, Loss::Refused).err();
    if let Some(error) = &unsound {
        tracing::error!(%error, "the library is not what it was; what can be read of it is shown");
    }
    let catalog = Sqlite::open_to_read(&home.catalog());
    let catalog = Arc::new(catalog.map_err(|error| unsound.unwrap_or_else(|| error.into()))?);
    let blobs = Arc::new(stores::open_to_read(config, &mut home, &*catalog)?);
    let pipeline = Arc::new(workers::pipeline()?);
    // What lies in boxes is no part of what is stored.
    let schema = Schema { boxes: Vec::new(), ..config.schema.clone() };
    let (fence, settings) = (Fence::default(), settings(config));
    let parts = Parts { fence, home, catalog, blobs, pipeline, schema, settings };
    Ok(Library::open_to_read(parts, renderer)?)
}

/// Looks whether the catalogue is what it was, before anything is written. Numbers of blobs are taken from it before they are
/// given out, so that a blob with a higher one than it knows was stored beside another: that is an error, or the answer where
/// the loss is accepted.
fn check(config: &Config, home: &Home, loss: Loss) -> Result<Option<BlobKey>, Error> {
    let looks = if loss == Loss::Refused { LOOKS } else { usize::MAX };
    let others = config.stores.iter().map(|store| store.path.clone());
    let ours = others.filter(|path| Depot::is_of(home, path));
    let mut last = None;
    for path in ours.chain([home.blobs()]) {
        let failed = |source| Error::File { action: "read", path: path.clone(), source };
        let found = dir::last_blob(&path, looks).map_err(failed)?;
        last = last.into_iter().chain(found).max_by_key(|key: &BlobKey| key.generation);
    }
    // After the blobs: a daemon may be storing more of them.
    let known = Sqlite::check(&home.catalog(), loss)?.last_blob;
    match last.filter(|key| key.generation > known) {
        Some(key) if loss == Loss::Refused => {
            Err(home::Error::CatalogOlder { path: home.root().to_owned(), key }.into())
        }
        beyond => Ok(beyond),
    }
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

fn store(store: &config::store::Store) -> Store {
    Store { name: store.name.clone(), base_url: store.base_url.clone() }
}
