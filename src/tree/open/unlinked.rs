//! Attachments that a process unlinked or renamed away a moment ago. If it then sends an unfit file for the same slot, the
//! attachment is put back (CONTRACT 2.11). Forgetting is always safe: the catalogue holds what was unlinked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::library::Library;
use crate::library::keep::promises::Promise;
use crate::library::lookup::target::Target;
use crate::tree::bounded::BoundedMap;
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::processes::Processes;
use crate::tree::request::Caller;
use words::attachment::{Attachment, AttachmentId};
use words::link::Link;
use words::place::Place;
use words::slot::Name;

/// Attachments that are remembered.
const MAX: usize = 65_536;

/// An attachment that its remover may replace now, and its name. It is not swept while this lives.
#[derive(Debug)]
pub struct Replaced {
    pub promise: Promise,
    pub written: Name,
}

pub struct Unlinked {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) processes: Processes,
    pub(super) removed: Removed,
}

/// What was removed a moment ago.
pub struct Removed {
    /// Guards the attachments, with their names, by the place that they lost and the process that removed them. Never held across
    /// I/O.
    by_place: Mutex<BoundedMap<(Place, u32), (AttachmentId, Name)>>,
}

impl Removed {
    /// Remembers for as long as what lost its name is held.
    pub fn during(hold: Duration) -> Self {
        Self { by_place: Mutex::new(BoundedMap::new(MAX, hold)) }
    }
}

impl Unlinked {
    /// Notes what a process removed, for the draft that it may begin now.
    pub fn note(&self, who: Caller, link: &Link, lost: &Attachment) {
        let pid = self.processes.group(who.tid).unwrap_or(0);
        let key = (link.place.clone(), pid);
        self.removed.by_place.lock().insert(key, (lost.id, link.written.clone()));
    }

    /// Takes what the caller removed before it writes or renames onto the slot.
    pub fn take(&self, who: Caller, place: &Place) -> Option<Replaced> {
        if self.removed.by_place.lock().is_empty() {
            return None;
        }
        let pid = self.processes.group(who.tid).unwrap_or(0);
        let (id, written) = self.removed.by_place.lock().remove(&(place.clone(), pid))?;
        Some(Replaced { promise: self.library.promises.make(id), written })
    }

    /// Puts back what the writer of a draft unlinked before it began, unless the slot was taken meanwhile.
    pub fn put_back(&self, open: &OpenDraft) {
        let Some(id) = open.draft.replaced() else { return };
        let target = open.draft.target();
        if self.hang(id, &target.place, &target.written, open.id) {
            open.draft.forget_replaced();
        }
    }

    /// Puts back what was taken for a draft that cannot begin or a rename that was refused.
    pub fn put_back_taken(&self, taken: Option<Replaced>, place: &Place) {
        if let Some(Replaced { promise, written }) = taken {
            self.hang(promise.id(), place, &written, 0);
        }
    }

    /// Puts back what was taken for a file that was to be fetched from a URL.
    pub fn put_back_unfetched(&self, target: &Target, replaced: Option<Arc<Promise>>) {
        let Some(promise) = replaced else { return };
        let Target { place, written, slot, .. } = target;
        match self.library.links.put_back(promise.id(), place, written) {
            Ok(_) => self.kernel.tell(&Change::Names { row: place.row }),
            Err(error) => {
                tracing::error!(%slot, error = &error as &dyn std::error::Error, "an attachment was not put back");
            }
        }
    }

    pub fn forget_old(&self, now: Instant) {
        self.removed.by_place.lock().expire(now);
    }

    /// Returns false if the store could not be asked. A slot that was taken meanwhile keeps what it has. Placeholders give way, but
    /// for the one with the number `draft`.
    fn hang(&self, id: AttachmentId, place: &Place, written: &Name, draft: u64) -> bool {
        match self.library.links.put_back(id, place, written) {
            Ok(back) => {
                if back {
                    self.kernel.tell(&Change::Names { row: place.row });
                    self.drafts.drop_placeholders(place, draft);
                }
                true
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(%written, error, "an attachment was not put back");
                false
            }
        }
    }
}
