//! The tally of scratch: how many bytes of scratch each user and each table has.
//!
//! A file counts while it has a name or is open. Nothing here touches a file: the caller says how large a file becomes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use parking_lot::Mutex;

use crate::session_thread::{self, Elsewhere};
use words::attachment::{ScratchId, TableId};
use words::quota::{self, Account, Excess, Limits, Measure};
use words::scratch::ScratchRecord;
use words::timestamp::Timestamp;

/// The sizes of all scratch files. Each start counts them anew on the disk.
#[derive(Debug, Default)]
pub struct Tally {
    /// Guards the sums of all accounts. Shared with every [`Charge`]. Never held across I/O.
    sums: Arc<Mutex<Sums>>,
    /// Guards the scratch files that have a name, with the times when they were made. Never held across I/O.
    named: Mutex<BTreeMap<ScratchId, (Timestamp, Arc<Charge>)>>,
}

#[derive(Debug, Default)]
struct Sums {
    accounts: HashMap<Account, u64>,
}

/// The bytes that one scratch file adds to the tally, while it has a name or a holder of this charge.
#[derive(Debug)]
pub struct Charge {
    /// Guards all sums, so that two writers cannot both take what is left of a quota. Never held across I/O.
    sums: Arc<Mutex<Sums>>,
    /// Guards the owner and the size of the file. Taken before the sums.
    part: Mutex<Part>,
    /// Guards the file's bytes and size, also across I/O. Writers hold it shared. It is held alone while the bytes must not change:
    /// from the copy that is judged until the file's handles are a draft's, and while space is given back.
    gate: RwLock<()>,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    uid: u32,
    /// None if no table has a quota of scratch.
    table: Option<TableId>,
    size: u64,
}

impl Tally {
    /// Counts a scratch file that has a name.
    pub fn add(&self, record: &ScratchRecord, table: Option<TableId>, size: u64) -> Arc<Charge> {
        let charge = self.open(record.access.uid, table, size);
        self.named.lock().insert(record.id, (record.created, Arc::clone(&charge)));
        charge
    }

    /// Counts a scratch file without a name, until the returned charge is dropped.
    pub fn open(&self, uid: u32, table: Option<TableId>, size: u64) -> Arc<Charge> {
        let part = Part { uid, table, size };
        self.sums.lock().charge(part);
        let (sums, part) = (Arc::clone(&self.sums), Mutex::new(part));
        Arc::new(Charge { sums, part, gate: RwLock::default() })
    }

    pub fn find(&self, id: ScratchId) -> Option<Arc<Charge>> {
        self.named.lock().get(&id).map(|(_, charge)| Arc::clone(charge))
    }

    /// The number of scratch files with a name, the bytes of all scratch, and when the oldest was made. Ids follow time.
    pub fn named(&self) -> (usize, u64, Option<Timestamp>) {
        let of_users = |(account, size)| matches!(account, &Account::Uid(_)).then_some(size);
        let bytes = self.sums.lock().accounts.iter().filter_map(of_users).sum();
        let named = self.named.lock();
        (named.len(), bytes, named.first_key_value().map(|(_, (created, _))| *created))
    }

    /// The number of scratch files with a name.
    pub fn count(&self) -> u64 {
        u64::try_from(self.named.lock().len()).unwrap_or(u64::MAX)
    }

    /// Forgets the name of a scratch file. The file still counts while it is open.
    pub fn remove(&self, id: ScratchId) {
        let charge = self.named.lock().remove(&id);
        // Dropped outside of the lock: a last holder takes the lock of the sums.
        drop(charge);
    }
}

impl Charge {
    pub fn size(&self) -> u64 {
        self.part.lock().size
    }

    /// Holds the bytes to write to them. In a thread of the session it fails while they must not change.
    pub fn share(&self) -> Result<RwLockReadGuard<'_, ()>, Elsewhere> {
        if let Ok(gate) = self.gate.try_read() {
            return Ok(gate);
        }
        session_thread::leave()?;
        Ok(self.gate.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Holds the bytes so that nobody changes them.
    pub fn hold(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the file grow to `size` bytes. A smaller `size` changes nothing. Errors: the quota that it would exceed.
    pub fn grow(&self, size: u64, limits: &Limits) -> Result<(), Excess> {
        let mut part = self.part.lock();
        let Some(more) = size.checked_sub(part.size).filter(|more| *more > 0) else {
            return Ok(());
        };
        let mut sums = self.sums.lock();
        for account in part.accounts() {
            let used = sums.of(account);
            let allowed = (Measure::Scratch, limits.of(account).scratch);
            quota::check(account, allowed, used, used.saturating_add(more))?;
        }
        sums.discharge(*part);
        part.size = size;
        sums.charge(*part);
        Ok(())
    }

    /// Sets the size that the file has now, without asking the quotas.
    pub fn set(&self, size: u64) {
        self.change(|part| part.size = size);
    }

    /// Charges the file to another user or table, after a `chown` or a move.
    pub fn give(&self, uid: u32, table: Option<TableId>) {
        self.change(|part| (part.uid, part.table) = (uid, table));
    }

    fn change(&self, change: impl FnOnce(&mut Part)) {
        let mut part = self.part.lock();
        let mut sums = self.sums.lock();
        sums.discharge(*part);
        change(&mut part);
        sums.charge(*part);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let part = *self.part.lock();
        self.sums.lock().discharge(part);
    }
}

impl Part {
    fn accounts(self) -> impl Iterator<Item = Account> {
        std::iter::once(Account::Uid(self.uid)).chain(self.table.map(Account::Table))
    }
}

impl Sums {
    fn of(&self, account: Account) -> u64 {
        self.accounts.get(&account).copied().unwrap_or(0)
    }

    fn charge(&mut self, part: Part) {
        for account in part.accounts().filter(|_| part.size > 0) {
            let sum = self.accounts.entry(account).or_default();
            *sum = sum.saturating_add(part.size);
        }
    }

    fn discharge(&mut self, part: Part) {
        for account in part.accounts() {
            if let Some(sum) = self.accounts.get_mut(&account) {
                *sum = sum.saturating_sub(part.size);
                if *sum == 0 {
                    self.accounts.remove(&account);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::{Access, RowId};
    use words::place::Folder;
    use words::quota::Quota;
    use words::slot::Name;

    const ME: Account = Account::Uid(7);

    fn of(tally: &Tally, account: Account) -> u64 {
        tally.sums.lock().of(account)
    }

    fn limits(scratch: u64) -> Limits {
        let uid = Quota { scratch: Some(scratch), ..Quota::default() };
        Limits { uid, ..Limits::default() }
    }

    /// Scratch of a user, made at the time of its number.
    fn scratch(id: u64, uid: u32) -> ScratchRecord {
        ScratchRecord {
            id: ScratchId(id),
            folder: Folder::row(RowId(1)),
            name: Name::parse("x").expect("a name"),
            file: "x".into(),
            access: Access { uid, gid: 0, mode: 0o600 },
            created: Timestamp(id.try_into().expect("a time")),
            arrival: words::scratch::Arrival::default(),
        }
    }

    #[test]
    fn scratch_grows_up_to_the_quota_of_its_user() {
        let tally = Tally::default();
        let one = tally.add(&scratch(1, 7), None, 0);
        let two = tally.add(&scratch(2, 7), None, 0);
        assert_eq!(one.grow(60, &limits(100)), Ok(()));
        assert_eq!(two.grow(40, &limits(100)), Ok(()));
        let excess = two.grow(41, &limits(100)).expect_err("too much");
        assert_eq!((excess.account, excess.used, excess.wanted), (ME, 100, 101));
        assert_eq!(one.grow(10, &limits(100)), Ok(()), "it is larger already");
        one.set(10);
        assert_eq!(two.grow(90, &limits(100)), Ok(()));
    }

    #[test]
    fn a_file_without_a_name_counts_until_it_is_closed() {
        let tally = Tally::default();
        let open = tally.add(&scratch(1, 7), Some(TableId(2)), 50);
        tally.remove(ScratchId(1));
        assert_eq!((of(&tally, ME), of(&tally, Account::Table(TableId(2)))), (50, 50));
        drop(open);
        assert!(tally.sums.lock().accounts.is_empty());
    }

    #[test]
    fn what_is_given_away_counts_for_its_new_owner() {
        let tally = Tally::default();
        tally.add(&scratch(1, 7), None, 50).give(8, Some(TableId(2)));
        assert_eq!((of(&tally, ME), of(&tally, Account::Uid(8))), (0, 50));
        assert_eq!(of(&tally, Account::Table(TableId(2))), 50);
    }

    #[test]
    fn root_is_counted_and_held_to_nothing() {
        let tally = Tally::default();
        assert_eq!(tally.add(&scratch(1, 0), None, 0).grow(500, &limits(100)), Ok(()));
        assert_eq!(of(&tally, Account::Uid(0)), 500);
    }

    #[test]
    fn what_there_is_in_all_is_known_without_a_look_at_each() {
        let tally = Tally::default();
        assert_eq!(tally.named(), (0, 0, None));
        for (id, uid) in [(3, 7), (4, 8), (5, 8)] {
            tally.add(&scratch(id, uid), Some(TableId(2)), 10);
        }
        assert_eq!(tally.named(), (3, 30, Some(Timestamp(3))));
        tally.remove(ScratchId(3));
        assert_eq!(tally.named(), (2, 20, Some(Timestamp(4))));
    }
}
