//! Files of a store: opened, copied, and dropped from the page cache.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Advice, OFlags, fadvise};

use crate::fd;

/// The mode of a stored blob: read-only to its owner too, so that a program that opens it for writing by mistake fails.
pub(super) const BLOB_MODE: u32 = 0o400;

/// Opens a file for reading, unless the path is a symbolic link.
pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(no_follow).open(path)
}

/// Copies a file into one without a name on the filesystem of a directory. The cursor of the file, which may be its writer's, stays.
pub(super) fn copy(directory: &Path, file: &File) -> io::Result<File> {
    let copy = fd::nameless(directory, BLOB_MODE)?;
    fd::copy(file, &copy, file.metadata()?.len())?;
    Ok(copy)
}

/// Drops the synced pages of a file from the page cache, so that the next read asks the disk.
pub(super) fn drop_cached(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
