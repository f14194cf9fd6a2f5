//! Checkpoints: the log is folded into the database by a thread of its own, so that no writer waits for it.
//! Does not know what was written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::writer::Writer;
use super::{BUSY_TIMEOUT, disk};
use crate::catalog::Error;
use crate::fence::Fence;

/// Changed rows after which the log is folded: each changes about a page.
const EVERY: u64 = 1000;

/// Pages in the log from which on writers are held up, for what came to it meanwhile: only a log that is folded whole is
/// begun anew.
const LONG: i64 = 2000;

/// Pages at which a writer folds it by itself: that is as far as the log grows when the thread cannot keep up.
const LONGEST: i32 = 8000;

pub(super) struct Checkpoints {
    /// `None` only while it is dropped.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// How many rows had been changed when the thread was woken last.
    seen: AtomicU64,
}

impl Checkpoints {
    pub fn start(path: &Path, writer: &Arc<Writer>, fence: &Fence) -> Result<Self, Error> {
        let (wake, woken) = mpsc::sync_channel(1);
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        let (writer, fence) = (Arc::clone(writer), fence.clone());
        let fold = move || fold_when_woken(&db, &writer, &fence, &woken);
        let thread = thread::Builder::new().name("checkpoints".into()).spawn(fold);
        let thread = thread.map_err(|error| Error::Engine(Box::new(error)))?;
        Ok(Self { wake: Some(wake), thread: Some(thread), seen: AtomicU64::new(0) })
    }

    /// Wakes the thread if enough was written since it was woken last.
    pub fn look(&self, writer: &Writer) {
        let (changes, seen) = (writer.changes(), self.seen.load(Ordering::Relaxed));
        if changes.saturating_sub(seen) >= EVERY
            && let Some(wake) = &self.wake
        {
            self.seen.store(changes, Ordering::Relaxed);
            // It may be awake, and about to look again.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // It ends without a panic.
            let _ = thread.join();
        }
    }
}

fn fold_when_woken(db: &Connection, writer: &Writer, fence: &Fence, woken: &Receiver<()>) {
    for () in woken {
        if fence.is_raised() {
            break;
        }
        if let Err(error) = fold(db, writer) {
            disk::watch(fence, &error);
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the catalogue's log was not folded"
            );
        }
    }
    if fence.is_raised() {
        disk::leave_log(db);
    }
}

/// From now on a commit folds a log that is too long. `SQLite`'s own way (`wal_autocheckpoint`) tells nobody what went wrong.
pub(super) fn fold_what_is_too_long(db: &mut Connection, fence: &Fence) -> Result<(), Error> {
    let fence = fence.clone();
    let fold = move |log: &mut Wal, pages| {
        if pages >= LONGEST
            && let Err(error) = log.checkpoint()
        {
            disk::watch(&fence, &error.into());
        }
        Ok(())
    };
    Ok(db.wal_hook(Some(fold))?)
}

fn fold(db: &Connection, writer: &Writer) -> Result<(), Error> {
    let (pages, folded) = fold_what_is_there(db)?;
    if folded < pages && pages >= LONG {
        let _still = writer.still();
        fold_what_is_there(db)?;
    }
    Ok(())
}

/// Folds what nobody reads any more, and holds nobody up. Returns how many pages the log has, and how many are folded.
fn fold_what_is_there(db: &Connection) -> Result<(i64, i64), Error> {
    let sql = "PRAGMA wal_checkpoint(PASSIVE)";
    Ok(db.query_row(sql, [], |row| Ok((row.get(1)?, row.get(2)?)))?)
}
