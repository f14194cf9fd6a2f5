//! Quotas as writers meet them: how much room there is before a byte is sent, and why there is none, in words.
//! Does not decide at the end: the catalogue holds each publication to the quotas, in its transaction.

use std::sync::Arc;

use crate::library::Library;
use crate::library::error::Error;
use crate::library::limit::tally::{Charge, Tally};
use crate::library::lookup::target::Target;
use words::attachment::{ScratchId, TableId};
use words::author::Author;
use words::link::Link;
use words::place::Folder;
use words::quota::{self, Account, Excess, Limits, Measure, Quota, Usage};
use words::refusal::{Refusal, Rule, Violation};
use words::rule::Kind;
use words::scratch::ScratchRecord;
use words::slot::Name;

/// What the quotas leave for one file. Without quotas: everything.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// Why nothing can be taken, known before a byte is.
    pub full: Option<Excess>,
    /// The most bytes that the file may have, and whose quota says so. None as well where what is stored is not what is
    /// sent: only the close tells then.
    pub most: Option<(u64, Excess)>,
}

impl Room {
    /// Why a file of this size does not fit.
    pub fn check(&self, size: u64) -> Result<(), Excess> {
        match self.most {
            Some((most, excess)) if size > most => {
                let wanted = excess.wanted.saturating_add(size);
                Err(Excess { wanted, ..excess })
            }
            _ => Ok(()),
        }
    }

    fn narrow(&mut self, account: Account, quota: Quota, used: Usage, replaced: Usage) {
        let rest = Usage {
            files: used.files.saturating_sub(replaced.files),
            bytes: used.bytes.saturating_sub(replaced.bytes),
        };
        let files = (Measure::Files, quota.files);
        let full = quota::check(account, files, used.files, rest.files.saturating_add(1)).err();
        self.full = self.full.or(full);
        let Some(allowed) = quota.bytes else { return };
        // As large as what it replaces it may be in any case.
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

impl Library {
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn usage(&self, account: Account) -> Result<Usage, Error> {
        Ok(self.catalog.usage(account)?)
    }

    /// What the quotas leave for a file that is about to be written for this owner. Asks nobody where there are none.
    pub fn room(&self, target: &Target, owner: u32) -> Result<Room, Error> {
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

    /// Whether a user may open one more draft in a table.
    pub fn may_draft(
        &self,
        target: &Target,
        uid: u32,
        (of_user, of_table): (u64, u64),
    ) -> Result<(), Excess> {
        let user = Account::Uid(uid);
        let quota = self.limits.of(user).drafts.or((uid != 0).then_some(quota::DRAFTS));
        quota::check(user, (Measure::Drafts, quota), of_user, of_user + 1)?;
        let Some(table) = self.table_of(target).map(Account::Table) else { return Ok(()) };
        let quota = self.limits.of(table).drafts;
        quota::check(table, (Measure::Drafts, quota), of_table, of_table + 1)
    }

    /// Puts the refusal of a file in a slot on record; nothing of it is kept.
    pub fn refuse_over_quota(&self, target: &Target, author: Author, excess: &Excess) -> Refusal {
        self.refuse(target, author, self.over_quota(excess), None)
    }

    /// Puts the refusal of a scratch file's growth on record. The bytes that it has stay.
    pub fn refuse_scratch(
        &self,
        id: ScratchId,
        author: Author,
        violation: Violation,
    ) -> Result<Refusal, Error> {
        let record = self.catalog.scratch_by_id(id)?;
        let place = match record {
            Some(record) => (self.lookup.folder_path(&record.folder)?, record.name.to_string()),
            None => ("?".to_owned(), "a file without a name".to_owned()),
        };
        Ok(self.refuse_growth(place, author, violation))
    }

    fn refuse_growth(
        &self,
        (folder, name): (String, String),
        author: Author,
        violation: Violation,
    ) -> Refusal {
        let path = format!("{folder}/{name}");
        let refusal = Refusal { id: self.refusals.next_id(), path, field: name, violation };
        self.refusals.record(&refusal, None, author, None);
        refusal
    }

    pub(crate) fn over_quota(&self, excess: &Excess) -> Violation {
        let Excess { account, measure, used, wanted, allowed } = *excess;
        let (who, section) = match account {
            Account::Uid(uid) => (format!("user {uid}"), "uid".to_owned()),
            Account::Table(id) => {
                let name = self
                    .lookup
                    .table(id)
                    .map_or_else(|| id.0.to_string(), |it| it.name.to_string());
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

    /// What was moved may belong to another table.
    pub(crate) fn recount_scratch(&self, id: ScratchId) -> Result<(), Error> {
        if self.limits.count_scratch_by_table()
            && let Some(record) = self.catalog.scratch_by_id(id)?
            && let Some(charge) = self.tally.find(id)
        {
            charge.give(record.access.uid, self.scratch_table(&record.folder)?);
        }
        Ok(())
    }

    /// Makes room for what new scratch is to hold, which will be called so.
    pub(crate) fn charge_scratch(
        &self,
        record: &ScratchRecord,
        name: &Name,
        length: u64,
    ) -> Result<(), Error> {
        let charge = self.scratch_charge(record)?;
        let Err(excess) = charge.grow(length, self.limits()) else { return Ok(()) };
        let author = Author { uid: record.access.uid, pid: 0 };
        let path = self.lookup.folder_path(&record.folder)?;
        let violation = self.over_quota(&excess);
        Err(self.refuse_growth((path, name.to_string()), author, violation).into())
    }

    /// The part that a scratch file has in its user's tally, for whoever opens it.
    pub fn scratch_charge(&self, record: &ScratchRecord) -> Result<Arc<Charge>, Error> {
        if let Some(charge) = self.tally.find(record.id) {
            return Ok(charge);
        }
        // It has lost its name this moment.
        let size = self.stat_scratch(record).map_or(0, |stat| stat.size);
        Ok(self.tally.open(record.access.uid, self.scratch_table(&record.folder)?, size))
    }

    /// What users and tables have of scratch, in no order.
    pub fn scratch_tally(&self) -> &Tally {
        &self.tally
    }

    /// The table of a folder's row, where some table has a quota of scratch; else nobody asks.
    pub(crate) fn scratch_table(&self, folder: &Folder) -> Result<Option<TableId>, Error> {
        if !self.limits.count_scratch_by_table() {
            return Ok(None);
        }
        Ok(self.lookup.row_by_id(folder.row)?.map(|row| row.table))
    }

    fn table_of(&self, target: &Target) -> Option<TableId> {
        let name = &target.slot.row.table;
        self.lookup.table_named(name.as_str()).map(|table| table.id)
    }
}

/// What a link is charged to an account of its table or of some user.
fn charged(link: &Link, account: Account) -> Usage {
    let attachment = &link.attachment;
    if matches!(account, Account::Uid(uid) if uid != attachment.access.uid) {
        return Usage::default();
    }
    let sent = attachment.original.as_ref().map_or(0, |sent| sent.content.length);
    Usage { files: 1, bytes: attachment.content.length + sent }
}
