//! `open`, and its redirection to a draft. A write never happens on an attachment's inode, nor does a read by a process that has
//! a draft of the slot: `ESTALE` makes the kernel look the path up again, and the lookup returns the draft's inode.

use std::sync::Arc;

use crate::library;
use crate::tree::error::{Error, Result};
use crate::tree::node::mark::Edition;
use crate::tree::node::meaning::Spot;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::{Caching, Handle, Opened};
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::redirect::{Seeks, Step};
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, OpenFlags};
use words::attachment::{AttachmentId, VariantId};
use words::place::Place;

impl Tree {
    pub(super) fn open_file(&self, who: Caller, ino: Ino, flags: OpenFlags) -> Result<Opened> {
        if flags.writes() {
            self.library.fence.check()?;
        }
        match Node::at(ino)? {
            node @ (Node::Attachment(..) | Node::Original(..))
                if flags.changes() || self.has_draft(who, node)? =>
            {
                self.open_redirected(who, node, flags)
            }
            node @ Node::Attachment(id, _) => self.open_attachment(who, node, id),
            Node::Original(id, edition) => self.open_original(who, id, edition),
            Node::Draft(id) => self.open_draft(who, id, flags),
            Node::Scratch(id) => self.open.scratch.open(who, id, flags),
            Node::Litter(id) => Ok(self.open_litter(self.litter(id)?)),
            Node::Url(view) => self.view.url_files.open(who, view, flags),
            Node::RowJson(table, row) => self.view.rows.open(who, table, row, flags),
            other if flags.changes() => {
                Err(if other.is_directory() { Error::IsDirectory } else { Error::ReadOnly })
            }
            Node::Variant(id) => self.open_variant(id),
            Node::Trashed(id) => self.view.trash.open(who, id),
            other => self.view.control.open(who, other),
        }
    }

    /// Opens an attachment to read: by a cached descriptor, or by its key from the catalogue and its file from the store.
    fn open_attachment(&self, who: Caller, node: Node, id: AttachmentId) -> Result<Opened> {
        let stored = self.library.opener.attachment(id);
        if let Some(stored) = stored.map_err(|error| self.located(node, error))? {
            self.open.redirects.end(who.tid);
            let (record, file) = (&stored.record, Arc::clone(&stored.file));
            return Ok(self.open.handles.add_attachment(record, record, file));
        }
        let attachment = self.open.paths.living(who, node, id)?;
        self.open.redirects.end(who.tid);
        let file = self.library.blobs.open(&attachment)?;
        Ok(self.open.handles.add_attachment(&attachment, &attachment, file))
    }

    /// Names the path of a file that cannot be opened.
    fn located(&self, node: Node, error: library::Error) -> Error {
        let place = self.place_of(node).ok();
        let slot = place.and_then(|place| self.library.lookup.slot_of(&place).ok().flatten());
        match slot {
            Some(slot) => Error::from(error).at(&slot),
            None => error.into(),
        }
    }

    fn open_original(&self, who: Caller, id: AttachmentId, edition: Edition) -> Result<Opened> {
        let attachment = self.open.paths.original(who, id, edition)?;
        self.open.redirects.end(who.tid);
        let sent = Side::Originals.face(attachment.clone());
        let file = self.library.blobs.open(&sent)?;
        Ok(self.open.handles.add_attachment(&attachment, &sent, file))
    }

    /// Opens a variant. `Stale` makes the kernel look a removed one up, and so render it, again. Causes no write.
    fn open_variant(&self, id: VariantId) -> Result<Opened> {
        let stored = match self.library.opener.variant(id) {
            Err(_) if self.library.variants.by_id(id)?.is_none() => return Err(Error::Stale),
            opened => opened?.ok_or(Error::Stale)?,
        };
        self.library.variants.note_read(id);
        Ok(self.open.handles.add_variant(&stored.record, Arc::clone(&stored.file)))
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

    /// Redirects an open to the caller's draft. Errors: [`Error::Stale`] if the kernel is to look the path up again.
    fn open_redirected(&self, who: Caller, node: Node, flags: OpenFlags) -> Result<Opened> {
        let side = Side::of(node);
        match self.open.redirects.begin(who.tid, node.ino(), Seeks::Draft) {
            Step::LookAgain | Step::Serve => Err(Error::Stale),
            // With O_TRUNC the kernel would empty the pages of the inode under its readers.
            Step::Reopen(_) if flags.truncate && self.open.handles.is_open(node) => {
                Err(Error::Stale)
            }
            Step::Reopen(Some(place)) => self.reopen(who, side, place, flags),
            Step::Reopen(None) => self.reopen(who, side, self.place_of(node)?, flags),
        }
    }

    /// Opens a draft by its own inode.
    fn open_draft(&self, who: Caller, id: u64, flags: OpenFlags) -> Result<Opened> {
        let Ok(open) = self.open.drafts.find(id) else {
            let seeks = if flags.changes() { Seeks::Draft } else { Seeks::Successor };
            self.open.redirects.begin(who.tid, Node::Draft(id).ino(), seeks);
            return Err(Error::Stale);
        };
        let own = open.belongs_to(self.open.processes.group(who.tid));
        // A placeholder has no owner until it is opened for writing.
        if own || (flags.changes() && open.claim(&self.open.processes.owner(who.tid))) {
            self.open.redirects.end(who.tid);
            if flags.truncate {
                open.draft.truncate(&self.library.drafts, 0)?;
            }
            let caching = Caching::of_writable(flags);
            return Ok(self.open.writers.hold(who, &open, flags.writes(), caching));
        }
        if flags.changes() {
            return self.open_redirected(who, Node::Draft(id), flags);
        }
        self.open_others_draft(who, &open)
    }

    /// Opens the draft of another process to read. Only its writer may read a byte that has not passed the rules.
    fn open_others_draft(&self, who: Caller, open: &Arc<OpenDraft>) -> Result<Opened> {
        // The path leads to an attachment now.
        if self.library.lookup.link(open.place())?.is_some() {
            self.open.redirects.begin(who.tid, Node::Draft(open.id).ino(), Seeks::Successor);
            return Err(Error::Stale);
        }
        if open.draft.size() > 0 {
            return Err(Error::Busy);
        }
        let fh = self.open.handles.add(Handle::Nothing(Arc::clone(open)));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// `open` of `/proc/self/fd/N` (Samba), or of a path that the kernel will not look up again. The handle leads to the draft,
    /// on the inode that was opened and past its page cache.
    fn reopen(&self, who: Caller, side: Side, place: Place, flags: OpenFlags) -> Result<Opened> {
        let field = self.places.field_at(&place)?;
        let link = self.library.lookup.link(&place)?.map(|link| side.show(link));
        let written = place.name().clone();
        let open = self.open.writers.draft_for(who, &Spot { place, field }, &written, link)?;
        if flags.truncate {
            open.draft.truncate(&self.library.drafts, 0)?;
        }
        Ok(self.open.writers.hold(who, &open, flags.writes(), Caching::Never))
    }

    /// The slot of an inode without a path.
    fn place_of(&self, node: Node) -> Result<Place> {
        match node {
            Node::Draft(id) => Ok(self.open.drafts.find(id)?.place().clone()),
            _ => self.places.name_of(node)?.ok_or(Error::Stale),
        }
    }
}
