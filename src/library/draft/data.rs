//! The bytes of a draft: read, written, synced, truncated, and the space that is allocated for them.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::fs::FallocateFlags;

use crate::fd;
use crate::library::draft::{Draft, Drafts, Stage, Start, Work};
use crate::library::error::Error;
use crate::library::home::staging::Note;
use crate::library::keep::promises::Promise;

impl Draft {
    /// Reads what the writer sees: its own bytes, or those that the draft started with.
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

    /// Writes bytes, in any order. Refuses as soon as the size or the header tells.
    pub fn write_at(&self, drafts: &Drafts, offset: u64, data: &[u8]) -> Result<usize, Error> {
        let mut work = self.work();
        let end = offset.saturating_add(data.len() as u64);
        self.open_for_change(drafts, &mut work, offset == 0 && end >= self.size())?;
        self.judge_size(drafts, &mut work, end)?;
        let staged = work.staged()?;
        if let Err(error) = staged.file().write_all_at(data, offset) {
            // Incomplete bytes are worth nothing, and putting back what the writer unlinked may need their space.
            if let Err(error) = staged.file().set_len(0) {
                tracing::warn!(%error, "incomplete bytes keep their room");
            }
            work.spoil();
            return Err(Error::io("write the draft")(error));
        }
        work.wrote(self.is_kept_as_sent(), offset, data);
        if offset <= work.contiguous {
            work.contiguous = work.contiguous.max(end);
        }
        self.grew_to(end);
        self.probe(drafts, &mut work, offset, data)?;
        Ok(data.len())
    }

    /// `fsync`: the bytes so far survive a crash of the machine. If the draft is never closed, they go to the quarantine.
    pub fn sync(&self, drafts: &Drafts) -> Result<(), Error> {
        let mut work = self.work();
        let synced = match &work.stage {
            Stage::Refused(refusal) => Err(refusal.clone().into()),
            Stage::Spoiled(_) => Err(Error::NoSpace),
            Stage::Untouched | Stage::Committed { .. } | Stage::Quarantined { .. } => Ok(()),
            Stage::Open(staged) => drafts.staging.sync(staged.file()),
            Stage::Frozen { sent, .. } => drafts.staging.sync(sent),
        };
        // The next fsync would succeed though these bytes are not on the disk. Any other failure has raised the fence.
        if matches!(synced, Err(Error::NoSpace)) {
            work.spoil();
        }
        synced
    }

    /// `ftruncate`. To 0 it takes back a refusal and begins anew.
    pub fn truncate(&self, drafts: &Drafts, length: u64) -> Result<(), Error> {
        let mut work = self.work();
        if length == 0 {
            work.restart();
            self.set_size(0);
            return Ok(());
        }
        self.open_for_change(drafts, &mut work, false)?;
        self.judge_size(drafts, &mut work, length)?;
        work.staged()?.file().set_len(length).map_err(Error::io("truncate the draft"))?;
        // The header that is left was judged already, or will be at close.
        work.contiguous = work.contiguous.min(length);
        work.sum.changed_from(length);
        self.set_size(length);
        Ok(())
    }

    /// `fallocate`, except for the modes that move ranges. Space beyond the end is given back before the bytes are judged. A call
    /// that fails leaves the draft as it was.
    pub fn allocate(
        &self,
        drafts: &Drafts,
        offset: u64,
        length: u64,
        flags: FallocateFlags,
    ) -> Result<(), Error> {
        let mut work = self.work();
        self.open_for_change(drafts, &mut work, false)?;
        let end = offset.saturating_add(length);
        if !flags.contains(FallocateFlags::KEEP_SIZE) {
            self.judge_size(drafts, &mut work, end)?;
        } else if !flags.contains(FallocateFlags::PUNCH_HOLE) {
            self.judge_reserve(drafts, end)?;
            work.reserved = true;
        }
        // The call may change any bytes in the range.
        work.sum.forget();
        let file = work.staged()?.file();
        if let Err(errno) = rustix::fs::fallocate(file, flags, offset, length) {
            // ext4 keeps the part that it found room for, and shows it in the size.
            file.set_len(self.size()).map_err(Error::io("give back space"))?;
            return Err(Error::io("allocate space for the draft")(errno.into()));
        }
        let size = file.metadata().map_err(Error::io("stat the draft"))?.len();
        work.contiguous = work.contiguous.min(size);
        self.set_size(size);
        Ok(())
    }

    /// `lseek` to the next data or hole, as the backing file has them.
    pub fn seek(&self, whence: rustix::fs::SeekFrom) -> Result<u64, Error> {
        let work = self.work();
        let seek = |file: &File| {
            rustix::fs::seek(file, whence)
                .map_err(|errno| Error::Io { action: "seek", source: errno.into() })
        };
        match &work.stage {
            Stage::Open(staged) | Stage::Spoiled(staged) => seek(staged.file()),
            Stage::Committed { sent, .. }
            | Stage::Quarantined { sent }
            | Stage::Frozen { sent, .. } => seek(sent),
            Stage::Refused(refusal) => Err(refusal.clone().into()),
            Stage::Untouched => match &work.start {
                Start::Copy(_, stored) => seek(stored),
                Start::Empty | Start::Truncated => {
                    Err(Error::Io { action: "seek", source: rustix::io::Errno::NXIO.into() })
                }
            },
        }
    }

    /// Opens a new staged file for bytes that were judged, or never changed. It is filled with what the draft shows, unless
    /// all of that (`whole`) is about to be replaced.
    fn open_for_change(&self, drafts: &Drafts, work: &mut Work, whole: bool) -> Result<(), Error> {
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
            drafts.staging.named(&self.note(work)).map_err(Error::io("stage the draft"))?;
        if work.detached {
            staged.unlink();
        }
        if let Some(source) = source.filter(|_| !whole) {
            fd::copy(&source, staged.file(), self.size())
                .map_err(Error::io("copy the stored bytes"))?;
        } else {
            self.shown().size = 0;
        }
        // Only new bytes are judged as a header while they come: old and new ones together may be none.
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
}

impl Work {
    /// Gives back the space that is allocated beyond the end: a blob or an entry of the quarantine takes no more than its bytes.
    pub(super) fn trim(&mut self) -> Result<(), Error> {
        if let Stage::Open(staged) = &self.stage
            && self.reserved
        {
            fd::trim(staged.file()).map_err(Error::io("give back space"))?;
            self.reserved = false;
        }
        Ok(())
    }

    /// Hashes bytes that were written, and sends them to the disk once they are many.
    fn wrote(&mut self, hashed: bool, offset: u64, data: &[u8]) {
        if hashed {
            self.sum.wrote(offset, data);
        }
        if let Stage::Open(staged) = &self.stage {
            self.writeback.written_to(staged.file(), offset.saturating_add(data.len() as u64));
        }
    }

    fn spoil(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Untouched) {
            Stage::Open(staged) => Stage::Spoiled(staged),
            other => other,
        };
    }

    fn restart(&mut self) {
        self.stage = Stage::Untouched;
        self.start = Start::Truncated;
        self.unfit.clone_from(&self.condemned);
        self.contiguous = 0;
        (self.sum, self.writeback) = <_>::default();
        self.probe_at = Some(1);
        self.reserved = false;
    }
}
