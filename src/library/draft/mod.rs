//! A draft: the bytes that one writer sends to one slot, and where they stand until they are judged (CONTRACT 2).
//!
//! Processes, handles and inodes are unknown here: the tree decides who may flush, and when.

pub mod amend;
pub mod close;
mod data;
mod judge;
mod writeback;

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::fence::Fence;
use crate::library::counts::Counts;
use crate::library::draft::writeback::Writeback;
use crate::library::error::{Error, Result};
use crate::library::home::staging::{Frozen, Staged, Staging};
use crate::library::keep::promises::Promise;
use crate::library::limit::enforcement::{Quotas, Room};
use crate::library::lookup::target::Target;
use crate::library::names::attributes::Attributes;
use crate::library::publish::Publisher;
use crate::library::refuse::Refusals;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use pipeline::running_digest::RunningDigest;
use words::attachment::{Access, Attachment, AttachmentId, Times};
use words::author::Author;
use words::locator::Url;
use words::refusal::{Refusal, Violation};
use words::timestamp::Timestamp;

/// The parts that stage, judge, refuse and publish drafts.
pub struct Drafts {
    pub(super) fence: Fence,
    pub(super) staging: Arc<Staging>,
    pub(super) quotas: Arc<Quotas>,
    pub(super) journal: Arc<Journal>,
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) publisher: Arc<Publisher>,
    pub(super) attributes: Arc<Attributes>,
    pub(super) counts: Arc<Counts>,
}

/// The bytes that a draft begins with.
#[derive(Debug, Default)]
pub enum Start {
    #[default]
    Empty,
    /// The stored file was truncated to 0, and no byte has come since.
    Truncated,
    /// The stored bytes (`open` without `O_TRUNC`). They are open, since a sweep may delete them before the first change.
    Copy(Box<Attachment>, Arc<File>),
}

#[derive(Debug)]
pub struct Draft {
    target: Target,
    author: Author,
    /// The URL that the bytes are fetched from; none if a program writes them.
    origin: Option<Url>,
    room: Room,
    /// Guards the metadata, so that `stat` never waits for a judgement.
    shown: Mutex<Shown>,
    /// Guards the bytes and their state. Held across I/O and judgement on purpose: a byte that arrives while its file is
    /// judged must wait, or a blob could be written to.
    work: Mutex<Work>,
}

/// The metadata that `stat` and `listxattr` show.
#[derive(Debug, Clone)]
struct Shown {
    size: u64,
    access: Access,
    times: Times,
    attributes: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Default)]
struct Work {
    stage: Stage,
    start: Start,
    /// The number of bytes from offset 0 on without a gap.
    contiguous: u64,
    /// The digest of the staged bytes so far.
    sum: RunningDigest,
    writeback: Writeback,
    /// Whether space beyond the end of the staged file may be allocated.
    reserved: bool,
    /// The header is judged when `contiguous` reaches this. None: it has passed.
    probe_at: Option<u64>,
    /// Why the bytes will be refused at close. Set only if their writer must not hear of it (`on_refuse`).
    unfit: Option<Violation>,
    /// Why any bytes will be refused. It stays when the draft begins anew.
    condemned: Option<Violation>,
    /// Whether the owner unlinked the name. The bytes go with the last handle, and nothing is judged.
    detached: bool,
    /// The attachment that the writer unlinked before. It is put back unless the draft is committed.
    replaced: Option<Promise>,
}

/// The state of a draft. Bytes are judged exactly once: judging leaves `Open`, and writing returns to it.
#[derive(Debug, Default)]
enum Stage {
    /// Nothing was written: the draft shows the bytes that it began with.
    #[default]
    Untouched,
    /// Bytes that no flush has judged.
    Open(Staged),
    /// Bytes that could not be committed because the catalogue, the store or the disk failed. The next flush tries again.
    Frozen { sent: File, name: Frozen },
    /// Bytes of which some could not be written (a full disk). They must not be committed.
    Spoiled(Staged),
    /// Every operation answers with this refusal, until the draft is truncated to 0.
    Refused(Refusal),
    /// Refused and in the quarantine, while the writer was told success. `sent` is a reader of the bytes.
    Quarantined { sent: File },
    /// Stored. `sent` is a reader of the bytes for handles that are still open.
    Committed { id: AttachmentId, sent: File },
}

impl Draft {
    pub fn new(
        target: Target,
        author: Author,
        access: Access,
        start: Start,
        replaced: Option<Promise>,
    ) -> Self {
        let now = Timestamp::now();
        let (size, access, times) = match &start {
            Start::Empty | Start::Truncated => (0, access, Times::all(now)),
            Start::Copy(base, _) => (base.content.length, base.access, base.times),
        };
        let shown = Shown { size, access, times, attributes: BTreeMap::new() };
        let work = Work { start, probe_at: Some(1), replaced, ..Work::default() };
        let room = Room::default();
        let (shown, work) = (Mutex::new(shown), Mutex::new(work));
        Self { target, author, room, origin: None, shown, work }
    }

    /// Limits the draft to the room that the quotas leave. Without room its bytes will be refused.
    pub fn within(self, quotas: &Quotas, room: Room) -> Self {
        if let Some(excess) = &room.full {
            self.condemn(quotas.violation(excess));
        }
        Self { room, ..self }
    }

    pub fn fetched_from(mut self, url: Url) -> Self {
        self.origin = Some(url);
        self
    }

    /// Refuses any bytes that will be written, for a reason that they cannot change.
    pub fn condemn(&self, violation: Violation) {
        let mut work = self.work.lock();
        work.unfit = Some(violation.clone());
        work.condemned = Some(violation);
    }

    /// Refuses the bytes that the next flush judges, for a reason that is not theirs.
    pub fn refuse_next(&self, violation: Violation) {
        self.work.lock().unfit = Some(violation);
    }

    /// The draft of an open scratch file that was renamed onto a field: committed as an attachment, or quarantined without one.
    pub fn promoted(
        target: Target,
        author: Author,
        access: Access,
        attachment: Option<AttachmentId>,
        sent: File,
    ) -> Self {
        let draft = Self::new(target, author, access, Start::Empty, None);
        let length = sent.metadata().map_or(0, |meta| meta.len());
        draft.shown.lock().size = length;
        let mut work = draft.work.lock();
        work.contiguous = length;
        work.stage = match attachment {
            Some(id) => Stage::Committed { id, sent },
            None => Stage::Quarantined { sent },
        };
        drop(work);
        draft
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn author(&self) -> Author {
        self.author
    }

    /// The attachment that is put back unless the draft is committed. Waits for a judgement.
    pub fn replaced(&self) -> Option<AttachmentId> {
        self.work.lock().replaced.as_ref().map(Promise::id)
    }

    /// Drops the promise for the replaced attachment, which was put back or cannot be.
    pub fn forget_replaced(&self) {
        self.work.lock().replaced = None;
    }

    pub fn size(&self) -> u64 {
        self.shown.lock().size
    }

    pub fn stat(&self) -> (u64, Access, Times) {
        let shown = self.shown.lock();
        (shown.size, shown.access, shown.times)
    }

    /// Whether there are bytes that a flush would judge. Never waits: while they are judged it is true.
    pub fn is_dirty(&self) -> bool {
        let Some(work) = self.work.try_lock() else { return true };
        let unjudged = matches!(work.stage, Stage::Open(_) | Stage::Frozen { .. });
        unjudged && !work.detached && self.size() > 0
    }

    /// Whether the bytes were committed, were refused or did not fit, and none were written since. Never waits for a judgement.
    pub fn is_judged(&self) -> bool {
        let judged = |stage: &Stage| {
            !matches!(stage, Stage::Untouched | Stage::Open(_) | Stage::Frozen { .. })
        };
        self.work.try_lock().is_some_and(|work| judged(&work.stage))
    }

    /// Whether the draft was truncated to 0, and nothing was written since.
    pub fn is_truncated(&self) -> bool {
        let work = self.work.lock();
        matches!((&work.stage, &work.start), (Stage::Untouched, Start::Truncated))
    }

    /// Whether the draft began empty, and nothing was written or lost since.
    pub fn is_blank(&self) -> bool {
        let work = self.work.lock();
        matches!((&work.stage, &work.start), (Stage::Untouched, Start::Empty))
    }

    /// Sets the size, and marks mtime and ctime for update (POSIX, of a write).
    fn set_size(&self, size: u64) {
        let mut shown = self.shown.lock();
        shown.size = size;
        shown.times.modified = Timestamp::now();
        shown.times.changed = shown.times.modified;
    }
}

impl Work {
    /// Fails if the bytes were refused, or if some could not be written.
    fn check(&self) -> Result<()> {
        match &self.stage {
            Stage::Refused(refusal) => Err(refusal.clone().into()),
            Stage::Spoiled(_) => Err(Error::NoSpace),
            _ => Ok(()),
        }
    }

    /// The staged file that bytes are written to.
    fn staged(&self) -> Result<&Staged> {
        match &self.stage {
            Stage::Open(staged) => Ok(staged),
            Stage::Refused(refusal) => Err(refusal.clone().into()),
            _ => Err(Error::NoSpace),
        }
    }
}
