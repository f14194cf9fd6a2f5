//! What accounts are charged in `SQLite`, and changes that are held to quotas.
//! Does not count: the triggers of the schema do, with whatever changes a name.

use rusqlite::{Connection, Row, params};

use super::columns::{int, number};
use super::{all, one};
use crate::attachment::{RowId, TableId};
use crate::catalog::Error;
use crate::quota::{Account, Limits, Usage};

pub(super) fn of(db: &Connection, account: Account) -> Result<Usage, Error> {
    let (kind, id) = match account {
        Account::Table(table) => (0, int(table.0)),
        Account::Uid(uid) => (1, i64::from(uid)),
    };
    let sql = "SELECT files, bytes FROM usage WHERE kind = ? AND id = ?";
    Ok(one(db, sql, params![kind, id], |row| usage(row, 0))?.unwrap_or_default())
}

pub(super) fn every(db: &Connection) -> Result<Vec<(Account, Usage)>, Error> {
    let sql = "SELECT kind, id, files, bytes FROM usage WHERE files > 0 ORDER BY kind, id";
    all(db, sql, [], |row| {
        let kind: i64 = row.get(0)?;
        let account = match kind {
            0 => Account::Table(TableId(number(row, 1)?)),
            _ => Account::Uid(number(row, 1)?),
        };
        Ok((account, usage(row, 2)?))
    })
}

/// Makes a change unless an account that it lets grow is above its quota then. The caller's transaction undoes it if so.
pub(super) fn within<T>(
    db: &Connection,
    limits: &Limits,
    accounts: &[Option<Account>],
    change: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let limited = accounts.iter().flatten().filter(|it| limits.of(**it).limits_attachments());
    let before: Vec<_> = limited.map(|it| Ok((*it, of(db, *it)?))).collect::<Result<_, Error>>()?;
    let answer = change()?;
    for (account, before) in before {
        limits.check(account, before, of(db, account)?)?;
    }
    Ok(answer)
}

/// The account of a row's table; none if there is no such row.
pub(super) fn of_row(db: &Connection, row: RowId) -> Result<Option<Account>, Error> {
    let sql = "SELECT tab FROM rows WHERE id = ?";
    one(db, sql, [int(row.0)], |row| Ok(Account::Table(TableId(number(row, 0)?))))
}

fn usage(row: &Row, at: usize) -> Result<Usage, Error> {
    Ok(Usage { files: number(row, at)?, bytes: number(row, at + 1)? })
}
