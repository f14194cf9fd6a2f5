//! The directories of a store: the paths of blobs, and the syncs that make their names durable.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, DirEntry, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::disk::{Disk, Reach};
use words::attachment::{BlobKey, StoreId};

pub(super) const DIRECTORY_MODE: u32 = 0o700;

/// No directory of blobs has this name: theirs are two digits.
const PENDING: &str = "pending";

pub(super) struct Folders {
    pub root: PathBuf,
    pub disk: Disk,
    /// Guards the directories that this process has made and whose names may not be durable yet, by their digits. Held only to
    /// look one up, to add or to remove one. The directories that existed when the store was opened are durable.
    fresh: Mutex<BTreeSet<u8>>,
}

impl Folders {
    /// The directories as they are: makes none.
    pub fn new(root: &Path, disk: Disk) -> Self {
        Self { root: root.to_owned(), disk, fresh: Mutex::default() }
    }

    pub fn pending(&self) -> PathBuf {
        self.root.join(PENDING)
    }

    pub fn pending_path(&self, key: BlobKey) -> PathBuf {
        self.pending().join(key.to_string())
    }

    /// The directory of a blob. Nothing but digits of the key becomes part of a path. There is one level of directories: with
    /// two, nearly each blob of a young store would need a new directory of its own, and to make one takes longer than to make
    /// the blob's name.
    pub fn directory(&self, key: BlobKey) -> PathBuf {
        let [first, ..] = *key.digest.as_bytes();
        self.first(first)
    }

    /// The directory of all blobs whose digest begins with this byte.
    pub fn first(&self, first: u8) -> PathBuf {
        self.root.join(format!("{first:02x}"))
    }

    pub fn path(&self, key: BlobKey) -> PathBuf {
        self.directory(key).join(key.to_string())
    }

    pub fn sync_path(&self, path: &Path) -> io::Result<()> {
        self.disk.sync(Reach::Whole, &File::open(path)?)
    }

    pub fn make_directory(&self, key: BlobKey) -> io::Result<()> {
        let [first, ..] = *key.digest.as_bytes();
        // Noted before it is made: a thread that finds the directory must know that its name is not durable.
        self.fresh.lock().insert(first);
        make(&self.first(first))
    }

    /// Syncs the directory of a blob, and the root if the directory is new.
    pub fn sync_directory(&self, key: BlobKey) -> io::Result<()> {
        let [first, ..] = *key.digest.as_bytes();
        self.sync_path(&self.first(first))?;
        if self.fresh.lock().contains(&first) {
            self.sync_path(&self.root)?;
            self.fresh.lock().remove(&first);
        }
        Ok(())
    }

    /// Syncs blobs and their names, one by one. Deleted blobs are skipped.
    pub fn sync_blobs(&self, keys: &[BlobKey]) -> io::Result<()> {
        let mut directories = BTreeSet::new();
        for key in keys {
            if_exists(self.sync_path(&self.path(*key)))?;
            let [first, ..] = *key.digest.as_bytes();
            if directories.insert(first) {
                if_exists(self.sync_directory(*key))?;
            }
        }
        Ok(())
    }
}

/// Takes a missing file for success.
pub(super) fn if_exists<T: Default>(done: io::Result<T>) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        done => done,
    }
}

/// The entries of a directory; none if it does not exist.
pub(super) fn entries(
    directory: &Path,
) -> io::Result<impl Iterator<Item = io::Result<DirEntry>> + use<>> {
    let found = if_exists(fs::read_dir(directory).map(Some))?;
    Ok(found.into_iter().flatten())
}

/// Makes a directory, unless it exists.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// The blob with the highest number among about `looks` blobs of a store; none if there is no store. Reads names alone.
pub fn last_blob(root: &Path, looks: usize) -> io::Result<Option<BlobKey>> {
    let folders = Folders::new(root, Disk::real());
    let (mut last, mut seen) = (None::<BlobKey>, 0);
    for first in 0..=u8::MAX {
        for entry in entries(&folders.first(first))? {
            let name = entry?.file_name();
            let key = name.to_str().and_then(|name| BlobKey::parse(StoreId::default(), name));
            last = last.into_iter().chain(key).max_by_key(|key| key.generation);
            seen += 1;
        }
        if seen >= looks {
            break;
        }
    }
    Ok(last)
}
