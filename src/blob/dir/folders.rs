//! The folders of a store: where a blob has its names, and when those are on the disk.
//! Does not know what is in a blob.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, Reach};
use super::layout;
use crate::blob::Error;
use crate::fence::Fence;
use words::attachment::{BlobKey, StoreId};

const DIRECTORY_MODE: u32 = 0o700;

/// No blob's directory is called that: theirs are two digits.
const PENDING: &str = "pending";

pub(super) struct Folders {
    root: PathBuf,
    pub disk: Disk,
    /// Guards the directories that this process has made and whose names may not be durable yet, by their digits; held only to
    /// look one up, to add or to drop one. What was there when the store was opened is durable since then.
    fresh: Mutex<BTreeSet<u8>>,
}

impl Folders {
    /// Makes what is missing of them, and makes durable what there is.
    pub fn open(root: &Path, disk: Disk) -> Result<Self, Error> {
        let unusable = |source| Error::Root { path: root.to_owned(), source };
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(root).map_err(unusable)?;
        let above = root.canonicalize().map_err(unusable)?;
        let folders = Self::found(root, disk);
        let sync_path = |path: &Path| folders.sync_path(path).map_err(unusable);
        sync_path(above.parent().unwrap_or(Path::new("/")))?;
        make(&folders.pending()).map_err(unusable)?;
        layout::bring_up(&folders).map_err(unusable)?;
        sync_path(root)?;
        // What is there may have been made just before the last process was killed.
        for first in 0..=u8::MAX {
            if_there(folders.sync_path(&folders.first(first))).map_err(unusable)?;
        }
        Ok(folders)
    }

    /// As they are.
    pub fn found(root: &Path, disk: Disk) -> Self {
        Self { root: root.to_owned(), disk, fresh: Mutex::default() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn pending(&self) -> PathBuf {
        self.root.join(PENDING)
    }

    pub fn pending_path(&self, key: BlobKey) -> PathBuf {
        self.pending().join(key.to_string())
    }

    /// Nothing but digits of the key becomes part of a path. One level of them: with two, nearly every blob of a young store
    /// would have to make a directory, which takes longer than its name, and have it to itself.
    pub fn directory(&self, key: BlobKey) -> PathBuf {
        let [first, ..] = *key.digest.as_bytes();
        self.first(first)
    }

    /// The directory of all blobs whose digest begins like this.
    pub fn first(&self, first: u8) -> PathBuf {
        self.root.join(format!("{first:02x}"))
    }

    pub fn path(&self, key: BlobKey) -> PathBuf {
        self.directory(key).join(key.to_string())
    }

    pub fn sync_path(&self, path: &Path) -> io::Result<()> {
        self.disk.sync(Reach::Whole, &File::open(path)?)
    }

    /// Makes the directory of a blob, which is missing.
    pub fn make_directory(&self, key: BlobKey) -> io::Result<()> {
        let [first, ..] = *key.digest.as_bytes();
        // Noted first: whoever finds it there must find it noted.
        self.fresh().insert(first);
        make(&self.first(first))
    }

    /// Makes the names in a blob's directory durable, and the directory's own where it is fresh.
    pub fn sync_directory(&self, key: BlobKey) -> io::Result<()> {
        let [first, ..] = *key.digest.as_bytes();
        self.sync_path(&self.first(first))?;
        if self.fresh().contains(&first) {
            self.sync_path(&self.root)?;
            self.fresh().remove(&first);
        }
        Ok(())
    }

    /// Makes blobs durable with their names, one by one. Those that were deleted need nothing.
    pub fn settle(&self, keys: &[BlobKey]) -> io::Result<()> {
        let mut directories = BTreeSet::new();
        for key in keys {
            if_there(self.sync_path(&self.path(*key)))?;
            let [first, ..] = *key.digest.as_bytes();
            if directories.insert(first) {
                if_there(self.sync_directory(*key))?;
            }
        }
        Ok(())
    }

    fn fresh(&self) -> MutexGuard<'_, BTreeSet<u8>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is not there needs nothing.
fn if_there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Makes a directory, or finds it made.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// The blob with the highest number in a store, of about as many as are to be looked at. Reads names alone; of a store that
/// is not there none.
pub fn last_blob(root: &Path, looks: usize) -> io::Result<Option<BlobKey>> {
    let disk = Disk::new(Box::new(|_, _| Ok(())), Fence::default());
    let folders = Folders::found(root, disk);
    let (mut last, mut seen) = (None::<BlobKey>, 0);
    for first in 0..=u8::MAX {
        let entries = match fs::read_dir(folders.first(first)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
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
