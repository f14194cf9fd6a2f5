//! One connection of `SQLite`, as statements use it: values go in by position, and columns come out by position.
//!
//! The statements in `catalog/sql` know this file alone and no type of `rusqlite`, so that another engine can provide the same.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement, params_from_iter};

use crate::catalog::error::{Error, Result};

/// A connection that compiles each statement once and keeps it.
pub struct Db(pub(super) Connection);

impl Db {
    /// The first row of a query.
    pub fn first<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_and_then(params_from_iter(values), |row| read(&Row(row)));
        let first = rows?.next().transpose();
        note(&statement);
        first
    }

    /// All rows of a query.
    pub fn all<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_and_then(params_from_iter(values), |row| read(&Row(row)));
        let all = rows?.collect();
        note(&statement);
        all
    }

    /// Whether a query has a row.
    pub fn exists(&self, sql: &str, values: &[Value]) -> Result<bool> {
        let mut statement = self.0.prepare_cached(sql)?;
        let exists = statement.exists(params_from_iter(values))?;
        note(&statement);
        Ok(exists)
    }

    /// Runs a statement that returns no rows. Returns how many rows it changed.
    pub fn execute(&self, sql: &str, values: &[Value]) -> Result<usize> {
        let mut statement = self.0.prepare_cached(sql)?;
        let changed = statement.execute(params_from_iter(values))?;
        note(&statement);
        Ok(changed)
    }
}

/// A value for a parameter of a statement. Borrows texts and bytes.
#[derive(Debug, Clone, Copy)]
pub enum Value<'v> {
    Null,
    Int(i64),
    Text(&'v str),
    Bytes(&'v [u8]),
}

/// The values of a statement's parameters, in their order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::catalog::sqlite::Value::from($value)),*]
    };
}
pub(in crate::catalog) use values;

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// A number above the largest signed one becomes that one: the catalogue never gives out such a number, and no file is so long.
macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl From<$number> for Value<'_> {
            fn from(value: $number) -> Self {
                Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
            }
        })*
    };
}
numbers!(bool u32 i64 u64 usize);

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(value)
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of an answer, whose columns are numbered from 0.
pub struct Row<'r>(&'r rusqlite::Row<'r>);

impl<'r> Row<'r> {
    pub fn int(&self, at: usize) -> Result<i64> {
        self.column(at)?.as_i64().map_err(Error::engine)
    }

    pub fn text(&self, at: usize) -> Result<&'r str> {
        self.column(at)?.as_str().map_err(Error::engine)
    }

    pub fn bytes(&self, at: usize) -> Result<&'r [u8]> {
        self.column(at)?.as_blob().map_err(Error::engine)
    }

    pub fn is_null(&self, at: usize) -> Result<bool> {
        Ok(self.column(at)? == ValueRef::Null)
    }

    fn column(&self, at: usize) -> Result<ValueRef<'r>> {
        Ok(self.0.get_ref(at)?)
    }
}

/// Adds what the statement has cost to the figures that tests read.
fn note(statement: &Statement) {
    #[cfg(test)]
    super::cost::note(statement);
    #[cfg(not(test))]
    let _ = statement;
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, _) if is_full(*failure) => Self::Full,
            _ => Self::engine(error),
        }
    }
}

/// A full disk fails the growth of the `-shm` file with an I/O error of its own.
fn is_full(failure: rusqlite::ffi::Error) -> bool {
    failure.code == ErrorCode::DiskFull
        || failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
}
