//! Assembles the library that a configuration describes: a catalogue in `SQLite`, and a directory for each store.

use std::sync::Arc;
use std::{fs, io};

use crate::blob::dir;
use crate::catalog::Catalog;
use crate::catalog::sql::SqlCatalog;
use crate::catalog::sqlite::{self, Loss, Sqlite};
use crate::catalog::summary::Summary;
use crate::cli::error::Error;
use crate::cli::store_folders::{self, Find};
use crate::cli::workers;
use crate::config::{self, Config};
use crate::fence::Fence;
use crate::library::home::settings::{Settings, Store};
use crate::library::home::store_dir::StoreDir;
use crate::library::home::{self, Home};
use crate::library::lookup::hidden::{HiddenPlace, compare};
use crate::library::read::variant_files::Renderer;
use crate::library::{Library, Parts};
use words::attachment::BlobKey;
use words::schema::Schema;

/// The most names of blobs that a start reads in each store.
const NAMES_MAX: usize = 10_000;

/// Opens an existing library for this process alone. A second opener gets an error that names the first.
pub fn open(config: &Config) -> Result<Library, Error> {
    assemble(config, Home::find(&config.library.path)?, Loss::Refused, StoreDir::find)
}

/// Opens the library for a mount, for this process alone. Makes a missing library, and logs that.
pub fn open_or_make(config: &Config, loss: Loss) -> Result<Library, Error> {
    let home = Home::open(&config.library.path)?;
    let made = home.is_new().then(|| home.root().display().to_string());
    let library = assemble(config, home, loss, StoreDir::open)?;
    if let Some(path) = made {
        tracing::info!("made a new library in {path}");
    }
    Ok(library)
}

fn assemble(config: &Config, mut home: Home, loss: Loss, find: Find) -> Result<Library, Error> {
    let beyond = if home.is_new() { None } else { check(config, &home, loss)? };
    let fence = Fence::default();
    let engine = Sqlite::open_behind(&home.catalog(), &fence)?;
    if let Some(key) = beyond {
        engine.skip_blob_numbers(key.generation)?;
    }
    let catalog = Arc::new(SqlCatalog::new(engine));
    if loss == Loss::Refused {
        check_blobs(&home, &*catalog)?;
    }
    let blobs = Arc::new(store_folders::open(config, &mut home, &*catalog, (&fence, find))?);
    let pipeline = Arc::new(workers::pipeline()?);
    let (schema, settings) = (config.schema.clone(), settings(config));
    Ok(Library::open(Parts { fence, home, catalog, blobs, pipeline, schema, settings })?)
}

/// Counts the files of the library in places that the configuration does not have: none, if there is no library. Takes no lock.
pub fn hidden(config: &Config) -> Result<Vec<HiddenPlace>, Error> {
    let home = match Home::open_to_read(&config.library.path) {
        Err(home::Error::Absent { .. }) => return Ok(Vec::new()),
        found => found?,
    };
    sqlite::check(&home.catalog(), Loss::Refused)?;
    let catalog = SqlCatalog::new(Sqlite::open_to_read(&home.catalog())?);
    Ok(compare(&config.schema, &catalog.census()?))
}

/// Opens an existing library for reading, without a lock. A damaged library is logged, and shown as far as it can be read.
pub fn open_to_read(config: &Config, renderer: Renderer) -> Result<Library, Error> {
    let mut home = Home::open_to_read(&config.library.path)?;
    let unsound = check(config, &home, Loss::Refused).err();
    if let Some(error) = &unsound {
        tracing::error!(%error, "the library is not what it was; what can be read of it is shown");
    }
    let catalog = Sqlite::open_to_read(&home.catalog());
    let engine = catalog.map_err(|error| unsound.unwrap_or_else(|| error.into()))?;
    let catalog = Arc::new(SqlCatalog::new(engine));
    check_blobs(&home, &*catalog)?;
    let blobs = Arc::new(store_folders::open_to_read(config, &mut home, &*catalog)?);
    let pipeline = Arc::new(workers::pipeline()?);
    // Drop boxes are not shown, because their files are not stored yet.
    let schema = Schema { boxes: Vec::new(), ..config.schema.clone() };
    let (fence, settings) = (Fence::default(), settings(config));
    let parts = Parts { fence, home, catalog, blobs, pipeline, schema, settings };
    Ok(Library::open_to_read(parts, renderer)?)
}

/// Checks the catalogue before anything is written. The catalogue records blob numbers before it hands them out. A stored blob
/// with a higher number therefore proves that this catalogue is an older copy: an error, or the returned key where the loss is
/// accepted.
fn check(config: &Config, home: &Home, loss: Loss) -> Result<Option<BlobKey>, Error> {
    let names_max = if loss == Loss::Refused { NAMES_MAX } else { usize::MAX };
    let others = config.stores.iter().map(|store| store.path.clone());
    let ours = others.filter(|path| StoreDir::is_of(home.identity(), path));
    let mut last = None;
    for path in ours.chain([home.blobs()]) {
        let failed = |source| Error::File { action: "read", path: path.clone(), source };
        let found = dir::last_blob(&path, names_max).map_err(failed)?;
        last = last.into_iter().chain(found).max_by_key(|key: &BlobKey| key.generation);
    }
    // The catalogue is read after the blobs, because a running daemon may be storing more of them.
    let known = sqlite::check(&home.catalog(), loss)?;
    match last.filter(|key| key.generation > known) {
        Some(key) if loss == Loss::Refused => {
            Err(home::Error::CatalogOlder { path: home.root().to_owned(), key }.into())
        }
        beyond => Ok(beyond),
    }
}

/// Checks that the folder of the library's own blobs is not empty if the catalogue knows of any: its disk may not be mounted.
fn check_blobs(home: &Home, catalog: &dyn Catalog) -> Result<(), Error> {
    let own = catalog.stores()?.into_iter().find(|store| store.name.is_none());
    let blobs = own.map_or(0, |own| own.blobs);
    let is_empty = match fs::read_dir(home.blobs()) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if blobs > 0 && is_empty {
        return Err(home::Error::BlobsGone { path: home.blobs(), blobs }.into());
    }
    Ok(())
}

fn settings(config: &Config) -> Settings {
    Settings {
        hold: config.library.hold,
        trash: config.library.trash,
        scratch: config.library.scratch,
        cache_bytes: config.cache.0,
        quarantine: config.quarantine,
        quotas: config.quotas.clone(),
        base_url: config.library.base_url.clone(),
        stores: config.stores.iter().map(store).collect(),
        access: config.mount.access,
        fetch: config.fetch.clone(),
    }
}

fn store(store: &config::store_section::Store) -> Store {
    Store { name: store.name.clone(), base_url: store.base_url.clone() }
}
