//! Quotas in memory. Usage is counted anew for each question, so that tests can compare it with what other engines keep.

use std::collections::BTreeMap;

use super::{Memory, State};
use crate::catalog::error::Result;
use crate::catalog::quotas::Quotas;
use words::access::Terms;
use words::attachment::RowId;
use words::place::Place;
use words::quota::{Account, Limits, Usage};

impl Quotas for Memory {
    fn limit(&self, limits: Limits) {
        self.state("limit").limits = limits;
    }

    fn usage(&self, account: Account) -> Result<Usage> {
        Ok(self.state("usage").usage(account))
    }
}

impl State {
    fn usage(&self, account: Account) -> Usage {
        self.usages().get(&account).copied().unwrap_or_default()
    }

    fn usages(&self) -> BTreeMap<Account, Usage> {
        let mut usages = BTreeMap::<_, Usage>::new();
        for (place, linked) in &self.links {
            let Some(attachment) = self.attachment(linked.attachment) else { continue };
            let original = attachment.original.as_ref().map_or(0, |it| it.content.length);
            let owner = Some(Account::Uid(attachment.access.uid));
            for account in self.account_of_row(place.row).into_iter().chain(owner) {
                let usage = usages.entry(account).or_default();
                usage.files += 1;
                usage.bytes += attachment.content.length + original;
            }
        }
        usages
    }

    /// The accounts that a move may let grow: both tables, since an exchange moves both ways, and the owners that slots fix.
    pub(super) fn accounts_of_move(
        &self,
        from: &Place,
        to: &Place,
        terms: Terms,
    ) -> [Option<Account>; 4] {
        let [there, back] = [terms.there, terms.back].map(|fixed| fixed.uid.map(Account::Uid));
        [self.account_of_row(from.row), self.account_of_row(to.row), there, back]
    }

    /// Makes a change. Undoes it if one of the accounts has grown above its quota.
    pub(super) fn within<T>(
        &mut self,
        accounts: &[Option<Account>],
        change: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let limits = self.limits.clone();
        let limited = accounts.iter().flatten().filter(|it| limits.of(**it).limits_attachments());
        let before: Vec<_> = limited.map(|account| (*account, self.usage(*account))).collect();
        if before.is_empty() {
            return change(self);
        }
        let undone = self.clone();
        let answer = change(self)?;
        for (account, usage) in before {
            if let Err(excess) = limits.check(account, usage, self.usage(account)) {
                *self = undone;
                return Err(excess.into());
            }
        }
        Ok(answer)
    }

    pub(super) fn account_of_row(&self, row: RowId) -> Option<Account> {
        self.rows.get(&row).map(|row| Account::Table(row.table))
    }
}
