//! Drafts from the first byte to the last handle: begun for a process, written, judged when it closes, ended.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::library::blob_files::unreadable;
use crate::library::draft::close::{End, Verdict};
use crate::library::draft::{Draft, Start};
use crate::library::limit::enforcement::Room;
use crate::library::limit::permission::{Act, sticky};
use crate::library::lookup::target::Target;
use crate::library::{self, Library};
use crate::tree::bounded::BoundedMap;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced, Maker};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::meaning::Spot;
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::handles::{Caching, Handle, Handles, Opened};
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::processes::Processes;
use crate::tree::open::rights::Rights;
use crate::tree::open::unlinked::Unlinked;
use crate::tree::request::{Caller, OpenFlags};
use words::access::FILE_MODE;
use words::attachment::{Access, Attachment, AttachmentId};
use words::author::Author;
use words::link::Link;
use words::place::Place;
use words::schema::{OnRefuse, Report};
use words::slot::Name;

/// The most drafts that are open at a time. Another one is refused with `TooBusy`.
const MAX_DRAFTS: usize = 16_384;

/// The most emptied attachments that are kept, and for how long.
const MAX_EMPTIED: usize = 65_536;
const EMPTIED_SECS: u64 = 60;

pub struct Writers {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) handles: Arc<Handles>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) unlinked: Arc<Unlinked>,
    pub(super) rights: Arc<Rights>,
    pub(super) processes: Processes,
    /// Guards the attachments that were emptied a moment ago, with the name that was used and the user: the user's next `open`
    /// starts empty (CONTRACT 2.6). Never held across I/O.
    pub(super) emptied:
        Mutex<BoundedMap<(Place, AttachmentId, u32), (), MAX_EMPTIED, EMPTIED_SECS>>,
}

/// The place that a draft is asked for, and the number of the draft if it is a new one.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub spot: &'a Spot,
    pub written: &'a Name,
    /// The link of the place, as the caller's side shows it.
    pub link: Option<Link>,
    pub number: u64,
}

/// The bytes and the access that a draft begins with.
#[derive(Debug)]
pub struct Beginning {
    /// The number of the draft, and of its inode.
    pub number: u64,
    pub start: Start,
    pub access: Access,
    /// The attachment that the slot holds.
    pub over: Option<AttachmentId>,
}

impl Writers {
    /// Adds a handle to the caller's draft of a slot, or begins one that starts from the stored bytes. Errors: [`Error::Stale`] if
    /// these were swept.
    pub fn draft_for(&self, who: Caller, wanted: Wanted<'_>) -> Result<Arc<OpenDraft>> {
        let Wanted { spot, written, link, number } = wanted;
        let place = &spot.place;
        if let Some(own) = self.join(who, place, link.is_some()) {
            return Ok(own);
        }
        // The kernel has checked the inode that the path led to before; another file may have come there since.
        link.as_ref().map_or(Ok(()), |link| self.rights.check(who, Act::Write, link))?;
        let over = link.as_ref().map(|link| link.attachment.id);
        let emptied = over
            .is_some_and(|id| self.emptied.lock().remove(&(place.clone(), id, who.uid)).is_some());
        // A write through an alias keeps the field's name.
        let written = link.as_ref().map_or_else(|| written.clone(), |link| link.written.clone());
        // A file that is written anew keeps its owner and mode.
        let access = link.as_ref().map(|link| link.attachment.access);
        let start = match link {
            Some(_) if emptied => Start::Truncated,
            Some(link) => self.stored(link.attachment)?,
            None => Start::Empty,
        };
        let target = self.places.target(spot, &written)?;
        let new = target.directory.of_file_inside(who.makes(FILE_MODE));
        let access = access.unwrap_or(new);
        self.begin(who, target, Beginning { number, start, access, over })
    }

    /// The caller's draft to which the name of a slot leads. `is_attached`: whether the slot holds an attachment.
    pub fn own_at(&self, who: Caller, place: &Place, is_attached: bool) -> Option<Arc<OpenDraft>> {
        // A blank draft was begun under an alias, and may be closed already (touch), with its release outstanding: the
        // attachment's name must not lead to it.
        let leads_there = |own: &Arc<OpenDraft>| !is_attached || !own.draft.is_blank();
        self.own(who, place).into_iter().find(leads_there)
    }

    /// Adds a handle to the caller's draft of a slot, if there is one.
    pub fn join(&self, who: Caller, place: &Place, is_attached: bool) -> Option<Arc<OpenDraft>> {
        let own = self.own_at(who, place, is_attached)?;
        let tgid = self.processes.group(who.tid);
        own.join(|owner| owner.is(tgid)).then_some(own)
    }

    /// The drafts of a slot that the caller may go on with, the oldest first.
    pub fn own(&self, who: Caller, place: &Place) -> Vec<Arc<OpenDraft>> {
        let mut drafts = self.drafts.found(place);
        // The caller's process is looked up only if there is a draft at all.
        if !drafts.is_empty() {
            let tgid = self.processes.group(who.tid);
            drafts.retain(|open| open.belongs_to(tgid));
        }
        drafts
    }

    /// A start from the stored bytes. A file that cannot be opened, since it is damaged or its store is not there, can be emptied
    /// and written anew, but not be read. Errors: [`Error::Stale`] if its bytes were swept.
    pub fn stored(&self, attachment: Attachment) -> Result<Start> {
        let bytes = match self.library.blobs.open(&attachment) {
            Ok(bytes) => bytes,
            Err(_) if self.library.lookup.attachment(attachment.id)?.is_none() => {
                return Err(Error::Stale);
            }
            Err(_) => Arc::new(unreadable()?),
        };
        Ok(Start::Copy(Box::new(attachment), bytes))
    }

    /// Begins a draft with a first handle. Until it is committed its writer owns it, even if the table fixes another
    /// owner, and may set its times and mode.
    pub fn begin(&self, who: Caller, target: Target, from: Beginning) -> Result<Arc<OpenDraft>> {
        if self.drafts.len() >= MAX_DRAFTS {
            return Err(Error::TooBusy);
        }
        let Beginning { number, start, access, over } = from;
        let owner = self.processes.owner(who.tid);
        let replaced = self.unlinked.take(who, &target.place);
        let author = owner.author(who.uid);
        let eventual = self.library.lookup.fixed(&target).of(access).uid;
        let room = match self.admit(&target, author, eventual) {
            Ok(room) => room,
            Err(error) => {
                self.unlinked.put_back_taken(replaced, &target.place);
                return Err(error);
            }
        };
        let replaced = replaced.map(|replaced| replaced.promise);
        let folder = target.place.folder();
        let draft = Draft::new(target, author, access, start, replaced);
        let open = self.drafts.add(number, draft.within(&self.library.quotas, room), over, owner);
        if over.is_none() {
            self.kernel.tell(&Change::Unstored { folder, by: Maker::Kernel });
        }
        Ok(open)
    }

    /// Applies the quotas, as far as they are known before a byte is sent. A field that quarantines in silence takes the bytes
    /// all the same. `owner`: the future owner of the file.
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

    /// Opens a draft to which a handle was added.
    pub fn open(
        &self,
        who: Caller,
        open: Arc<OpenDraft>,
        flags: OpenFlags,
        caching: Caching,
    ) -> Result<Opened> {
        let emptied = || open.draft.truncate(&self.library.drafts, 0);
        if let Err(error) = if flags.truncate { emptied() } else { Ok(()) } {
            self.let_go(&open);
            return Err(error.into());
        }
        let fh = self.handles.add(who, Handle::Draft { open, writes: flags.writes() });
        Ok(Opened { fh, caching })
    }

    /// Takes a handle of a draft away, and ends the draft with the last one.
    pub fn let_go(&self, open: &Arc<OpenDraft>) {
        if open.let_go() {
            self.end(open);
        }
    }

    pub fn write(&self, open: &OpenDraft, offset: u64, data: &[u8]) -> Result<usize> {
        let written = open.draft.write_at(&self.library.drafts, offset, data);
        if let Err(elsewhere @ library::Error::Elsewhere(_)) = written {
            return Err(elsewhere.into());
        }
        // A first draft that is refused while it is written has no name from here on.
        self.relist(open, written.is_err() && open.over.is_none());
        written.map_err(|error| Error::from(error).at(&open.draft.target().slot))
    }

    /// Changes the size of a draft. That may refuse it, or make a refused one begin anew: either changes the listing.
    pub fn change_extent(
        &self,
        open: &OpenDraft,
        change: impl FnOnce() -> std::result::Result<(), library::Error>,
    ) -> Result<()> {
        let was_shown = open.is_shown();
        let changed = change();
        self.relist(open, open.is_shown() != was_shown);
        Ok(changed?)
    }

    /// A flush: judges the draft if the closer is its owner, or the owner has ended.
    pub fn flush(&self, who: Caller, open: &OpenDraft) -> Result<()> {
        let judges = self.processes.closes_for(who, &open.owner());
        if judges { self.judge(open) } else { Ok(()) }
    }

    /// Judges a draft now. If it is not committed, the attachment that was unlinked for it is put back before this returns.
    pub fn judge(&self, open: &OpenDraft) -> Result<()> {
        let (before, was_shown) = (self.link_before(open)?, open.is_shown());
        self.protect(open, before.as_ref())?;
        let verdict = open.draft.flush(&self.library.drafts);
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

    /// The last handle of a draft is closed.
    fn end(&self, open: &Arc<OpenDraft>) {
        let before = self.link_before(open).unwrap_or_default();
        if let Err(error) = self.protect(open, before.as_ref()) {
            tracing::warn!(%error, "it is not known whose file a draft displaces");
        }
        let was_shown = open.is_shown();
        let (end, verdict) = open.draft.finish(&self.library.drafts);
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

    /// Discards a draft whose owner unlinked the name: nothing is judged.
    pub fn take_back(&self, who: Caller, own: &OpenDraft) {
        let was_shown = own.is_shown();
        self.unlinked.note_again(who, own);
        own.draft.detach();
        self.drafts.part(own);
        if was_shown {
            let folder = own.place().folder();
            self.kernel.tell(&Change::Unstored { folder, by: Maker::Kernel });
        }
    }

    /// Ends the placeholders that stayed empty for too long.
    pub fn expire(&self, now: Instant) {
        for open in self.drafts.expire(now) {
            if open.is_placeholder() {
                self.unlinked.put_back(&open);
            }
            self.relist(&open, open.over.is_none());
        }
        self.emptied.lock().expire(now);
    }

    /// Empties an attachment by one of its names. Nothing changes yet; the next `open` of this user starts empty (CONTRACT 2.6).
    pub fn empty(&self, place: Place, id: AttachmentId, uid: u32) {
        self.emptied.lock().insert((place, id, uid), ());
    }

    /// `truncate` by a path on this side: a draft of its own, judged and committed before it returns.
    pub fn truncate(&self, who: Caller, side: Side, place: &Place, length: u64) -> Result<()> {
        let target = self.library.lookup.target_of(place.clone())?.ok_or(Error::NotFound)?;
        let link = self.library.lookup.link(place)?.ok_or(Error::Stale)?;
        self.rights.check(who, Act::Write, &link)?;
        let target = Target { written: link.written.clone(), ..target };
        let attachment = side.show(link.clone()).attachment;
        let author = self.processes.author(who);
        let draft = Draft::new(target, author, attachment.access, self.stored(attachment)?, None);
        draft.truncate(&self.library.drafts, length)?;
        match draft.flush(&self.library.drafts)? {
            Verdict::Committed { id, displaced: Some(lost) } => {
                let displaced = Displaced::by_handle(&lost, Some(&link));
                self.kernel.tell(&Change::Attached { place, id, displaced: Some(displaced) });
            }
            _ => self.kernel.tell(&Change::Names(place.row)),
        }
        Ok(())
    }

    /// The number of drafts with bytes that are not judged, downloads included.
    pub fn busy(&self) -> usize {
        let dirty = self.drafts.all().iter().filter(|open| open.draft.is_dirty()).count();
        dirty + self.library.urls.downloads.list().len()
    }

    /// Gives up all drafts after the kernel is gone: bytes that are not judged go to the quarantine.
    pub fn abandon(&self) {
        drop(self.handles.drain());
        for open in self.drafts.all() {
            open.draft.interrupt(&self.library.drafts);
            self.unlinked.put_back(&open);
        }
    }

    /// Tells the kernel that a directory began or ceased to list a first draft, if that `is_due`.
    fn relist(&self, open: &OpenDraft, is_due: bool) {
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

    /// Refuses the bytes of a draft that would displace another user's file from a sticky row. The file that the draft began over,
    /// or was committed as, is its writer's to replace: the kernel has checked that.
    fn protect(&self, open: &OpenDraft, before: Option<&Link>) -> Result<()> {
        let Some(link) = before.filter(|link| !open.replaces(link.attachment.id)) else {
            return Ok(());
        };
        if !self.rights.may_overwrite(open.draft.author(), link)? {
            open.draft.refuse_next(sticky());
        }
        Ok(())
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
