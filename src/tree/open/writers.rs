//! Drafts that are begun for a process, opened and written. `closing.rs` ends them.

use std::sync::Arc;
use std::time::Instant;

use crate::library::blob_files::unreadable;
use crate::library::draft::close::Verdict;
use crate::library::draft::{Draft, Start};
use crate::library::limit::enforcement::Room;
use crate::library::limit::permission::Act;
use crate::library::lookup::target::Target;
use crate::library::{self, Library};
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced, Maker};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::meaning::Spot;
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::open::closing::Closing;
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
use words::schema::OnRefuse;
use words::slot::Name;

/// The most drafts that are open at a time. Another one is refused with `TooBusy`.
const MAX_DRAFTS: usize = 16_384;

pub struct Writers {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) handles: Arc<Handles>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) unlinked: Arc<Unlinked>,
    pub(super) rights: Arc<Rights>,
    pub(super) processes: Processes,
    pub(super) closing: Arc<Closing>,
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
        let emptied = over.is_some_and(|id| {
            self.closing.emptied.lock().remove(&(place.clone(), id, who.uid)).is_some()
        });
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
            self.closing.let_go(&open);
            return Err(error.into());
        }
        let fh = self.handles.add(who, Handle::Draft { open, writes: flags.writes() });
        Ok(Opened { fh, caching })
    }

    pub fn write(&self, open: &OpenDraft, offset: u64, data: &[u8]) -> Result<usize> {
        let written = open.draft.write_at(&self.library.drafts, offset, data);
        if let Err(elsewhere @ library::Error::Elsewhere(_)) = written {
            return Err(elsewhere.into());
        }
        // A first draft that is refused while it is written has no name from here on.
        self.closing.relist(open, written.is_err() && open.over.is_none());
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
        self.closing.relist(open, open.is_shown() != was_shown);
        Ok(changed?)
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
            self.closing.relist(&open, open.over.is_none());
        }
        self.closing.emptied.lock().expire(now);
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
        match draft.flush(&self.library.drafts, None)? {
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
}
