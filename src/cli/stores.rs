//! The stores of a configuration: a directory for each, and one router before them.
//! Does not know what is kept where.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use crate::blob::dir;
use crate::blob::router::{Door, Router};
use crate::catalog::{Catalog, StoreRecord};
use crate::config::{self, Config};
use crate::fence::Fence;
use crate::fuse::mountpoint::absolute;
use crate::library::depot::Depot;
use crate::library::home::{self, Home};
use words::slot::Name;

/// How the folder of a store is found of which the catalogue knows so many blobs.
pub type Find = fn(&Home, &Name, &Path, u64) -> Result<Depot, home::Error>;

/// Opens every store, and locks its folder together with the library.
pub fn open(
    config: &Config,
    home: &mut Home,
    catalog: &dyn Catalog,
    (fence, find): (&Fence, Find),
) -> Result<Router, Error> {
    let own = dir::Store::open_behind(&home.blobs(), fence)?;
    route(config, home, catalog, own, |home, store, blobs| {
        let depot = find(home, &store.name, &store.path, blobs)?;
        let opened = dir::Store::open_behind(depot.root(), fence)?;
        home.adopt(depot);
        Ok(opened)
    })
}

/// Finds every store, to read it.
pub fn open_to_read(
    config: &Config,
    home: &mut Home,
    catalog: &dyn Catalog,
) -> Result<Router, Error> {
    let own = dir::Store::open_to_read(&home.blobs())?;
    route(config, home, catalog, own, |home, store, blobs| {
        let depot = Depot::open_to_read(home, &store.name, &store.path, blobs)?;
        Ok(dir::Store::open_to_read(depot.root())?)
    })
}

fn route(
    config: &Config,
    home: &mut Home,
    catalog: &dyn Catalog,
    own: dir::Store,
    open: impl Fn(&mut Home, &config::store::Store, u64) -> Result<dir::Store, Error>,
) -> Result<Router, Error> {
    check(config)?;
    let known = catalog.stores()?;
    let mut doors = Vec::new();
    for store in &config.stores {
        let id = catalog.store(&store.name)?;
        let blobs = known.iter().find(|it| it.id == id).map_or(0, |it| it.blobs);
        doors.push((id, Door::Open(Arc::new(open(home, store, blobs)?))));
    }
    let closed = |StoreRecord { id, name, .. }: StoreRecord| {
        let here = doors.iter().any(|(open, _)| *open == id);
        Some((id, Door::Closed(name?.to_string()))).filter(|_| !here)
    };
    let closed: Vec<_> = known.into_iter().filter_map(closed).collect();
    Ok(Router::new(Arc::new(own), doors.into_iter().chain(closed)))
}

/// No store may lie in another's folder, nor in the library's, nor one of these in a store's.
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

/// A path without links.
pub fn place(path: &Path) -> Result<PathBuf, Error> {
    absolute(path).map_err(|source| Error::File { action: "find", path: path.to_owned(), source })
}

fn overlap(one: &Path, other: &Path) -> bool {
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
