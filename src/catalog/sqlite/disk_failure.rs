//! A failing disk: the errors of `SQLite` that show one, and what a start does about the page cache.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};
use rustix::fs::{Advice, fadvise};

use super::db::Db;
use crate::catalog::error::{Error, Result};
use crate::fence::Fence;

/// Raises the fence if written bytes may not be on the disk. A failed read, a full disk or another's lock is no such error.
pub(super) fn watch(fence: &Fence, error: &Error) {
    if let Error::Engine(cause) = error
        && let Some(rusqlite::Error::SqliteFailure(failure, _)) = cause.downcast_ref()
        && is_failed_write(*failure)
    {
        fence.raise("the catalogue could not be written", cause.as_ref());
    }
}

fn is_failed_write(failure: ffi::Error) -> bool {
    let others = [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_NOMEM];
    failure.code == ErrorCode::SystemIoFailure && !others.contains(&failure.extended_code)
}

/// Drops the database's log from the page cache, so that `SQLite` reads it from the disk. After a failed write the page cache has
/// frames that the disk does not have, and a power cut would lose whatever is appended behind those. The database itself needs no
/// such care: after a failed checkpoint it is written from the log again.
pub(super) fn drop_cached_log(path: &Path) {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    if log.exists()
        && let Err(error) = try_drop_cached(&log)
    {
        tracing::warn!(path = %log.display(), %error, "the catalogue's log was not written whole; it is read as the disk has it");
    }
}

fn try_drop_cached(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let synced = file.sync_all();
    fadvise(&file, 0, None, Advice::DontNeed)?;
    synced
}

/// Makes no checkpoint when the connection is closed: after the disk failed, the next start reads the log as the disk has it.
pub(super) fn keep_log(db: &Db) {
    let _ = db.0.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

/// Syncs the directory of a new file: `SQLite` makes the file and does not sync its name.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let synced = File::open(directory.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all());
    synced.map_err(Error::engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_raises_the_fence_and_a_read_a_full_disk_or_a_lock_does_not() {
        for (code, fences) in [
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_IOERR_DIR_FSYNC, true),
            (ffi::SQLITE_IOERR_WRITE, true),
            (ffi::SQLITE_IOERR_TRUNCATE, true),
            (ffi::SQLITE_IOERR_SHMMAP, true),
            (ffi::SQLITE_IOERR_READ, false),
            (ffi::SQLITE_IOERR_SHORT_READ, false),
            (ffi::SQLITE_IOERR_SHMSIZE, false),
            (ffi::SQLITE_FULL, false),
            (ffi::SQLITE_BUSY, false),
            (ffi::SQLITE_CONSTRAINT, false),
        ] {
            let fence = Fence::default();
            let failure = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            watch(&fence, &failure.into());
            assert_eq!(fence.is_raised(), fences, "{code}");
        }
    }
}
