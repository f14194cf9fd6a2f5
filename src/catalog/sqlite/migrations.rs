//! The schema's versions, and the way from each to the next.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::db::Db;
use crate::catalog::error::{Error, Result};

/// Each script brings the schema from its index to the next version. The statements of a released script are never changed.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
    include_str!("schema/005.sql"),
    include_str!("schema/006.sql"),
];

/// The version of the schema that this program uses.
pub(super) const LATEST: usize = MIGRATIONS.len();

/// Brings the schema up to date, in one transaction.
pub(super) fn migrate(db: &mut Db, path: &Path) -> Result<()> {
    let transaction = db.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction, path)?;
    for (version, script) in MIGRATIONS.iter().enumerate().skip(found) {
        transaction.execute_batch(script)?;
        transaction.pragma_update(None, "user_version", int(version + 1))?;
    }
    Ok(transaction.commit()?)
}

/// The version of the schema; 0 of an empty database. Errors: [`Error::Newer`] if this program does not know it.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<usize> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(found) {
        Ok(version) if version <= LATEST => Ok(version),
        _ => {
            let path = path.display().to_string();
            Err(Error::Newer { path, found, known: int(LATEST) })
        }
    }
}

fn int(version: usize) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
