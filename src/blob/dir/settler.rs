//! The settler: makes the blobs of the log durable where they lie, many at a time, in a thread of its own.
//! Does not know who waits for them: nobody does.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::disk::Reach;
use super::folders::Folders;
use super::log::Log;
use super::replay;
use crate::attachment::BlobKey;

/// Blobs up to which each is synced by itself. For more, all that the filesystem holds is written in one go.
const FEW: usize = 32;

/// Ends with this value, when all is settled.
pub(super) struct Settler {
    log: Arc<Log>,
    /// None only while it is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Settler {
    pub fn start(folders: Arc<Folders>, log: Arc<Log>) -> io::Result<Self> {
        let root = File::open(folders.root())?;
        let work = Arc::clone(&log);
        let settle = move || {
            while let Some(keys) = work.next_batch() {
                if let Err(error) = make_durable(&folders, &root, &keys, work.is_closed()) {
                    folders.disk.raise_fence(&error);
                    return told(&keys, &error);
                }
                work.settled();
            }
        };
        let thread = thread::Builder::new().name("settler".into()).spawn(settle)?;
        Ok(Self { log, thread: Some(thread) })
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.log.close();
        if let Some(thread) = self.thread.take() {
            // It ends without a panic.
            let _ = thread.join();
        }
        self.log.remove();
    }
}

/// A store that is being closed waits for no bytes but its own.
fn make_durable(
    folders: &Folders,
    root: &File,
    keys: &[BlobKey],
    is_closed: bool,
) -> io::Result<()> {
    if keys.len() <= FEW || is_closed {
        return folders.settle(keys);
    }
    folders.disk.try_sync(Reach::Everything, root).or_else(|error| {
        // That tells of everybody's files, and a file that the kernel has let go of since would tell nothing of itself.
        tracing::warn!(%error, "something was not written to the disk; is it the store's?");
        folders.settle(keys)?;
        replay::check(folders, keys)
    })
}

fn told(keys: &[BlobKey], error: &io::Error) {
    let files = keys.len();
    tracing::error!(
        %error,
        files,
        "blobs could not be synced; they stay in the store's log for the next start"
    );
}
