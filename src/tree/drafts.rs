//! The open drafts and placeholders: which slot each is for, whose it is, how many handles it has.
//! Does not judge: a draft's bytes are `library::draft`'s.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::library::draft::Draft;
use crate::tree::process::Owner;
use words::attachment::{AttachmentId, RowId};
use words::place::Place;
use words::slot::Name;

/// How long an empty file on a free slot stays (CONTRACT 2.6).
pub const PLACEHOLDER: Duration = Duration::from_secs(60);
/// How long a draft that was looked up for an `open` waits for it.
pub const AWAITED: Duration = Duration::from_secs(2);

/// A draft with what the tree knows of it.
#[derive(Debug)]
pub struct OpenDraft {
    pub id: u64,
    pub draft: Draft,
    /// What the slot held when the draft began.
    pub over: Option<AttachmentId>,
    /// Guards owner and handles; never held while bytes are judged.
    hold: Mutex<Hold>,
}

#[derive(Debug)]
struct Hold {
    owner: Owner,
    handles: usize,
    /// Looked up for an `open` that has not come yet: it must still be there when it comes.
    awaited: Option<Instant>,
    /// All handles closed, not a byte: a listed 0-byte file since then.
    resting: Option<Instant>,
    /// Unlinked by somebody else, or committed once: its name is shown to nobody but its owner.
    hidden: bool,
    /// Unlinked by somebody else, and not committed since.
    unlinked: bool,
}

#[derive(Debug, Default)]
pub struct Drafts {
    /// Guards the two indexes. Never held across I/O.
    index: Mutex<Index>,
    /// How many there are, so that the common answer 'none' takes no lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Index {
    last: u64,
    by_id: HashMap<u64, Arc<OpenDraft>>,
    /// In the order of opening.
    by_place: HashMap<Place, Vec<u64>>,
    /// How many each user has, and each table.
    by_user: HashMap<u32, u64>,
    by_table: HashMap<Name, u64>,
}

impl Index {
    fn enter(&mut self, open: &Arc<OpenDraft>) {
        *self.by_user.entry(open.user()).or_default() += 1;
        *self.by_table.entry(open.table().clone()).or_default() += 1;
        self.by_id.insert(open.id, Arc::clone(open));
    }

    fn leave(&mut self, open: &OpenDraft) {
        if self.by_id.remove(&open.id).is_some() {
            one_less(&mut self.by_user, &open.user());
            one_less(&mut self.by_table, open.table());
        }
    }

    fn part(&mut self, open: &OpenDraft) {
        if let Some(ids) = self.by_place.get_mut(open.place()) {
            ids.retain(|other| *other != open.id);
            if ids.is_empty() {
                self.by_place.remove(open.place());
            }
        }
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl OpenDraft {
    /// Whose quota of drafts it counts for.
    fn user(&self) -> u32 {
        self.draft.author().uid
    }

    fn table(&self) -> &Name {
        &self.draft.target().slot.row.table
    }

    pub fn place(&self) -> &Place {
        &self.draft.target().place
    }

    pub fn belongs_to(&self, tgid: Option<u32>) -> bool {
        self.lock().owner.is(tgid)
    }

    pub fn owner(&self) -> Owner {
        self.lock().owner.clone()
    }

    pub fn is_placeholder(&self) -> bool {
        self.lock().resting.is_some()
    }

    /// Whether its name is shown to its owner alone.
    pub fn is_hidden(&self) -> bool {
        self.lock().hidden
    }

    /// Whether no path leads to it any more. What was judged lives on in its handles only: the release that ends it comes
    /// after `close` has answered, and whoever looks next, the writer too, must find what is stored.
    pub fn is_judged(&self) -> bool {
        self.draft.is_judged()
    }

    /// Whether a free slot shows it to everybody: a first draft that is not judged yet, or a placeholder.
    pub fn is_shown(&self) -> bool {
        self.over.is_none() && !self.is_hidden() && !self.is_judged()
    }

    pub fn hide(&self) {
        self.lock().hidden = true;
    }

    /// Its bytes were committed, and have a name.
    pub fn commit(&self) {
        let mut hold = self.lock();
        (hold.hidden, hold.unlinked) = (true, false);
    }

    /// Its name was removed by another process.
    pub fn unlink(&self) {
        let mut hold = self.lock();
        (hold.hidden, hold.unlinked) = (true, true);
    }

    pub fn is_unlinked(&self) -> bool {
        self.lock().unlinked
    }

    /// Makes a placeholder the draft of whoever is about to write to it. False if it is none, or somebody was quicker.
    pub fn claim(&self, opener: &Owner) -> bool {
        let mut hold = self.lock();
        if hold.resting.take().is_none() {
            return false;
        }
        hold.owner = opener.clone();
        hold.awaited = Some(Instant::now());
        true
    }

    /// One more handle. A placeholder becomes the draft of whoever opens it: returns whether it is held, which it is not
    /// where nobody said who that is.
    pub fn hold(&self, opener: Option<&Owner>) -> bool {
        let mut hold = self.lock();
        match (hold.resting, opener) {
            (Some(_), None) => return false,
            (Some(_), Some(opener)) => hold.owner = opener.clone(),
            (None, _) => {}
        }
        hold.resting = None;
        hold.awaited = None;
        hold.handles += 1;
        true
    }

    /// An `open` will follow.
    pub fn await_open(&self) {
        self.lock().awaited = Some(Instant::now());
    }

    /// One handle less; whether it was the last.
    pub fn let_go(&self) -> bool {
        let mut hold = self.lock();
        hold.handles = hold.handles.saturating_sub(1);
        hold.handles == 0
    }

    pub fn has_handles(&self) -> bool {
        self.lock().handles > 0
    }

    /// Closed without a byte on a free slot: stays as a placeholder unless somebody opened it again meanwhile.
    pub fn rest(&self) {
        let mut hold = self.lock();
        if hold.handles == 0 {
            hold.resting = Some(Instant::now());
        }
    }

    /// Whether nobody has it open or is about to.
    fn is_idle(&self, now: Instant) -> bool {
        let hold = self.lock();
        let awaited = hold.awaited.is_some_and(|since| now.duration_since(since) <= AWAITED);
        hold.handles == 0 && !awaited
    }

    /// Whether it is of no use any more: nobody opened it, or it has rested its time.
    fn is_over(&self, now: Instant) -> bool {
        let rests = |since| now.duration_since(since) <= PLACEHOLDER;
        self.is_idle(now) && !self.lock().resting.is_some_and(rests)
    }

    fn lock(&self) -> MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drafts {
    /// Enters a draft that an `open` will follow.
    pub fn add(&self, draft: Draft, over: Option<AttachmentId>, owner: Owner) -> Arc<OpenDraft> {
        let mut index = self.lock();
        index.last += 1;
        let id = index.last;
        let awaited = Some(Instant::now());
        let hold =
            Hold { owner, handles: 0, awaited, resting: None, hidden: false, unlinked: false };
        let hold = Mutex::new(hold);
        let open = Arc::new(OpenDraft { id, draft, over, hold });
        index.by_place.entry(open.place().clone()).or_default().push(id);
        index.enter(&open);
        self.count.store(index.by_id.len(), Ordering::Release);
        open
    }

    pub fn find(&self, id: u64) -> Option<Arc<OpenDraft>> {
        self.lock().by_id.get(&id).cloned()
    }

    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// How many drafts a user has, and how many there are in a table.
    pub fn count(&self, user: u32, table: &Name) -> (u64, u64) {
        let index = self.lock();
        let of_user = index.by_user.get(&user).copied().unwrap_or(0);
        (of_user, index.by_table.get(table).copied().unwrap_or(0))
    }

    /// The drafts of a slot, oldest first.
    pub fn of(&self, place: &Place) -> Vec<Arc<OpenDraft>> {
        if self.is_empty() {
            return Vec::new();
        }
        let index = self.lock();
        let ids = index.by_place.get(place).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| index.by_id.get(id).cloned()).collect()
    }

    /// The drafts of a slot that a path leads to, oldest first.
    pub fn found(&self, place: &Place) -> Vec<Arc<OpenDraft>> {
        let mut drafts = self.of(place);
        drafts.retain(|open| !open.is_judged());
        drafts
    }

    /// The other slots of the collection that has this one for which there is a first draft.
    pub fn begun_beside(&self, place: &Place) -> Vec<Place> {
        let beside = |other: &Place| {
            other.row == place.row
                && other.field == place.field
                && other.item.is_some()
                && other != place
        };
        let index = self.lock();
        let shown = |id| index.by_id.get(id).is_some_and(|open| open.is_shown());
        let begun = index.by_place.iter().filter(|(it, ids)| beside(it) && ids.iter().any(shown));
        begun.map(|(place, _)| place.clone()).collect()
    }

    /// The draft of a slot that a process owns.
    pub fn owned(&self, place: &Place, tgid: Option<u32>) -> Option<Arc<OpenDraft>> {
        self.found(place).into_iter().find(|open| open.belongs_to(tgid))
    }

    /// The drafts in a row that is going.
    pub fn of_row(&self, row: RowId) -> Vec<Arc<OpenDraft>> {
        let mut all = self.all();
        all.retain(|open| open.place().row == row);
        all
    }

    /// All drafts, oldest first.
    pub fn all(&self) -> Vec<Arc<OpenDraft>> {
        let mut all: Vec<_> = self.lock().by_id.values().cloned().collect();
        all.sort_unstable_by_key(|open| open.id);
        all
    }

    /// From here on no path leads to the draft; its handles go on with it.
    pub fn part(&self, open: &OpenDraft) {
        self.lock().part(open);
        self.remove(open.id);
    }

    /// Forgets a draft, unless somebody has it open or is about to.
    pub fn remove(&self, id: u64) {
        let mut index = self.lock();
        let idle = |open: &&Arc<OpenDraft>| open.is_idle(Instant::now());
        let Some(open) = index.by_id.get(&id).filter(idle).cloned() else { return };
        index.leave(&open);
        index.part(&open);
        self.count.store(index.by_id.len(), Ordering::Release);
    }

    /// Takes out the placeholders that nobody filled and the drafts whose `open` never came.
    pub fn expire(&self, now: Instant) -> Vec<Arc<OpenDraft>> {
        let over: Vec<_> = self.all().into_iter().filter(|open| open.is_over(now)).collect();
        for open in &over {
            self.remove(open.id);
        }
        over
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::draft::Start;
    use crate::library::lookup::target::Target;
    use crate::tree::process::Processes;
    use words::attachment::Access;
    use words::author::Author;
    use words::rule::Rules;
    use words::schema::Field;
    use words::slot::Slot;

    fn draft() -> Draft {
        let name = Name::parse("memo").expect("a name");
        let target = Target {
            place: Place::one(RowId(1), name.clone()),
            slot: Slot::parse("user/42/memo").expect("a slot"),
            field: Arc::new(Field::new(name.clone(), Rules::file())),
            written: name,
        };
        let access = Access { uid: 0, gid: 0, mode: 0o644 };
        Draft::new(target, Author { uid: 0, pid: 1 }, access, Start::Empty, None)
    }

    #[test]
    fn a_placeholder_stays_for_60_s() {
        let (drafts, owner) = (Drafts::default(), Processes::Simulated.owner(1));
        let open = drafts.add(draft(), None, owner.clone());
        open.hold(Some(&owner));
        assert!(open.let_go());
        open.rest();
        assert!(open.is_placeholder() && open.is_shown());
        let closed = Instant::now();
        assert_eq!(drafts.expire(closed + PLACEHOLDER.mul_f32(0.9)).len(), 0);
        assert_eq!(drafts.expire(closed + PLACEHOLDER + Duration::from_secs(1)).len(), 1);
        assert!(drafts.is_empty() && drafts.of(open.place()).is_empty());
    }
}
