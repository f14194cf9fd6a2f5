//! `SQLite` as the engine of the catalogue: one file, opened, migrated and checked, with transactions that writers share.
//!
//! The meaning of the catalogue is in `catalog/sql`, which runs its statements here. Another engine needs this folder over again:
//! connections, dialect, migrations.

mod check;
mod checkpoints;
mod connection;
#[cfg(test)]
pub(super) mod cost;
mod db;
mod dialect;
mod disk_failure;
#[cfg(test)]
mod durable;
mod migrations;
mod progress;
mod watch;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use checkpoints::Checkpoints;
use progress::Progress;
use writer::Writer;

use crate::catalog::error::{Error, Result};
use crate::fence::Fence;

pub use check::{Loss, Unsound, check};
pub(super) use db::{Db, Row, Value, values};
pub use progress::was_there;
pub use watch::Watch;

/// Older versions can corrupt a database in WAL mode when the log is reset during a checkpoint (sqlite.org, `wal.html`).
const OLDEST_SQLITE: i32 = 3_051_003;

/// The most idle connections that are kept for reading. More threads at once open connections of their own and close them again.
const IDLE_READERS: usize = 8;

/// A database in a file. Commits are durable (write-ahead log, `synchronous=FULL`), and readers wait for nobody.
pub struct Sqlite {
    path: PathBuf,
    writer: Arc<Writer>,
    /// None where nothing is written.
    checkpoints: Option<Checkpoints>,
    /// Guards the idle connections for reading. Held only to take one or to put one back.
    readers: Mutex<Vec<Db>>,
}

impl Sqlite {
    /// Opens the database at `path`, made if absent, and brings its schema up to date.
    /// Errors: [`Error::Newer`], [`Error::Full`], [`Error::Engine`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_behind(path, &Fence::default())
    }

    /// Opens the database as [`Sqlite::open`] does. The first failed write on its disk raises this fence of the library.
    pub fn open_behind(path: &Path, fence: &Fence) -> Result<Self> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(Error::engine(format!(
                "SQLite {} is older than 3.51.3",
                rusqlite::version()
            )));
        }
        disk_failure::drop_cached_log(path);
        let mut db = connection::open_to_write(path)?;
        migrations::version(&db.0, path)?;
        connection::log_ahead(&db)?;
        checkpoints::limit_log(&mut db, fence)?;
        migrations::migrate(&mut db, path)?;
        disk_failure::sync_directory(path)?;
        let progress = Progress::open(&db, path)?;
        let writer = Arc::new(Writer::new(db, fence.clone(), Some(progress)));
        let checkpoints = Some(Checkpoints::start(path, &writer, fence)?);
        Ok(Self { path: path.to_owned(), writer, checkpoints, readers: Mutex::default() })
    }

    /// Opens the database at `path` to read it, beside a process that may write to it. Every change fails.
    pub fn open_to_read(path: &Path) -> Result<Self> {
        let reader = connection::open_to_read(path)?;
        if migrations::version(&reader.0, path)? != migrations::LATEST {
            let older = "was written by an older mediafs; mount it once for writing";
            return Err(Error::engine(format!("the catalogue at {} {older}", path.display())));
        }
        let writer = Arc::new(Writer::new(reader, Fence::default(), None));
        Ok(Self { path: path.to_owned(), writer, checkpoints: None, readers: Mutex::default() })
    }

    /// Makes sure that no number for a blob up to this one is given out: a blob that the catalogue does not know has it.
    pub fn skip_blob_numbers(&self, last: u64) -> Result<()> {
        self.write(|db| db.skip_blob_numbers(last))
    }

    /// Runs one query on the state after the last commit before it, or after a later one.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        let idle = self.readers.lock().pop();
        let reader = idle.map_or_else(|| connection::open_to_read(&self.path), Ok)?;
        let answer = work(&reader);
        let mut readers = self.readers.lock();
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        answer
    }

    /// Makes a change in one transaction, perhaps together with the changes of other threads: it is durable if this is `Ok`,
    /// and undone otherwise. `work` runs a second time if the changes together did not fit on the disk.
    pub(super) fn write<T>(&self, work: impl Fn(&Db) -> Result<T>) -> Result<T> {
        let answer = self.writer.write(work);
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.look(&self.writer);
        }
        answer
    }

    /// The number of transactions that were committed, or may have been. None where another process writes.
    pub(super) fn commits(&self) -> Option<u64> {
        self.checkpoints.is_some().then(|| self.writer.commits())
    }
}
