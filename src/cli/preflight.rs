//! What must hold before anything is mounted: a fit mountpoint, a fit place for the library, a kernel with FUSE.
//! Does not mount; does not make what is missing.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::detach::{When, detach};
use super::mounts::{self, Mounted};
use super::{Error, mount::DEVICE};

/// Checks everything and clears a stale mount out of the way. Returns the mountpoint as the kernel will name it.
pub fn check(mountpoint: &Path, library: &Path) -> Result<PathBuf, Error> {
    device(Path::new(DEVICE))?;
    let mountpoint = absolute(mountpoint)?;
    let library = absolute(library)?;
    clear_stale(&mountpoint)?;
    let mounts = mounts::all()?;
    fit(&mountpoint, &mounts)?;
    apart(&mountpoint, &library)?;
    on_a_disk(&library, &mounts)?;
    Ok(mountpoint)
}

/// The path without links, except that its last parts need not be there, nor answer: a stale mountpoint does not.
pub fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::File { action: "find", path: path.to_owned(), source };
    let path = std::path::absolute(path).map_err(failed)?;
    let mut missing = Vec::new();
    let mut known: &Path = &path;
    loop {
        if let Ok(found) = known.canonicalize() {
            return Ok(missing.iter().rev().fold(found, |path, part| path.join(part)));
        }
        // `a/..` has no last part, and a path that ends so must be there to mean anything.
        let (Some(parent), Some(part)) = (known.parent(), known.file_name()) else {
            return Err(failed(Errno::NOENT.into()));
        };
        missing.push(part);
        known = parent;
    }
}

/// Whether the daemon behind a mount is gone: 'Transport endpoint is not connected'.
pub fn is_stale(path: &Path) -> bool {
    let error = fs::metadata(path).err().and_then(|error| error.raw_os_error());
    error == Some(Errno::NOTCONN.raw_os_error())
}

fn clear_stale(mountpoint: &Path) -> Result<(), Error> {
    if is_stale(mountpoint) {
        tracing::info!(mountpoint = %mountpoint.display(), "clearing a mount whose daemon is gone");
        detach(mountpoint, When::AtOnce)?;
    }
    Ok(())
}

fn fit(mountpoint: &Path, mounts: &[Mounted]) -> Result<(), Error> {
    let path = || mountpoint.to_owned();
    if let Some(mounted) = mounts::at(mountpoint, mounts).filter(|mounted| mounted.is_fuse()) {
        return Err(Error::Mounted { path: path(), kind: mounted.kind.clone() });
    }
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::NoMountpoint(path()),
        io::ErrorKind::NotADirectory => Error::NotADirectory(path()),
        _ => Error::File { action: "look into", path: path(), source },
    };
    let mut entries = fs::read_dir(mountpoint).map_err(failed)?;
    if entries.next().is_some() { Err(Error::NotEmpty(path())) } else { Ok(()) }
}

/// Neither may hide the other.
fn apart(mountpoint: &Path, library: &Path) -> Result<(), Error> {
    let (mountpoint, library) = (mountpoint.to_owned(), library.to_owned());
    if library.starts_with(&mountpoint) {
        return Err(Error::LibraryInside { library, mountpoint });
    }
    if mountpoint.starts_with(&library) {
        return Err(Error::MountpointInside { library, mountpoint });
    }
    Ok(())
}

fn on_a_disk(library: &Path, mounts: &[Mounted]) -> Result<(), Error> {
    match mounts::under(library, mounts).filter(|mounted| mounted.is_fuse()) {
        Some(mounted) => {
            Err(Error::LibraryOnFuse { library: library.to_owned(), kind: mounted.kind.clone() })
        }
        None => Ok(()),
    }
}

fn device(path: &Path) -> Result<(), Error> {
    let absent = [Errno::NOENT, Errno::NXIO, Errno::NODEV].map(Errno::raw_os_error);
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) if file.metadata().is_ok_and(|found| found.file_type().is_char_device()) => Ok(()),
        // An ordinary file of that name: a container without the device, in which somebody once wrote to it.
        Ok(_) => Err(Error::NotADevice(path.to_owned())),
        Err(error) if error.raw_os_error().is_some_and(|code| absent.contains(&code)) => {
            Err(Error::NoDevice(path.to_owned()))
        }
        Err(source) => Err(Error::File { action: "open", path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(result: Result<(), Error>) -> String {
        result.expect_err("a refusal").to_string()
    }

    #[test]
    fn a_mountpoint_must_be_an_empty_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(fit(dir.path(), &[]).is_ok());
        let file = dir.path().join("file");
        fs::write(&file, "").expect("a file");
        assert!(told(fit(dir.path(), &[])).contains("is not empty"));
        assert!(told(fit(&file, &[])).contains("is not a directory"));
        assert!(told(fit(&dir.path().join("absent"), &[])).contains("does not exist"));
    }

    #[test]
    fn a_mountpoint_that_is_mounted_already_is_refused() {
        let mounts = [Mounted { path: "/srv/media".into(), kind: "fuse.mediafs".into() }];
        assert!(told(fit(Path::new("/srv/media"), &mounts)).contains("is mounted already"));
    }

    #[test]
    fn neither_library_nor_mountpoint_may_lie_inside_the_other() {
        let apart = |mountpoint, library| apart(Path::new(mountpoint), Path::new(library));
        assert!(apart("/srv/media", "/srv/media-data").is_ok());
        assert!(told(apart("/srv/media", "/srv/media/data")).contains("inside the mountpoint"));
        assert!(told(apart("/srv/media", "/srv/media")).contains("inside the mountpoint"));
        assert!(told(apart("/srv/data/media", "/srv/data")).contains("inside the library"));
    }

    #[test]
    fn a_library_on_fuse_is_refused() {
        let mounts = [
            Mounted { path: "/".into(), kind: "ext4".into() },
            Mounted { path: "/remote".into(), kind: "fuse.sshfs".into() },
        ];
        assert!(on_a_disk(Path::new("/srv"), &mounts).is_ok());
        assert!(told(on_a_disk(Path::new("/remote/lib"), &mounts)).contains("fuse.sshfs"));
    }

    #[test]
    fn a_missing_device_is_told_with_the_way_out() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(told(device(&dir.path().join("fuse"))).contains("modprobe fuse"));
        fs::write(dir.path().join("fuse"), "").expect("a file");
        assert!(told(device(&dir.path().join("fuse"))).contains("is no device"));
        assert!(told(device(dir.path())).starts_with("cannot open "));
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
