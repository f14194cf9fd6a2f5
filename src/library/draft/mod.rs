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
use std::mem::{Discriminant, discriminant};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

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
use crate::session_thread;
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
    /// Guards what is shown of the draft, so that `stat` and `read` never wait for a judgement.
    shown: Mutex<Shown>,
    /// Guards the bytes and their state. Held across I/O and judgement on purpose: a byte that arrives while its file is
    /// judged must wait, or a blob could be written to. Taken by [`Draft::working`].
    work: Mutex<Work>,
}

/// The state of a draft that `stat`, `read` and `listxattr` show.
#[derive(Debug, Clone)]
struct Shown {
    size: u64,
    access: Access,
    times: Times,
    attributes: BTreeMap<String, Vec<u8>>,
    bytes: Bytes,
}

/// The bytes that the writer sees.
#[derive(Debug, Clone)]
enum Bytes {
    /// The draft began empty, and nothing was written or lost since.
    Blank,
    /// The draft was truncated to 0, and nothing was written since.
    Truncated,
    /// Its own, or before any change those of the stored file; with the attachment whose metadata it shows.
    In(Arc<File>, Option<AttachmentId>),
    Refused(Refusal),
}

impl Bytes {
    fn stored(&self) -> Option<AttachmentId> {
        match self {
            Self::In(_, stored) => *stored,
            Self::Blank | Self::Truncated | Self::Refused(_) => None,
        }
    }
}

/// The bytes of a draft and their state, while one thread works on them. Then it is shown what has become of them.
struct Working<'d> {
    draft: &'d Draft,
    work: MutexGuard<'d, Work>,
    before: (Discriminant<Stage>, Discriminant<Start>),
}

impl Deref for Working<'_> {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.work
    }
}

impl DerefMut for Working<'_> {
    fn deref_mut(&mut self) -> &mut Work {
        &mut self.work
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if self.before != self.work.state() {
            self.draft.show(&self.work);
        }
    }
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
    Frozen { sent: Arc<File>, name: Frozen },
    /// Bytes of which some could not be written (a full disk). They must not be committed.
    Spoiled(Staged),
    /// Every operation answers with this refusal, until the draft is truncated to 0.
    Refused(Refusal),
    /// Refused and in the quarantine, while the writer was told success. `sent` is a reader of the bytes.
    Quarantined { sent: Arc<File> },
    /// Stored. `sent` is a reader of the bytes for handles that are still open.
    Committed { id: AttachmentId, sent: Arc<File> },
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
        let work = Work { start, probe_at: Some(1), replaced, ..Work::default() };
        let (attributes, bytes) = (BTreeMap::new(), work.bytes());
        let shown = Shown { size, access, times, attributes, bytes };
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
        let mut work = self.work();
        work.unfit = Some(violation.clone());
        work.condemned = Some(violation);
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
        let (mut work, sent) = (draft.work(), Arc::new(sent));
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
        self.work().replaced.as_ref().map(Promise::id)
    }

    /// Drops the promise for the replaced attachment, which was put back or cannot be.
    pub fn forget_replaced(&self) {
        self.work().replaced = None;
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
        matches!(self.shown.lock().bytes, Bytes::Truncated)
    }

    /// Whether the draft began empty, and nothing was written or lost since.
    pub fn is_blank(&self) -> bool {
        matches!(self.shown.lock().bytes, Bytes::Blank)
    }

    /// Fails in a thread of the session while the bytes are judged.
    pub fn settled(&self) -> Result<()> {
        self.working().map(drop)
    }

    /// Takes the bytes to work on them. In a thread of the session it fails while another thread has them.
    fn working(&self) -> Result<Working<'_>> {
        if let Some(work) = self.work.try_lock() {
            return Ok(Working { draft: self, before: work.state(), work });
        }
        session_thread::leave()?;
        Ok(self.work())
    }

    /// Takes the bytes, and waits for them in any thread.
    fn work(&self) -> Working<'_> {
        let work = self.work.lock();
        Working { draft: self, before: work.state(), work }
    }

    fn show(&self, work: &Work) {
        self.shown.lock().bytes = work.bytes();
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
    fn state(&self) -> (Discriminant<Stage>, Discriminant<Start>) {
        (discriminant(&self.stage), discriminant(&self.start))
    }

    fn bytes(&self) -> Bytes {
        let file = match &self.stage {
            Stage::Untouched => match &self.start {
                Start::Empty => return Bytes::Blank,
                Start::Truncated => return Bytes::Truncated,
                Start::Copy(_, stored) => stored,
            },
            Stage::Refused(refusal) => return Bytes::Refused(refusal.clone()),
            Stage::Open(staged) | Stage::Spoiled(staged) => &staged.file,
            Stage::Frozen { sent, .. }
            | Stage::Quarantined { sent }
            | Stage::Committed { sent, .. } => sent,
        };
        Bytes::In(Arc::clone(file), self.stored())
    }

    /// The attachment whose metadata the draft shows: the committed one, or before any change the one that the draft started with.
    fn stored(&self) -> Option<AttachmentId> {
        match (&self.stage, &self.start) {
            (Stage::Committed { id, .. }, _) => Some(*id),
            (Stage::Untouched, Start::Copy(base, _)) => Some(base.id),
            _ => None,
        }
    }

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
