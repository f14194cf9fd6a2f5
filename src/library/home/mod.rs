//! The library's directory: its layout, its lock, and the parts of it that hold files under way.

mod error;
pub mod identity;
pub mod reserve;
pub mod settings;
mod site;
pub mod staging;
pub mod store_dir;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::blob::dir;
use crate::catalog::sqlite;
use crate::library::home::identity::Identity;
use crate::library::home::reserve::Reserve;
use crate::library::home::site::Site;
use crate::library::home::store_dir::StoreDir;

pub use error::Error;

const LIBRARY: &str = "library";
const CATALOG: &str = "catalog.sqlite";
const BLOBS: &str = "blobs";

/// The library's directory, locked for as long as this value lives.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    identity: Identity,
    is_new: bool,
    // Held, never read: the kernel drops the lock with the descriptor, also after kill -9. None for a reader.
    _lock: Option<File>,
    /// The directories of other stores, held for their locks.
    stores: Vec<StoreDir>,
}

impl Home {
    /// Makes the directory where it is missing (0700), checks that it can hold a library, and locks it.
    /// Errors: [`Error::CatalogGone`], before anything in it is made.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let root = Site { what: LIBRARY, path: root }.claim()?;
        let site = Site { what: LIBRARY, path: &root };
        let lock = site.lock("lock")?;
        let is_new = !is_library(&root)?;
        for part in [BLOBS, "staging", "scratch", "quarantine"] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(root.join(part));
            made.map_err(site.unusable())?;
        }
        Site { what: LIBRARY, path: &root.join("staging") }.check_nameless_files()?;
        let home = Self { is_new, _lock: Some(lock), ..Self::at(root) };
        // A start on a full disk needs room for what it writes. The library fills the reserve again.
        Reserve::new(home.reserve()).release();
        Ok(home)
    }

    /// Locks the directory of a library that exists, for commands that make none.
    /// Errors: [`Error::Absent`], before anything is made or changed; those of [`Home::open`].
    pub fn find(root: &Path) -> Result<Self, Error> {
        check_present(root)?;
        Self::open(root)
    }

    /// Finds the directory of a library for reading, without a lock or a change.
    /// Errors: [`Error::Absent`], [`Error::CatalogGone`].
    pub fn open_to_read(root: &Path) -> Result<Self, Error> {
        check_present(root)?;
        let site = Site { what: LIBRARY, path: root };
        Ok(Self::at(root.canonicalize().map_err(site.unusable())?))
    }

    fn at(root: PathBuf) -> Self {
        let identity = Identity::in_directory(&root);
        Self { root, identity, is_new: false, _lock: None, stores: Vec::new() }
    }

    /// Whether there was no library in the directory before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Keeps the directory of another store locked for as long as this value lives.
    pub fn adopt(&mut self, store: StoreDir) {
        self.stores.push(store);
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn catalog(&self) -> PathBuf {
        self.root.join(CATALOG)
    }

    pub fn blobs(&self) -> PathBuf {
        self.root.join(BLOBS)
    }

    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    pub fn errors(&self) -> PathBuf {
        self.root.join("errors.jsonl")
    }
}

/// Whether a library is in the directory.
/// Errors: [`Error::CatalogGone`] if the catalogue is missing but something else shows that a library was used here.
fn is_library(root: &Path) -> Result<bool, Error> {
    let site = Site { what: LIBRARY, path: root };
    let catalog = root.join(CATALOG);
    // `SQLite` creates the file empty, and a crash may leave it so.
    match fs::metadata(&catalog) {
        Ok(meta) if meta.len() > 0 => return Ok(true),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(site.unusable()(error));
        }
        _ => {}
    }
    let was_used = sqlite::was_there(&catalog)
        || Identity::in_directory(root).exists()
        || dir::last_blob(&root.join(BLOBS), 1).map_err(site.unusable())?.is_some();
    if was_used { Err(Error::CatalogGone { path: root.to_owned() }) } else { Ok(false) }
}

/// Checks that a library is in the directory. A directory on a FUSE mount is refused before anything in it is looked at.
fn check_present(root: &Path) -> Result<(), Error> {
    Site { what: LIBRARY, path: root }.check_filesystem()?;
    if is_library(root)? { Ok(()) } else { Err(Error::Absent { path: root.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn a_library_is_private_and_serves_one_daemon_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("library");
        let first = Home::open(&root).expect("a new library");
        let mode = fs::metadata(first.root()).expect("metadata").mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(matches!(Home::open(&root), Err(Error::InUse { .. })));
        drop(first);
        Home::open(&root).expect("the lock went with its holder");
    }

    #[test]
    fn a_library_that_others_could_enter_is_closed_to_them() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("chmod");
        let home = Home::open(folder.path()).expect("a library");
        assert_eq!(fs::metadata(home.root()).expect("metadata").mode() & 0o777, 0o700);
    }

    #[test]
    fn a_library_path_that_is_a_file_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = Home::open(file.path()).expect_err("a file is no library");
        assert!(error.to_string().contains(&*file.path().to_string_lossy()));
    }
}
