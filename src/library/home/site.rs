//! A site: a directory that is to hold a library or a store, checked and locked before anything is written to it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock, statfs};
use rustix::io::Errno;

use crate::fd;
use crate::library::home::error::Error;

/// `statfs.f_type` of a FUSE mount (linux/magic.h).
const FUSE_SUPER_MAGIC: i64 = 0x6573_5546;

/// The tries and pauses for a held lock: a daemon may be about to end, and its child processes hold it until `exec`.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'p> {
    /// The word for it in messages: `library`, `store`.
    pub what: &'static str,
    pub path: &'p Path,
}

impl Site<'_> {
    /// Makes the directory where it is missing (0700), and closes it to other users. Returns its path without symbolic links.
    pub fn claim(self) -> Result<PathBuf, Error> {
        self.check_filesystem()?;
        if !self.path.exists() {
            // Nothing is made on a filesystem that is then refused.
            let above = self.path.ancestors().find(|path| path.exists());
            above.map_or(Ok(()), |path| Site { path, ..self }.check_filesystem())?;
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(self.path).map_err(self.unusable())?;
        }
        let path = self.path.canonicalize().map_err(self.unusable())?;
        Site { path: &path, ..self }.check_owner()?;
        Ok(path)
    }

    /// Closes the directory to everybody but its owner: blobs are reached only through the mount.
    fn check_owner(self) -> Result<(), Error> {
        let Site { what, path } = self;
        let meta = fs::metadata(path).map_err(self.unusable())?;
        if !meta.is_dir() {
            return Err(self.unusable()(io::ErrorKind::NotADirectory.into()));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(Error::Foreign { what, path: path.to_owned(), owner: meta.uid() });
        }
        if meta.mode() & 0o077 != 0 {
            let private = Permissions::from_mode(0o700);
            fs::set_permissions(path, private).map_err(self.unusable())?;
        }
        Ok(())
    }

    /// Refuses a FUSE mount. Asks about the deepest directory that exists, before anything is made or changed: below a FUSE
    /// mount even a lookup would be a request to another daemon.
    pub fn check_filesystem(self) -> Result<(), Error> {
        let absolute = std::path::absolute(self.path).map_err(self.unusable())?;
        for part in absolute.ancestors() {
            match statfs(part) {
                Ok(found) if found.f_type == FUSE_SUPER_MAGIC => {
                    return Err(Error::OnFuse { what: self.what, path: self.path.to_owned() });
                }
                Ok(_) => return Ok(()),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(self.unusable()(error.into())),
            }
        }
        Ok(())
    }

    /// Refuses a filesystem without `O_TMPFILE`.
    pub fn check_nameless_files(self) -> Result<(), Error> {
        let Err(source) = fd::nameless(self.path, 0o600) else { return Ok(()) };
        match Errno::from_io_error(&source) {
            Some(Errno::OPNOTSUPP | Errno::ISDIR) => {
                Err(Error::NoNamelessFiles { path: self.path.to_owned() })
            }
            _ => Err(self.unusable()(source)),
        }
    }

    /// Locks the directory by a file in it, for as long as the file is open.
    pub fn lock(self, name: &str) -> Result<File, Error> {
        let path = self.path.join(name);
        let at = Site { path: &path, ..self };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(at.unusable())?;
        for _ in 0..LOCK_TRIES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(Errno::WOULDBLOCK) => thread::sleep(LOCK_PAUSE),
                Err(source) => return Err(at.unusable()(source.into())),
            }
        }
        Err(Error::InUse { what: self.what, path: self.path.to_owned() })
    }

    pub fn unusable(self) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::unusable(self.what, self.path, source)
    }
}
