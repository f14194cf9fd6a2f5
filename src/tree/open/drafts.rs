//! The open drafts and placeholders, by number and by slot.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::library::draft::Draft;
use crate::tree::error::{Error, Result};
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::processes::Owner;
use words::attachment::{AttachmentId, RowId};
use words::place::Place;
use words::slot::Name;

#[derive(Debug, Default)]
pub struct Drafts {
    /// Guards the indexes. Never held across I/O.
    index: Mutex<Index>,
    /// The number of drafts: while it is 0 a search takes no lock.
    count: AtomicUsize,
    /// The last number of a draft, or of an inode on which one may be begun.
    last: AtomicU64,
}

#[derive(Debug, Default)]
struct Index {
    open: HashMap<u64, Arc<OpenDraft>>,
    /// The drafts of each place in the order of opening.
    by_place: HashMap<Place, Vec<u64>>,
    /// The drafts that have a name, by row.
    by_row: HashMap<RowId, BTreeSet<u64>>,
    /// The number of drafts of each user, and of each table.
    by_user: HashMap<u32, u64>,
    by_table: HashMap<Name, u64>,
}

impl Index {
    fn add(&mut self, open: &Arc<OpenDraft>) {
        *self.by_user.entry(open.draft.author().uid).or_default() += 1;
        *self.by_table.entry(open.draft.target().slot.row.table.clone()).or_default() += 1;
        self.by_row.entry(open.place().row).or_default().insert(open.id);
        self.open.insert(open.id, Arc::clone(open));
    }

    fn remove(&mut self, open: &OpenDraft) {
        if self.open.remove(&open.id).is_some() {
            one_less(&mut self.by_user, &open.draft.author().uid);
            one_less(&mut self.by_table, &open.draft.target().slot.row.table);
        }
    }

    fn part(&mut self, open: &OpenDraft) {
        if let Some(ids) = self.by_place.get_mut(open.place()) {
            ids.retain(|other| *other != open.id);
            if ids.is_empty() {
                self.by_place.remove(open.place());
            }
        }
        if let Some(ids) = self.by_row.get_mut(&open.place().row) {
            ids.remove(&open.id);
            if ids.is_empty() {
                self.by_row.remove(&open.place().row);
            }
        }
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Drafts {
    /// A new number for a draft and its inode.
    pub fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds a draft under a number that no other draft has.
    pub fn add(
        &self,
        number: u64,
        draft: Draft,
        over: Option<AttachmentId>,
        owner: Owner,
    ) -> Arc<OpenDraft> {
        let mut index = self.index.lock();
        let open = Arc::new(OpenDraft::new(number, draft, over, owner));
        index.by_place.entry(open.place().clone()).or_default().push(open.id);
        index.add(&open);
        self.count.store(index.open.len(), Ordering::Release);
        open
    }

    /// Errors: [`Error::Stale`] if the draft has ended.
    pub fn find(&self, id: u64) -> Result<Arc<OpenDraft>> {
        self.index.lock().open.get(&id).cloned().ok_or(Error::Stale)
    }

    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// The number of drafts that a user has, and the number in a table.
    pub fn count(&self, user: u32, table: &Name) -> (u64, u64) {
        let index = self.index.lock();
        let of_user = index.by_user.get(&user).copied().unwrap_or(0);
        (of_user, index.by_table.get(table).copied().unwrap_or(0))
    }

    /// The drafts of a slot, oldest first.
    pub fn of(&self, place: &Place) -> Vec<Arc<OpenDraft>> {
        if self.is_empty() {
            return Vec::new();
        }
        let index = self.index.lock();
        let ids = index.by_place.get(place).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| index.open.get(id).cloned()).collect()
    }

    /// The drafts of a slot that are not judged yet, oldest first.
    pub fn found(&self, place: &Place) -> Vec<Arc<OpenDraft>> {
        let mut drafts = self.of(place);
        drafts.retain(|open| !open.is_judged());
        drafts
    }

    /// The other slots of the same collection that have a first draft.
    pub fn begun_beside(&self, place: &Place) -> Vec<Place> {
        let beside = |other: &Place| {
            other.row == place.row
                && other.field == place.field
                && other.item.is_some()
                && other != place
        };
        let begun = self.of_row(place.row).into_iter();
        let begun = begun.filter(|open| beside(open.place()) && open.is_shown());
        let mut places: Vec<_> = begun.map(|open| open.place().clone()).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The draft that a free slot shows to a process: its own unless that is judged, else the first that is shown to all.
    pub fn first(&self, place: &Place, tgid: Option<u32>) -> Option<Arc<OpenDraft>> {
        let drafts = self.found(place);
        let own = drafts.iter().find(|open| open.belongs_to(tgid));
        own.or_else(|| drafts.iter().find(|open| open.is_shown())).cloned()
    }

    /// The first draft of a free slot that is shown to all.
    pub fn first_shown(&self, place: &Place) -> Option<Arc<OpenDraft>> {
        self.of(place).into_iter().find(|open| open.is_shown())
    }

    /// The drafts of a row, oldest first.
    pub fn of_row(&self, row: RowId) -> Vec<Arc<OpenDraft>> {
        if self.is_empty() {
            return Vec::new();
        }
        let index = self.index.lock();
        let ids = index.by_row.get(&row).into_iter().flatten();
        ids.filter_map(|id| index.open.get(id).cloned()).collect()
    }

    /// All drafts, oldest first.
    pub fn all(&self) -> Vec<Arc<OpenDraft>> {
        let mut all: Vec<_> = self.index.lock().open.values().cloned().collect();
        all.sort_unstable_by_key(|open| open.id);
        all
    }

    /// Removes a draft from its slot. Its open handles keep it.
    pub fn part(&self, open: &OpenDraft) {
        self.index.lock().part(open);
        self.remove(open.id);
    }

    /// Removes a draft, unless it has a handle.
    pub fn remove(&self, id: u64) {
        let mut index = self.index.lock();
        let idle = |open: &&Arc<OpenDraft>| !open.has_handles();
        let Some(open) = index.open.get(&id).filter(idle).cloned() else { return };
        index.remove(&open);
        index.part(&open);
        self.count.store(index.open.len(), Ordering::Release);
    }

    /// Removes the placeholders of a slot that was committed to, except the draft with the number `except`.
    pub fn drop_placeholders(&self, place: &Place, except: u64) {
        for other in self.of(place) {
            if other.id != except && other.is_placeholder() {
                self.remove(other.id);
            }
        }
    }

    /// Removes the placeholders of the places of a row that `lies` selects.
    pub fn drop_placeholders_where(&self, row: RowId, lies: impl Fn(&Place) -> bool) {
        for open in self.of_row(row) {
            if lies(open.place()) && open.is_placeholder() {
                self.remove(open.id);
            }
        }
    }

    /// Unlinks the drafts that a free slot shows. Placeholders are removed; a draft that is being written is hidden, and commits
    /// when it is closed. Returns whether the slot showed any.
    pub fn unlink_shown(&self, place: &Place) -> bool {
        let shown: Vec<_> = self.of(place).into_iter().filter(|open| open.is_shown()).collect();
        for open in &shown {
            open.unlink();
            if open.is_placeholder() {
                self.remove(open.id);
            }
        }
        !shown.is_empty()
    }

    /// Removes and returns the placeholders that stayed empty for too long.
    pub fn expire(&self, now: Instant) -> Vec<Arc<OpenDraft>> {
        let over: Vec<_> = self.all().into_iter().filter(|open| open.is_over(now)).collect();
        for open in &over {
            self.remove(open.id);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::library::draft::Start;
    use crate::library::lookup::target::Target;
    use crate::tree::open::open_draft::PLACEHOLDER;
    use crate::tree::open::processes::Processes;
    use words::attachment::Access;
    use words::author::Author;
    use words::rule::Rules;
    use words::schema::Field;
    use words::slot::Slot;

    fn draft() -> Draft {
        let name = Name::parse("memo").expect("a name");
        let access = Access { uid: 0, gid: 0, mode: 0o644 };
        let target = Target {
            place: Place::one(RowId(1), name.clone()),
            slot: Slot::parse("user/42/memo").expect("a slot"),
            field: Arc::new(Field::new(name.clone(), Rules::file())),
            written: name,
            directory: access,
        };
        Draft::new(target, Author { uid: 0, pid: 1 }, access, Start::Empty, None)
    }

    #[test]
    fn a_placeholder_stays_for_60_s() {
        let (drafts, owner) = (Drafts::default(), Processes::Simulated.owner(1));
        let open = drafts.add(drafts.number(), draft(), None, owner);
        assert!(open.let_go());
        open.rest();
        assert!(open.is_placeholder() && open.is_shown());
        let closed = Instant::now();
        assert_eq!(drafts.expire(closed + PLACEHOLDER.mul_f32(0.9)).len(), 0);
        assert_eq!(drafts.expire(closed + PLACEHOLDER + Duration::from_secs(1)).len(), 1);
        assert!(drafts.is_empty() && drafts.of(open.place()).is_empty());
    }
}
