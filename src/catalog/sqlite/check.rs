//! The check of a catalogue before anything is written to it, for damage and for lost commits. It only reads.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;

use super::db::Db;
use super::{connection, migrations, progress};
use crate::catalog::error::{Error, Result};

/// How long a start checks a catalogue: enough for all of one with 100,000 files.
const SPAN: Duration = Duration::from_millis(500);

/// The pause before a check that was interrupted too early is interrupted again.
const AGAIN: Duration = Duration::from_millis(10);

/// Whether a catalogue that has lost commits is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    Refused,
    /// The administrator knows of the loss (`--accept-loss`) and goes on with what is left.
    Accepted,
}

/// Checks a catalogue for damage, for a bounded time, and for lost commits. Returns the highest number given out for a blob.
pub fn check(path: &Path, loss: Loss) -> Result<u64, Unsound> {
    // Read before the catalogue: another process may be writing to both.
    let noted = progress::noted(path)?.unwrap_or(0);
    inspect(path, noted, loss).map_err(|unsound| match unsound {
        Unsound::Failed(Error::Engine(cause)) if is_damage(&*cause) => {
            damaged(path, &cause.to_string())
        }
        Unsound::Failed(Error::Corrupt(found)) => damaged(path, &found),
        other => other,
    })
}

fn inspect(path: &Path, noted: u64, loss: Loss) -> Result<u64, Unsound> {
    let db = connection::open_to_read(path)?;
    // Without its log a catalogue may have no schema yet.
    let counted = if migrations::version(&db.0, path)? == 0 { 0 } else { progress::counted(&db)? };
    if counted < noted {
        match loss {
            Loss::Refused => {
                let (path, log) = (path.display().to_string(), state_of_log(path));
                return Err(Unsound::Lost { path, counted, noted, log });
            }
            Loss::Accepted => tracing::warn!(counted, noted, "lost commits are let go"),
        }
    }
    let begun = Instant::now();
    for check in ["PRAGMA integrity_check(1)", "PRAGMA foreign_key_check"] {
        let left = SPAN.saturating_sub(begun.elapsed());
        match within(left, &db, || first(&db, check)) {
            Ok(None) => {}
            Ok(Some(found)) if found == "ok" => {}
            Ok(Some(found)) => return Err(damaged(path, &found)),
            Err(error) if is_over(&error) => {
                tracing::info!("the catalogue is large: only a part of it was checked");
                break;
            }
            Err(error) => return Err(Error::from(error).into()),
        }
    }
    Ok(last_blob(&db)?)
}

/// The first finding of a check.
fn first(db: &Db, check: &str) -> rusqlite::Result<Option<String>> {
    let mut statement = db.0.prepare(check)?;
    let is_text = statement.column_count() == 1;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if is_text {
        return row.get(0).map(Some);
    }
    let (child, parent): (String, String) = (row.get(0)?, row.get(2)?);
    Ok(Some(format!("an entry of {child} refers to one of {parent} that is not there")))
}

/// Interrupts the work after a time.
fn within<T>(span: Duration, db: &Db, work: impl FnOnce() -> T) -> T {
    let interrupt = db.0.get_interrupt_handle();
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut patience = span;
            while ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
                // An interrupt before the work begins has no effect.
                patience = AGAIN;
            }
        });
        let answer = work();
        drop(done);
        answer
    })
}

/// The highest number that was given out for a blob. A blob with a higher number is damage: a later blob would get it too.
fn last_blob(db: &Db) -> Result<u64> {
    if !db.0.table_exists(None, "blobs")? {
        return Ok(0);
    }
    let sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'blobs'), 0), \
                      coalesce((SELECT max(id) FROM blobs), 0)";
    let found = db.first(sql, &[], |row| Ok((row.int(0)?, row.int(1)?)))?;
    let (last, highest) = found.unwrap_or_default();
    if highest > last {
        return Err(Error::Corrupt(format!("blob {highest} has a number that was not given out")));
    }
    u64::try_from(last).map_err(|_| Error::Corrupt(format!("{last} is not a number of a blob")))
}

/// A finding may have several lines, of which the first names the database.
fn damaged(path: &Path, found: &str) -> Unsound {
    let found = found.lines().last().unwrap_or(found).to_owned();
    Unsound::Damaged { path: path.display().to_string(), found }
}

/// The likely state of the log, for the error message. An empty log may be one that this check has made.
fn state_of_log(path: &Path) -> &'static str {
    let log = path.with_extension("sqlite-wal");
    match log.metadata().map(|meta| meta.len()) {
        Err(_) | Ok(0) => "its log, catalog.sqlite-wal, is missing or empty",
        Ok(_) => "its log, catalog.sqlite-wal, is damaged, or it is an older copy",
    }
}

/// Whether an error of `SQLite` says that the file is damaged.
fn is_damage(error: &(dyn std::error::Error + 'static)) -> bool {
    let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
    // A damaged schema is reported as an error in a statement.
    let damage = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase, ErrorCode::Unknown];
    code.is_some_and(|code| damage.contains(&code))
}

fn is_over(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// Why a catalogue is not opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    #[error(
        "the catalogue {path} is damaged ({found}); put the library's directory back from a backup, \
         or see what can be read with `mediafs mount --read-only`"
    )]
    Damaged { path: String, found: String },
    #[error(
        "the catalogue {path} has lost commits: it ends with number {counted}, and the last run came to {noted}; {log}; \
         put back what is missing, or the library's directory from a backup, or see what is left with \
         `mediafs mount --read-only`, or go on with that by `mediafs mount --accept-loss`"
    )]
    Lost { path: String, counted: u64, noted: u64, log: &'static str },
    #[error(transparent)]
    Failed(#[from] Error),
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::catalog::contract::{open, place, publish, row};
    use crate::catalog::sqlite::Sqlite;

    /// A catalogue with an attachment, after a clean end.
    fn catalog() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.sqlite");
        let catalog = open(&path);
        publish(&catalog, &place(row(&catalog, "42"), "avatar"), "a", 2);
        (folder, path)
    }

    fn told(path: &Path) -> String {
        check(path, Loss::Refused).unwrap_err().to_string()
    }

    #[test]
    fn a_look_at_a_catalogue_changes_nothing() {
        let (_folder, path) = catalog();
        let before = std::fs::read(&path).unwrap();
        assert!(check(&path, Loss::Refused).unwrap() >= 1);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_number_of_a_blob_is_never_given_out_twice() {
        let (_folder, path) = catalog();
        let damage = Connection::open(&path).unwrap();
        damage.execute("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'blobs'", []).unwrap();
        drop(damage);
        assert!(told(&path).contains("is damaged (blob 1 has a number that was not given out)"));
    }

    #[test]
    fn what_refers_to_nothing_is_damage() {
        let (_folder, path) = catalog();
        let damage = Connection::open(&path).unwrap();
        damage.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM rows").unwrap();
        drop(damage);
        let found = "is damaged (an entry of links refers to one of rows that is not there)";
        assert!(told(&path).contains(found), "{}", told(&path));
    }

    #[test]
    fn a_change_that_commits_nothing_is_not_counted() {
        let (_folder, path) = catalog();
        let before = progress::noted(&path).unwrap().unwrap();
        let engine = Sqlite::open(&path).unwrap();
        engine.write(|db| db.execute("DELETE FROM rows WHERE id = 99", &[])).unwrap();
        assert_eq!(progress::noted(&path).unwrap(), Some(before));
        engine.write(|db| db.execute("UPDATE rows SET mode = 0", &[])).unwrap();
        assert_eq!(progress::noted(&path).unwrap(), Some(before + 1));
        assert_eq!(engine.read(progress::counted).unwrap(), before + 1);
    }

    #[test]
    fn a_count_that_was_half_written_is_not_believed() {
        let (_folder, path) = catalog();
        let file = path.with_file_name("commits");
        let said = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, said.replacen('0', "9", 1)).unwrap();
        assert_eq!(progress::noted(&path).unwrap(), None);
        drop(Sqlite::open(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), said);
    }

    #[test]
    fn a_check_ends_when_its_time_is_over() {
        let db = Db(Connection::open_in_memory().unwrap());
        let endless = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        let ended = within(Duration::ZERO, &db, || first(&db, endless));
        assert!(is_over(&ended.unwrap_err()));
    }
}
