//! Whether a catalogue is what it was, asked before anything is written to it.
//! Does not repair it, and changes nothing: it reads, and folds no log.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::columns::number;
use super::{Sqlite, check_version, connect_to_read, one, progress};
use crate::catalog::Error;

/// How long a start looks at a catalogue: all of one of some 100,000 files.
const SPAN: Duration = Duration::from_millis(500);

/// Between interruptions of a check that goes on.
const AGAIN: Duration = Duration::from_millis(10);

/// What becomes of a catalogue that has lost commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It is not opened.
    Refused,
    /// Whoever looks after it knows of it, and goes on with what is there.
    Accepted,
}

/// What is known of a catalogue that is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// No blob has a number above this one.
    pub last_blob: u64,
}

impl Sqlite {
    /// Whether there was a catalogue at `path`, whatever has become of it.
    pub fn was_there(path: &Path) -> bool {
        progress::is_there(path)
    }

    /// Looks whether the catalogue at `path` is whole, for a bounded time, and whether it has all that was committed.
    pub fn check(path: &Path, loss: Loss) -> Result<Sound, Unsound> {
        // Before the catalogue is read: somebody else may be writing to it.
        let noted = progress::noted(path)?.unwrap_or(0);
        look(path, noted, loss).map_err(|unsound| match unsound {
            Unsound::Failed(Error::Engine(cause)) if is_damage(&*cause) => {
                damaged(path, &cause.to_string())
            }
            Unsound::Failed(Error::Corrupt(found)) => damaged(path, &found),
            other => other,
        })
    }
}

fn look(path: &Path, noted: u64, loss: Loss) -> Result<Sound, Unsound> {
    let db = connect_to_read(path)?;
    // A catalogue that lost its log may have nothing in it.
    let counted = if check_version(&db, path)? == 0 { 0 } else { progress::counted(&db)? };
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
    let last_blob = last_blob(&db)?;
    Ok(Sound { last_blob })
}

/// The first finding of a check, if there is any.
fn first(db: &Connection, check: &str) -> rusqlite::Result<Option<String>> {
    let mut statement = db.prepare(check)?;
    let is_told = statement.column_count() == 1;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if is_told {
        return row.get(0).map(Some);
    }
    let (child, parent): (String, String) = (row.get(0)?, row.get(2)?);
    Ok(Some(format!("an entry of {child} refers to one of {parent} that is not there")))
}

/// Interrupts the work when its time is over.
fn within<T>(span: Duration, db: &Connection, work: impl FnOnce() -> T) -> T {
    let interrupt = db.get_interrupt_handle();
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut patience = span;
            while ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
                // The work may not have begun.
                patience = AGAIN;
            }
        });
        let answer = work();
        drop(done);
        answer
    })
}

/// The number up to which numbers of blobs were given out. A blob above it would share its number with the next one.
fn last_blob(db: &Connection) -> Result<u64, Error> {
    if !db.table_exists(None, "blobs")? {
        return Ok(0);
    }
    let sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'blobs'), 0), \
                      coalesce((SELECT max(id) FROM blobs), 0)";
    let found = one(db, sql, [], |row| Ok((number(row, 0)?, number::<u64>(row, 1)?)))?;
    match found.unwrap_or_default() {
        (last, highest) if highest > last => {
            Err(Error::Corrupt(format!("blob {highest} has a number that was not given out")))
        }
        (last, _) => Ok(last),
    }
}

/// Findings may have several lines, of which the first names the database.
fn damaged(path: &Path, found: &str) -> Unsound {
    let found = found.lines().last().unwrap_or(found).to_owned();
    Unsound::Damaged { path: path.display().to_string(), found }
}

/// In words, for whoever looks for what is missing. Where there is none, who reads the catalogue makes one.
fn state_of_log(path: &Path) -> &'static str {
    let log = path.with_extension("sqlite-wal");
    match log.metadata().map(|meta| meta.len()) {
        Err(_) | Ok(0) => "its log, catalog.sqlite-wal, is missing or empty",
        Ok(_) => "its log, catalog.sqlite-wal, is damaged, or it is an older copy",
    }
}

/// Whether `SQLite` says that the file is not as it wrote it.
fn is_damage(error: &(dyn std::error::Error + 'static)) -> bool {
    let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
    // A damaged schema is told as an error in a statement.
    let told = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase, ErrorCode::Unknown];
    code.is_some_and(|code| told.contains(&code))
}

fn is_over(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// Why a catalogue is not opened to be written to.
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
    use super::*;
    use crate::catalog::contract::{place, publish, row};

    /// A catalogue with an attachment, after a clean end.
    fn catalog() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.sqlite");
        let catalog = Sqlite::open(&path).unwrap();
        publish(&catalog, &place(row(&catalog, "42"), "avatar"), "a", 2);
        (folder, path)
    }

    fn told(path: &Path) -> String {
        Sqlite::check(path, Loss::Refused).unwrap_err().to_string()
    }

    #[test]
    fn a_look_at_a_catalogue_changes_nothing() {
        let (_folder, path) = catalog();
        let before = std::fs::read(&path).unwrap();
        assert!(Sqlite::check(&path, Loss::Refused).unwrap().last_blob >= 1);
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
        let catalog = Sqlite::open(&path).unwrap();
        catalog.write(|db| super::super::run(db, "DELETE FROM rows WHERE id = 99", [])).unwrap();
        assert_eq!(progress::noted(&path).unwrap(), Some(before));
        row(&catalog, "43");
        assert_eq!(progress::noted(&path).unwrap(), Some(before + 1));
        assert_eq!(catalog.read(progress::counted).unwrap(), before + 1);
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
        let db = Connection::open_in_memory().unwrap();
        let endless = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        let ended = within(Duration::ZERO, &db, || first(&db, endless));
        assert!(is_over(&ended.unwrap_err()));
    }
}
