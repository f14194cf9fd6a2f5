//! The settler: makes the blobs of the log durable where they lie, many at a time, in a thread of its own.
//! Does not know who waits for them: nobody does.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::folders::Folders;
use super::log::Log;
use super::whole;
use words::attachment::BlobKey;

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
                // A store that is being closed waits for no bytes but its own.
                let settled = if work.is_closed() {
                    folders.settle(&keys)
                } else {
                    whole::make_durable(&folders, &root, &keys)
                };
                if let Err(error) = settled {
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

fn told(keys: &[BlobKey], error: &io::Error) {
    let files = keys.len();
    tracing::error!(
        %error,
        files,
        "blobs could not be synced; they stay in the store's log for the next start"
    );
}
