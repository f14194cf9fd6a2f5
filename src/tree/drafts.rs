//! The open drafts and placeholders: which slot each is for, whose it is, how many handles it has.
//! Does not judge: a draft's bytes are `library::draft`'s.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::attachment::AttachmentId;
use crate::catalog::Place;
use crate::library::draft::Draft;
use crate::tree::process::Owner;

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
    phase: Phase,
    /// Unlinked by somebody else: its name is shown to nobody but its owner.
    hidden: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Looked up for an `open` that has not come yet.
    Awaited(Instant),
    Open,
    /// All handles closed, not a byte: a listed 0-byte file.
    Placeholder(Instant),
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
}

impl OpenDraft {
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
        matches!(self.lock().phase, Phase::Placeholder(_))
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

    pub fn hide(&self) {
        self.lock().hidden = true;
    }

    /// One more handle. A placeholder becomes the draft of whoever opens it.
    pub fn hold(&self, opener: &Owner) {
        let mut hold = self.lock();
        if matches!(hold.phase, Phase::Placeholder(_)) {
            hold.owner = opener.clone();
        }
        hold.phase = Phase::Open;
        hold.handles += 1;
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
            hold.phase = Phase::Placeholder(Instant::now());
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let hold = self.lock();
        match hold.phase {
            _ if hold.handles > 0 => false,
            Phase::Awaited(since) => now.duration_since(since) > AWAITED,
            Phase::Placeholder(since) => now.duration_since(since) > PLACEHOLDER,
            Phase::Open => false,
        }
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
        let phase = Phase::Awaited(Instant::now());
        let hold = Mutex::new(Hold { owner, handles: 0, phase, hidden: false });
        let open = Arc::new(OpenDraft { id, draft, over, hold });
        index.by_place.entry(open.place().clone()).or_default().push(id);
        index.by_id.insert(id, Arc::clone(&open));
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

    /// The draft of a slot that a process owns.
    pub fn owned(&self, place: &Place, tgid: Option<u32>) -> Option<Arc<OpenDraft>> {
        self.found(place).into_iter().find(|open| open.belongs_to(tgid))
    }

    pub fn all(&self) -> Vec<Arc<OpenDraft>> {
        self.lock().by_id.values().cloned().collect()
    }

    /// Forgets a draft, unless somebody holds it open.
    pub fn remove(&self, id: u64) {
        let mut index = self.lock();
        let Some(open) = index.by_id.get(&id).filter(|open| !open.has_handles()).cloned() else {
            return;
        };
        index.by_id.remove(&id);
        if let Some(ids) = index.by_place.get_mut(open.place()) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                index.by_place.remove(open.place());
            }
        }
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
