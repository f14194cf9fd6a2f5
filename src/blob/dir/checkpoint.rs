//! Checkpoints: a thread makes the blobs of full segments of the log durable at their paths.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::disk::Reach;
use super::file::{drop_cached, open_to_read};
use super::folders::Folders;
use super::log::Log;
use super::record::LARGEST;
use words::attachment::BlobKey;
use words::digest::Digest;

/// The most blobs that are synced one by one. For more, one sync of the whole filesystem is faster.
pub(super) const FEW: usize = 32;

/// The thread. Dropping this closes the log, waits for its last checkpoint and removes its segments.
pub(super) struct Checkpointer {
    log: Arc<Log>,
    /// None only while this is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub fn start(folders: Arc<Folders>, log: Arc<Log>) -> io::Result<Self> {
        let root = File::open(&folders.root)?;
        let work = Arc::clone(&log);
        let run = move || {
            while let Some(keys) = work.next_batch() {
                // A store that is being closed does not wait for the bytes of other programs.
                let durable = if work.is_closed() {
                    folders.sync_blobs(&keys)
                } else {
                    make_durable(&folders, &root, &keys)
                };
                if let Err(error) = durable {
                    folders.disk.raise_fence(&error);
                    return report(&keys, &error);
                }
                work.checkpointed();
            }
        };
        let thread = thread::Builder::new().name("checkpointer".into()).spawn(run)?;
        Ok(Self { log, thread: Some(thread) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.log.close();
        if let Some(thread) = self.thread.take() {
            // The thread does not panic.
            let _ = thread.join();
        }
        self.log.remove();
    }
}

fn report(keys: &[BlobKey], error: &io::Error) {
    let files = keys.len();
    tracing::error!(
        %error,
        files,
        "blobs could not be synced; they stay in the store's log for the next start"
    );
}

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

/// Whether the disk has all bytes of a blob. The page cache is dropped first: after a failed sync it has bytes that the disk
/// lacks.
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
