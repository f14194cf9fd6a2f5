//! Quotas: the accounts that are charged, the amounts that are counted, and the limits. The catalogue counts attachments, the
//! library scratch files, the tree open drafts.

use std::collections::BTreeMap;
use std::fmt;

use crate::attachment::TableId;
use crate::byte_count::ByteCount;
use crate::slot::Name;

/// How many drafts a user may have open without a quota.
pub const DRAFTS: u64 = 4_096;

/// Root is charged like other users, but no quota of users limits it.
const ROOT: u32 = 0;

/// An account that is charged. Every name in the tree is charged to its table and to the owner of its attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    Table(TableId),
    Uid(u32),
}

/// The amounts that are counted. Each is a key in the section of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Bytes of attachments, once for each name, and of the files as they were sent where those are kept.
    Bytes,
    /// Names of attachments.
    Files,
    /// Open drafts.
    Drafts,
    /// Bytes of scratch files.
    Scratch,
}

/// The attachments that an account is charged for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub files: u64,
    pub bytes: u64,
}

/// How much an account may have. `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    pub bytes: Option<u64>,
    pub files: Option<u64>,
    pub drafts: Option<u64>,
    pub scratch: Option<u64>,
}

/// The configured quotas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas {
    pub tables: BTreeMap<Name, Quota>,
    /// The quota of each user without one of its own.
    pub uid: Quota,
    pub uids: BTreeMap<u32, Quota>,
}

/// The configured quotas by the numbers that the catalogue gave the tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    pub tables: BTreeMap<TableId, Quota>,
    pub uid: Quota,
    pub uids: BTreeMap<u32, Quota>,
}

/// A change that would exceed a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{account} would have {} of {}", measure.amount(*wanted), measure.amount(*allowed))]
pub struct Excess {
    pub account: Account,
    pub measure: Measure,
    /// How much the account has.
    pub used: u64,
    /// How much it would have after the change.
    pub wanted: u64,
    pub allowed: u64,
}

impl Limits {
    pub fn of(&self, account: Account) -> Quota {
        match account {
            Account::Table(table) => self.tables.get(&table).copied().unwrap_or_default(),
            Account::Uid(ROOT) => Quota::default(),
            Account::Uid(uid) => self.uids.get(&uid).copied().unwrap_or(self.uid),
        }
    }

    /// Checks a change against the quota of its account. An account that does not grow passes even above its quota, which may
    /// have been lowered.
    pub fn check(&self, account: Account, before: Usage, after: Usage) -> Result<(), Excess> {
        let quota = self.of(account);
        check(account, (Measure::Files, quota.files), before.files, after.files)?;
        check(account, (Measure::Bytes, quota.bytes), before.bytes, after.bytes)
    }

    /// Whether any table has a quota of scratch.
    pub fn count_scratch_by_table(&self) -> bool {
        self.tables.values().any(|quota| quota.scratch.is_some())
    }
}

/// Whether an account may grow from `used` to `wanted`.
pub fn check(
    account: Account,
    (measure, allowed): (Measure, Option<u64>),
    used: u64,
    wanted: u64,
) -> Result<(), Excess> {
    match allowed {
        Some(allowed) if wanted > used && wanted > allowed => {
            Err(Excess { account, measure, used, wanted, allowed })
        }
        _ => Ok(()),
    }
}

impl Quota {
    /// Whether attachments are limited.
    pub fn limits_attachments(&self) -> bool {
        self.bytes.is_some() || self.files.is_some()
    }
}

impl Measure {
    pub fn key(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Files => "files",
            Self::Drafts => "drafts",
            Self::Scratch => "scratch",
        }
    }

    /// An amount in words: `5 MiB`, `1 file`, `3 open drafts`, `2 KiB of scratch`.
    pub fn amount(self, number: u64) -> String {
        let plural = if number == 1 { "" } else { "s" };
        match self {
            Self::Bytes => ByteCount(number).to_string(),
            Self::Files => format!("{number} file{plural}"),
            Self::Drafts => format!("{number} open draft{plural}"),
            Self::Scratch => format!("{} of scratch", ByteCount(number)),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(id) => write!(out, "table {}", id.0),
            Self::Uid(uid) => write!(out, "user {uid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let bytes = |bytes| Quota { bytes: Some(bytes), ..Quota::default() };
        Limits {
            tables: BTreeMap::from([(TableId(1), bytes(100))]),
            uid: bytes(50),
            uids: BTreeMap::from([(7, Quota::default())]),
        }
    }

    #[test]
    fn a_user_has_a_quota_of_its_own_or_the_common_one() {
        let of = |uid| limits().of(Account::Uid(uid)).bytes;
        assert_eq!((of(1), of(7)), (Some(50), None));
    }

    #[test]
    fn root_is_held_to_the_quotas_of_tables_only() {
        assert_eq!(limits().of(Account::Uid(0)), Quota::default());
        assert_eq!(limits().of(Account::Table(TableId(1))).bytes, Some(100));
    }

    #[test]
    fn a_change_that_shrinks_an_account_never_exceeds_a_quota() {
        let usage = |bytes| Usage { files: 1, bytes };
        let check = |from, to| limits().check(Account::Uid(1), usage(from), usage(to));
        assert_eq!(check(90, 80), Ok(()));
        assert_eq!(check(40, 50), Ok(()));
        let excess = check(40, 51).expect_err("too much");
        assert_eq!((excess.used, excess.wanted, excess.allowed), (40, 51, 50));
        assert!(check(90, 91).is_err());
    }
}
