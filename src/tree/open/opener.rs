//! Opens that lead to a draft. A write never happens on an attachment's inode, nor does a read by a process that has a draft of
//! the slot: `ESTALE` makes the kernel look the path up again, and the lookup answers with the draft's inode.

use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::node::meaning::Spot;
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::handles::{Handle, Handles};
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::opened::{Caching, Opened};
use crate::tree::open::processes::Processes;
use crate::tree::open::redirect::{Redirects, Seeks, Step};
use crate::tree::open::writers::Writers;
use crate::tree::request::{Caller, OpenFlags};
use words::place::Place;

pub struct Opener {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) handles: Arc<Handles>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) redirects: Arc<Redirects>,
    pub(super) writers: Arc<Writers>,
    pub(super) processes: Processes,
}

impl Opener {
    /// Whether the caller's process has a draft open of a slot that an inode stands for.
    pub fn has_draft(&self, who: Caller, node: Node) -> Result<bool> {
        // The catalogue and the process are asked only when there is a draft at all.
        if self.drafts.is_empty() {
            return Ok(false);
        }
        let tgid = self.processes.group(who.tid);
        let places = self.places.names_of(node)?;
        let mut drafts = places.iter().flat_map(|place| self.drafts.found(place));
        Ok(drafts.any(|open| open.has_handles() && open.belongs_to(tgid)))
    }

    /// Leads an open from another inode to the caller's draft. Errors: [`Error::Stale`] if the kernel is to look the path up again.
    pub fn turn(&self, who: Caller, node: Node, flags: OpenFlags) -> Result<Opened> {
        let side = Side::of(node);
        match self.redirects.begin(who.tid, node.ino(), Seeks::Draft) {
            Step::LookAgain | Step::Serve => Err(Error::Stale),
            // With O_TRUNC the kernel would empty the pages of the inode under its readers.
            Step::Reopen(_) if flags.truncate && self.is_being_read(node) => Err(Error::Stale),
            Step::Reopen(Some(place)) => self.reopen(who, side, place, flags),
            Step::Reopen(None) => self.reopen(who, side, self.place_of(node)?, flags),
        }
    }

    /// Opens a draft by its own inode.
    pub fn draft(&self, who: Caller, id: u64, flags: OpenFlags) -> Result<Opened> {
        let Some(open) = self.drafts.find(id) else {
            let seeks = if flags.changes() { Seeks::Draft } else { Seeks::Successor };
            self.redirects.begin(who.tid, Node::Draft(id).ino(), seeks);
            return Err(Error::Stale);
        };
        let own = open.belongs_to(self.processes.group(who.tid));
        // A placeholder belongs to nobody until somebody opens it for writing.
        if own || (flags.changes() && open.claim(&self.processes.owner(who.tid))) {
            self.redirects.end(who.tid);
            if flags.truncate {
                open.draft.truncate(&self.library.drafts, 0)?;
            }
            let caching = Caching::of_writable(flags);
            return Ok(self.writers.hold(who, &open, flags.writes(), caching));
        }
        if flags.changes() {
            return self.turn(who, Node::Draft(id), flags);
        }
        self.others_draft(who, &open)
    }

    /// Opens the draft of another process to read. Only its writer may read a byte that has not passed the rules.
    fn others_draft(&self, who: Caller, open: &Arc<OpenDraft>) -> Result<Opened> {
        // The path leads to an attachment, or does so since a commit.
        if self.library.lookup.link(open.place())?.is_some() {
            self.redirects.begin(who.tid, Node::Draft(open.id).ino(), Seeks::Successor);
            return Err(Error::Stale);
        }
        if open.draft.size() > 0 {
            return Err(Error::Busy);
        }
        let fh = self.handles.add(Handle::Nothing(Arc::clone(open)));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// `open` of `/proc/self/fd/N` (Samba), or of a path that the kernel will not look up again: the draft is known by handle
    /// alone, on the inode that was opened, past the page cache of that inode.
    fn reopen(&self, who: Caller, side: Side, place: Place, flags: OpenFlags) -> Result<Opened> {
        let field = self.places.field_at(&place)?;
        let link = self.library.lookup.link(&place)?.map(|link| side.show(link));
        let written = place.name().clone();
        let open = self.writers.draft_for(who, &Spot { place, field }, &written, link)?;
        if flags.truncate {
            open.draft.truncate(&self.library.drafts, 0)?;
        }
        Ok(self.writers.hold(who, &open, flags.writes(), Caching::Never))
    }

    fn is_being_read(&self, node: Node) -> bool {
        match node.as_model() {
            Node::Attachment(id, _) => self.handles.open_attachment(id).is_some(),
            _ => false,
        }
    }

    /// The slot of an inode that came without a path.
    fn place_of(&self, node: Node) -> Result<Place> {
        match node.as_model() {
            Node::Attachment(..) => self.places.name_of(node)?.ok_or(Error::Stale),
            Node::Draft(id) => {
                self.drafts.find(id).map(|open| open.place().clone()).ok_or(Error::Stale)
            }
            _ => Err(Error::Stale),
        }
    }
}
