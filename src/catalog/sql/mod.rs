//! The catalogue over an SQL engine: its statements, and what they mean.
//!
//! A file implements a noun beside the statements of that noun. What a statement needs of the engine is in the `use` below: a
//! connection, its rows and values, and transactions.
//!
//! The statements are in the SQL that `SQLite` and `PostgreSQL` share, but for two things that an engine has to translate or to
//! define: parameters (`?`, `?1`), and `max` of two values. What else differs is a function of the engine (`sqlite/dialect.rs`).

mod attachments;
mod blobs;
mod columns;
#[cfg(test)]
mod costs;
mod linking;
mod links;
mod quotas;
mod reservations;
mod rows;
mod scratch;
mod slots;
mod summary;
mod sweep;
mod trash;
mod variants;

use std::sync::Arc;

use parking_lot::RwLock;
use words::quota::Limits;

use crate::catalog::error::{Error, Result};
use crate::catalog::sqlite::{Db, Row, Sqlite, Value, values};
use reservations::Reservations;

/// A [`Catalog`](super::Catalog) in a database.
pub struct SqlCatalog {
    engine: Sqlite,
    reservations: Reservations,
    /// Guards the quotas. Held only to take or to replace them.
    limits: RwLock<Arc<Limits>>,
}

impl SqlCatalog {
    pub fn new(engine: Sqlite) -> Self {
        Self { engine, reservations: Reservations::default(), limits: RwLock::default() }
    }

    /// The number that a query finds, as most do. Otherwise a statement in a transaction adds the entry and returns its number.
    fn find_or_add(&self, find: &str, add: &str, values: &[Value]) -> Result<u64> {
        let run = |db: &Db, sql| db.first(sql, values, |row| columns::number(row, 0));
        if let Some(known) = self.engine.read(|db| run(db, find))? {
            return Ok(known);
        }
        self.engine.write(|db| run(db, add))?.ok_or(Error::Missing)
    }
}
