//! Opens the stores of a configuration: a directory for each, behind one router.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blob::dir;
use crate::blob::router::{Route, Router};
use crate::catalog::Catalog;
use crate::catalog::blobs::StoreRecord;
use crate::cli::error::Error;
use crate::config::{self, Config};
use crate::fence::Fence;
use crate::fuse::mount::mountpoint::absolute;
use crate::library::home::identity::Identity;
use crate::library::home::store_dir::StoreDir;
use crate::library::home::{self, Home};
use words::slot::Name;

/// Finds or makes the folder of a store, given how many of its blobs the catalogue knows.
pub type Find = fn(&Identity, &Name, &Path, u64) -> Result<StoreDir, home::Error>;

/// Opens every store, and locks its folder together with the library.
pub fn open(
    config: &Config,
    home: &mut Home,
    catalog: &dyn Catalog,
    (fence, find): (&Fence, Find),
) -> Result<Router, Error> {
    let own = dir::Store::open_behind(&home.blobs(), fence)?;
    route(config, home, catalog, own, |home, store, blobs| {
        let directory = find(home.identity(), &store.name, &store.path, blobs)?;
        let opened = dir::Store::open_behind(directory.root(), fence)?;
        home.adopt(directory);
        Ok(opened)
    })
}

/// Opens every existing store for reading.
pub fn open_to_read(
    config: &Config,
    home: &mut Home,
    catalog: &dyn Catalog,
) -> Result<Router, Error> {
    let own = dir::Store::open_to_read(&home.blobs())?;
    route(config, home, catalog, own, |home, store, blobs| {
        let directory = StoreDir::open_to_read(home.identity(), &store.name, &store.path, blobs)?;
        Ok(dir::Store::open_to_read(directory.root())?)
    })
}

fn route(
    config: &Config,
    home: &mut Home,
    catalog: &dyn Catalog,
    own: dir::Store,
    open: impl Fn(&mut Home, &config::store_section::Store, u64) -> Result<dir::Store, Error>,
) -> Result<Router, Error> {
    check(config)?;
    let known = catalog.stores()?;
    let mut routes = Vec::new();
    for store in &config.stores {
        let id = catalog.store(&store.name)?;
        let blobs = known.iter().find(|it| it.id == id).map_or(0, |it| it.blobs);
        routes.push((id, Route::Open(Arc::new(open(home, store, blobs)?))));
    }
    let closed = |StoreRecord { id, name, .. }: StoreRecord| {
        let here = routes.iter().any(|(open, _)| *open == id);
        Some((id, Route::Closed(name?.to_string()))).filter(|_| !here)
    };
    let closed: Vec<_> = known.into_iter().filter_map(closed).collect();
    Ok(Router::new(Arc::new(own), routes.into_iter().chain(closed)))
}

/// Checks that no store's folder lies in another store's or the library's, or contains one of them.
fn check(config: &Config) -> Result<(), Error> {
    let mut places = vec![("the library".to_owned(), place(&config.library.path)?)];
    for store in &config.stores {
        let found = (format!("the store `{}`", store.name), place(&store.path)?);
        if let Some(other) = places.iter().find(|other| overlap(&other.1, &found.1)) {
            let [one, other] = [&found, other].map(|(name, path)| (name.clone(), path.clone()));
            return Err(Error::Overlap { one, other });
        }
        places.push(found);
    }
    Ok(())
}

/// The canonical path.
pub fn place(path: &Path) -> Result<PathBuf, Error> {
    absolute(path).map_err(|source| Error::File { action: "find", path: path.to_owned(), source })
}

pub fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn told(stores: &str) -> Result<(), String> {
        let text = format!(
            "[library]\npath = \"/srv/library\"\n{stores}\n[tables.user]\nid = \"name\"\n\
             [tables.user.fields.a]\ntype = \"file\"\n"
        );
        let config = config::parse(&text, "mediafs.toml").expect("a configuration");
        check(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn no_store_lies_in_the_library_or_in_another_store() {
        assert_eq!(told("[stores.a]\npath = \"/srv/a\"\n[stores.b]\npath = \"/srv/b\""), Ok(()));
        assert_eq!(
            told("[stores.a]\npath = \"/srv/library/blobs\"").expect_err("a refusal"),
            "the store `a` (/srv/library/blobs) and the library (/srv/library) lie one in the \
             other; choose another path"
        );
        assert!(told("[stores.a]\npath = \"/srv\"").is_err());
        assert!(told("[stores.a]\npath = \"/srv/a\"\n[stores.b]\npath = \"/srv/a/b\"").is_err());
    }
}
