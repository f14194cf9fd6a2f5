//! The backing directory: its layout, its checks, and the lock that keeps a second daemon out.
//! Does not know what lies in the files it names.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open, statfs};

use crate::library::reserve::Reserve;

/// `statfs.f_type` of a FUSE mount (linux/magic.h).
const FUSE_SUPER_MAGIC: i64 = 0x6573_5546;

/// A daemon that is just ending, or a process that it was starting at that moment and that holds its descriptors until its
/// `exec`, gets this long to let go of the lock.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// The backing directory, locked for as long as this value lives.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    // Held, never read: the kernel drops the lock with the descriptor, also after kill -9.
    _lock: File,
}

impl Home {
    /// Makes the directory where it is missing (0700), checks that it can carry a library, and locks it.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let at = |source| Error::Unusable { path: root.to_owned(), source };
        check_filesystem(root)?;
        if !root.exists() {
            // Nothing is made on a filesystem that is then refused.
            root.ancestors().find(|path| path.exists()).map_or(Ok(()), check_filesystem)?;
            DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(at)?;
        }
        let root = root.canonicalize().map_err(at)?;
        check_owner(&root)?;
        let lock = lock(&root)?;
        for part in ["blobs", "staging", "scratch", "quarantine"] {
            let path = root.join(part);
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(at(error));
                }
                _ => {}
            }
        }
        check_nameless_files(&root.join("staging"))?;
        let home = Self { root, _lock: lock };
        // What a start writes must find room on a full disk too; the library sets the space aside again.
        Reserve::new(home.reserve()).release();
        Ok(home)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog.sqlite")
    }

    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
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

/// Only its owner may enter: blobs are unreachable but through the mount.
fn check_owner(root: &Path) -> Result<(), Error> {
    let at = |source| Error::Unusable { path: root.to_owned(), source };
    let meta = fs::metadata(root).map_err(at)?;
    if !meta.is_dir() {
        return Err(at(io::ErrorKind::NotADirectory.into()));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::Foreign { path: root.to_owned(), owner: meta.uid() });
    }
    if meta.mode() & 0o077 != 0 {
        fs::set_permissions(root, Permissions::from_mode(0o700)).map_err(at)?;
    }
    Ok(())
}

/// Asked of the deepest part that is there, before anything is made or changed: on a FUSE mount even that would be a request
/// to somebody else's daemon.
fn check_filesystem(root: &Path) -> Result<(), Error> {
    let at = |source| Error::Unusable { path: root.to_owned(), source };
    let absolute = std::path::absolute(root).map_err(at)?;
    for part in absolute.ancestors() {
        match statfs(part) {
            Ok(found) if found.f_type == FUSE_SUPER_MAGIC => {
                return Err(Error::OnFuse { path: root.to_owned() });
            }
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(at(error.into())),
        }
    }
    Ok(())
}

fn check_nameless_files(staging: &Path) -> Result<(), Error> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match open(staging, flags, Mode::RUSR | Mode::WUSR) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
            Err(Error::NoNamelessFiles { path: staging.to_owned() })
        }
        Err(source) => Err(Error::Unusable { path: staging.to_owned(), source: source.into() }),
    }
}

fn lock(root: &Path) -> Result<File, Error> {
    let path = root.join("lock");
    let at = |source| Error::Unusable { path: path.clone(), source };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(at)?;
    for _ in 0..LOCK_TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(LOCK_PAUSE),
            Err(source) => return Err(at(source.into())),
        }
    }
    Err(Error::InUse { path: root.to_owned() })
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the library {} cannot be used", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the library {} belongs to uid {owner}; run mediafs as that user, or give the directory to this one", path.display())]
    Foreign { path: PathBuf, owner: u32 },
    #[error("the library {} lies on a FUSE filesystem, which cannot promise that a file is on disk; choose a path on a local disk", path.display())]
    OnFuse { path: PathBuf },
    #[error("the library {} is in use by another mediafs; unmount that one first, or choose another path", path.display())]
    InUse { path: PathBuf },
    #[error("the filesystem of {} has no nameless files (O_TMPFILE); ext4, xfs, btrfs and tmpfs have", path.display())]
    NoNamelessFiles { path: PathBuf },
}

#[cfg(test)]
mod tests {
    use super::*;

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
