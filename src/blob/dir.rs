//! Blobs as files of a local directory: `<root>/<2 digits>/<digest>.<generation>`, and `<root>/pending/...` as well
//! while nobody has confirmed them.
//! Does not know who writes there besides this process: nobody does. Never lists what it holds but for what is pending.
//!
//! A put gives the file both names, the pending one first: there it is found from then on, and after a crash a blob that is not
//! whole, or that nobody knows of, is pending. Then it makes the bytes durable. Those of a small blob it writes to the log, with
//! all who put at the time, and waits for that alone; the blob itself and its names reach the disk later, many at a time, and
//! what a crash takes of them the next start puts back from the log. A large blob is synced where it lies, with its names.
//! Without a journal of the filesystem a power cut may leave a blob that nobody knows of: that wastes its room, and no more.

mod disk;
mod folders;
mod layout;
mod log;
mod pages;
mod part;
mod record;
mod replay;
mod scan;
mod settler;
mod whole;

pub use folders::last_blob;

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::blob::dir::disk::{Disk, Reach};
use crate::blob::dir::folders::Folders;
use crate::blob::dir::log::{Bounds, Log};
use crate::blob::dir::record::{LARGEST, Record};
use crate::blob::dir::replay::Missing;
use crate::blob::dir::settler::Settler;
use crate::blob::{BlobStore, Error};
use crate::fd;
use crate::fence::Fence;
use words::attachment::{BlobKey, StoreId};
use words::space::Space;

/// A stored blob is for reading only, to its owner too: what opens it for writing by mistake fails.
const BLOB_MODE: u32 = 0o400;

/// Marks a file whose bytes found no room when they were synced (the sticky bit means nothing on a file). The kernel tells
/// that once: the next fsync of the same bytes would succeed.
const LOST_MODE: u32 = 0o1400;

/// How much a copy from another filesystem holds in memory.
const COPY_CHUNK: usize = 1 << 18;

/// A [`BlobStore`] in a directory. What it acknowledged is on the disk: the file's bytes, its name, and the names of
/// the directories above it, or a record of them that puts them back.
pub struct Store {
    folders: Arc<Folders>,
    /// None where nothing is written.
    intake: Option<Intake>,
    /// What only a log of the last run has.
    missing: Missing,
}

/// Where small blobs go first. The thread that settles them ends with it.
struct Intake {
    log: Arc<Log>,
    _settler: Settler,
}

impl Store {
    /// Opens the store in `root`, made if absent (mode 0700, its parents too). What a crash left in its log is back then.
    pub fn open(root: &Path) -> Result<Self, Error> {
        Self::open_behind(root, &Fence::default())
    }

    /// Opens the store as [`Store::open`] does; the first write that its disk fails raises this fence of its library.
    pub fn open_behind(root: &Path, fence: &Fence) -> Result<Self, Error> {
        Self::start(root, Disk::new(Box::new(disk::sync), fence.clone()), Bounds::default())
    }

    /// The store in `root` as it is, for who only reads: nothing is made.
    pub fn open_to_read(root: &Path) -> Result<Self, Error> {
        let folders = Arc::new(Folders::found(root, Disk::real()));
        if !layout::is_current(&folders) {
            return Err(Error::Older(root.to_owned()));
        }
        let missing = replay::missing(&folders).unwrap_or_else(|error| {
            tracing::warn!(%error, "the log of a store cannot be read");
            Missing::new()
        });
        Ok(Self { folders, intake: None, missing })
    }

    fn start(root: &Path, disk: Disk, bounds: Bounds) -> Result<Self, Error> {
        let unusable = |source| Error::Root { path: root.to_owned(), source };
        let folders = Arc::new(Folders::open(root, disk)?);
        let missing = replay::replay(&folders)?;
        let log = Arc::new(Log::new(Arc::clone(&folders), bounds).map_err(unusable)?);
        let settler = Settler::start(Arc::clone(&folders), Arc::clone(&log)).map_err(unusable)?;
        let intake = Some(Intake { log, _settler: settler });
        Ok(Self { folders, intake, missing })
    }

    /// Freezes the bytes, gives them their names, and makes both durable.
    fn settle(&self, key: BlobKey, file: &File) -> Result<(), Unsettled> {
        let failed = |action| move |source| Unsettled::Failed(action, source);
        check_not_lost(file).map_err(failed("sync its bytes"))?;
        file.set_permissions(Permissions::from_mode(BLOB_MODE)).map_err(failed("protect it"))?;
        name(file, &self.folders.pending_path(key))?;
        let named = name(file, &self.folders.path(key)).or_else(|unsettled| match unsettled {
            // The file had a name given just now: what is missing is the directory.
            Unsettled::NotLinkable => {
                self.folders.make_directory(key).map_err(failed("make its directory"))?;
                name(file, &self.folders.path(key))
            }
            failed @ Unsettled::Failed(..) => Err(failed),
        });
        if let Err(unsettled) = named {
            self.confirm(key);
            return Err(unsettled);
        }
        self.make_durable(key, file).inspect_err(|_| self.withdraw(key))
    }

    fn make_durable(&self, key: BlobKey, file: &File) -> Result<(), Unsettled> {
        let failed = |action| move |source| Unsettled::Failed(action, source);
        if self.is_logged(key, file).map_err(failed("write it to the log"))? {
            return Ok(());
        }
        self.sync_bytes(file).map_err(failed("sync its bytes"))?;
        self.folders.sync_directory(key).map_err(failed("sync its directory"))
    }

    /// Whether the log has it now.
    fn is_logged(&self, key: BlobKey, file: &File) -> io::Result<bool> {
        let length = file.metadata()?.len();
        match &self.intake {
            Some(intake) if length <= LARGEST => intake.log.take(Record::read(key, file, length)?),
            _ => Ok(false),
        }
    }

    /// Opens the bytes that are certain. Once the disk has failed, the log has them of what was not settled: where the blob lies
    /// the kernel shows zeros as soon as it lets go of what it could not write.
    fn open_certain(&self, key: BlobKey) -> io::Result<File> {
        if let Some(held) = self.missing.get(&key) {
            return held.open();
        }
        if let Some(intake) = self.intake.as_ref().filter(|_| self.folders.disk.is_fenced())
            && let Some(held) = intake.log.find(key)?
        {
            return held.open();
        }
        open_to_read(&self.folders.path(key))
    }

    /// Nobody was told of it, so nobody may find it. While its name cannot be taken away it stays pending, and is swept.
    fn withdraw(&self, key: BlobKey) {
        if std::fs::remove_file(self.folders.path(key)).is_ok() {
            self.confirm(key);
        }
    }

    /// A file that had no room left is refused for good, however often it is put: that raises no fence.
    fn sync_bytes(&self, file: &File) -> io::Result<()> {
        self.folders.disk.try_sync(Reach::Whole, file).inspect_err(|error| {
            let marked = || file.set_permissions(Permissions::from_mode(LOST_MODE)).is_ok();
            if !is_full(error) || !marked() {
                self.folders.disk.raise_fence(error);
            }
        })
    }

    /// Copies the file into an unnamed one of this store's filesystem.
    fn copy(directory: &Path, file: &File) -> io::Result<File> {
        let copy = fd::nameless(directory, BLOB_MODE)?;
        let mut chunk = vec![0; COPY_CHUNK];
        let mut offset = 0;
        // At offsets, so that the cursor of a file that is still its writer's stays where it is.
        loop {
            let count = file.read_at(&mut chunk, offset)?;
            let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else {
                return Ok(copy);
            };
            copy.write_all_at(bytes, offset)?;
            offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}

/// Why a file has no name in the store yet.
enum Unsettled {
    /// Another filesystem, a file without a name that may not get one, too many names, or somebody else's file.
    NotLinkable,
    Failed(&'static str, io::Error),
}

impl BlobStore for Store {
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error> {
        self.folders.disk.check_fence()?;
        let failed = |action| move |source| failure(key, action, source);
        let settled = match self.settle(key, file) {
            Err(Unsettled::NotLinkable) => {
                let copy = Self::copy(self.folders.root(), file).map_err(failed("copy it"))?;
                self.settle(key, &copy)
            }
            settled => settled,
        };
        match settled {
            Ok(()) => {}
            Err(Unsettled::Failed(action, source)) => return Err(failure(key, action, source)),
            Err(Unsettled::NotLinkable) => {
                return Err(failure(key, "link it into place", Errno::XDEV.into()));
            }
        }
        // Another thread's failed fsync may have been about these very bytes.
        self.folders.disk.check_fence()
    }

    fn confirm(&self, key: BlobKey) {
        match std::fs::remove_file(self.folders.pending_path(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%key, %error, "a blob stays pending");
            }
            _ => {}
        }
    }

    fn pending(&self) -> Result<Vec<BlobKey>, Error> {
        let mut keys = Vec::new();
        for entry in std::fs::read_dir(self.folders.pending()).map_err(Error::Pending)? {
            let name = entry.map_err(Error::Pending)?.file_name();
            // The router knows which store it is.
            keys.extend(name.to_str().and_then(|name| BlobKey::parse(StoreId::default(), name)));
        }
        Ok(keys)
    }

    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        match self.open_certain(BlobKey { store: StoreId::default(), ..key }) {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing(key)),
            Err(error) => Err(failure(key, "open it", error)),
        }
    }

    fn delete(&self, key: BlobKey) -> Result<(), Error> {
        self.folders.disk.check_fence()?;
        match std::fs::remove_file(self.folders.path(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failure(key, "delete it", error));
            }
            // Also when it was gone: the delete that took it may have crashed before it was durable.
            _ => {}
        }
        self.confirm(key);
        match self.folders.sync_path(&self.folders.directory(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failure(key, "sync its directory", error))
            }
            _ => self.folders.disk.check_fence(),
        }
    }

    fn space(&self, _: StoreId) -> Result<Space, Error> {
        let stat =
            rustix::fs::statvfs(self.folders.root()).map_err(|errno| Error::Space(errno.into()))?;
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

fn open_to_read(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(no_follow).open(path)
}

fn check_not_lost(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode == LOST_MODE { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

fn name(file: &File, path: &Path) -> Result<(), Unsettled> {
    fd::link(file, path).map_err(|errno| match errno {
        Errno::XDEV | Errno::NOENT | Errno::PERM | Errno::MLINK => Unsettled::NotLinkable,
        errno => Unsettled::Failed("link it into place", errno.into()),
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

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod tears;
#[cfg(test)]
mod tests;
