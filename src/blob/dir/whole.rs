//! Whether the disk has all bytes of blobs, and how many of them are made durable where they lie.
//! Does not know what a log holds of them.

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{Advice, fadvise};

use super::disk::Reach;
use super::folders::Folders;
use super::open_to_read;
use super::record::LARGEST;
use words::attachment::BlobKey;
use words::digest::Digest;

/// Blobs up to which each is synced by itself. For more, all that the filesystem holds is written in one go.
pub(super) const FEW: usize = 32;

/// Makes blobs durable with their names. `root` was opened before they were written: it tells of failures since.
pub(super) fn make_durable(folders: &Folders, root: &File, keys: &[BlobKey]) -> io::Result<()> {
    if keys.len() <= FEW {
        return folders.settle(keys);
    }
    folders.disk.try_sync(Reach::Everything, root).or_else(|error| {
        // That tells of everybody's files, and a file that the kernel has let go of since would tell nothing of itself.
        tracing::warn!(%error, "something was not written to the disk; is it the store's?");
        folders.settle(keys)?;
        check(folders, keys)
    })
}

/// Whether the disk has all bytes of a blob, which the kernel was told to write. What the kernel remembers of them is
/// forgotten first: after a sync that failed it takes for written what is not.
pub(super) fn is_whole(folders: &Folders, key: BlobKey) -> bool {
    let Ok(file) = open_to_read(&folders.path(key)) else { return false };
    let mut bytes = Vec::new();
    let read = forget(&file).and_then(|()| (&file).take(LARGEST + 1).read_to_end(&mut bytes));
    read.is_ok() && Digest::of(&bytes) == key.digest
}

/// Lets the kernel forget what it remembers of a file and has written: the next read asks the disk.
pub(super) fn forget(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// Looks whether the disk has these blobs, where they were not deleted.
fn check(folders: &Folders, keys: &[BlobKey]) -> io::Result<()> {
    for key in keys {
        if !is_whole(folders, *key) && folders.path(*key).try_exists()? {
            return Err(io::Error::other(format!("blob {key} is not on the disk")));
        }
    }
    Ok(())
}
