//! Quotas before a write: how many bytes a file may have, and the words of a refusal.
//!
//! The catalogue checks the quotas again, in the transaction of each publication.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::library::error::Result;
use crate::library::lookup::Lookup;
use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use words::attachment::TableId;
use words::link::Link;
use words::place::Folder;
use words::quota::{self, Account, Excess, Limits, Measure, Quota, Usage};
use words::refusal::{Rule, Violation};
use words::rule::Kind;

/// The configured quotas, by the numbers of the tables.
pub struct Quotas {
    catalog: Arc<dyn Catalog>,
    lookup: Arc<Lookup>,
    limits: Limits,
}

/// The bytes that the quotas leave for one file. The default is unlimited.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// Set if not even an empty file can be taken: the quota that is used up.
    pub full: Option<Excess>,
    /// The most bytes that the file may have, and the quota that says so. None also if other bytes than the sent ones are stored.
    pub most: Option<(u64, Excess)>,
}

impl Quotas {
    /// Tells the catalogue the quotas of all declared tables. A quota for any other table limits nothing.
    pub fn new(catalog: Arc<dyn Catalog>, lookup: Arc<Lookup>, configured: &quota::Quotas) -> Self {
        let number = |table: &Table| Some((table.id, *configured.tables.get(&table.name)?));
        let limits = Limits {
            tables: lookup.tables().iter().filter_map(number).collect(),
            uid: configured.uid,
            uids: configured.uids.clone(),
        };
        catalog.limit(limits.clone());
        Self { catalog, lookup, limits }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What an account is charged for attached files.
    pub fn usage(&self, account: Account) -> Result<Usage> {
        Ok(self.catalog.usage(account)?)
    }

    /// Returns the room for a file that `owner` is about to write. Without a quota it makes no query.
    pub fn room(&self, target: &Target, owner: u32) -> Result<Room> {
        let mut room = Room::default();
        let table = self.table_of(target).map(Account::Table);
        let accounts = [table, Some(Account::Uid(owner))];
        let accounts = accounts.into_iter().flatten().map(|it| (it, self.limits.of(it)));
        let mut accounts = accounts.filter(|(_, quota)| quota.limits_attachments()).peekable();
        if accounts.peek().is_none() {
            return Ok(room);
        }
        let there = self.catalog.find(&target.place)?;
        for (account, quota) in accounts {
            let replaced = there.as_ref().map_or_else(Usage::default, |it| charged(it, account));
            room.narrow(account, quota, self.catalog.usage(account)?, replaced);
        }
        if target.field.rules.kind == Kind::Image && !target.field.keep_original {
            room.most = None;
        }
        Ok(room)
    }

    /// Checks whether a user may open one more draft in a table, with so many open by the user and in the table.
    pub fn may_draft(
        &self,
        target: &Target,
        uid: u32,
        of_user: u64,
        of_table: u64,
    ) -> Result<(), Excess> {
        let user = Account::Uid(uid);
        let quota = self.limits.of(user).drafts.or((uid != 0).then_some(quota::DRAFTS));
        quota::check(user, (Measure::Drafts, quota), of_user, of_user + 1)?;
        let Some(table) = self.table_of(target).map(Account::Table) else { return Ok(()) };
        let quota = self.limits.of(table).drafts;
        quota::check(table, (Measure::Drafts, quota), of_table, of_table + 1)
    }

    /// The violation of a quota, with the name of the table.
    pub fn violation(&self, excess: &Excess) -> Violation {
        let Excess { account, measure, used, wanted, allowed } = *excess;
        let (who, section) = match account {
            Account::Uid(uid) => (format!("user {uid}"), "uid".to_owned()),
            Account::Table(id) => {
                let table = self.lookup.table(id);
                let name = table.map_or_else(|| id.0.to_string(), |it| it.name.to_string());
                (format!("table {name}"), format!("tables.{name}"))
            }
        };
        let key = measure.key();
        let amount = |number| measure.amount(number);
        Violation {
            rule: Rule::Quota,
            fact: format!("{who} has {} and would have {}", amount(used), amount(wanted)),
            measured: amount(wanted),
            allows: format!("counts towards the {} that {who} may have", amount(allowed)),
            allowed: amount(allowed),
            hint: format!(
                "remove something first, or ask for a larger quota ([quotas.{section}] {key})"
            ),
        }
    }

    /// The table that scratch in a folder is charged to. None, without a query, if no table has a quota of scratch.
    pub fn scratch_table(&self, folder: &Folder) -> Result<Option<TableId>> {
        if !self.limits.count_scratch_by_table() {
            return Ok(None);
        }
        Ok(self.lookup.row_by_id(folder.row)?.map(|row| row.table))
    }

    fn table_of(&self, target: &Target) -> Option<TableId> {
        self.lookup.table_named(target.slot.row.table.as_str()).map(|table| table.id)
    }
}

impl Room {
    /// Checks the size of the file. Errors: the quota that it would exceed.
    pub fn check(&self, size: u64) -> Result<(), Excess> {
        match self.most {
            Some((most, excess)) if size > most => {
                let wanted = excess.wanted.saturating_add(size);
                Err(Excess { wanted, ..excess })
            }
            _ => Ok(()),
        }
    }

    /// Takes another quota into account. `replaced` is what the account gets back when the file replaces another.
    fn narrow(&mut self, account: Account, quota: Quota, used: Usage, replaced: Usage) {
        let rest = Usage {
            files: used.files.saturating_sub(replaced.files),
            bytes: used.bytes.saturating_sub(replaced.bytes),
        };
        let files = (Measure::Files, quota.files);
        let full = quota::check(account, files, used.files, rest.files.saturating_add(1)).err();
        self.full = self.full.or(full);
        let Some(allowed) = quota.bytes else { return };
        // The file may always be as large as the one that it replaces.
        let most = allowed.saturating_sub(rest.bytes).max(replaced.bytes);
        let measure = Measure::Bytes;
        let excess = Excess { account, measure, used: used.bytes, wanted: rest.bytes, allowed };
        if most == 0 {
            self.full =
                self.full.or(Some(Excess { wanted: rest.bytes.saturating_add(1), ..excess }));
        }
        if self.most.is_none_or(|(least, _)| most < least) {
            self.most = Some((most, excess));
        }
    }
}

/// What a link adds to the usage of its table, or of a user.
fn charged(link: &Link, account: Account) -> Usage {
    let attachment = &link.attachment;
    if matches!(account, Account::Uid(uid) if uid != attachment.access.uid) {
        return Usage::default();
    }
    let sent = attachment.original.as_ref().map_or(0, |sent| sent.content.length);
    Usage { files: 1, bytes: attachment.content.length + sent }
}
