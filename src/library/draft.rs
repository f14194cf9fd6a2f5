//! A draft: the bytes that one writer is sending to one slot, and the state machine that judges them (CONTRACT 2).
//! Does not know processes, handles or inodes: who may flush, and when, is decided by the tree.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::library::promise::Promise;
use crate::library::quota::Room;
use crate::library::refuse::Author;
use crate::library::staging::{self, Frozen, Note, Staged};
use crate::library::writeback::Writeback;
use crate::library::{Error, Library, Target};
use pipeline::running_digest::RunningDigest;
use words::attachment::{Access, Attachment, AttachmentId, Times};
use words::refusal::{Refusal, Violation};
use words::timestamp::Timestamp;
use words::url::Url;

/// What a draft begins with.
#[derive(Debug)]
pub enum Start {
    Empty,
    /// What was there was truncated to 0, and nothing has come since.
    Truncated,
    /// The stored bytes (`open` without `O_TRUNC`), copied when first changed. They are held open: the attachment may be
    /// replaced and swept before that.
    Copy(Box<Attachment>, Arc<File>),
}

#[derive(Debug)]
pub struct Draft {
    pub(super) target: Target,
    pub(super) author: Author,
    /// Where the bytes are fetched from; none if a program writes them.
    pub(super) origin: Option<Url>,
    pub(super) room: Room,
    /// Guards what `stat` shows, so that `stat` never waits for a judgement.
    shown: Mutex<Shown>,
    /// Guards the bytes and their state. Held across I/O and judgement on purpose: a byte that arrives while its file is
    /// judged must wait, or a blob could be written to.
    pub(super) work: Mutex<Work>,
}

#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) size: u64,
    pub(super) access: Access,
    pub(super) times: Times,
    pub(super) attributes: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Work {
    pub(super) stage: Stage,
    pub(super) start: Start,
    /// Bytes that the writer sent from offset 0 on without a gap.
    pub(super) contiguous: u64,
    /// What was seen of the staged bytes.
    pub(super) sum: RunningDigest,
    pub(super) writeback: Writeback,
    /// Whether space beyond the end of the staged file may be allocated.
    pub(super) reserved: bool,
    /// The header is looked at when `contiguous` reaches this; `None`: it has passed.
    pub(super) probe_at: Option<u64>,
    /// Why the bytes will be refused at close: their writer is not to hear of it before, nor then (`on_refuse`).
    pub(super) unfit: Option<Violation>,
    /// The reason that stays when the draft begins anew.
    pub(super) condemned: Option<Violation>,
    /// The owner unlinked the name: the bytes go with the last handle, nothing is judged.
    pub(super) detached: bool,
    /// What the writer unlinked before it began; put back if nothing comes of the draft.
    pub(super) replaced: Option<Promise>,
}

/// Where a draft stands. Bytes are judged exactly once: judging leaves `Open`, writing returns to it.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing was written: it shows what it started with.
    Untouched,
    /// Bytes that no flush has judged.
    Open(Staged),
    /// Bytes that were to be committed when the catalogue, the store or the disk failed: another flush tries again.
    Frozen { sent: File, name: Frozen },
    /// Bytes could not be written (a full disk): the rest was given up, nothing must be committed.
    Spoiled(Staged),
    /// Every operation answers the same until the draft is truncated to 0.
    Refused(Refusal),
    /// Refused and in the quarantine, while their writer was told success. The bytes as they were sent.
    Quarantined { sent: File },
    /// Stored. The bytes as they were sent, for handles that are still open.
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
        let work = Work {
            stage: Stage::Untouched,
            start,
            contiguous: 0,
            sum: RunningDigest::default(),
            writeback: Writeback::default(),
            reserved: false,
            probe_at: Some(1),
            unfit: None,
            condemned: None,
            detached: false,
            replaced,
        };
        let room = Room::default();
        let (shown, work) = (Mutex::new(shown), Mutex::new(work));
        Self { target, author, room, origin: None, shown, work }
    }

    /// The same draft, with what the quotas leave for it. Without room it is unfit from the start.
    pub fn within(self, library: &Library, room: Room) -> Self {
        if let Some(excess) = &room.full {
            self.condemn(library.over_quota(excess));
        }
        Self { room, ..self }
    }

    /// Whatever is sent will be refused, for a reason that its bytes do not change.
    pub fn condemn(&self, violation: Violation) {
        let mut work = self.work();
        work.unfit = Some(violation.clone());
        work.condemned = Some(violation);
    }

    /// A draft whose bytes were committed already: the handle of a scratch file that was renamed onto a field.
    pub fn committed(
        target: Target,
        author: Author,
        id: AttachmentId,
        access: Access,
        sent: File,
    ) -> Self {
        let length = sent.metadata().map_or(0, |meta| meta.len());
        Self::judged(target, author, access, (Stage::Committed { id, sent }, length))
    }

    /// A draft whose bytes were sent to the quarantine already: the handle of a scratch file that was renamed onto a field.
    pub fn quarantined(target: Target, author: Author, access: Access, sent: File) -> Self {
        let length = sent.metadata().map_or(0, |meta| meta.len());
        Self::judged(target, author, access, (Stage::Quarantined { sent }, length))
    }

    fn judged(
        target: Target,
        author: Author,
        access: Access,
        (stage, length): (Stage, u64),
    ) -> Self {
        let draft = Self::new(target, author, access, Start::Empty, None);
        draft.shown().size = length;
        let mut work = draft.work();
        work.stage = stage;
        work.contiguous = length;
        drop(work);
        draft
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn author(&self) -> Author {
        self.author
    }

    /// What is to be put back if nothing comes of the draft. Waits for a judgement.
    pub fn replaced(&self) -> Option<AttachmentId> {
        self.work().replaced.as_ref().map(Promise::id)
    }

    /// It was put back, or cannot be: whatever removes it from here on removes it for good.
    pub fn forget_replaced(&self) {
        self.work().replaced = None;
    }

    pub fn size(&self) -> u64 {
        self.shown().size
    }

    pub fn stat(&self) -> (u64, Access, Times) {
        let shown = self.shown();
        (shown.size, shown.access, shown.times)
    }

    /// Whether a flush would have to judge bytes now. Never waits: while they are judged it is true.
    pub fn is_dirty(&self) -> bool {
        let Ok(work) = self.work.try_lock() else { return true };
        let unjudged = matches!(work.stage, Stage::Open(_) | Stage::Frozen { .. });
        unjudged && !work.detached && self.size() > 0
    }

    /// Whether its bytes were refused, did not fit, or were committed, and none came since. Never waits: while they are judged it is false.
    pub fn is_judged(&self) -> bool {
        let judged = |stage: &Stage| {
            !matches!(stage, Stage::Untouched | Stage::Open(_) | Stage::Frozen { .. })
        };
        self.work.try_lock().is_ok_and(|work| judged(&work.stage))
    }

    /// Whether it was truncated to 0 and has got no byte since.
    pub fn is_truncated(&self) -> bool {
        let work = self.work();
        matches!((&work.stage, &work.start), (Stage::Untouched, Start::Truncated))
    }

    /// Whether it began with nothing, and has got no byte and lost none.
    pub fn is_blank(&self) -> bool {
        let work = self.work();
        matches!((&work.stage, &work.start), (Stage::Untouched, Start::Empty))
    }

    /// Reads what the writer sees: its own bytes, or what it started with.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let work = self.work();
        let read = match &work.stage {
            Stage::Open(staged) | Stage::Spoiled(staged) => staged.file().read_at(buffer, offset),
            Stage::Committed { sent, .. }
            | Stage::Quarantined { sent }
            | Stage::Frozen { sent, .. } => sent.read_at(buffer, offset),
            Stage::Refused(_) => Ok(0),
            Stage::Untouched => match &work.start {
                Start::Empty | Start::Truncated => Ok(0),
                Start::Copy(_, stored) => stored.read_at(buffer, offset),
            },
        };
        read.map_err(Error::io("read the draft"))
    }

    /// Takes bytes in any order. Refuses as soon as they tell: past `max_size`, and what the header says.
    pub fn write_at(&self, library: &Library, offset: u64, data: &[u8]) -> Result<usize, Error> {
        let mut work = self.work();
        let end = offset.saturating_add(data.len() as u64);
        self.open_for_change(library, &mut work, offset == 0 && end >= self.size())?;
        self.judge_size(library, &mut work, end)?;
        let staged = work.staged()?;
        if let Err(error) = staged.file().write_all_at(data, offset) {
            // The bytes are worth nothing any more, and what their writer unlinked may need the room to be put back.
            if let Err(error) = staged.file().set_len(0) {
                tracing::warn!(%error, "incomplete bytes keep their room");
            }
            work.spoil();
            return Err(Error::io("write the draft")(error));
        }
        work.passed(self.is_kept_as_sent(), offset, data);
        if offset <= work.contiguous {
            work.contiguous = work.contiguous.max(end);
        }
        self.grew_to(end);
        self.probe(library, &mut work, offset, data)?;
        Ok(data.len())
    }

    /// `fsync`: what was sent survives a crash of the machine, in the quarantine if it is never closed.
    pub fn sync(&self, library: &Library) -> Result<(), Error> {
        let mut work = self.work();
        let synced = match &work.stage {
            Stage::Refused(refusal) => Err(refusal.clone().into()),
            Stage::Spoiled(_) => Err(Error::NoSpace),
            Stage::Untouched | Stage::Committed { .. } | Stage::Quarantined { .. } => Ok(()),
            Stage::Open(staged) => library.make_durable(staged.file()),
            Stage::Frozen { sent, .. } => library.make_durable(sent),
        };
        // The next fsync of the same file would answer 0 though nothing reached the disk. Other failures raise the fence.
        if matches!(synced, Err(Error::NoSpace)) {
            work.spoil();
        }
        synced
    }

    /// Makes the bytes writable: a new staged file, filled with what the draft shows so far unless all of it is
    /// about to be replaced.
    pub(super) fn open_for_change(
        &self,
        library: &Library,
        work: &mut Work,
        whole: bool,
    ) -> Result<(), Error> {
        let source = match &work.stage {
            Stage::Open(_) => return Ok(()),
            Stage::Spoiled(_) => return Err(Error::NoSpace),
            Stage::Refused(refusal) => return Err(refusal.clone().into()),
            Stage::Committed { sent, .. }
            | Stage::Quarantined { sent }
            | Stage::Frozen { sent, .. } => {
                Some(sent.try_clone().map_err(Error::io("reopen the draft"))?)
            }
            Stage::Untouched => match &work.start {
                Start::Copy(_, stored) => {
                    Some(stored.try_clone().map_err(Error::io("reopen the blob"))?)
                }
                Start::Empty | Start::Truncated => None,
            },
        };
        let staged =
            library.staging.named(&self.note(work)).map_err(Error::io("stage the draft"))?;
        if work.detached {
            staged.unlink();
        }
        let source = source.filter(|_| !whole);
        if let Some(source) = source {
            let length = self.size();
            staging::copy(&source, staged.file(), length)
                .map_err(Error::io("copy the stored bytes"))?;
        } else {
            self.shown().size = 0;
        }
        // Under way, what is written over old bytes makes a header of both, which nobody meant.
        work.contiguous = 0;
        (work.sum, work.writeback) = <_>::default();
        work.probe_at = Some(1);
        work.stage = Stage::Open(staged);
        Ok(())
    }

    fn note(&self, work: &Work) -> Note {
        let replaced = work.replaced.as_ref().map(Promise::id);
        Note { place: self.target.place.clone(), uid: self.author.uid, replaced }
    }

    fn grew_to(&self, end: u64) {
        let mut shown = self.shown();
        shown.size = shown.size.max(end);
        shown.changed();
    }

    pub(super) fn set_size(&self, size: u64) {
        let mut shown = self.shown();
        shown.size = size;
        shown.changed();
    }

    pub(super) fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// POSIX: a write marks mtime and ctime for update.
    fn changed(&mut self) {
        let now = Timestamp::now();
        self.times.modified = now;
        self.times.changed = now;
    }
}

impl Work {
    pub(super) fn staged(&self) -> Result<&Staged, Error> {
        match &self.stage {
            Stage::Open(staged) => Ok(staged),
            Stage::Refused(refusal) => Err(refusal.clone().into()),
            _ => Err(Error::NoSpace),
        }
    }

    fn spoil(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Untouched) {
            Stage::Open(staged) => Stage::Spoiled(staged),
            other => other,
        };
    }

    pub(super) fn restart(&mut self) {
        self.stage = Stage::Untouched;
        self.start = Start::Truncated;
        self.unfit.clone_from(&self.condemned);
        self.contiguous = 0;
        (self.sum, self.writeback) = <_>::default();
        self.probe_at = Some(1);
        self.reserved = false;
    }
}
