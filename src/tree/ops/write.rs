//! Writing, flushing, releasing: when a draft is judged (CONTRACT 2.4).
//! Does not judge: it decides only whether this caller's close is a verdict.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::tree::document::View;
use crate::tree::drafts::OpenDraft;
use crate::tree::handles::{Handle, OpenScratch};
use crate::tree::name;
use crate::tree::{Caller, Error, Fh, Result, Tree};
use words::rule::Kind;

/// Above this a publication is worth a thread of the pool (33 us) rather than the request's own.
const SMALL: u64 = 256 << 10;

/// What an operation may cost: `Trifle` is answered in place, `Small` too unless another is at it, `Large` goes to the publish
/// pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Waits for nothing.
    Trifle,
    /// Waits for the disk.
    Small,
    Large,
    /// Goes to the pool of those that wait for servers, and is not begun after this time.
    Download {
        patience: Duration,
    },
}

impl Tree {
    pub fn write(&self, fh: Fh, offset: u64, data: &[u8]) -> Result<usize> {
        match &*self.handles.find(fh)? {
            Handle::Draft { open, writes: true } => self.write_draft(open, offset, data),
            Handle::Scratch(scratch) if scratch.writes => {
                let _gate = scratch.charge.gate.read().unwrap_or_else(PoisonError::into_inner);
                match scratch.became.get() {
                    Some(open) => self.write_draft(open, offset, data),
                    None => self.write_scratch(scratch, offset, data),
                }
            }
            Handle::Document(document) => document.write_at(offset, data),
            _ => Err(Error::BadHandle),
        }
    }

    fn write_draft(&self, open: &OpenDraft, offset: u64, data: &[u8]) -> Result<usize> {
        let written = open.draft.write_at(&self.library.drafts, offset, data);
        // Refused while the bytes come: from here on no name leads to it.
        self.vanished(open, written.is_err() && open.over.is_none());
        Ok(written?)
    }

    /// What a flush of this handle may cost.
    pub fn flush_work(&self, fh: Fh) -> Work {
        let Ok(handle) = self.handles.find(fh) else { return Work::Trifle };
        if let Handle::Document(document) = &*handle
            && let View::Url(_) = document.view
        {
            let patience = self.library.settings.fetch.timeout;
            return if document.is_dirty() { Work::Download { patience } } else { Work::Trifle };
        }
        match draft_of(&handle) {
            Some(open) if open.draft.is_dirty() => cost(open),
            _ => Work::Trifle,
        }
    }

    /// What an `fsync` of this handle may cost: the disk takes longer than a change of threads.
    pub fn sync_work(&self, fh: Fh) -> Work {
        match self.flush_work(fh) {
            Work::Trifle | Work::Small => Work::Large,
            other => other,
        }
    }

    /// What a release of this handle may cost.
    pub fn release_work(&self, fh: Fh) -> Work {
        self.flush_work(fh)
    }

    /// `close`: a verdict if the handle is open for writing and the closer is the opener, or the opener has ended. A
    /// child's close of an inherited descriptor judges nothing.
    pub fn flush(&self, who: Caller, fh: Fh) -> Result<()> {
        let handle = self.handles.find(fh)?;
        match &*handle {
            Handle::Draft { open, writes: true } => self.flush_draft(who, open),
            Handle::Scratch(scratch) if scratch.writes => match scratch.became.get() {
                Some(open) => self.flush_draft(who, open),
                None => self.flush_scratch(who, scratch),
            },
            Handle::Document(document) => self.flush_document(who, document),
            _ => Ok(()),
        }
    }

    fn flush_draft(&self, who: Caller, open: &OpenDraft) -> Result<()> {
        let owner = open.owner();
        let speaks = owner.is(self.processes.group(who.tid)) || owner.is_gone();
        if speaks { self.settle(open) } else { Ok(()) }
    }

    /// Bytes under a name that is no field's are said aloud once (CONTRACT 1).
    fn flush_scratch(&self, who: Caller, scratch: &OpenScratch) -> Result<()> {
        if !scratch.written.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.library.fence.check()?;
        let Some(record) = self.library.scratch.by_id(scratch.id)? else { return Ok(()) };
        if !name::is_temporary(&record.name) {
            self.library.expiry.notice(&record, Self::author(who, &scratch.opener))?;
        }
        Ok(())
    }

    /// The last descriptor of a handle is closed. What no flush has judged is judged now; nobody hears the errno.
    pub fn release(&self, fh: Fh) {
        let Some(handle) = self.handles.remove(fh) else { return };
        if let Handle::Document(document) = &*handle
            && let View::Url(writing) = &document.view
        {
            return self.release_url(document, writing);
        }
        if let Some(open) = draft_of(&handle)
            && open.let_go()
        {
            self.end_draft(open);
        }
        if let Handle::Scratch(scratch) = &*handle {
            Self::trim_scratch(scratch);
        }
        if let Handle::Scratch(scratch) = &*handle
            && scratch.writes
            && !self.library.lookup.boxes().is_empty()
            && let Err(error) = self.closed_in_box(scratch.id)
        {
            tracing::warn!(%error, "a file in a box is looked at only after the next start");
        }
    }
}

fn draft_of(handle: &Handle) -> Option<&Arc<OpenDraft>> {
    match handle {
        Handle::Draft { open, .. } => Some(open),
        Handle::Scratch(scratch) => scratch.became.get(),
        _ => None,
    }
}

fn cost(open: &OpenDraft) -> Work {
    let image = open.draft.target().field.rules.kind == Kind::Image;
    if image || open.draft.size() > SMALL { Work::Large } else { Work::Small }
}
