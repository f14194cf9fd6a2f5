//! Files of a store: opened, copied, and dropped from the page cache.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Advice, OFlags, fadvise};

use crate::fd;

/// The mode of a stored blob: read-only to its owner too, so that a program that opens it for writing by mistake fails.
pub(super) const BLOB_MODE: u32 = 0o400;

/// How much a copy from another filesystem holds in memory.
const COPY_CHUNK: usize = 1 << 18;

/// Opens a file for reading, unless the path is a symbolic link.
pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(no_follow).open(path)
}

/// Copies a file into one without a name on the filesystem of a directory. Reads at offsets, since the cursor of the file may be
/// its writer's.
pub(super) fn copy(directory: &Path, file: &File) -> io::Result<File> {
    let copy = fd::nameless(directory, BLOB_MODE)?;
    let mut chunk = vec![0; COPY_CHUNK];
    let mut offset = 0;
    loop {
        let count = file.read_at(&mut chunk, offset)?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok(copy);
        };
        copy.write_all_at(bytes, offset)?;
        offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

/// Drops the synced pages of a file from the page cache, so that the next read asks the disk.
pub(super) fn drop_cached(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
