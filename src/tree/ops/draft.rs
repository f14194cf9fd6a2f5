//! Drafts as the tree handles them: found or begun for a process, held by handles, ended after the last.
//! Does not judge bytes.

use std::sync::Arc;

use crate::library;
use crate::library::blobs::damage::unreadable;
use crate::library::draft::close::{End, Verdict};
use crate::library::draft::{Draft, Start};
use crate::library::keep::promises::Promise;
use crate::library::limit::room::Room;
use crate::library::lookup::target::Target;
use crate::tree::attr::{Caching, Opened};
use crate::tree::drafts::OpenDraft;
use crate::tree::handles::Handle;
use crate::tree::ops::files::failed;
use crate::tree::{Caller, Error, Result, Tree};
use words::access::FILE_MODE;
use words::attachment::{Access, Attachment, AttachmentId};
use words::author::Author;
use words::link::Link;
use words::place::Place;
use words::schema::{Field, OnRefuse, Report};
use words::slot::Name;

/// Drafts that may be open at a time.
const MAX_DRAFTS: usize = 16_384;
impl Tree {
    /// The caller's draft of a slot: the one it has, or a new one that starts from what is stored.
    pub(in crate::tree) fn draft_for(
        &self,
        who: Caller,
        place: &Place,
        field: &Arc<Field>,
        written: &Name,
        link: Option<Link>,
    ) -> Result<Arc<OpenDraft>> {
        // One that was begun under an alias, from nothing, is not what the attachment's name leads to while it has no byte: its
        // handle may be closed already (touch), and the release be on its way.
        let leads_there = |own: &Arc<OpenDraft>| link.is_none() || !own.draft.is_blank();
        if let Some(own) = self.own_drafts(who, place).into_iter().find(leads_there) {
            own.await_open();
            return Ok(own);
        }
        let over = link.as_ref().map(|link| link.attachment.id);
        let emptied =
            over.and_then(|id| self.emptied.take(&(place.clone(), id, who.uid))).is_some();
        // A name that is only an alias does not become the field's name by being written to.
        let written = link.as_ref().map_or_else(|| written.clone(), |link| link.written.clone());
        // What is written anew keeps its owner and mode, as any file does.
        let access = link.as_ref().map_or(who.makes(FILE_MODE), |link| link.attachment.access);
        let start = match link {
            Some(_) if emptied => Start::Truncated,
            Some(link) => self.stored(link.attachment)?,
            None => Start::Empty,
        };
        self.begin_draft(who, self.target(place, field, &written)?, (start, access), over)
    }

    /// The drafts of a slot that the caller may go on with, the oldest first.
    pub(in crate::tree) fn own_drafts(&self, who: Caller, place: &Place) -> Vec<Arc<OpenDraft>> {
        let mut drafts = self.drafts.found(place);
        // Whose thread it is, is asked only where there is a draft at all.
        if !drafts.is_empty() {
            let tgid = self.processes.group(who.tid);
            drafts.retain(|open| open.belongs_to(tgid));
        }
        drafts
    }

    /// What is stored, as the beginning of a draft. What is damaged can be emptied and written anew, but not be read.
    pub(in crate::tree) fn stored(&self, attachment: Attachment) -> Result<Start> {
        let bytes = match self.library.blobs.open(&attachment) {
            Err(library::Error::Damaged { .. }) => Arc::new(unreadable().map_err(failed)?),
            opened => opened?,
        };
        Ok(Start::Copy(Box::new(attachment), bytes))
    }

    /// A new draft, waiting for its first handle. Until it is committed it is its writer's, whatever the table fixes: so the
    /// writer may set its times and mode.
    pub(in crate::tree) fn begin_draft(
        &self,
        who: Caller,
        target: Target,
        (start, access): (Start, Access),
        over: Option<AttachmentId>,
    ) -> Result<Arc<OpenDraft>> {
        if self.drafts.len() >= MAX_DRAFTS {
            return Err(Error::TooBusy);
        }
        let owner = self.processes.owner(who.tid);
        let replaced = self.take_unlinked(who, &target.place);
        let author = Self::author(who, &owner);
        let eventual = self.library.lookup.fixed(&target).of(access).uid;
        let room = match self.admit(&target, author, eventual) {
            Ok(room) => room,
            Err(error) => {
                self.hang_unlinked(replaced, &target.place);
                return Err(error);
            }
        };
        let replaced = replaced.map(|(promise, _)| promise);
        let folder = target.place.folder();
        let draft = Draft::new(target, author, access, start, replaced);
        let open = self.drafts.add(draft.within(&self.library.quotas, room), over, owner);
        if over.is_none() {
            self.relist_beyond(folder);
        }
        Ok(open)
    }

    /// What is known of the quotas before a byte is sent. A field whose refusals are not told takes bytes all the same, for
    /// the quarantine.
    fn admit(&self, target: &Target, author: Author, owner: u32) -> Result<Room> {
        let (of_user, of_table) = self.drafts.count(author.uid, &target.slot.row.table);
        let refuse = |excess| self.library.refusals.refuse_over_quota(target, author, &excess);
        self.library.quotas.may_draft(target, author.uid, of_user, of_table).map_err(refuse)?;
        let room = self.library.quotas.room(target, owner)?;
        match room.full {
            Some(excess) if target.field.on_refuse == OnRefuse::Refuse => {
                Err(refuse(excess).into())
            }
            _ => Ok(room),
        }
    }

    /// A handle on a draft.
    pub(in crate::tree) fn open_draft(
        &self,
        who: Caller,
        open: &Arc<OpenDraft>,
        writes: bool,
        caching: Caching,
    ) -> Opened {
        if !open.hold(None) {
            open.hold(Some(&self.processes.owner(who.tid)));
        }
        let fh = self.handles.add(Handle::Draft { open: Arc::clone(open), writes });
        Opened { fh, caching }
    }

    /// Judges a draft now and tells the kernel what the commit changed. What was unlinked for it is back before its writer
    /// hears that it was refused, or did not fit.
    pub(in crate::tree) fn settle(&self, open: &OpenDraft) -> Result<()> {
        let (before, was_shown) = (self.link_before(open)?, open.is_shown());
        let verdict = open.draft.flush(&self.library.drafts);
        if matches!(verdict, Err(_) | Ok(Verdict::Quarantined)) {
            self.put_back(open);
            self.reported(open);
            self.vanished(open, was_shown);
        }
        self.committed(open, before.as_ref(), &verdict?);
        Ok(())
    }

    /// The last handle of a draft is closed.
    pub(in crate::tree) fn end_draft(&self, open: &Arc<OpenDraft>) {
        let before = self.link_before(open).unwrap_or_default();
        let was_shown = open.is_shown();
        let (end, verdict) = open.draft.finish(&self.library.drafts);
        if let Some(verdict) = verdict {
            self.committed(open, before.as_ref(), &verdict);
        }
        match end {
            End::Empty => return self.end_empty(open),
            End::Lost => {
                self.put_back(open);
                self.reported(open);
            }
            // What was committed is listed in its place.
            End::Committed(_) => return self.drafts.remove(open.id),
            End::Discarded => {}
        }
        self.drafts.remove(open.id);
        self.vanished(open, was_shown);
    }

    /// A first draft that was listed is listed no more.
    pub(in crate::tree) fn vanished(&self, open: &OpenDraft, was_shown: bool) {
        if was_shown {
            self.relist(open.place().folder());
        }
    }

    /// A report may lie beside the refused name: the directory's times have moved.
    fn reported(&self, open: &OpenDraft) {
        if open.draft.target().field.report == Report::Sidecar {
            self.row_changed(open.place());
        }
    }

    /// An empty close is no verdict (CONTRACT 2.6): a placeholder on a free slot, a memory on an occupied one.
    fn end_empty(&self, open: &Arc<OpenDraft>) {
        match self.library.lookup.link(open.place()) {
            Ok(Some(link)) if open.draft.is_truncated() => {
                let uid = open.draft.author().uid;
                self.emptied.note((link.place, link.attachment.id, uid), ());
            }
            Ok(None) if open.is_shown() => return open.rest(),
            _ => {}
        }
        let was_shown = open.is_shown();
        self.put_back(open);
        self.drafts.remove(open.id);
        self.vanished(open, was_shown);
    }

    /// What the writer unlinked before it began hangs there again, if nothing else does (CONTRACT 2.11).
    pub(in crate::tree) fn put_back(&self, open: &OpenDraft) {
        let Some(id) = open.draft.replaced() else { return };
        let target = open.draft.target();
        if self.hang_again(id, (&target.place, &target.written), open.id) {
            open.draft.forget_replaced();
        }
    }

    /// What the caller unlinked before it writes or renames onto the slot; not swept while it may be put back.
    pub(in crate::tree) fn take_unlinked(
        &self,
        who: Caller,
        place: &Place,
    ) -> Option<(Promise, Name)> {
        if self.unlinked.is_empty() {
            return None;
        }
        let pid = self.processes.group(who.tid).unwrap_or(0);
        let (id, written) = self.unlinked.take(&(place.clone(), pid))?;
        Some((self.library.promises.make(id), written))
    }

    /// The same for a draft that cannot begin and a rename that was refused.
    pub(in crate::tree) fn hang_unlinked(&self, unlinked: Option<(Promise, Name)>, place: &Place) {
        if let Some((promise, written)) = unlinked {
            self.hang_again(promise.id(), (place, &written), 0);
        }
    }

    /// Whether the store could be asked: a slot that was taken meanwhile keeps what it has.
    fn hang_again(&self, id: AttachmentId, (place, written): (&Place, &Name), draft: u64) -> bool {
        match self.library.links.put_back(id, place, written) {
            Ok(back) => {
                if back {
                    self.row_changed(place);
                    self.drop_placeholders(place, draft);
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

    /// What hung from the slot before a commit, for the names under which the kernel may know it.
    fn link_before(&self, open: &OpenDraft) -> Result<Option<Link>> {
        // A first draft displaces nothing unless somebody was quicker; the catalogue says so in its answer.
        if !open.draft.is_dirty() {
            return Ok(None);
        }
        Ok(self.library.lookup.link(open.place())?)
    }

    fn committed(&self, open: &OpenDraft, before: Option<&Link>, verdict: &Verdict) {
        let Verdict::Committed { id, displaced } = verdict else { return };
        open.commit();
        let place = open.place();
        self.row_changed(place);
        self.drop_placeholders(place, open.id);
        match displaced {
            Some(displaced) => self.displaced(place, displaced, before),
            // The same bytes again: the attachment stayed, with new times.
            None => self.forget_attachment(*id),
        }
    }

    /// Placeholders give way to what was committed.
    pub(in crate::tree) fn drop_placeholders(&self, place: &Place, except: u64) {
        for other in self.drafts.of(place) {
            if other.id != except && other.is_placeholder() {
                self.drafts.remove(other.id);
            }
        }
    }

    /// Unlinked or renamed away: remembered for the draft that its remover may begin now.
    pub(in crate::tree) fn note_unlinked(&self, who: Caller, link: &Link, lost: &Attachment) {
        let pid = self.processes.group(who.tid).unwrap_or(0);
        self.unlinked.note((link.place.clone(), pid), (lost.id, link.written.clone()));
        self.displaced(&link.place, lost, None);
    }

    /// Drafts with bytes that nobody has judged, those that are being fetched among them.
    pub fn busy_drafts(&self) -> usize {
        let dirty = self.drafts.all().iter().filter(|open| open.draft.is_dirty()).count();
        dirty + self.library.downloads.list().len()
    }

    /// After the kernel is gone: what is still open and unjudged goes to the quarantine.
    pub fn abandon_drafts(&self) {
        drop(self.handles.drain());
        for open in self.drafts.all() {
            open.draft.interrupt(&self.library.drafts);
            self.put_back(&open);
        }
    }
}
