//! Quotas in SQL: what accounts are charged, and changes that keep to the quotas. The schema's triggers do the counting.

use std::sync::Arc;

use super::columns::number;
use super::linking::Linked;
use super::{Db, Result, Row, SqlCatalog, Value, attachments, values};
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

    fn usage(&self, account: Account) -> Result<Usage> {
        self.engine.read(|db| of(db, account))
    }
}

/// The accounts that a change may let grow. An account that only shrinks is not held to its quota.
type Growing = [Option<Account>; 4];

impl SqlCatalog {
    /// Makes a change that links these blobs in one transaction. Undoes it if an account has grown above its quota.
    pub(super) fn write_within<T>(
        &self,
        blobs: &[Linked],
        accounts: impl Fn(&Db) -> Result<Growing>,
        change: impl Fn(&Db) -> Result<T>,
    ) -> Result<T> {
        let limits = Arc::clone(&self.limits.read());
        self.write_linking(blobs, |db| within(db, &limits, &accounts(db)?, || change(db)))
    }
}

pub(super) fn of_publication(db: &Db, publication: &Publication) -> Result<Growing> {
    let owner = Account::Uid(publication.access.uid);
    Ok([of_row(db, publication.place.row)?, Some(owner), None, None])
}

pub(super) fn of_share(db: &Db, id: AttachmentId, to: &Place, fixed: Fixed) -> Result<Growing> {
    let owner = fixed.of(attachments::require(db, id)?.access).uid;
    Ok([of_row(db, to.row)?, Some(Account::Uid(owner)), None, None])
}

/// Both tables, since an exchange moves both ways, and the owners that the slots fix.
pub(super) fn of_move(db: &Db, from: &Place, to: &Place, terms: Terms) -> Result<Growing> {
    let [there, back] = [terms.there, terms.back].map(|fixed| fixed.uid.map(Account::Uid));
    Ok([of_row(db, from.row)?, of_row(db, to.row)?, there, back])
}

fn within<T>(
    db: &Db,
    limits: &Limits,
    accounts: &Growing,
    change: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let limited = accounts.iter().flatten().filter(|it| limits.of(**it).limits_attachments());
    let before: Vec<_> = limited.map(|it| Ok((*it, of(db, *it)?))).collect::<Result<_>>()?;
    let answer = change()?;
    for (account, before) in before {
        limits.check(account, before, of(db, account)?)?;
    }
    Ok(answer)
}

fn of(db: &Db, account: Account) -> Result<Usage> {
    let (kind, id): (i64, Value) = match account {
        Account::Table(table) => (0, table.into()),
        Account::Uid(uid) => (1, uid.into()),
    };
    let sql = "SELECT files, bytes FROM usage WHERE kind = ? AND id = ?";
    let usage = |row: &Row| Ok(Usage { files: number(row, 0)?, bytes: number(row, 1)? });
    Ok(db.first(sql, &[kind.into(), id], usage)?.unwrap_or_default())
}

/// The account of a row's table; none if there is no such row.
fn of_row(db: &Db, row: RowId) -> Result<Option<Account>> {
    let sql = "SELECT tab FROM rows WHERE id = ?";
    db.first(sql, values![row], |row| Ok(Account::Table(TableId(number(row, 0)?))))
}
