//! A checkpoint: blobs of the log are made durable at their paths.

use std::fs::File;
use std::io::{self, Read};

use super::disk::Reach;
use super::file::{drop_cached, open_to_read};
use super::folders::Folders;
use super::record::LARGEST;
use words::attachment::BlobKey;
use words::digest::Digest;

/// The most blobs that are synced one by one. For more, one sync of the whole filesystem is faster.
pub(super) const FEW: usize = 32;

/// Makes blobs and their names durable. `root` was opened before they were written, so that a sync of the filesystem reports the
/// failures since then.
pub(super) fn make_durable(folders: &Folders, root: &File, keys: &[BlobKey]) -> io::Result<()> {
    if keys.len() <= FEW {
        return folders.sync_blobs(keys);
    }
    folders.disk.try_sync(Reach::Everything, root).or_else(|error| {
        // Any file of the filesystem may have failed. A sync of one blob would not tell if the kernel has dropped its failed
        // pages since, so that the blobs are read from the disk, too.
        tracing::warn!(%error, "something was not written to the disk; is it the store's?");
        folders.sync_blobs(keys)?;
        check(folders, keys)
    })
}

/// Whether the disk has all bytes of a blob. They are dropped from the page cache first: after a failed sync that has bytes
/// which the disk does not have.
pub(super) fn is_intact(folders: &Folders, key: BlobKey) -> bool {
    let Ok(file) = open_to_read(&folders.path(key)) else { return false };
    let mut bytes = Vec::new();
    let read = drop_cached(&file).and_then(|()| (&file).take(LARGEST + 1).read_to_end(&mut bytes));
    read.is_ok() && Digest::of(&bytes) == key.digest
}

/// Fails unless each of these blobs is intact or deleted.
fn check(folders: &Folders, keys: &[BlobKey]) -> io::Result<()> {
    for key in keys {
        if !is_intact(folders, *key) && folders.path(*key).try_exists()? {
            return Err(io::Error::other(format!("blob {key} is not on the disk")));
        }
    }
    Ok(())
}
