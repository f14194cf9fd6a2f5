//! `open`, and its redirection to a draft. A write never happens on an attachment's inode, nor does a read by a process that has
//! a draft of the slot: `ESTALE` makes the kernel look the path up again, and the lookup returns the draft's inode, or one on which
//! a draft is begun.

use std::sync::Arc;

use crate::library;
use crate::library::limit::permission::Act;
use crate::tree::error::{Error, Result};
use crate::tree::node::mark::Edition;
use crate::tree::node::meaning::Spot;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::{Caching, Handle, Opened};
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::processes::Owner;
use crate::tree::open::redirect::{PlaceInode, Seeks};
use crate::tree::open::writers::Wanted;
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, OpenFlags};
use words::attachment::{AttachmentId, VariantId};
use words::link::Link;

impl Tree {
    pub(super) fn open_file(&self, who: Caller, ino: Ino, flags: OpenFlags) -> Result<Opened> {
        if flags.writes() {
            self.library.fence.check()?;
        }
        let node = Node::at(ino)?;
        // The words of a refusal must be readable.
        if !matches!(node, Node::Status | Node::Metrics | Node::Errors | Node::LastError) {
            self.check_descriptors(who)?;
        }
        match node {
            node @ (Node::Attachment(..) | Node::Original(..))
                if flags.changes() || self.has_draft(who, node)? =>
            {
                self.open_redirected(who, node, flags)
            }
            node @ Node::Attachment(id, _) => self.open_attachment(who, node, id),
            Node::Original(id, edition) => self.open_original(who, id, edition),
            Node::Draft(id) => self.open_draft(who, id, flags),
            Node::Scratch(id) => self.open.scratch.open(who, id, flags),
            Node::Litter(id) => Ok(self.open_litter(who, self.litter(id)?)),
            Node::Url(view) => self.view.url_files.open(who, view, flags),
            Node::RowJson(table, row) => self.view.rows.open(who, table, row, flags),
            other if flags.changes() => {
                Err(if other.is_directory() { Error::IsDirectory } else { Error::ReadOnly })
            }
            Node::Variant(id) => self.open_variant(who, id),
            Node::Trashed(id) => self.view.trash.open(who, id),
            Node::RowError(_, row) => self.view.rows.open_error(who, row),
            other => self.view.control.open(who, other),
        }
    }

    /// Opens an attachment to read: by a cached descriptor, or by its key from the catalogue and its file from the store.
    fn open_attachment(&self, who: Caller, node: Node, id: AttachmentId) -> Result<Opened> {
        let stored = self.library.opener.attachment(id);
        if let Some(stored) = stored.map_err(|error| self.located(node, error))? {
            self.open.redirects.end(who.tid);
            let (record, file) = (&stored.record, Arc::clone(&stored.file));
            return Ok(self.open.handles.add_attachment(who, record, record, file));
        }
        let attachment = self.open.paths.living(who, node, id)?;
        let file = self.open.paths.bytes_of(&attachment)?.ok_or(Error::Stale)?;
        self.open.redirects.end(who.tid);
        Ok(self.open.handles.add_attachment(who, &attachment, &attachment, file))
    }

    /// Names the path of a file that cannot be opened.
    fn located(&self, node: Node, error: library::Error) -> Error {
        let place = self.places.name_of(node).ok().flatten();
        let slot = place.and_then(|place| self.library.lookup.slot_of(&place).ok().flatten());
        match slot {
            Some(slot) => Error::from(error).at(&slot),
            None => error.into(),
        }
    }

    fn open_original(&self, who: Caller, id: AttachmentId, edition: Edition) -> Result<Opened> {
        let attachment = self.open.paths.original(who, id, edition)?;
        let sent = Side::Originals.face(attachment.clone());
        let file = self.open.paths.bytes_of(&sent)?.ok_or(Error::Stale)?;
        self.open.redirects.end(who.tid);
        Ok(self.open.handles.add_attachment(who, &attachment, &sent, file))
    }

    /// Opens a variant. `Stale` makes the kernel look a removed one up, and so render it, again. Causes no write.
    fn open_variant(&self, who: Caller, id: VariantId) -> Result<Opened> {
        let stored = match self.library.opener.variant(id) {
            Err(_) if self.library.variants.by_id(id)?.is_none() => return Err(Error::Stale),
            opened => opened?.ok_or(Error::Stale)?,
        };
        self.library.variants.note_read(id);
        self.open.redirects.end(who.tid);
        Ok(self.open.handles.add_variant(who, &stored.record, Arc::clone(&stored.file)))
    }

    /// Whether the caller's process has an open draft of the slot of an inode.
    fn has_draft(&self, who: Caller, node: Node) -> Result<bool> {
        // The catalogue and the process are asked only if there is a draft at all.
        if self.open.drafts.is_empty() {
            return Ok(false);
        }
        let tgid = self.open.processes.group(who.tid);
        let places = self.places.names_of(node)?;
        let mut drafts = places.iter().flat_map(|place| self.open.drafts.found(place));
        Ok(drafts.any(|open| open.has_handles() && open.belongs_to(tgid)))
    }

    /// Redirects an open to a draft of the caller. Without a path, as of `/proc/self/fd/N` (Samba), the handle leads to the draft
    /// on the inode that was opened, and past its page cache.
    fn open_redirected(&self, who: Caller, node: Node, flags: OpenFlags) -> Result<Opened> {
        self.open.paths.redirect(who, node, Seeks::Draft)?;
        // With O_TRUNC the kernel would empty the pages of the inode under its readers.
        if flags.truncate && self.open.handles.is_open(node) {
            return Err(Error::Stale);
        }
        let opened = self.open_without_path(who, node, flags);
        self.arrived(who, opened)
    }

    /// Opens a draft on an inode whose path the kernel will not look up again.
    fn open_without_path(&self, who: Caller, node: Node, flags: OpenFlags) -> Result<Opened> {
        let (side, place) = self.open.paths.without_path(node)?;
        let field = self.places.field_at(&place)?;
        let link = self.library.lookup.link(&place)?.map(|link| side.show(link));
        let (spot, written) = (Spot { place: place.clone(), field }, place.name());
        let number = self.open.drafts.number();
        let wanted = Wanted { spot: &spot, written, link, number };
        let open = self.open.writers.draft_for(who, wanted)?;
        self.open.writers.open(who, open, flags, Caching::Never)
    }

    /// Ends the redirection of a thread whose operation is done. One that is run again elsewhere needs it once more.
    fn arrived<T>(&self, who: Caller, outcome: Result<T>) -> Result<T> {
        if !matches!(outcome, Err(Error::Elsewhere(_))) {
            self.open.redirects.end(who.tid);
        }
        outcome
    }

    /// Opens a draft by its own inode, or a place by an inode on which no draft is open.
    fn open_draft(&self, who: Caller, id: u64, flags: OpenFlags) -> Result<Opened> {
        let Ok(open) = self.open.drafts.find(id) else {
            return self.open_place(who, id, flags);
        };
        let tgid = self.open.processes.group(who.tid);
        let may =
            |owner: &Owner| owner.is(tgid) || (!flags.changes() && open.is_read_by(who, owner));
        // A placeholder has no owner until it is opened for writing.
        let claims = || flags.changes() && open.claim(&self.open.processes.owner(who.tid));
        if open.join(may) || claims() {
            let opened = self.open.writers.open(who, open, flags, Caching::of_writable(flags));
            return self.arrived(who, opened);
        }
        if flags.changes() {
            return self.open_redirected(who, Node::Draft(id), flags);
        }
        // The path leads to an attachment now.
        if self.library.lookup.link(open.place())?.is_some() {
            self.open.paths.redirect(who, Node::Draft(id), Seeks::Successor)?;
        }
        self.open_others_draft(who, &open)
    }

    /// Opens the draft of another process to read. Only its writer may read a byte that has not passed the rules.
    fn open_others_draft(&self, who: Caller, open: &Arc<OpenDraft>) -> Result<Opened> {
        if open.draft.size() > 0 {
            return Err(Error::Busy);
        }
        let fh = self.open.handles.add(who, Handle::Nothing(Arc::clone(open)));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// Opens a place by the inode of a lookup. The file is the one that the lookup found, also if it was replaced since; the kernel
    /// has checked the permissions of that.
    fn open_place(&self, who: Caller, id: u64, flags: OpenFlags) -> Result<Opened> {
        let Some(found) = self.open.redirects.place_inode(id) else {
            self.open.paths.redirect(who, Node::Draft(id), Seeks::Draft)?;
            return Err(Error::Stale);
        };
        // The pages of the inode are those of a stored file.
        if flags.changes() && self.open.handles.open_place(id).is_some() {
            return self.open_redirected(who, Node::Draft(id), flags);
        }
        let opened = self.open_found(who, id, &found, flags);
        self.arrived(who, opened)
    }

    fn open_found(
        &self,
        who: Caller,
        id: u64,
        found: &Arc<PlaceInode>,
        flags: OpenFlags,
    ) -> Result<Opened> {
        let place = &found.spot.place;
        if let Some(own) = self.open.writers.join(who, place, found.link.is_some()) {
            return self.open.writers.open(who, own, flags, Caching::Never);
        }
        if flags.changes() {
            return self.begin_at_place(who, id, found, flags);
        }
        if let Some(opened) = self.read_at_place(who, id, found)? {
            return Ok(opened);
        }
        if let Some(link) = self.permitted(who, found, &[Act::Read])? {
            let link = Some(link);
            let found = self.open.redirects.note(id, PlaceInode { link, ..(**found).clone() });
            return self.read_at_place(who, id, &found)?.ok_or(Error::NotFound);
        }
        let first = self.open.drafts.first_shown(place).ok_or(Error::NotFound)?;
        if first.join(|owner| first.is_read_by(who, owner)) {
            return self.open.writers.open(who, first, flags, Caching::Never);
        }
        self.open_others_draft(who, &first)
    }

    /// Begins a draft on the inode of a place.
    fn begin_at_place(
        &self,
        who: Caller,
        number: u64,
        found: &PlaceInode,
        flags: OpenFlags,
    ) -> Result<Opened> {
        let PlaceInode { spot, side, name, .. } = found;
        // Whoever opens the inode when the draft has ended has no path.
        let later = PlaceInode { link: None, is_new: false, ..found.clone() };
        self.open.redirects.note(number, later);
        let begin = |link: Option<Link>| {
            let link = link.map(|link| side.show(link));
            self.open.writers.draft_for(who, Wanted { spot, written: name, link, number })
        };
        let open = match &found.link {
            // It was swept.
            Some(link) => match begin(Some(link.clone())) {
                Err(Error::Stale) => begin(self.permitted(who, found, &[Act::Read, Act::Write])?),
                other => other,
            },
            None => begin(self.permitted(who, found, &[Act::Read, Act::Write])?),
        }?;
        self.open.writers.open(who, open, flags, Caching::of_writable(flags))
    }

    /// Opens the stored file that was found at a place by the inode of the place. None if there was none, or its bytes were swept.
    fn read_at_place(
        &self,
        who: Caller,
        id: u64,
        found: &Arc<PlaceInode>,
    ) -> Result<Option<Opened>> {
        let Some(link) = &found.link else { return Ok(None) };
        let shown = found.side.face(link.attachment.clone());
        let Some(file) = self.open.paths.bytes_of(&shown)? else { return Ok(None) };
        let opened = self.open.handles.add_at_place(who, (id, found), &shown, file);
        // The kernel must not show the pages of a draft that was open on the inode.
        let caching = if found.is_new { opened.caching } else { Caching::WhileOpen };
        Ok(Some(Opened { caching, ..opened }))
    }

    /// The link that a place has now. The kernel has checked the permissions of what a lookup found there before.
    fn permitted(&self, who: Caller, found: &PlaceInode, acts: &[Act]) -> Result<Option<Link>> {
        let link = self.library.lookup.link(&found.spot.place)?;
        if let Some(link) = &link {
            acts.iter().try_for_each(|act| self.open.rights.check(who, *act, link))?;
        }
        Ok(link)
    }
}
