//! Blobs as files of a local directory: `<root>/<2 digits>/<digest>.<generation>`, and a second name in `<root>/pending` until
//! they are confirmed. No other process writes there.
//!
//! A put links the file at its pending name, then at its own. After a crash, a blob that is incomplete or that the catalogue does
//! not know is therefore pending. Then the put makes the bytes durable:
//!
//! - A small blob is appended to the write-ahead log, together with those of other threads, and the put waits for that sync alone.
//!   A checkpoint makes the blobs and their names durable later, many at a time, and a start restores from the log the blobs that
//!   a crash took.
//! - A large blob is synced at its path, with its names.
//!
//! On a filesystem without a journal a power cut may leave a blob that nothing knows. It wastes its space, and no more.

mod aligned;
mod checkpoint;
mod disk;
mod file;
mod folders;
mod layout;
mod log;
mod record;
mod replay;
mod scan;
mod segment;

pub use folders::last_blob;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::blob::{BlobStore, Error};
use crate::fd;
use crate::fence::Fence;
use checkpoint::Checkpointer;
use disk::{Disk, Reach};
use file::{BLOB_MODE, copy, is_full, open_to_read};
use folders::{Folders, if_exists};
use log::{Bounds, Log};
use record::{LARGEST, Record};
use replay::Missing;
use words::attachment::{BlobKey, StoreId};
use words::space::Space;

/// Marks a file whose bytes did not fit on the disk when they were synced. The kernel reports that once, and the next fsync of
/// the same bytes would succeed. The sticky bit has no meaning on a file.
const LOST_MODE: u32 = 0o1400;
/// The step of a put that gives a file the name of a blob, for its error.
const LINK: &str = "link it into place";

/// A [`BlobStore`] in a directory.
pub struct Store {
    folders: Arc<Folders>,
    /// None where nothing is written.
    write_ahead: Option<WriteAhead>,
    /// Blobs of the last run's log that could not be restored.
    missing: Missing,
}

/// The log, and the thread that checkpoints it.
struct WriteAhead {
    log: Arc<Log>,
    _checkpointer: Checkpointer,
}

impl Store {
    /// Opens the store in `root`, made if absent (mode 0700, its parents too), and replays its log.
    pub fn open(root: &Path) -> Result<Self, Error> {
        Self::open_behind(root, &Fence::default())
    }

    /// Opens the store as [`Store::open`] does. The first failed write on its disk raises this fence of the library.
    pub fn open_behind(root: &Path, fence: &Fence) -> Result<Self, Error> {
        Self::start(root, Disk::new(Box::new(disk::sync), fence.clone()), Bounds::default())
    }

    /// Opens the store in `root` to read it. Nothing is made or restored; blobs that only the log has are read from there.
    pub fn open_to_read(root: &Path) -> Result<Self, Error> {
        let folders = Arc::new(Folders::new(root, Disk::real()));
        if !layout::is_current(&folders) {
            return Err(Error::Older(root.to_owned()));
        }
        let missing = replay::missing(&folders).unwrap_or_else(|error| {
            tracing::warn!(%error, "the log of a store cannot be read");
            Missing::new()
        });
        Ok(Self { folders, write_ahead: None, missing })
    }

    fn start(root: &Path, disk: Disk, bounds: Bounds) -> Result<Self, Error> {
        let unusable = |source| Error::Root { path: root.to_owned(), source };
        let folders = Arc::new(layout::open(root, disk)?);
        let missing = replay::replay(&folders)?;
        let log = Arc::new(Log::new(Arc::clone(&folders), bounds).map_err(unusable)?);
        let checkpointer = Checkpointer::start(Arc::clone(&folders), Arc::clone(&log));
        let write_ahead = WriteAhead { log, _checkpointer: checkpointer.map_err(unusable)? };
        Ok(Self { folders, write_ahead: Some(write_ahead), missing })
    }

    /// Makes a file read-only, gives it the names of a blob, and makes both durable.
    fn store(&self, key: BlobKey, file: &File) -> Result<(), NotStored> {
        let failed = |action| move |source| NotStored::Failed(action, source);
        check_not_lost(file).map_err(failed("sync its bytes"))?;
        file.set_permissions(Permissions::from_mode(BLOB_MODE)).map_err(failed("protect it"))?;
        name(file, &self.folders.pending_path(key))?;
        let named = name(file, &self.folders.path(key)).or_else(|not_stored| match not_stored {
            // The file was linked a moment ago, so that only the directory can be missing.
            NotStored::NotLinkable => {
                self.folders.make_directory(key).map_err(failed("make its directory"))?;
                name(file, &self.folders.path(key))
            }
            failed @ NotStored::Failed(..) => Err(failed),
        });
        if let Err(not_stored) = named {
            self.confirm(key);
            return Err(not_stored);
        }
        self.make_durable(key, file).inspect_err(|_| self.withdraw(key))
    }

    fn make_durable(&self, key: BlobKey, file: &File) -> Result<(), NotStored> {
        let failed = |action| move |source| NotStored::Failed(action, source);
        if self.append_to_log(key, file).map_err(failed("write it to the log"))? {
            return Ok(());
        }
        self.sync_bytes(file).map_err(failed("sync its bytes"))?;
        self.folders.sync_directory(key).map_err(failed("sync its directory"))
    }

    /// Returns whether the log has the blob now.
    fn append_to_log(&self, key: BlobKey, file: &File) -> io::Result<bool> {
        let length = file.metadata()?.len();
        match &self.write_ahead {
            Some(WriteAhead { log, .. }) if length <= LARGEST => {
                log.append(Record::read(key, file, length)?)
            }
            _ => Ok(false),
        }
    }

    /// Opens the bytes of a blob where they are durable. Once the disk has failed, the blobs of the log are read from it: at
    /// their paths the kernel shows zeros as soon as it drops the pages that it could not write.
    fn open_durable(&self, key: BlobKey) -> io::Result<File> {
        if let Some(logged) = self.missing.get(&key) {
            return logged.open();
        }
        if let Some(WriteAhead { log, .. }) = &self.write_ahead
            && self.folders.disk.fence.is_raised()
            && let Some(logged) = log.find(key)?
        {
            return logged.open();
        }
        open_to_read(&self.folders.path(key))
    }

    /// Removes the name of a blob. Its directory is not synced, so a pending mark stays.
    fn remove(&self, key: BlobKey) -> Result<(), Error> {
        self.folders.disk.fence.check()?;
        let removed = if_exists(fs::remove_file(self.folders.path(key)));
        removed.map_err(|source| failure(key, "delete it", source))
    }

    /// Removes a blob whose put fails. If its name cannot be removed it stays pending, and a sweep removes it.
    fn withdraw(&self, key: BlobKey) {
        if fs::remove_file(self.folders.path(key)).is_ok() {
            self.confirm(key);
        }
    }

    /// Syncs the bytes of a file. A file that did not fit on the disk is marked, so that every further put of it fails too: then
    /// no fence need be raised.
    fn sync_bytes(&self, file: &File) -> io::Result<()> {
        self.folders.disk.try_sync(Reach::Whole, file).inspect_err(|error| {
            let marked = || file.set_permissions(Permissions::from_mode(LOST_MODE)).is_ok();
            if !is_full(error) || !marked() {
                self.folders.disk.raise_fence(error);
            }
        })
    }
}

/// Why a file is not a blob of the store yet.
enum NotStored {
    /// The file is on another filesystem, has no name and may not get one, has too many names, or belongs to another user.
    NotLinkable,
    Failed(&'static str, io::Error),
}

impl BlobStore for Store {
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error> {
        self.folders.disk.fence.check()?;
        let failed = |action| move |source| failure(key, action, source);
        let mut stored = self.store(key, file);
        if let Err(NotStored::NotLinkable) = stored {
            let copy = copy(&self.folders.root, file).map_err(failed("copy it"))?;
            stored = self.store(key, &copy);
        }
        stored.map_err(|not_stored| match not_stored {
            NotStored::Failed(action, source) => failure(key, action, source),
            NotStored::NotLinkable => failure(key, LINK, Errno::XDEV.into()),
        })?;
        // The failed fsync of another thread may have been about these very bytes.
        Ok(self.folders.disk.fence.check()?)
    }

    fn confirm(&self, key: BlobKey) {
        if let Err(error) = if_exists(fs::remove_file(self.folders.pending_path(key))) {
            tracing::warn!(%key, %error, "a blob stays pending");
        }
    }

    fn pending(&self) -> Result<Vec<BlobKey>, Error> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(self.folders.pending()).map_err(Error::Pending)? {
            let name = entry.map_err(Error::Pending)?.file_name();
            // A router sets the store's number.
            keys.extend(name.to_str().and_then(|name| BlobKey::parse(StoreId::default(), name)));
        }
        Ok(keys)
    }

    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        match self.open_durable(BlobKey { store: StoreId::default(), ..key }) {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing(key)),
            Err(error) => Err(failure(key, "open it", error)),
        }
    }

    fn delete_all(&self, keys: &[BlobKey]) -> Vec<Result<(), Error>> {
        let removed: Vec<_> = keys.iter().map(|key| self.remove(*key)).collect();
        // Also after a missing file: the delete that removed it may have crashed before its own sync.
        let directories: BTreeSet<_> =
            keys.iter().map(|key| self.folders.directory(*key)).collect();
        let sync = |directory: PathBuf| {
            let error = if_exists(self.folders.sync_path(&directory)).err()?;
            Some((directory, error))
        };
        let unsynced: BTreeMap<_, _> = directories.into_iter().filter_map(sync).collect();
        let conclude = |(removed, key): (Result<(), Error>, &BlobKey)| {
            removed?;
            if let Some(error) = unsynced.get(&self.folders.directory(*key)) {
                let error = io::Error::new(error.kind(), error.to_string());
                return Err(failure(*key, "sync its directory", error));
            }
            self.folders.disk.fence.check()?;
            // A crash before the sync may bring the blob back: it must be pending then.
            self.confirm(*key);
            Ok(())
        };
        removed.into_iter().zip(keys).map(conclude).collect()
    }

    fn space(&self, _: StoreId) -> Result<Space, Error> {
        let stat =
            rustix::fs::statvfs(&self.folders.root).map_err(|errno| Error::Space(errno.into()))?;
        Ok(Space {
            block_size: stat.f_frsize,
            blocks: stat.f_blocks,
            free: stat.f_bfree,
            available: stat.f_bavail,
            files: stat.f_files,
            files_free: stat.f_ffree,
        })
    }
}

/// Fails if the file is marked as one whose bytes were lost.
fn check_not_lost(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode == LOST_MODE { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

fn name(file: &File, path: &Path) -> Result<(), NotStored> {
    fd::link(file, path).map_err(|errno| match errno {
        Errno::XDEV | Errno::NOENT | Errno::PERM | Errno::MLINK => NotStored::NotLinkable,
        errno => NotStored::Failed(LINK, errno.into()),
    })
}

fn failure(key: BlobKey, action: &'static str, source: io::Error) -> Error {
    if is_full(&source) {
        Error::Full
    } else if source.kind() == io::ErrorKind::AlreadyExists {
        Error::Exists(key)
    } else {
        Error::Io { key, action, source }
    }
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod tests;
