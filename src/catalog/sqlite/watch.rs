//! A watch on the database: tells by a counter of `SQLite` whether another process has changed it.

use std::path::Path;

use super::connection;
use super::db::Db;
use crate::catalog::error::Result;

/// Reads the counter, which changes with each commit of another connection (sqlite.org, `PRAGMA data_version`).
pub struct Watch {
    /// A connection of its own: the counters of two connections cannot be compared.
    db: Db,
    seen: i64,
}

impl Watch {
    /// Sees the changes from now on.
    pub fn open(path: &Path) -> Result<Self> {
        let db = connection::open_to_read(path)?;
        let seen = version(&db)?;
        Ok(Self { db, seen })
    }

    /// Whether anything was changed since this was called last.
    pub fn look(&mut self) -> Result<bool> {
        let version = version(&self.db)?;
        Ok(std::mem::replace(&mut self.seen, version) != version)
    }
}

fn version(db: &Db) -> Result<i64> {
    Ok(db.0.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::contract::{name, open};
    use crate::catalog::rows::Rows;
    use crate::catalog::sql::SqlCatalog;
    use crate::catalog::sqlite::Sqlite;

    #[test]
    fn a_commit_of_another_connection_is_seen_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("catalog.sqlite");
        let writer = open(&path);
        let mut watch = Watch::open(&path).expect("a watch");
        assert!(!watch.look().expect("a look"));
        let reader = SqlCatalog::new(Sqlite::open_to_read(&path).expect("a reader"));
        assert!(reader.table(&name("user")).is_err(), "a reader adds no table");
        assert!(!watch.look().expect("a look"), "nothing was written");
        let table = writer.table(&name("user")).expect("a table");
        assert!(watch.look().expect("a look") && !watch.look().expect("a look"));
        assert_eq!(reader.table(&name("user")).expect("there"), table);
    }

    #[test]
    fn a_catalogue_that_nobody_writes_is_read_and_stays_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("catalog.sqlite");
        open(&path).table(&name("user")).expect("a table");
        let before = std::fs::read(&path).expect("its bytes");
        let reader = SqlCatalog::new(Sqlite::open_to_read(&path).expect("a reader"));
        reader.table(&name("user")).expect("there");
        drop(reader);
        assert_eq!(std::fs::read(&path).expect("its bytes"), before);
        open(&path).table(&name("user")).expect("there");
    }
}
