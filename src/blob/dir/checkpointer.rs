//! The checkpointer: a thread that makes the blobs of full segments durable at their paths.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::checkpoint;
use super::folders::Folders;
use super::log::Log;
use words::attachment::BlobKey;

/// The thread. Dropping this closes the log, waits for its last checkpoint and removes its segments.
pub(super) struct Checkpointer {
    log: Arc<Log>,
    /// None only while this is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub fn start(folders: Arc<Folders>, log: Arc<Log>) -> io::Result<Self> {
        let root = File::open(folders.root())?;
        let work = Arc::clone(&log);
        let run = move || {
            while let Some(keys) = work.next_batch() {
                // A store that is being closed does not wait for the bytes of other programs.
                let durable = if work.is_closed() {
                    folders.sync_blobs(&keys)
                } else {
                    checkpoint::make_durable(&folders, &root, &keys)
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
