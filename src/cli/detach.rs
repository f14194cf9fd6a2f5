//! Takes a mount away: by the system call where we may, by `fusermount3` where we may not.
//! Does not decide whether a mount should go.

use std::io;
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use super::Error;

/// When a mount goes that somebody still uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Not at all: [`Error::Busy`].
    Unused,
    /// Its name at once, the rest when the last user leaves (`umount --lazy`).
    AtOnce,
}

/// Unmounts what is mounted here. Errors: [`Error::Busy`], [`Error::Unmount`] with the system's reason.
pub fn detach(path: &Path, when: When) -> Result<(), Error> {
    if rustix::process::geteuid().is_root() { by_call(path, when) } else { by_helper(path, when) }
}

fn by_call(path: &Path, when: When) -> Result<(), Error> {
    let flags = match when {
        When::Unused => UnmountFlags::NOFOLLOW,
        When::AtOnce => UnmountFlags::NOFOLLOW | UnmountFlags::DETACH,
    };
    unmount(path, flags).map_err(|errno| match errno {
        Errno::BUSY => Error::Busy(path.to_owned()),
        Errno::INVAL => Error::NotMounted(path.to_owned()),
        other => failed(path, &io::Error::from(other)),
    })
}

/// The setuid helper of libfuse: only it may unmount for a user.
fn by_helper(path: &Path, when: When) -> Result<(), Error> {
    let flags = match when {
        When::Unused => "-u",
        When::AtOnce => "-uz",
    };
    let output = Command::new("fusermount3")
        .args([flags, "--"])
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .map_err(|source| {
            failed(
                path,
                &format!("fusermount3 cannot be run ({source}); install the package fuse3"),
            )
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if said.contains("busy") { Err(Error::Busy(path.to_owned())) } else { Err(failed(path, &said)) }
}

fn failed(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Unmount { path: path.to_owned(), reason: reason.to_string() }
}
