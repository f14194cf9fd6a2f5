//! What accounts are charged in `SQLite`, and changes that are held to quotas.
//! Does not count: the triggers of the schema do, with whatever changes a name.

use rusqlite::{Connection, Row, params};

use super::columns::{int, number};
use super::reservations::Linked;
use super::{Sqlite, all, attachments, one};
use crate::catalog::{Error, Publication};
use words::access::{Fixed, Terms};
use words::attachment::{AttachmentId, RowId, TableId};
use words::place::Place;
use words::quota::{Account, Limits, Usage};

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

impl Sqlite {
    /// Makes a change in one transaction, which is undone if an account that it lets grow is above its quota then.
    pub(super) fn write_within<T>(
        &self,
        accounts: impl Fn(&Connection) -> Result<[Option<Account>; 4], Error>,
        change: impl Fn(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let limits = self.limits();
        self.write(|db| within(db, &limits, &accounts(db)?, || change(db)))
    }

    /// The same of a change that links blobs.
    pub(super) fn link_within<T>(
        &self,
        blobs: &[Linked],
        accounts: impl Fn(&Connection) -> Result<[Option<Account>; 4], Error>,
        change: impl Fn(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let limits = self.limits();
        self.write_linking(blobs, |db| within(db, &limits, &accounts(db)?, || change(db)))
    }
}

/// Whom a publication can let grow.
pub(super) fn of_publication(
    db: &Connection,
    publication: &Publication,
) -> Result<[Option<Account>; 4], Error> {
    let owner = Account::Uid(publication.access.uid);
    Ok([of_row(db, publication.place.row)?, Some(owner), None, None])
}

/// Whom another name for an attachment lets grow.
pub(super) fn of_share(
    db: &Connection,
    id: AttachmentId,
    to: &Place,
    fixed: Fixed,
) -> Result<[Option<Account>; 4], Error> {
    let owner = fixed.of(attachments::require(db, id)?.access).uid;
    Ok([of_row(db, to.row)?, Some(Account::Uid(owner)), None, None])
}

/// Whom a move can let grow: an exchange moves both ways, and a place may fix another owner.
pub(super) fn of_move(
    db: &Connection,
    from: &Place,
    to: &Place,
    terms: Terms,
) -> Result<[Option<Account>; 4], Error> {
    let [there, back] = [terms.there, terms.back].map(|fixed| fixed.uid.map(Account::Uid));
    Ok([of_row(db, from.row)?, of_row(db, to.row)?, there, back])
}

fn within<T>(
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
fn of_row(db: &Connection, row: RowId) -> Result<Option<Account>, Error> {
    let sql = "SELECT tab FROM rows WHERE id = ?";
    one(db, sql, [int(row.0)], |row| Ok(Account::Table(TableId(number(row, 0)?))))
}

fn usage(row: &Row, at: usize) -> Result<Usage, Error> {
    Ok(Usage { files: number(row, at)?, bytes: number(row, at + 1)? })
}
