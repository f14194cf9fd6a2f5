//! The settler: makes the blobs of the log durable where they lie, many at a time, in a thread of its own.
//! Does not know who waits for them: nobody does.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::disk::Reach;
use super::folders::Folders;
use super::log::Log;
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
        let root = std::fs::File::open(folders.root())?;
        let work = Arc::clone(&log);
        let settle = move || {
            while let Some(keys) = work.next_batch() {
                // A store that is being closed waits for no bytes but its own.
                let answer = if keys.len() <= FEW || work.is_closed() {
                    folders.settle(&keys)
                } else {
                    folders.disk.sync(Reach::Everything, &root)
                };
                if let Err(error) = answer {
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

fn told(keys: &[BlobKey], error: &io::Error) {
    let files = keys.len();
    tracing::error!(
        %error,
        files,
        "blobs could not be synced; they stay in the store's log for the next start"
    );
}
