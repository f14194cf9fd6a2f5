//! Quotas in SQL: what accounts are charged, and changes that keep to the quotas. The schema's triggers do the counting.

use std::sync::Arc;

use super::columns::number;
use super::linking::Linked;
use super::{Db, Error, Row, SqlCatalog, Value, attachments, values};
use crate::catalog::quotas::Quotas;
use crate::catalog::slots::Publication;
use words::access::{Fixed, Terms};
use words::attachment::{AttachmentId, RowId, TableId};
use words::place::Place;
use words::quota::{Account, Limits, Usage};

impl Quotas for SqlCatalog {
    fn limit(&self, limits: Limits) {
        *self.limits.write() = Arc::new(limits);
    }

    fn usage(&self, account: Account) -> Result<Usage, Error> {
        self.engine.read(|db| of(db, account))
    }

    fn usages(&self) -> Result<Vec<(Account, Usage)>, Error> {
        let sql = "SELECT kind, id, files, bytes FROM usage WHERE files > 0 ORDER BY kind, id";
        self.engine.read(|db| {
            db.all(sql, &[], |row| {
                let account = match row.int(0)? {
                    0 => Account::Table(TableId(number(row, 1)?)),
                    _ => Account::Uid(number(row, 1)?),
                };
                Ok((account, usage(row, 2)?))
            })
        })
    }
}

/// The accounts that a change may let grow. An account that only shrinks is not held to its quota.
type Growing = [Option<Account>; 4];

impl SqlCatalog {
    /// Makes a change in one transaction. Undoes it if an account has grown above its quota.
    pub(super) fn write_within<T>(
        &self,
        accounts: impl Fn(&Db) -> Result<Growing, Error>,
        change: impl Fn(&Db) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let limits = Arc::clone(&self.limits.read());
        self.engine.write(|db| within(db, &limits, &accounts(db)?, || change(db)))
    }

    /// Like `write_within`, for a change that links blobs.
    pub(super) fn link_within<T>(
        &self,
        blobs: &[Linked],
        accounts: impl Fn(&Db) -> Result<Growing, Error>,
        change: impl Fn(&Db) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let limits = Arc::clone(&self.limits.read());
        self.write_linking(blobs, |db| within(db, &limits, &accounts(db)?, || change(db)))
    }
}

pub(super) fn of_publication(db: &Db, publication: &Publication) -> Result<Growing, Error> {
    let owner = Account::Uid(publication.access.uid);
    Ok([of_row(db, publication.place.row)?, Some(owner), None, None])
}

pub(super) fn of_share(
    db: &Db,
    id: AttachmentId,
    to: &Place,
    fixed: Fixed,
) -> Result<Growing, Error> {
    let owner = fixed.of(attachments::require(db, id)?.access).uid;
    Ok([of_row(db, to.row)?, Some(Account::Uid(owner)), None, None])
}

/// Both tables, since an exchange moves both ways, and the owners that the slots fix.
pub(super) fn of_move(db: &Db, from: &Place, to: &Place, terms: Terms) -> Result<Growing, Error> {
    let [there, back] = [terms.there, terms.back].map(|fixed| fixed.uid.map(Account::Uid));
    Ok([of_row(db, from.row)?, of_row(db, to.row)?, there, back])
}

fn within<T>(
    db: &Db,
    limits: &Limits,
    accounts: &Growing,
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

fn of(db: &Db, account: Account) -> Result<Usage, Error> {
    let (kind, id): (i64, Value) = match account {
        Account::Table(table) => (0, table.into()),
        Account::Uid(uid) => (1, uid.into()),
    };
    let sql = "SELECT files, bytes FROM usage WHERE kind = ? AND id = ?";
    Ok(db.first(sql, &[kind.into(), id], |row| usage(row, 0))?.unwrap_or_default())
}

/// The account of a row's table; none if there is no such row.
fn of_row(db: &Db, row: RowId) -> Result<Option<Account>, Error> {
    let sql = "SELECT tab FROM rows WHERE id = ?";
    db.first(sql, values![row], |row| Ok(Account::Table(TableId(number(row, 0)?))))
}

fn usage(row: &Row, at: usize) -> Result<Usage, Error> {
    Ok(Usage { files: number(row, at)?, bytes: number(row, at + 1)? })
}
