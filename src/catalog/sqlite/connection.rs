//! Connections: how they are opened and configured.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::db::Db;
use crate::catalog::error::{Error, Result};

/// How long one process waits for another that holds the file, such as a backup.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The most statements that a connection keeps compiled: more than there are.
const CACHED_STATEMENTS: usize = 128;

pub(super) fn open_to_write(path: &Path) -> Result<Db> {
    open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
}

pub(super) fn open_to_read(path: &Path) -> Result<Db> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// One thread at a time uses a connection, so it needs no mutex of its own.
fn open(path: &Path, access: OpenFlags) -> Result<Db> {
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Without it, a statement whose plan might depend on a value is compiled again for each other value: a quarter of the cost
    // of a publication. No plan here is to depend on a value.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(Db(db))
}

/// Turns the write-ahead log on, whose every commit is synced to the disk.
pub(super) fn log_ahead(db: &Db) -> Result<()> {
    let mode: String =
        db.0.query_row("PRAGMA journal_mode = WAL", [], |row| row.get("journal_mode"))?;
    if mode != "wal" {
        return Err(Error::engine(format!("the journal mode is {mode} where WAL was asked for")));
    }
    Ok(db.0.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?)
}
