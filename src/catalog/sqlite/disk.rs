//! A disk that fails under the catalogue: which errors of `SQLite` say so, and the page cache that is dropped before a start.
//! Does not know what is written.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, ffi};
use rustix::fs::{Advice, fadvise};

use crate::catalog::Error;
use crate::fence::Fence;

/// Raises the fence if an error says that something may not be on the disk that was written. A read that failed, a full disk
/// and a lock that somebody holds say nothing of the kind.
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

/// Makes the kernel forget what it remembers of the log of a catalogue, before `SQLite` believes it. After a write that failed it
/// remembers frames that the disk does not have: what is written behind those is lost in a power cut. The database itself is
/// written again from the log, for a checkpoint that failed has not counted.
pub(super) fn forget(path: &Path) {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    if log.exists()
        && let Err(error) = try_forget(&log)
    {
        tracing::warn!(path = %log.display(), %error, "the catalogue's log was not written whole; it is read as the disk has it");
    }
}

fn try_forget(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let synced = file.sync_all();
    fadvise(&file, 0, None, Advice::DontNeed)?;
    synced
}

/// A connection that is closed after the disk failed leaves the log to the next start, as the disk has it.
pub(super) fn leave_log(db: &Connection) {
    let _ = db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
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
