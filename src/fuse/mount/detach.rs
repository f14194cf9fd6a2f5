//! Unmounts: by umount(2) where the process may, else by `fusermount3`.

use std::io;
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use crate::fuse::error::Error;

/// The setuid program of libfuse 3 that mounts and unmounts for users who are not root.
pub(super) const HELPER: &str = "fusermount3";

/// When to unmount a tree that is still in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Never: [`Error::Busy`].
    Unused,
    /// The name goes at once, the rest when the last open file is closed (`umount --lazy`).
    AtOnce,
}

/// Unmounts the filesystem on this directory. `path` must have no links in it.
pub fn detach(path: &Path, when: When) -> Result<(), Error> {
    let flags = match when {
        When::Unused => UnmountFlags::NOFOLLOW,
        When::AtOnce => UnmountFlags::NOFOLLOW | UnmountFlags::DETACH,
    };
    match unmount(path, flags) {
        Ok(()) => Ok(()),
        Err(Errno::PERM) => by_helper(path, when),
        Err(Errno::BUSY) => Err(Error::Busy(path.to_owned())),
        Err(Errno::INVAL) => Err(Error::NotMounted(path.to_owned())),
        Err(errno) => Err(Error::Unmount { path: path.to_owned(), source: errno.into() }),
    }
}

/// Unmounts by the setuid helper of libfuse, which lets users unmount their own mounts.
fn by_helper(path: &Path, when: When) -> Result<(), Error> {
    let failed = |source| Error::Unmount { path: path.to_owned(), source };
    let flags: &[&str] = match when {
        When::Unused => &["-u", "--"],
        When::AtOnce => &["-u", "-z", "--"],
    };
    // Its message is parsed below, so it must be in English.
    let output = Command::new(HELPER).args(flags).arg(path).env("LC_ALL", "C").output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoHelper,
        _ => failed(error),
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false if said.contains("busy") => Err(Error::Busy(path.to_owned())),
        false => Err(failed(io::Error::other(said.trim().to_owned()))),
    }
}
