//! Attachments that a process unlinked or renamed away a moment ago. If it then sends an unfit file for the same slot, the
//! attachment is put back (CONTRACT 2.11). Forgetting one loses no bytes: the catalogue still has the attachment.

use std::sync::Arc;
use std::time::Instant;

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

/// The most attachments that are kept. Beyond that the oldest is forgotten.
const MAX: usize = 65_536;

/// An unlinked attachment whose remover may replace it now, and its name. It is not swept while this lives.
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
    /// Guards the removed attachments, with their names, by the place and the process that removed it. Never held across I/O.
    pub(super) removed: Mutex<BoundedMap<(Place, u32), (AttachmentId, Name), MAX>>,
}

impl Unlinked {
    /// A link was removed by a request: notes it for the draft that the process may begin, and tells the kernel.
    pub fn note(&self, who: Caller, link: &Link, lost: &Attachment) {
        let pid = self.processes.group(who.tid).unwrap_or(0);
        let key = (link.place.clone(), pid);
        self.removed.lock().insert(key, (lost.id, link.written.clone()));
        self.kernel.tell(&Change::Detached { place: &link.place, lost });
    }

    /// Takes the attachment that the caller removed from a slot, before the caller writes or renames onto the slot.
    pub fn take(&self, who: Caller, place: &Place) -> Option<Replaced> {
        if self.removed.lock().is_empty() {
            return None;
        }
        let pid = self.processes.group(who.tid).unwrap_or(0);
        let (id, written) = self.removed.lock().remove(&(place.clone(), pid))?;
        Some(Replaced { promise: self.library.promises.make(id), written })
    }

    /// The owner of a draft unlinks its name again: the attachment that it unlinked before stays so, and is noted for the next draft.
    pub fn note_again(&self, who: Caller, open: &OpenDraft) {
        let Some(id) = open.draft.replaced() else { return };
        let pid = self.processes.group(who.tid).unwrap_or(0);
        let key = (open.place().clone(), pid);
        self.removed.lock().insert(key, (id, open.draft.target().written.clone()));
        open.draft.forget_replaced();
    }

    /// Puts back the attachment that the writer of a draft unlinked before, unless the slot was taken meanwhile.
    pub fn put_back(&self, open: &OpenDraft) {
        let Some(id) = open.draft.replaced() else { return };
        let target = open.draft.target();
        if self.hang(id, &target.place, &target.written, open.id) {
            open.draft.forget_replaced();
        }
    }

    /// Puts back the attachment that was taken for a draft that cannot begin, or for a rename that was refused.
    pub fn put_back_taken(&self, taken: Option<Replaced>, place: &Place) {
        if let Some(Replaced { promise, written }) = taken {
            self.hang(promise.id(), place, &written, 0);
        }
    }

    /// Puts back the attachment that was taken for a file from a URL.
    pub fn put_back_unfetched(&self, target: &Target, replaced: Option<Arc<Promise>>) {
        let Some(promise) = replaced else { return };
        let Target { place, written, slot, .. } = target;
        match self.library.links.put_back(promise.id(), place, written) {
            Ok(_) => self.kernel.tell(&Change::Names(place.row)),
            Err(error) => {
                tracing::error!(%slot, error = &error as &dyn std::error::Error, "an attachment was not put back");
            }
        }
    }

    pub fn forget_old(&self, now: Instant) {
        self.removed.lock().expire(now);
    }

    /// Links an attachment to its place again, unless the place was taken. Removes placeholders there, except the draft with the
    /// number `draft`. Returns false if the catalogue failed.
    fn hang(&self, id: AttachmentId, place: &Place, written: &Name, draft: u64) -> bool {
        match self.library.links.put_back(id, place, written) {
            Ok(back) => {
                if back {
                    self.kernel.tell(&Change::Names(place.row));
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
