//! The end of a draft: judged when it is closed, and committed, refused, or left as a placeholder.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::library::draft::close::{End, Verdict};
use crate::library::limit::permission::sticky;
use crate::library::{self, Library};
use crate::tree::bounded::BoundedMap;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced, Maker};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::processes::Processes;
use crate::tree::open::rights::Rights;
use crate::tree::open::unlinked::Unlinked;
use crate::tree::request::Caller;
use words::attachment::AttachmentId;
use words::link::Link;
use words::place::Place;
use words::refusal::Violation;
use words::schema::Report;

/// The most emptied attachments that are kept, and for how long.
const MAX_EMPTIED: usize = 65_536;
const EMPTIED_SECS: u64 = 60;

pub struct Closing {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) unlinked: Arc<Unlinked>,
    pub(super) rights: Arc<Rights>,
    pub(super) processes: Processes,
    /// Guards the attachments that were emptied a moment ago, with the name that was used and the user: the user's next `open`
    /// starts empty (CONTRACT 2.6). Never held across I/O.
    pub(super) emptied:
        Mutex<BoundedMap<(Place, AttachmentId, u32), (), MAX_EMPTIED, EMPTIED_SECS>>,
}

impl Closing {
    /// A flush: judges the draft if the closer is its owner, or the owner has ended.
    pub fn flush(&self, who: Caller, open: &OpenDraft) -> Result<()> {
        let judges = self.processes.closes_for(who, &open.owner());
        if judges { self.judge(open) } else { Ok(()) }
    }

    /// Judges a draft now. If it is not committed, the attachment that was unlinked for it is put back before this returns.
    pub fn judge(&self, open: &OpenDraft) -> Result<()> {
        let (before, was_shown) = (self.link_before(open)?, open.is_shown());
        let objection = self.objection(open, before.as_ref())?;
        let verdict = open.draft.flush(&self.library.drafts, objection);
        if let Err(elsewhere @ library::Error::Elsewhere(_)) = verdict {
            return Err(elsewhere.into());
        }
        if matches!(verdict, Err(_) | Ok(Verdict::Quarantined)) {
            self.unlinked.put_back(open);
            self.reported(open);
            self.relist(open, was_shown);
        }
        let verdict = verdict.map_err(|error| Error::from(error).at(&open.draft.target().slot))?;
        self.committed(open, before.as_ref(), &verdict);
        Ok(())
    }

    /// Takes a handle of a draft away, and ends the draft with the last one.
    pub fn let_go(&self, open: &Arc<OpenDraft>) {
        if open.let_go() {
            self.end(open);
        }
    }

    /// The last handle of a draft is closed.
    fn end(&self, open: &Arc<OpenDraft>) {
        let before = self.link_before(open).unwrap_or_default();
        let objection = self.objection(open, before.as_ref()).unwrap_or_else(|error| {
            tracing::warn!(%error, "it is not known whose file a draft displaces");
            None
        });
        let was_shown = open.is_shown();
        let (end, verdict) = open.draft.finish(&self.library.drafts, objection);
        if let Some(verdict) = verdict {
            self.committed(open, before.as_ref(), &verdict);
        }
        match end {
            End::Empty => return self.end_empty(open),
            End::Lost => {
                self.unlinked.put_back(open);
                self.reported(open);
            }
            // The attachment is listed in its place.
            End::Committed(_) => return self.drafts.remove(open.id),
            End::Discarded => {}
        }
        self.drafts.remove(open.id);
        self.relist(open, was_shown);
    }

    /// An empty close is no verdict (CONTRACT 2.6). It leaves a placeholder on a free slot, and notes that an attachment was
    /// emptied.
    fn end_empty(&self, open: &Arc<OpenDraft>) {
        match self.library.lookup.link(open.place()) {
            Ok(Some(link)) if open.draft.is_truncated() => {
                let uid = open.draft.author().uid;
                self.empty(link.place, link.attachment.id, uid);
            }
            Ok(None) if open.is_shown() => return open.rest(),
            _ => {}
        }
        let was_shown = open.is_shown();
        self.unlinked.put_back(open);
        self.drafts.remove(open.id);
        self.relist(open, was_shown);
    }

    /// Empties an attachment by one of its names. Nothing changes yet; the next `open` of this user starts empty (CONTRACT 2.6).
    pub fn empty(&self, place: Place, id: AttachmentId, uid: u32) {
        self.emptied.lock().insert((place, id, uid), ());
    }

    /// Tells the kernel that a directory began or ceased to list a first draft, if that `is_due`.
    pub(super) fn relist(&self, open: &OpenDraft, is_due: bool) {
        if is_due {
            let folder = open.place().folder();
            self.kernel.tell(&Change::Unstored { folder, by: Maker::Daemon });
        }
    }

    /// Tells the kernel of the report that may lie beside the refused name.
    fn reported(&self, open: &OpenDraft) {
        if open.draft.target().field.report == Report::Sidecar {
            self.kernel.tell(&Change::Names(open.place().row));
        }
    }

    /// The link of the slot before a commit, whose name the kernel may have cached.
    fn link_before(&self, open: &OpenDraft) -> Result<Option<Link>> {
        // A first draft displaces nothing unless another was quicker; the catalogue says so in its answer.
        if !open.draft.is_dirty() {
            return Ok(None);
        }
        Ok(self.library.lookup.link(open.place())?)
    }

    /// The objection to the bytes of a draft that would displace another user's file from a sticky row. The file that the draft
    /// began over, or was committed as, is its writer's to replace: the kernel has checked that.
    fn objection(&self, open: &OpenDraft, before: Option<&Link>) -> Result<Option<Violation>> {
        let Some(link) = before.filter(|link| !open.replaces(link.attachment.id)) else {
            return Ok(None);
        };
        let may = self.rights.may_overwrite(open.draft.author(), link)?;
        Ok((!may).then(sticky))
    }

    fn committed(&self, open: &OpenDraft, before: Option<&Link>, verdict: &Verdict) {
        let Verdict::Committed { id, displaced } = verdict else { return };
        open.commit(*id);
        let place = open.place();
        self.drafts.drop_placeholders(place, open.id);
        let displaced = displaced.as_deref().map(|lost| Displaced::by_handle(lost, before));
        self.kernel.tell(&Change::Attached { place, id: *id, displaced });
    }
}
