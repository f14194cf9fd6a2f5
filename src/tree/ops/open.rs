//! Opening files.
//! Does not make names: that is `make`.

use std::fs::File;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, PoisonError};

use crate::library::scratch::report_name::is_report;
use crate::tree::attr::{Caching, OpenFlags, Opened};
use crate::tree::drafts::OpenDraft;
use crate::tree::handles::{Handle, OpenScratch};
use crate::tree::node::Node;
use crate::tree::ops::files::failed;
use crate::tree::redirect::{Seeks, Step};
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Ino, Result, Tree, node};
use words::attachment::{Attachment, AttachmentId, ScratchId, VariantId};
use words::place::Place;
use words::scratch::ScratchRecord;

impl Tree {
    pub fn open(&self, who: Caller, ino: Ino, flags: OpenFlags) -> Result<Opened> {
        if flags.writes() {
            self.library.fence.check()?;
        }
        match node(ino)? {
            node @ Node::Attachment(id, _) => self.open_attachment(who, (node, id), flags),
            Node::Original(id, edition) => self.open_original(who, (id, edition), flags),
            Node::Draft(id) => self.open_by_draft(who, id, flags),
            Node::Scratch(id) => self.open_scratch(who, id, flags),
            Node::Url(view) => self.open_url(who, view, flags),
            Node::RowJson(table, row) => self.open_row_json(who, (table, row), flags),
            other if flags.changes() => {
                Err(if other.is_directory() { Error::IsDirectory } else { Error::ReadOnly })
            }
            Node::Variant(id) => self.open_variant(id),
            Node::Trashed(id) => self.open_trashed(who, id),
            other => self.open_control(who, other),
        }
    }

    /// Reading asks the catalogue for the key and the store for a descriptor. Writing, and reading by a process that has a
    /// draft of the slot, happens on the draft's inode: `ESTALE` makes the kernel look the path up again.
    fn open_attachment(
        &self,
        who: Caller,
        (node, id): (Node, AttachmentId),
        flags: OpenFlags,
    ) -> Result<Opened> {
        if flags.changes() || self.has_draft_over(who, node)? {
            return self.turn_to_draft(who, node, flags);
        }
        if let Some(stored) = self.library.opener.attachment(id)? {
            self.redirects.end(who.tid);
            return Ok(self.opened_attachment(&stored.record, &stored.file));
        }
        let attachment = self.living_at(who, node, id)?;
        self.redirects.end(who.tid);
        let file = self.library.blobs.open(&attachment)?;
        Ok(self.opened_attachment(&attachment, &file))
    }

    fn opened_attachment(&self, attachment: &Attachment, file: &Arc<File>) -> Opened {
        let fh = self.handles.add_attachment(attachment, attachment.blob, Arc::clone(file));
        Opened::stored(fh, Arc::clone(file), attachment.content.length)
    }

    /// One that was trimmed since it was looked up is looked up, and rendered, again. Asks for nothing to be written.
    fn open_variant(&self, id: VariantId) -> Result<Opened> {
        let stored = match self.library.opener.variant(id) {
            Err(_) if self.library.variants.by_id(id)?.is_none() => return Err(Error::Stale),
            opened => opened?.ok_or(Error::Stale)?,
        };
        self.library.variants.note_read(id);
        let fh = self.handles.add_variant(&stored.record, Arc::clone(&stored.file));
        Ok(Opened::stored(fh, Arc::clone(&stored.file), stored.record.content.length))
    }

    pub(in crate::tree) fn has_draft_over(&self, who: Caller, node: Node) -> Result<bool> {
        // The catalogue and the process are asked only when there is a draft at all.
        if self.drafts.is_empty() {
            return Ok(false);
        }
        let tgid = self.processes.group(who.tid);
        let places = self.places_behind(node)?;
        let mut drafts = places.iter().flat_map(|place| self.drafts.found(place));
        Ok(drafts.any(|open| open.has_handles() && open.belongs_to(tgid)))
    }

    pub(in crate::tree) fn turn_to_draft(
        &self,
        who: Caller,
        node: Node,
        flags: OpenFlags,
    ) -> Result<Opened> {
        let side = Side::of(node);
        match self.redirects.begin(who.tid, node.ino(), Seeks::Draft) {
            Step::LookAgain | Step::Serve => Err(Error::Stale),
            // With O_TRUNC the kernel would empty the pages of the inode under its readers.
            Step::Reopen(_) if flags.truncate && self.is_being_read(node) => Err(Error::Stale),
            Step::Reopen(Some(place)) => self.reopen(who, side, &place, flags),
            Step::Reopen(None) => self.reopen(who, side, &self.place_behind(node)?, flags),
        }
    }

    /// `open` of `/proc/self/fd/N` (Samba), or of a path that the kernel will not look up again: the draft is known by
    /// handle alone, on the inode that was opened, past the page cache of that inode.
    fn reopen(&self, who: Caller, side: Side, place: &Place, flags: OpenFlags) -> Result<Opened> {
        let field = self.field_at(place)?;
        let link = self.library.lookup.link(place)?.map(|link| side.show(link));
        let written = place.name().clone();
        let open = self.draft_for(who, place, &field, &written, link)?;
        if flags.truncate {
            open.draft.truncate(&self.library.drafts, 0)?;
        }
        Ok(self.open_draft(who, &open, flags.writes(), Caching::Never))
    }

    fn is_being_read(&self, node: Node) -> bool {
        matches!(node.as_model(), Node::Attachment(id, _) if self.handles.open_attachment(id).is_some())
    }

    fn place_behind(&self, node: Node) -> Result<Place> {
        match node.as_model() {
            Node::Attachment(..) => self.place_known(node)?.ok_or(Error::Stale),
            Node::Draft(id) => {
                self.drafts.find(id).map(|open| open.place().clone()).ok_or(Error::Stale)
            }
            _ => Err(Error::Stale),
        }
    }

    fn open_by_draft(&self, who: Caller, id: u64, flags: OpenFlags) -> Result<Opened> {
        let Some(open) = self.drafts.find(id) else {
            let seeks = if flags.changes() { Seeks::Draft } else { Seeks::Successor };
            self.redirects.begin(who.tid, Node::Draft(id).ino(), seeks);
            return Err(Error::Stale);
        };
        let own = open.belongs_to(self.processes.group(who.tid));
        // A placeholder is nobody's: whoever writes it first owns it.
        if own || (flags.changes() && open.claim(&self.processes.owner(who.tid))) {
            self.redirects.end(who.tid);
            if flags.truncate {
                open.draft.truncate(&self.library.drafts, 0)?;
            }
            return Ok(self.open_draft(who, &open, flags.writes(), flags.caching()));
        }
        if flags.changes() {
            return self.turn_to_draft(who, Node::Draft(id), flags);
        }
        self.open_others_draft(who, &open)
    }

    /// Nobody but its writer reads a byte that has not passed the rules.
    fn open_others_draft(&self, who: Caller, open: &Arc<OpenDraft>) -> Result<Opened> {
        // The path leads to an attachment, or does since a commit.
        if self.library.lookup.link(open.place())?.is_some() {
            self.redirects.begin(who.tid, Node::Draft(open.id).ino(), Seeks::Successor);
            return Err(Error::Stale);
        }
        if open.draft.size() > 0 {
            return Err(Error::Busy);
        }
        Ok(Opened {
            fh: self.handles.add(Handle::Nothing(Arc::clone(open))),
            caching: Caching::Never,
        })
    }

    fn open_scratch(&self, who: Caller, id: ScratchId, flags: OpenFlags) -> Result<Opened> {
        let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
        if flags.changes() && is_report(&record) {
            return Err(Error::ReadOnly);
        }
        let scratch = &self.library.scratch;
        let file = if flags.changes() {
            scratch.open_to_write(&record)?
        } else {
            scratch.open(&record)?
        };
        if flags.changes() {
            self.arrivals.forget(id);
        }
        if flags.truncate {
            let charge = self.library.scratch.charge(&record)?;
            let _gate = charge.gate.read().unwrap_or_else(PoisonError::into_inner);
            file.set_len(0).map_err(failed)?;
            charge.set(0);
        }
        let opened = self.hold_scratch(who, &record, file, flags.changes())?;
        Ok(Opened { caching: flags.caching(), ..opened })
    }

    pub(in crate::tree) fn hold_scratch(
        &self,
        who: Caller,
        record: &ScratchRecord,
        file: std::fs::File,
        writes: bool,
    ) -> Result<Opened> {
        let scratch = OpenScratch {
            id: record.id,
            charge: self.library.scratch.charge(record)?,
            refused: OnceLock::new(),
            access: record.access,
            file,
            writes,
            opener: self.processes.owner(who.tid),
            written: AtomicBool::new(false),
            reserved: AtomicBool::new(false),
            became: OnceLock::new(),
        };
        let fh = self.handles.add(Handle::Scratch(Arc::new(scratch)));
        Ok(Opened { fh, caching: Caching::WhileOpen })
    }

    /// The attachment of an inode that a path has led to. One that has lost its names since is looked up again, once.
    pub(in crate::tree) fn living_at(
        &self,
        who: Caller,
        node: Node,
        id: AttachmentId,
    ) -> Result<Attachment> {
        let found = self.library.lookup.attachment(id)?;
        if let Some(attachment) = &found
            && attachment.links > 0
        {
            return found.ok_or(Error::Stale);
        }
        match self.redirects.begin(who.tid, node.ino(), Seeks::Successor) {
            Step::Serve => found.ok_or(Error::Stale),
            Step::LookAgain | Step::Reopen(_) => Err(Error::Stale),
        }
    }
}
