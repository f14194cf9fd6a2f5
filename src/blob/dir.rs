//! Blobs as files of a local directory: `<root>/<2 digits>/<2 digits>/<digest>.<generation>`.
//! Does not know who writes there besides this process: nobody does. Never lists what it holds.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use rustix::io::Errno;

use crate::attachment::BlobKey;
use crate::blob::{BlobStore, Error, Space};

/// A stored blob is for reading only, to its owner too: what opens it for writing by mistake fails.
const BLOB_MODE: u32 = 0o400;

const DIRECTORY_MODE: u32 = 0o700;

/// How much a copy from another filesystem holds in memory.
const COPY_CHUNK: usize = 1 << 18;

type Sync = Box<dyn Fn(&File) -> io::Result<()> + Send + std::marker::Sync>;

/// A [`BlobStore`] in a directory. What it acknowledged is on the disk: the file's bytes, its name, and the names of
/// the directories above it.
pub struct Store {
    root: PathBuf,
    /// Guards the directories that are known to be there and durable; held only to look one up or to add one. There
    /// are at most 65,536 of them.
    known: Mutex<BTreeSet<[u8; 2]>>,
    /// Set for good by the first failed fsync: the kernel forgets the error and the pages, and the next fsync lies.
    fenced: AtomicBool,
    sync: Sync,
}

impl Store {
    /// Opens the store in `root`, made if absent (mode 0700, its parents too).
    pub fn open(root: &Path) -> Result<Self, Error> {
        Self::with_sync(root, Box::new(File::sync_all))
    }

    fn with_sync(root: &Path, sync: Sync) -> Result<Self, Error> {
        let unusable = |source| Error::Root { path: root.to_owned(), source };
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(root).map_err(unusable)?;
        let above = root.canonicalize().map_err(unusable)?;
        let above = above.parent().unwrap_or(Path::new("/"));
        File::open(above).and_then(|above| sync(&above)).map_err(unusable)?;
        Ok(Self {
            root: root.to_owned(),
            known: Mutex::new(BTreeSet::new()),
            fenced: AtomicBool::new(false),
            sync,
        })
    }

    /// Nothing but digits of the key becomes part of a path.
    fn directory(&self, key: BlobKey) -> PathBuf {
        let [first, second, ..] = key.digest.as_bytes();
        self.root.join(format!("{first:02x}")).join(format!("{second:02x}"))
    }

    fn path(&self, key: BlobKey) -> PathBuf {
        self.directory(key).join(key.to_string())
    }

    fn check_fence(&self) -> Result<(), Error> {
        if self.fenced.load(Ordering::SeqCst) { Err(Error::Fenced) } else { Ok(()) }
    }

    /// Syncs; a failure raises the fence.
    fn sync(&self, file: &File) -> io::Result<()> {
        (self.sync)(file).inspect_err(|_| self.fenced.store(true, Ordering::SeqCst))
    }

    fn sync_path(&self, directory: &Path) -> io::Result<()> {
        self.sync(&File::open(directory)?)
    }

    /// Makes the directory of a blob and its name durable, once for each directory and process: one that is there
    /// already may have been made just before a crash.
    fn ensure_directory(&self, key: BlobKey) -> io::Result<PathBuf> {
        let directory = self.directory(key);
        let [first, second, ..] = *key.digest.as_bytes();
        let known = |set: &mut BTreeSet<_>, add: bool| match add {
            true => set.insert([first, second]),
            false => set.contains(&[first, second]),
        };
        if known(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner), false) {
            return Ok(directory);
        }
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&directory)?;
        self.sync_path(&self.root)?;
        self.sync_path(&self.root.join(format!("{first:02x}")))?;
        known(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner), true);
        Ok(directory)
    }
}
