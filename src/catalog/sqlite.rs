//! The catalogue in one `SQLite` file.
//! Does not know what the catalogue is asked for: the verbs lie in the files of `sqlite/`; this one opens, lends
//! connections and frames transactions.

mod access;
mod arrivals;
mod attachments;
mod blobs;
mod check;
mod checkpoints;
mod columns;
#[cfg(test)]
mod costs;
mod disk;
#[cfg(test)]
mod durable;
mod progress;
mod reservations;
mod retired;
mod rows;
mod scratch;
mod slots;
mod stores;
mod sweep;
mod totals;
mod usage;
mod variants;
mod verbs;
mod watch;
mod writer;

pub use check::{Loss, Sound, Unsound};
pub use watch::Watch;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Params, Row, Statement, TransactionBehavior};

use crate::catalog::Error;
use crate::catalog::sqlite::checkpoints::Checkpoints;
use crate::catalog::sqlite::progress::Progress;
use crate::catalog::sqlite::reservations::Reservations;
use crate::catalog::sqlite::totals::Counted;
use crate::catalog::sqlite::writer::Writer;
use crate::fence::Fence;
use words::quota::Limits;

/// Each brings the schema from its index to the next version; one that was released is never edited.
const MIGRATIONS: [&str; 5] = [
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
    include_str!("schema/005.sql"),
];

/// Older ones can corrupt a database in WAL mode when it is reset during a checkpoint (sqlite.org, `wal.html`).
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long one process waits for another that holds the file, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections for reading that are kept when idle. More threads than these open and close their own.
const IDLE_READERS: usize = 8;

/// Above the number of statements in `sqlite/`, so that each is prepared once for a connection.
const CACHED_STATEMENTS: usize = 128;

/// A [`Catalog`](crate::catalog::Catalog) in a file. Commits are durable (WAL, `synchronous=FULL`); reads wait for none.
pub struct Sqlite {
    path: PathBuf,
    writer: Arc<Writer>,
    reservations: Reservations,
    /// None where nothing is written.
    checkpoints: Option<Checkpoints>,
    /// Guards the idle connections for reading; held only to take one out or to lay it back.
    readers: Mutex<Vec<Connection>>,
    /// Guards the last count of all there is; held only to take it out or to lay it back.
    counted: Mutex<Option<Counted>>,
    /// Guards the quotas; held only to take them out or to change them.
    limits: RwLock<Arc<Limits>>,
}

impl Sqlite {
    /// Opens the catalogue at `path`, made if absent, and brings its schema up to date.
    /// Errors: [`Error::Newer`], [`Error::Full`], [`Error::Engine`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_behind(path, &Fence::default())
    }

    /// Opens the catalogue as [`Sqlite::open`] does; the first write that its disk fails raises this fence of its library.
    pub fn open_behind(path: &Path, fence: &Fence) -> Result<Self, Error> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(refused(format!("SQLite {} is older than 3.51.3", rusqlite::version())));
        }
        disk::forget(path);
        let mut writer = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        settle(&writer)?;
        check_version(&writer, path)?;
        let mode: String =
            writer.query_row("PRAGMA journal_mode = WAL", [], |row| row.get("journal_mode"))?;
        if mode != "wal" {
            return Err(refused(format!("the journal mode is {mode} where WAL was asked for")));
        }
        writer.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
        checkpoints::fold_what_is_too_long(&mut writer, fence)?;
        migrate(&mut writer, path)?;
        sync_directory(path)?;
        let progress = Progress::open(&writer, path)?;
        let writer = Arc::new(Writer::new(writer, fence.clone()).counting(progress));
        Ok(Self {
            path: path.to_owned(),
            checkpoints: Some(Checkpoints::start(path, &writer, fence)?),
            writer,
            reservations: Reservations::default(),
            readers: Mutex::new(Vec::new()),
            counted: Mutex::default(),
            limits: RwLock::default(),
        })
    }

    /// Opens the catalogue at `path` for reading alone, beside whoever writes to it. What would change it fails.
    pub fn open_to_read(path: &Path) -> Result<Self, Error> {
        let reader = connect_to_read(path)?;
        if check_version(&reader, path)? != MIGRATIONS.len() {
            let older = "was written by an older mediafs; mount it once for writing";
            return Err(refused(format!("the catalogue at {} {older}", path.display())));
        }
        Ok(Self {
            path: path.to_owned(),
            writer: Arc::new(Writer::new(reader, Fence::default())),
            checkpoints: None,
            reservations: Reservations::default(),
            readers: Mutex::new(Vec::new()),
            counted: Mutex::default(),
            limits: RwLock::default(),
        })
    }

    /// Runs one query on a connection of its own. It sees the last commit before it, whole.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let idle = lock(&self.readers).pop();
        let reader = idle.map_or_else(|| self.reader(), Ok)?;
        let answer = work(&reader);
        let mut readers = lock(&self.readers);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        answer
    }

    /// Runs `work` in one transaction, perhaps together with others: it is committed and durable if this is `Ok`, undone if
    /// not. `work` may be run twice, where what it was together with did not fit on the disk.
    fn write<T>(&self, work: impl Fn(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let answer = self.writer.write(work);
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.look(&self.writer);
        }
        answer
    }

    /// What is asked for at every start, and new only at the first: most calls need no transaction.
    fn find_or_add<T>(
        &self,
        find: impl FnOnce(&Connection) -> Result<Option<T>, Error>,
        add: impl Fn(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.read(find)?.map_or_else(|| self.write(add), Ok)
    }

    fn set_limits(&self, limits: Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }

    fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn reader(&self) -> Result<Connection, Error> {
        connect_to_read(&self.path)
    }
}

fn connect_to_read(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    settle(&reader)?;
    Ok(reader)
}

/// What every connection is told first.
fn settle(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Else a statement whose plan might depend on a value is compiled again for each other value: a quarter of what a
    // publication costs. No plan here is to depend on one.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn migrate(writer: &mut Connection, path: &Path) -> Result<(), Error> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = check_version(&transaction, path)?;
    for (version, script) in MIGRATIONS.iter().enumerate().skip(found) {
        transaction.execute_batch(script)?;
        transaction.pragma_update(None, "user_version", known(version + 1))?;
    }
    transaction.commit()?;
    Ok(())
}

/// The schema's version, if this program knows it.
fn check_version(connection: &Connection, path: &Path) -> Result<usize, Error> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(found) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => {
            let path = path.display().to_string();
            Err(Error::Newer { path, found, known: known(MIGRATIONS.len()) })
        }
    }
}

fn known(version: usize) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// `SQLite` makes the file but leaves its directory entry to luck.
fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let synced = File::open(directory.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all());
    synced.map_err(|error| Error::Engine(Box::new(error)))
}

/// A panic while the lock was held left no transaction open: dropping one rolls it back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(message: String) -> Error {
    Error::Engine(message.into())
}

/// The first row of a query, read by `read`.
fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let answer = statement.query(params)?.next()?.map(read).transpose();
    note(&statement);
    answer
}

/// All rows of a query, each read by `read`.
fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    drop(rows);
    note(&statement);
    Ok(found)
}

/// Runs a statement that returns no rows; returns how many it changed.
fn run(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let changed = statement.execute(params)?;
    note(&statement);
    Ok(changed)
}

/// Whether a query has a row.
fn exists(connection: &Connection, sql: &str, params: impl Params) -> Result<bool, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let exists = statement.exists(params)?;
    note(&statement);
    Ok(exists)
}

/// Tests ask what statements have cost.
fn note(statement: &Statement) {
    #[cfg(test)]
    costs::note(statement);
    #[cfg(not(test))]
    let _ = statement;
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, _) if is_full(*failure) => Self::Full,
            _ => Self::Engine(Box::new(error)),
        }
    }
}

/// Growing the `-shm` file reports a full disk as an I/O error of its own.
fn is_full(failure: rusqlite::ffi::Error) -> bool {
    failure.code == ErrorCode::DiskFull
        || failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
}
