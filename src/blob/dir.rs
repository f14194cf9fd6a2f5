//! Blobs as files of a local directory: `<root>/<2 digits>/<2 digits>/<digest>.<generation>`, and `<root>/pending/...` as well
//! while nobody has confirmed them.
//! Does not know who writes there besides this process: nobody does. Never lists what it holds but for what is pending.
//!
//! A put gives the file both names, the pending one first, and then syncs the file: a filesystem with a journal writes the
//! names with it, at once and in that order. After a crash a blob that is not whole, or that nobody knows of, is pending; and
//! where a put has returned the bytes and the names are on the disk. Without a journal a power cut may leave a blob that nobody
//! knows of: that wastes its room, and no more.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, CWD, OFlags, linkat};
use rustix::io::Errno;

use crate::attachment::{BlobKey, StoreId};
use crate::blob::{BlobStore, Error, Space};

/// A stored blob is for reading only, to its owner too: what opens it for writing by mistake fails.
const BLOB_MODE: u32 = 0o400;

/// Marks a file whose bytes found no room when they were synced (the sticky bit means nothing on a file). The kernel tells
/// that once: the next fsync of the same bytes would succeed.
const LOST_MODE: u32 = 0o1400;

const DIRECTORY_MODE: u32 = 0o700;

/// No blob's directory is called that: theirs are two digits.
const PENDING: &str = "pending";

/// How much a copy from another filesystem holds in memory.
const COPY_CHUNK: usize = 1 << 18;

type Sync = Box<dyn Fn(&File) -> io::Result<()> + Send + std::marker::Sync>;

/// A [`BlobStore`] in a directory. What it acknowledged is on the disk: the file's bytes, its name, and the names of
/// the directories above it.
pub struct Store {
    root: PathBuf,
    /// Guards the directories that this process has made and whose names may not be durable yet, by their digits; held only to
    /// look one up, to add or to drop one. What was there when the store was opened is durable since then.
    fresh: Mutex<BTreeSet<(u8, Option<u8>)>>,
    /// Set for good by the first failed fsync: the kernel forgets the error and the pages, and the next fsync lies.
    fenced: AtomicBool,
    sync: Sync,
}

impl Store {
    /// Opens the store in `root`, made if absent (mode 0700, its parents too).
    pub fn open(root: &Path) -> Result<Self, Error> {
        Self::with_sync(root, Box::new(File::sync_all))
    }

    /// The store in `root` as it is, for who only reads: nothing is made.
    pub fn open_to_read(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            fresh: Mutex::new(BTreeSet::new()),
            fenced: AtomicBool::new(false),
            sync: Box::new(File::sync_all),
        }
    }

    fn with_sync(root: &Path, sync: Sync) -> Result<Self, Error> {
        let unusable = |source| Error::Root { path: root.to_owned(), source };
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(root).map_err(unusable)?;
        let above = root.canonicalize().map_err(unusable)?;
        let above = above.parent().unwrap_or(Path::new("/"));
        File::open(above).and_then(|above| sync(&above)).map_err(unusable)?;
        let pending = root.join(PENDING);
        if !pending.is_dir() {
            DirBuilder::new().mode(DIRECTORY_MODE).create(&pending).map_err(unusable)?;
        }
        File::open(root).and_then(|root| sync(&root)).map_err(unusable)?;
        // What is there may have been made just before the last process was killed.
        for first in 0..=u8::MAX {
            match File::open(root.join(format!("{first:02x}"))) {
                Ok(directory) => sync(&directory).map_err(unusable)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unusable(error)),
            }
        }
        Ok(Self {
            root: root.to_owned(),
            fresh: Mutex::new(BTreeSet::new()),
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

    fn pending_path(&self, key: BlobKey) -> PathBuf {
        self.root.join(PENDING).join(key.to_string())
    }

    fn check_fence(&self) -> Result<(), Error> {
        if self.fenced.load(Ordering::SeqCst) { Err(Error::Fenced) } else { Ok(()) }
    }

    /// Syncs; a failure raises the fence.
    fn sync(&self, file: &File) -> io::Result<()> {
        (self.sync)(file).inspect_err(|_| self.raise_fence())
    }

    fn raise_fence(&self) {
        self.fenced.store(true, Ordering::SeqCst);
    }

    fn sync_path(&self, directory: &Path) -> io::Result<()> {
        self.sync(&File::open(directory)?)
    }

    /// Makes the directory of a blob, which is missing.
    fn make_directory(&self, key: BlobKey) -> io::Result<()> {
        let [first, second, ..] = *key.digest.as_bytes();
        // Noted first: whoever finds it there must find it noted.
        self.fresh().insert((first, Some(second)));
        match make(&self.directory(key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.fresh().insert((first, None));
                make(&self.root.join(format!("{first:02x}")))?;
                make(&self.directory(key))
            }
            made => made,
        }
    }

    /// Makes the names in a blob's directory durable, and the directory's own where it is fresh.
    fn sync_directory(&self, key: BlobKey) -> io::Result<()> {
        let [first, second, ..] = *key.digest.as_bytes();
        self.sync_path(&self.directory(key))?;
        let above = [
            ((first, Some(second)), self.root.join(format!("{first:02x}"))),
            ((first, None), self.root.clone()),
        ];
        for (directory, above) in above {
            if self.fresh().contains(&directory) {
                self.sync_path(&above)?;
                self.fresh().remove(&directory);
            }
        }
        Ok(())
    }

    fn fresh(&self) -> MutexGuard<'_, BTreeSet<(u8, Option<u8>)>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Freezes the bytes, gives them their names, and makes both durable.
    fn settle(&self, key: BlobKey, file: &File) -> Result<(), Unsettled> {
        let failed = |action| move |source| Unsettled::Failed(action, source);
        check_not_lost(file).map_err(failed("sync its bytes"))?;
        file.set_permissions(Permissions::from_mode(BLOB_MODE)).map_err(failed("protect it"))?;
        name(file, &self.pending_path(key))?;
        let named = name(file, &self.path(key)).or_else(|unsettled| match unsettled {
            // The file had a name given just now: what is missing is the directory.
            Unsettled::NotLinkable => {
                self.make_directory(key).map_err(failed("make its directory"))?;
                name(file, &self.path(key))
            }
            failed @ Unsettled::Failed(..) => Err(failed),
        });
        if let Err(unsettled) = named {
            self.confirm(key);
            return Err(unsettled);
        }
        self.sync_bytes(file).inspect_err(|_| self.withdraw(key)).map_err(failed("sync its bytes"))
    }

    /// Nobody was told of it, so nobody may find it. While its name cannot be taken away it stays pending, and is swept.
    fn withdraw(&self, key: BlobKey) {
        if std::fs::remove_file(self.path(key)).is_ok() {
            self.confirm(key);
        }
    }

    /// A file that had no room left is refused for good, however often it is put: that raises no fence.
    fn sync_bytes(&self, file: &File) -> io::Result<()> {
        (self.sync)(file).inspect_err(|error| {
            let marked = || file.set_permissions(Permissions::from_mode(LOST_MODE)).is_ok();
            if !is_full(error) || !marked() {
                self.raise_fence();
            }
        })
    }

    /// Copies the file into an unnamed one of this store's filesystem.
    fn copy(directory: &Path, file: &File) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(BLOB_MODE);
        let unnamed = i32::try_from(OFlags::TMPFILE.bits()).map_err(io::Error::other)?;
        let copy = options.custom_flags(unnamed).open(directory)?;
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
        self.check_fence()?;
        let failed = |action| move |source| failure(key, action, source);
        let settled = match self.settle(key, file) {
            Err(Unsettled::NotLinkable) => {
                let copy = Self::copy(&self.root, file).map_err(failed("copy it"))?;
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
        if let Err(source) = self.sync_directory(key) {
            self.withdraw(key);
            return Err(failure(key, "sync its directory", source));
        }
        // Another thread's failed fsync may have been about these very bytes.
        self.check_fence()
    }

    fn confirm(&self, key: BlobKey) {
        match std::fs::remove_file(self.pending_path(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%key, %error, "a blob stays pending");
            }
            _ => {}
        }
    }

    fn pending(&self) -> Result<Vec<BlobKey>, Error> {
        let mut keys = Vec::new();
        for entry in std::fs::read_dir(self.root.join(PENDING)).map_err(Error::Pending)? {
            let name = entry.map_err(Error::Pending)?.file_name();
            // The router knows which store it is.
            keys.extend(name.to_str().and_then(|name| BlobKey::parse(StoreId::default(), name)));
        }
        Ok(keys)
    }

    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        let mut options = OpenOptions::new();
        let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        match options.read(true).custom_flags(no_follow).open(self.path(key)) {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing(key)),
            Err(source) => Err(failure(key, "open it", source)),
        }
    }

    fn delete(&self, key: BlobKey) -> Result<(), Error> {
        self.check_fence()?;
        match std::fs::remove_file(self.path(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failure(key, "delete it", error));
            }
            // Also when it was gone: the delete that took it may have crashed before it was durable.
            _ => {}
        }
        self.confirm(key);
        match self.sync_path(&self.directory(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failure(key, "sync its directory", error))
            }
            _ => self.check_fence(),
        }
    }

    fn space(&self, _: StoreId) -> Result<Space, Error> {
        let stat = rustix::fs::statvfs(&self.root).map_err(|errno| Error::Space(errno.into()))?;
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

/// Makes a directory, or finds it made.
fn make(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn check_not_lost(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode == LOST_MODE { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

fn name(file: &File, path: &Path) -> Result<(), Unsettled> {
    link(file, path).map_err(|errno| match errno {
        Errno::XDEV | Errno::NOENT | Errno::PERM | Errno::MLINK => Unsettled::NotLinkable,
        errno => Unsettled::Failed("link it into place", errno.into()),
    })
}

/// Gives an open file a name. Through `/proc`, because linking a descriptor itself takes a privilege (`open(2)`, on
/// `O_TMPFILE`).
fn link(file: &File, path: &Path) -> rustix::io::Result<()> {
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(CWD, descriptor, CWD, path, AtFlags::SYMLINK_FOLLOW)
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
mod tests;
