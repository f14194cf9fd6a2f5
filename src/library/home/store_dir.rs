//! The directory of a store beside the library's own: its lock, and the mark that says which library and store it belongs to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::library::home::error::Error;
use crate::library::home::identity::Identity;
use crate::library::home::site::Site;
use words::slot::Name;

/// The file that marks the directory. It is also the file that is locked.
const MARK: &str = "mediafs-store";

/// The directory of a store, locked for as long as this value lives.
#[derive(Debug)]
pub struct StoreDir {
    root: PathBuf,
    // Held, never read: the kernel drops the lock with the descriptor. None for a reader.
    _lock: Option<File>,
}

/// The text of the mark.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    library: String,
    store: String,
}

impl Mark {
    fn text(&self) -> serde_json::Result<String> {
        Ok(format!("{}\n", serde_json::to_string(self)?))
    }
}

impl StoreDir {
    /// Makes the directory where it is missing (0700), checks that it can hold a store of this library, and locks it. An
    /// unmarked directory is refused if the catalogue has `blobs` in the store: its disk is not mounted.
    pub fn open(library: &Identity, name: &Name, path: &Path, blobs: u64) -> Result<Self, Error> {
        Site { what: "store", path }.check_filesystem()?;
        if blobs > 0 && !path.join(MARK).exists() {
            return Err(Error::Unmarked { name: name.clone(), path: path.to_owned(), blobs });
        }
        let root = Site { what: "store", path }.claim()?;
        let site = Site { what: "store", path: &root };
        site.check_nameless_files()?;
        let lock = site.lock(MARK)?;
        let store = Self { root, _lock: Some(lock) };
        store.check_mark(library, name)?;
        Ok(store)
    }

    /// Locks the directory of a store that exists, for commands that make none.
    /// Errors: [`Error::NoStore`], before anything is made; those of [`StoreDir::open`].
    pub fn find(library: &Identity, name: &Name, path: &Path, blobs: u64) -> Result<Self, Error> {
        Site { what: "store", path }.check_filesystem()?;
        if blobs == 0 && !path.join(MARK).exists() {
            return Err(Error::NoStore { name: name.clone(), path: path.to_owned() });
        }
        Self::open(library, name, path, blobs)
    }

    /// Whether a directory is marked as a store of this library. Changes nothing.
    pub fn is_of(library: &Identity, path: &Path) -> bool {
        let said = fs::read_to_string(path.join(MARK)).ok();
        let mark: Option<Mark> = said.and_then(|said| serde_json::from_str(&said).ok());
        mark.is_some_and(|mark| library.is(&mark.library))
    }

    /// Finds the directory of a store for reading, without a lock or a change. It may be absent if `blobs` is 0.
    pub fn open_to_read(
        library: &Identity,
        name: &Name,
        path: &Path,
        blobs: u64,
    ) -> Result<Self, Error> {
        let store = Self { root: path.to_owned(), _lock: None };
        if !path.join(MARK).exists() {
            let unmarked = Error::Unmarked { name: name.clone(), path: path.to_owned(), blobs };
            return if blobs > 0 { Err(unmarked) } else { Ok(store) };
        }
        store.check_mark(library, name)?;
        Ok(store)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    fn check_mark(&self, library: &Identity, name: &Name) -> Result<(), Error> {
        let mark = Mark { library: library.read_or_make()?, store: name.to_string() };
        let path = self.root.clone();
        let unusable = |source| Error::unusable("store", &self.root, source);
        let said = fs::read_to_string(self.root.join(MARK)).map_err(unusable)?;
        // Empty: the lock has just made it. Cut short: a start was interrupted while it wrote the mark.
        let whole = mark.text().map_err(|error| unusable(error.into()))?;
        if said.len() < whole.len() && whole.starts_with(&said) {
            tracing::info!("made a new store `{name}` in {}", path.display());
            return self.write(&mark).map_err(unusable);
        }
        let found: Mark = serde_json::from_str(&said).map_err(|error| unusable(error.into()))?;
        if found.library != mark.library {
            return Err(Error::OfAnother { name: name.clone(), path, found: found.store });
        }
        if found.store != mark.store {
            return Err(Error::OtherStore { name: name.clone(), path, found: found.store });
        }
        Ok(())
    }

    /// Writes the mark in place. A new file would not be the one that is locked.
    fn write(&self, mark: &Mark) -> io::Result<()> {
        let mut file = File::options().write(true).open(self.root.join(MARK))?;
        file.write_all(mark.text()?.as_bytes())?;
        file.sync_all()?;
        File::open(&self.root)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::library::home::Home;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn homes() -> (tempfile::TempDir, Home, Home) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = |name| Home::open(&folder.path().join(name)).expect("a library");
        let (one, other) = (home("one"), home("other"));
        (folder, one, other)
    }

    #[test]
    fn a_store_is_private_and_serves_one_daemon_at_a_time() {
        let (folder, one, _) = homes();
        let path = folder.path().join("deep/cold");
        let store = StoreDir::open(one.identity(), &name("cold"), &path, 0).expect("a store");
        let mode = fs::metadata(store.root()).expect("stat").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let again = StoreDir::open(one.identity(), &name("cold"), &path, 0);
        assert!(matches!(again, Err(Error::InUse { what: "store", .. })), "{again:?}");
        drop(store);
        StoreDir::open(one.identity(), &name("cold"), &path, 9).expect("the mark is there");
    }

    #[test]
    fn a_mark_that_a_crash_cut_short_is_written_anew() {
        let (folder, one, _) = homes();
        let path = folder.path().join("cold");
        drop(StoreDir::open(one.identity(), &name("cold"), &path, 0).expect("a store"));
        let mark = fs::read(path.join(MARK)).expect("a mark");
        for length in [0, 1, 20, mark.len() - 1] {
            fs::write(path.join(MARK), &mark[..length]).expect("cut short");
            drop(
                StoreDir::open(one.identity(), &name("cold"), &path, 9).expect("the mark is ours"),
            );
            assert_eq!(fs::read(path.join(MARK)).expect("a mark"), mark, "{length}");
        }
    }

    #[test]
    fn two_libraries_never_share_a_store_and_two_stores_never_a_folder() {
        let (folder, one, other) = homes();
        let path = folder.path().join("cold");
        drop(StoreDir::open(one.identity(), &name("cold"), &path, 0).expect("a store"));
        let told = |home: &Home, store| {
            StoreDir::open(home.identity(), &name(store), &path, 0).expect_err("a refusal")
        };
        assert!(told(&other, "cold").to_string().contains("the store `cold` of another library"));
        assert!(told(&one, "hot").to_string().ends_with("and cannot be `hot` too"));
    }

    #[test]
    fn a_store_whose_disk_is_not_mounted_is_not_begun_anew() {
        let (folder, one, _) = homes();
        let path = folder.path().join("cold");
        let told = StoreDir::open(one.identity(), &name("cold"), &path, 3)
            .expect_err("a refusal")
            .to_string();
        assert!(told.contains("3 files are kept there; is its disk mounted?"), "{told}");
        assert!(!path.exists(), "nothing was made");
    }
}
