//! Checkpoints: a thread of its own writes the log back into the database, so that no writer waits for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::connection::BUSY_TIMEOUT;
use super::db::Db;
use super::disk_failure;
use super::writer::Writer;
use crate::catalog::error::{Error, Result};
use crate::fence::Fence;

/// Changed rows after which a checkpoint is made. Each row changes about one page.
const EVERY: u64 = 1000;

/// Pages in the log at which writers wait until all of it is written back: only then can the log restart from its beginning.
const LONG: i64 = 2000;

/// Pages at which the writer makes the checkpoint itself. The log grows no longer than this if the thread cannot keep up.
const LONGEST: i32 = 8000;

pub(super) struct Checkpoints {
    /// None only while this is dropped: that ends the thread.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The number of changed rows when the thread was woken last.
    seen: AtomicU64,
}

impl Checkpoints {
    pub fn start(path: &Path, writer: &Arc<Writer>, fence: &Fence) -> Result<Self> {
        let (wake, woken) = mpsc::sync_channel(1);
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        let (db, writer, fence) = (Db(db), Arc::clone(writer), fence.clone());
        let run = move || checkpoint_when_woken(&db, &writer, &fence, &woken);
        let thread = thread::Builder::new().name("checkpoints".into()).spawn(run);
        let thread = thread.map_err(Error::engine)?;
        Ok(Self { wake: Some(wake), thread: Some(thread), seen: AtomicU64::new(0) })
    }

    /// Wakes the thread if enough was written since it was woken last.
    pub fn look(&self, writer: &Writer) {
        let (changes, seen) = (writer.changes(), self.seen.load(Ordering::Relaxed));
        if changes.saturating_sub(seen) >= EVERY
            && let Some(wake) = &self.wake
        {
            self.seen.store(changes, Ordering::Relaxed);
            // A full channel means that the thread will make another checkpoint anyway.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // The thread does not panic.
            let _ = thread.join();
        }
    }
}

fn checkpoint_when_woken(db: &Db, writer: &Writer, fence: &Fence, woken: &Receiver<()>) {
    for () in woken {
        if fence.is_raised() {
            break;
        }
        if let Err(error) = checkpoint(db, writer) {
            disk_failure::watch(fence, &error);
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the catalogue's log was not folded"
            );
        }
    }
    if fence.is_raised() {
        disk_failure::keep_log(db);
    }
}

/// Makes each commit write back a log of [`LONGEST`] pages. `SQLite`'s own `wal_autocheckpoint` does so too, but reports no error.
pub(super) fn limit_log(db: &mut Db, fence: &Fence) -> Result<()> {
    let fence = fence.clone();
    let checkpoint = move |log: &mut Wal, pages| {
        if pages >= LONGEST
            && let Err(error) = log.checkpoint()
        {
            disk_failure::watch(&fence, &error.into());
        }
        Ok(())
    };
    Ok(db.0.wal_hook(Some(checkpoint))?)
}

fn checkpoint(db: &Db, writer: &Writer) -> Result<()> {
    let Log { pages, written_back } = write_back(db)?;
    if written_back < pages && pages >= LONG {
        let _no_writer = writer.exclusive();
        write_back(db)?;
    }
    Ok(())
}

/// The log after a checkpoint, in pages.
struct Log {
    pages: i64,
    written_back: i64,
}

/// Writes back the pages that no reader needs in the log any more. Neither readers nor writers wait.
fn write_back(db: &Db) -> Result<Log> {
    let log = |row: &rusqlite::Row| Ok(Log { pages: row.get(1)?, written_back: row.get(2)? });
    Ok(db.0.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], log)?)
}
