//! A mountpoint: a directory that was checked before a tree is mounted on it. A missing directory is not made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use crate::fuse::error::Error;
use crate::fuse::mount::detach::{When, detach};
use crate::fuse::mount::mounts::Mount;
use crate::fuse::mount::probe::Health;
use crate::fuse::mount::{daemons, mounts, probe};

/// How long a mount may take to answer `statfs`.
const PATIENCE: Duration = Duration::from_secs(5);

/// An empty directory with no FUSE mount on it, by its canonical path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mountpoint(PathBuf);

impl Mountpoint {
    /// Checks a directory. First unmounts a tree on it whose daemon has died.
    pub fn prepare(written: &Path) -> Result<Self, Error> {
        let unusable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Error::NoMountpoint(written.to_owned()),
            io::ErrorKind::NotADirectory => Error::NotDirectory(written.to_owned()),
            _ => Error::Mountpoint { path: written.to_owned(), source },
        };
        daemons::end_dead();
        let path = absolute(written).map_err(unusable)?;
        // Several daemons that died one after the other leave several mounts, one over the other.
        while let Some(mount) = mounts::on(&path).map_err(unusable)?.filter(Mount::is_fuse) {
            match health(&path)? {
                Health::Gone => {
                    tracing::info!(path = %path.display(), "clearing the mount of a daemon that has died");
                    detach(&path, When::AtOnce)?;
                }
                Health::Silent => return Err(silent(&path)),
                _ => return Err(Error::Occupied { path: written.to_owned(), kind: mount.kind }),
            }
        }
        match fs::read_dir(&path).map_err(unusable)?.next() {
            Some(_) => Err(Error::NotEmpty(written.to_owned())),
            None => Ok(Self(path)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// The canonical path. Its last parts need not exist. A tree that is mounted on it is not asked, because its daemon may hang.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
        && let Ok(parent) = parent.canonicalize()
        && mounts::on(&parent.join(name))?.is_some()
    {
        return Ok(parent.join(name));
    }
    let mut missing = Vec::new();
    let mut known: &Path = &path;
    loop {
        if let Ok(found) = known.canonicalize() {
            return Ok(missing.iter().rev().fold(found, |path, part| path.join(part)));
        }
        // `a/..` has no last part: such a path means something only if `a` exists.
        let (Some(parent), Some(part)) = (known.parent(), known.file_name()) else {
            return Err(Errno::NOENT.into());
        };
        missing.push(part);
        known = parent;
    }
}

/// Asks whether the daemon behind a mount answers.
pub fn health(path: &Path) -> Result<Health, Error> {
    probe::ask(path, PATIENCE).map_err(|source| Error::Mountpoint { path: path.to_owned(), source })
}

pub fn silent(path: &Path) -> Error {
    Error::Unanswered { path: path.to_owned(), secs: PATIENCE.as_secs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mountpoint_is_an_empty_directory_that_is_there() {
        let scratch = tempfile::tempdir().expect("a directory");
        let refusal = |path: &Path| Mountpoint::prepare(path).expect_err("a refusal");
        let missing = scratch.path().join("missing");
        assert!(matches!(refusal(&missing), Error::NoMountpoint(path) if path == missing));
        let file = scratch.path().join("file");
        fs::File::create(&file).expect("a file");
        assert!(matches!(refusal(&file), Error::NotDirectory(path) if path == file));
        assert!(matches!(refusal(scratch.path()), Error::NotEmpty(_)));
        fs::remove_file(&file).expect("removed");
        let canonical = fs::canonicalize(scratch.path()).expect("a path");
        assert_eq!(Mountpoint::prepare(scratch.path()).expect("empty").path(), canonical);
    }

    #[test]
    fn a_path_is_made_absolute_through_links_though_its_end_is_not_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let real = dir.path().canonicalize().expect("a directory");
        std::os::unix::fs::symlink(&real, dir.path().join("link")).expect("a link");
        let path = absolute(&dir.path().join("link/a/b")).expect("a path");
        assert_eq!(path, real.join("a/b"));
    }
}
