//! The backing directory: its layout, its checks, and the lock that keeps a second daemon out.
//! Does not know what lies in the files it names.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open, statfs};

use crate::blob::dir;
use crate::catalog::sqlite;
use crate::library::depot::Depot;
use crate::library::reserve::Reserve;
use words::attachment::BlobKey;
use words::slot::Name;

/// `statfs.f_type` of a FUSE mount (linux/magic.h).
const FUSE_SUPER_MAGIC: i64 = 0x6573_5546;

/// A daemon that is just ending, or a process that it was starting at that moment and that holds its descriptors until its
/// `exec`, gets this long to let go of the lock.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

const LIBRARY: &str = "library";
const CATALOG: &str = "catalog.sqlite";
const BLOBS: &str = "blobs";
const IDENTITY: &str = "id";

/// The backing directory, locked for as long as this value lives.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    is_new: bool,
    // Held, never read: the kernel drops the lock with the descriptor, also after kill -9. None where nothing is written.
    _lock: Option<File>,
    /// The folders of other stores, held like this one.
    depots: Vec<Depot>,
}

/// A directory that is to be ours alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'p> {
    /// `library`, `store`: what it is called in messages.
    pub what: &'static str,
    pub path: &'p Path,
}

impl Home {
    /// Makes the directory where it is missing (0700), checks that it can carry a library, and locks it.
    /// Errors: [`Error::CatalogGone`], before anything in it is made.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let at = |source| Error::unusable(Site { what: LIBRARY, path: root }, source);
        let root = Site { what: LIBRARY, path: root }.claim()?;
        let site = Site { what: LIBRARY, path: &root };
        let lock = site.lock("lock")?;
        let is_new = !is_library(&root)?;
        for part in [BLOBS, "staging", "scratch", "quarantine"] {
            let path = root.join(part);
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(at(error));
                }
                _ => {}
            }
        }
        Site { what: LIBRARY, path: &root.join("staging") }.check_nameless_files()?;
        let home = Self { root, is_new, _lock: Some(lock), depots: Vec::new() };
        // What a start writes must find room on a full disk too; the library sets the space aside again.
        Reserve::new(home.reserve()).release();
        Ok(home)
    }

    /// Locks the directory of a library that is there: for commands that make none.
    /// Errors: [`Error::Absent`], before anything is made or changed; those of [`Home::open`].
    pub fn find(root: &Path) -> Result<Self, Error> {
        check_present(root)?;
        Self::open(root)
    }

    /// Finds the directory of a library that is there, and neither locks nor changes it: for who only reads.
    /// Errors: [`Error::Absent`], [`Error::CatalogGone`].
    pub fn open_to_read(root: &Path) -> Result<Self, Error> {
        check_present(root)?;
        let site = Site { what: LIBRARY, path: root };
        let root = root.canonicalize().map_err(|source| Error::unusable(site, source))?;
        Ok(Self { root, is_new: false, _lock: None, depots: Vec::new() })
    }

    /// Whether there was no library in the directory before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Keeps the folder of another store locked for as long as this value lives.
    pub fn adopt(&mut self, depot: Depot) {
        self.depots.push(depot);
    }

    /// What tells this library from any other, for as long as its directory lives. Made when it is first asked for.
    pub fn identity(&self) -> Result<String, Error> {
        let path = self.root.join(IDENTITY);
        let at = |source| Error::unusable(Site { what: LIBRARY, path: &path }, source);
        match fs::read_to_string(&path) {
            Ok(known) => return Ok(known.trim().to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
            Err(_) => {}
        }
        let made = fs::read_to_string("/proc/sys/kernel/random/uuid").map_err(at)?;
        let temporary = self.root.join("id.new");
        let mut file = File::create(&temporary).map_err(at)?;
        file.write_all(made.as_bytes()).and_then(|()| file.sync_all()).map_err(at)?;
        fs::rename(&temporary, &path).map_err(at)?;
        File::open(&self.root).and_then(|root| root.sync_all()).map_err(at)?;
        Ok(made.trim().to_owned())
    }

    /// Whether this is its identity.
    pub(super) fn is_called(&self, identity: &str) -> bool {
        let known = fs::read_to_string(self.root.join(IDENTITY));
        known.is_ok_and(|known| known.trim() == identity)
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

/// Whether a library is in the directory. One that has none is none yet, unless something in it says that there was one:
/// [`Error::CatalogGone`].
fn is_library(root: &Path) -> Result<bool, Error> {
    let at = |source| Error::unusable(Site { what: LIBRARY, path: root }, source);
    let catalog = root.join(CATALOG);
    // `SQLite` makes it empty, and a crash may leave it so.
    match fs::metadata(&catalog) {
        Ok(meta) if meta.len() > 0 => return Ok(true),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
        _ => {}
    }
    let was_there = sqlite::was_there(&catalog)
        || root.join(IDENTITY).exists()
        || dir::last_blob(&root.join(BLOBS), 1).map_err(at)?.is_some();
    if was_there { Err(Error::CatalogGone { path: root.to_owned() }) } else { Ok(false) }
}

/// A library is in the directory, which is not looked at where another filesystem answers for it.
fn check_present(root: &Path) -> Result<(), Error> {
    Site { what: LIBRARY, path: root }.check_filesystem()?;
    if is_library(root)? { Ok(()) } else { Err(Error::Absent { path: root.to_owned() }) }
}

impl Site<'_> {
    /// Makes the directory where it is missing (0700), and checks that it can be ours alone. Returns its path without links.
    pub fn claim(self) -> Result<PathBuf, Error> {
        let at = |source| Error::unusable(self, source);
        self.check_filesystem()?;
        if !self.path.exists() {
            // Nothing is made on a filesystem that is then refused.
            let above = self.path.ancestors().find(|path| path.exists());
            above.map_or(Ok(()), |path| Site { path, ..self }.check_filesystem())?;
            DirBuilder::new().recursive(true).mode(0o700).create(self.path).map_err(at)?;
        }
        let path = self.path.canonicalize().map_err(at)?;
        Site { path: &path, ..self }.check_owner()?;
        Ok(path)
    }

    /// Only its owner may enter: blobs are unreachable but through the mount.
    fn check_owner(self) -> Result<(), Error> {
        let at = |source| Error::unusable(self, source);
        let Site { what, path } = self;
        let meta = fs::metadata(path).map_err(at)?;
        if !meta.is_dir() {
            return Err(at(io::ErrorKind::NotADirectory.into()));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(Error::Foreign { what, path: path.to_owned(), owner: meta.uid() });
        }
        if meta.mode() & 0o077 != 0 {
            fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(at)?;
        }
        Ok(())
    }

    /// Asked of the deepest part that is there, before anything is made or changed: on a FUSE mount even that would be a
    /// request to somebody else's daemon.
    pub fn check_filesystem(self) -> Result<(), Error> {
        let at = |source| Error::unusable(self, source);
        let absolute = std::path::absolute(self.path).map_err(at)?;
        for part in absolute.ancestors() {
            match statfs(part) {
                Ok(found) if found.f_type == FUSE_SUPER_MAGIC => {
                    return Err(Error::OnFuse { what: self.what, path: self.path.to_owned() });
                }
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(at(error.into())),
            }
        }
        Ok(())
    }

    pub fn check_nameless_files(self) -> Result<(), Error> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match open(self.path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(_) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
                Err(Error::NoNamelessFiles { path: self.path.to_owned() })
            }
            Err(source) => Err(Error::unusable(self, source.into())),
        }
    }

    /// Locks the directory by a file in it, for as long as the file is open.
    pub fn lock(self, name: &str) -> Result<File, Error> {
        let path = self.path.join(name);
        let at = |source| Error::unusable(Site { path: &path, ..self }, source);
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
        Err(Error::InUse { what: self.what, path: self.path.to_owned() })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the {what} {} cannot be used", path.display())]
    Unusable {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the {what} {} belongs to uid {owner}; run mediafs as that user, or give the directory to this one", path.display())]
    Foreign { what: &'static str, path: PathBuf, owner: u32 },
    #[error("the {what} {} lies on a FUSE filesystem, which cannot promise that a file is on disk; choose a path on a local disk", path.display())]
    OnFuse { what: &'static str, path: PathBuf },
    #[error("there is no library in {}; `mediafs mount` without --read-only makes one", path.display())]
    Absent { path: PathBuf },
    #[error("the library {} has lost its catalogue: catalog.sqlite is missing or empty, though the library was used; put it back from a backup, or choose another path for a new library", path.display())]
    CatalogGone { path: PathBuf },
    #[error("the catalogue of the library {} is an older copy: it does not know {}, nor any blob as new; put the library's directory back from one backup, or see what it knows with `mediafs mount --read-only`, or go on with that by `mediafs mount --accept-loss`", path.display(), key.path())]
    CatalogOlder { path: PathBuf, key: BlobKey },
    #[error("there is no store `{name}` in {}; `mediafs mount` without --read-only makes one", path.display())]
    NoStore { name: Name, path: PathBuf },
    #[error("the {what} {} is in use by another mediafs; unmount that one first, or choose another path", path.display())]
    InUse { what: &'static str, path: PathBuf },
    #[error("the filesystem of {} has no nameless files (O_TMPFILE); ext4, xfs, btrfs and tmpfs have", path.display())]
    NoNamelessFiles { path: PathBuf },
    #[error("{} is not the store `{name}` of this library: its mark is missing, though {blobs} files are kept there; is its disk mounted?", path.display())]
    Unmarked { name: Name, path: PathBuf, blobs: u64 },
    #[error("{} is the store `{found}` of another library; choose another path for `{name}`", path.display())]
    OfAnother { name: Name, path: PathBuf, found: String },
    #[error("{} is the store `{found}` of this library, and cannot be `{name}` too", path.display())]
    OtherStore { name: Name, path: PathBuf, found: String },
}

impl Error {
    pub(super) fn unusable(site: Site<'_>, source: io::Error) -> Self {
        Self::Unusable { what: site.what, path: site.path.to_owned(), source }
    }
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
