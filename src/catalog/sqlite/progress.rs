//! How far a catalogue has come: it counts its commits, and a file beside it repeats the count.
//! Does not know what was committed.
//!
//! A catalogue that has counted less than its file says has lost commits: its log is missing or damaged, or it is an older copy.
//! The file is written after a commit is durable, and is not synced: a power cut may leave too low a number in it, nothing
//! leaves one that is too high.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::columns::number;
use super::{one, run, sync_directory};
use crate::catalog::Error;

/// Not called like the catalogue: who copies or removes `catalog.sqlite*` is to be noticed.
const FILE: &str = "commits";

/// The name of the count in `sqlite_sequence`, where other numbers lie that never go back, and which most commits change anyway.
const COUNT: &str = "commits";

/// The file, and the row of the count.
#[derive(Debug)]
pub(super) struct Progress {
    file: File,
    row: i64,
}

impl Progress {
    /// Begins to count, or goes on. The file says at once how far the catalogue has come, durably.
    pub fn open(db: &Connection, catalog: &Path) -> Result<Self, Error> {
        let sql = "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 \
                   WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)";
        run(db, sql, [COUNT])?;
        let sql = "SELECT rowid, seq FROM sqlite_sequence WHERE name = ?";
        let found = one(db, sql, [COUNT], |row| Ok((row.get(0)?, number(row, 1)?)))?;
        let (row, commits) =
            found.ok_or_else(|| Error::Corrupt("commits are not counted".into()))?;
        let file =
            begin(&path(catalog), commits).map_err(|error| Error::Engine(Box::new(error)))?;
        sync_directory(catalog)?;
        Ok(Self { file, row })
    }

    /// Counts the open transaction; returns how many there are with it.
    pub fn count(&self, db: &Connection) -> Result<u64, Error> {
        let sql =
            "UPDATE sqlite_sequence SET seq = seq + 1 WHERE rowid = ? AND name = ? RETURNING seq";
        let counted = one(db, sql, params![self.row, COUNT], |row| number(row, 0))?;
        counted.ok_or_else(|| Error::Corrupt("commits are not counted any more".into()))
    }

    /// So many commits are durable.
    pub fn note(&self, commits: u64) {
        if let Err(error) = self.file.write_all_at(text(commits).as_bytes(), 0) {
            tracing::debug!(%error, "how far the catalogue has come is not noted");
        }
    }
}

/// What the file says, if there is one that can be read.
pub(super) fn noted(catalog: &Path) -> Result<Option<u64>, Error> {
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
        Err(error) => Err(Error::Engine(Box::new(error))),
    }
}

/// Whether there is a file, which there is not before the first commit.
pub(super) fn is_there(catalog: &Path) -> bool {
    path(catalog).exists()
}

/// How many commits a catalogue has counted. One that was written by an older mediafs has not.
pub(super) fn counted(db: &Connection) -> Result<u64, Error> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?";
    Ok(one(db, sql, [COUNT], |row| number(row, 0))?.unwrap_or(0))
}

fn path(catalog: &Path) -> PathBuf {
    catalog.with_file_name(FILE)
}

/// Twice the same number: half of it, or a damaged one, is not believed.
fn text(commits: u64) -> String {
    format!("{commits:020} {commits:020}\n")
}

/// The file is whole before it has its name.
fn begin(path: &Path, commits: u64) -> io::Result<File> {
    let temporary = path.with_extension("new");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all_at(text(commits).as_bytes(), 0)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    Ok(file)
}
