//! The number of commits: the database counts them, and a file beside it repeats the count.
//!
//! A database that has counted less than its file says has lost commits: its log is missing or damaged, or it is an older copy.
//! The file is written after a commit is durable and is not synced. A power cut may leave a number in it that is too low, and
//! nothing leaves one that is too high.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::db::{Db, Row, values};
use super::disk_failure::sync_directory;
use crate::catalog::error::{Error, Result};

/// The file's name. It does not begin like the database's, so that a copy or a removal of `catalog.sqlite*` alone is noticed.
const FILE: &str = "commits";

/// The count's name in `sqlite_sequence`. That table has other numbers that never go back, and most commits write to it anyway.
const COUNT: &str = "commits";

/// The file, and the row of `sqlite_sequence` that has the count.
#[derive(Debug)]
pub(super) struct Progress {
    file: File,
    row: i64,
}

impl Progress {
    /// Starts or continues the count, and writes it to the file durably.
    pub fn open(db: &Db, catalog: &Path) -> Result<Self> {
        let sql = "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 \
                   WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)";
        db.execute(sql, values![COUNT])?;
        let sql = "SELECT rowid, seq FROM sqlite_sequence WHERE name = ?";
        let found = db.first(sql, values![COUNT], |row| Ok((row.int(0)?, count(row, 1)?)))?;
        let (row, commits) =
            found.ok_or_else(|| Error::Corrupt("commits are not counted".into()))?;
        let file = create(&path(catalog), commits).map_err(Error::engine)?;
        sync_directory(catalog)?;
        Ok(Self { file, row })
    }

    /// Counts the open transaction. Returns the count with it.
    pub fn count(&self, db: &Db) -> Result<u64> {
        let sql =
            "UPDATE sqlite_sequence SET seq = seq + 1 WHERE rowid = ? AND name = ? RETURNING seq";
        let counted = db.first(sql, values![self.row, COUNT], |row| count(row, 0))?;
        counted.ok_or_else(|| Error::Corrupt("commits are not counted any more".into()))
    }

    /// Writes the count into the file, once those commits are durable. A failure is logged: the count may be too low.
    pub fn note(&self, commits: u64) {
        if let Err(error) = self.file.write_all_at(text(commits).as_bytes(), 0) {
            tracing::debug!(%error, "how far the catalogue has come is not noted");
        }
    }
}

/// The count in the file, if there is a file and its text is sound.
pub(super) fn noted(catalog: &Path) -> Result<Option<u64>> {
    match fs::read_to_string(path(catalog)) {
        Ok(said) => {
            let commits = said.split_whitespace().next().and_then(|first| first.parse().ok());
            let commits = commits.filter(|commits| text(*commits) == said);
            if commits.is_none() {
                tracing::warn!(path = %path(catalog).display(), "how far the catalogue had come cannot be read");
            }
            Ok(commits)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::engine(error)),
    }
}

/// Whether a catalogue was once made at this path, even if it is gone now: the file is left beside it.
pub fn was_there(catalog: &Path) -> bool {
    path(catalog).exists()
}

/// The count in the database; 0 if it was written by an older mediafs, which did not count.
pub(super) fn counted(db: &Db) -> Result<u64> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?";
    Ok(db.first(sql, values![COUNT], |row| count(row, 0))?.unwrap_or(0))
}

fn count(row: &Row, at: usize) -> Result<u64> {
    let count = row.int(at)?;
    u64::try_from(count).map_err(|_| Error::Corrupt(format!("{count} is not a number of commits")))
}

fn path(catalog: &Path) -> PathBuf {
    catalog.with_file_name(FILE)
}

/// The number twice, so that a half or damaged text is not believed.
fn text(commits: u64) -> String {
    format!("{commits:020} {commits:020}\n")
}

/// Makes the file under another name and syncs it, then renames it.
fn create(path: &Path, commits: u64) -> io::Result<File> {
    let temporary = path.with_extension("new");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all_at(text(commits).as_bytes(), 0)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    Ok(file)
}
