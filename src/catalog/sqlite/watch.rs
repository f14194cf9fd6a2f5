//! Whether another process has changed the catalogue, by the counter that `SQLite` keeps of it.
//! Does not know what has changed.

use std::path::Path;

use rusqlite::Connection;

use super::connect_to_read;
use crate::catalog::Error;

/// Looks at the counter, which moves with every commit of any other connection (sqlite.org, `PRAGMA data_version`).
pub struct Watch {
    /// Of its own: the counter of one connection cannot be compared with that of another.
    connection: Connection,
    seen: i64,
}

impl Watch {
    /// Changes from now on are seen.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = connect_to_read(path)?;
        let seen = version(&connection)?;
        Ok(Self { connection, seen })
    }

    /// Whether anything was changed since the last look.
    pub fn look(&mut self) -> Result<bool, Error> {
        let version = version(&self.connection)?;
        Ok(std::mem::replace(&mut self.seen, version) != version)
    }
}

fn version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::catalog::sqlite::Sqlite;
    use words::slot::Name;

    #[test]
    fn what_another_connection_commits_is_seen_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("catalog.sqlite");
        let writer = Sqlite::open(&path).expect("a catalogue");
        let mut watch = Watch::open(&path).expect("a watch");
        assert!(!watch.look().expect("a look"));
        let reader = Sqlite::open_to_read(&path).expect("a reader");
        let name = Name::parse("user").expect("a name");
        assert!(reader.table(&name).is_err(), "what is not there is not made");
        assert!(!watch.look().expect("a look"), "nothing was written");
        let table = writer.table(&name).expect("a table");
        assert!(watch.look().expect("a look") && !watch.look().expect("a look"));
        assert_eq!(reader.table(&name).expect("there"), table);
    }

    #[test]
    fn a_catalogue_at_rest_is_read_and_stays_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("catalog.sqlite");
        let name = Name::parse("user").expect("a name");
        Sqlite::open(&path).expect("a catalogue").table(&name).expect("a table");
        let before = std::fs::read(&path).expect("its bytes");
        let reader = Sqlite::open_to_read(&path).expect("a reader");
        reader.table(&name).expect("there");
        drop(reader);
        assert_eq!(std::fs::read(&path).expect("its bytes"), before);
        Sqlite::open(&path).expect("it opens again").table(&name).expect("there");
    }
}
