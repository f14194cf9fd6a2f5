//! What accounts are charged in memory: counted anew whenever somebody asks, and so the measure of what is kept on disk.
//! Does not know why somebody asks.

use std::collections::BTreeMap;

use super::State;
use crate::catalog::Error;
use words::access::Terms;
use words::attachment::RowId;
use words::place::Place;
use words::quota::{Account, Usage};

impl State {
    pub(super) fn usage(&self, account: Account) -> Usage {
        self.usages().get(&account).copied().unwrap_or_default()
    }

    pub(super) fn usages(&self) -> BTreeMap<Account, Usage> {
        let mut usages = BTreeMap::<_, Usage>::new();
        for (Place { row, .. }, hung) in &self.links {
            let Some(attachment) = self.attachment(hung.attachment) else { continue };
            let sent = attachment.original.as_ref().map_or(0, |sent| sent.content.length);
            let owner = Some(Account::Uid(attachment.access.uid));
            for account in self.account_of_row(*row).into_iter().chain(owner) {
                let usage = usages.entry(account).or_default();
                usage.files += 1;
                usage.bytes += attachment.content.length + sent;
            }
        }
        usages
    }

    /// Whom a move can let grow: an exchange moves both ways, and a place may fix another owner.
    pub(super) fn accounts_of_move(
        &self,
        from: &Place,
        to: &Place,
        terms: Terms,
    ) -> [Option<Account>; 4] {
        let [there, back] = [terms.there, terms.back].map(|fixed| fixed.uid.map(Account::Uid));
        [self.account_of_row(from.row), self.account_of_row(to.row), there, back]
    }

    /// Makes a change, and undoes it if an account that it lets grow is above its quota then.
    pub(super) fn within<T>(
        &mut self,
        accounts: &[Option<Account>],
        change: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
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
