//! One open draft or placeholder: its owner, its handles, and whether its name is shown.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::library::Library;
use crate::library::draft::Draft;
use crate::tree::error::Result;
use crate::tree::node::Node;
use crate::tree::node::mark::Mark;
use crate::tree::open::processes::Owner;
use crate::tree::request::Caller;
use crate::tree::show::attr::{Attr, Entry};
use words::attachment::AttachmentId;
use words::place::Place;

/// How long an empty file on a free slot stays (CONTRACT 2.6).
pub const PLACEHOLDER: Duration = Duration::from_secs(60);

/// A draft of the library with its number, owner and handles.
#[derive(Debug)]
pub struct OpenDraft {
    pub id: u64,
    pub draft: Draft,
    /// The attachment that the slot held when the draft began.
    pub over: Option<AttachmentId>,
    /// Guards owner and handles; never held while bytes are judged.
    hold: Mutex<Hold>,
}

#[derive(Debug)]
struct Hold {
    owner: Owner,
    handles: usize,
    /// When it became a placeholder: all handles were closed without a byte, and an empty file is listed.
    resting: Option<Instant>,
    /// Unlinked by another process, or committed: its name is shown to its owner alone.
    hidden: bool,
    /// Unlinked by another process, and not committed since.
    unlinked: bool,
    /// The attachment that the last commit made.
    committed: Option<AttachmentId>,
}

impl OpenDraft {
    /// A draft with a first handle.
    pub fn new(id: u64, draft: Draft, over: Option<AttachmentId>, owner: Owner) -> Self {
        let hold = Hold {
            owner,
            handles: 1,
            resting: None,
            hidden: false,
            unlinked: false,
            committed: None,
        };
        Self { id, draft, over, hold: Mutex::new(hold) }
    }

    pub fn place(&self) -> &Place {
        &self.draft.target().place
    }

    pub fn belongs_to(&self, tgid: Option<u32>) -> bool {
        self.hold.lock().owner.is(tgid)
    }

    /// Whether a caller may read the draft, which has this owner, though it has no process that could be compared: the same user
    /// without one. It is no other user's, and may be its writer.
    pub fn is_read_by(&self, who: Caller, owner: &Owner) -> bool {
        matches!(owner, Owner::Handle) && who.tid == 0 && who.uid == self.draft.author().uid
    }

    pub fn owner(&self) -> Owner {
        self.hold.lock().owner.clone()
    }

    pub fn is_placeholder(&self) -> bool {
        self.hold.lock().resting.is_some()
    }

    /// Whether its bytes were judged. Then no path leads to it, and its handles alone keep it until their release. The release
    /// comes after `close` has returned: a lookup in between, of its writer too, must find the stored file.
    pub fn is_judged(&self) -> bool {
        self.draft.is_judged()
    }

    /// Whether a free slot shows it to everybody: a first draft that is not judged yet, or a placeholder.
    pub fn is_shown(&self) -> bool {
        self.over.is_none() && !self.hold.lock().hidden && !self.is_judged()
    }

    pub fn hide(&self) {
        self.hold.lock().hidden = true;
    }

    /// Hides the draft, whose bytes were committed: the attachment has the name.
    pub fn commit(&self, id: AttachmentId) {
        let mut hold = self.hold.lock();
        (hold.hidden, hold.unlinked, hold.committed) = (true, false, Some(id));
    }

    /// Whether an attachment is the one that the draft began over, or was committed as.
    pub fn replaces(&self, id: AttachmentId) -> bool {
        self.over == Some(id) || self.hold.lock().committed == Some(id)
    }

    /// Hides the draft, whose name another process removed.
    pub fn unlink(&self) {
        let mut hold = self.hold.lock();
        (hold.hidden, hold.unlinked) = (true, true);
    }

    /// Gives a placeholder to a process that opens it to write, and adds a handle. Returns false if it is none.
    pub fn claim(&self, opener: &Owner) -> bool {
        let mut hold = self.hold.lock();
        if hold.resting.take().is_none() {
            return false;
        }
        hold.owner = opener.clone();
        hold.handles += 1;
        true
    }

    /// Adds a handle if `may` agrees with the owner. Returns false if not, or if the last handle was closed meanwhile.
    pub fn join(&self, may: impl FnOnce(&Owner) -> bool) -> bool {
        let mut hold = self.hold.lock();
        let joins = (hold.handles > 0 || hold.resting.is_some()) && may(&hold.owner);
        if joins {
            hold.resting = None;
            hold.handles += 1;
        }
        joins
    }

    /// Removes a handle; returns whether it was the last.
    pub fn let_go(&self) -> bool {
        let mut hold = self.hold.lock();
        hold.handles = hold.handles.saturating_sub(1);
        hold.handles == 0
    }

    pub fn has_handles(&self) -> bool {
        self.hold.lock().handles > 0
    }

    /// Makes it a placeholder: it was closed without a byte on a free slot. Does nothing if it is open again.
    pub fn rest(&self) {
        let mut hold = self.hold.lock();
        if hold.handles == 0 {
            hold.resting = Some(Instant::now());
        }
    }

    /// Whether it has been a placeholder for too long.
    pub fn is_over(&self, now: Instant) -> bool {
        let resting = self.hold.lock().resting;
        resting.is_some_and(|since| now.duration_since(since) > PLACEHOLDER)
    }

    /// The attributes of its own inode.
    pub fn attr(&self) -> Attr {
        let (size, access, times) = self.draft.stat();
        Attr::file(Node::Draft(self.id), size, access, times)
    }

    /// The attributes that `fstat` shows. The inode number is that of the attachment that it will replace, as `stat` of the path
    /// shows: otherwise vim refuses to write ('File changed while writing'). Without a name it has no links.
    pub fn shown(&self, library: &Library) -> Result<Entry> {
        let attr = self.attr();
        let ino = self.over.map_or(attr.ino, |id| Node::Attachment(id, Mark::SOLE).ino());
        let names = self.draft.names(&library.lookup)?;
        let links = names.unwrap_or_else(|| u32::from(!self.hold.lock().unlinked));
        Ok(Entry::fleeting(Attr { ino, links, ..attr }))
    }
}
