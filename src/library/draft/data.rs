//! The bytes of a draft: read, written, synced, truncated, and the space that is allocated for them.

use std::os::unix::fs::FileExt;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::fd;
use crate::library::draft::{Bytes, Draft, Drafts, Stage, Start, Work};
use crate::library::error::{Error, Result};
use crate::library::home::staging::Note;
use crate::library::keep::promises::Promise;
use crate::session_thread;

impl Draft {
    /// Reads the bytes that the writer sees: its own, or before any change those of the stored file.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let bytes = self.shown.lock().bytes.clone();
        let Bytes::In(file, _) = bytes else { return Ok(0) };
        file.read_at(buffer, offset).map_err(Error::io("read the draft"))
    }

    /// Writes bytes, in any order. Refuses as soon as the size or the header breaks a rule.
    pub fn write_at(&self, drafts: &Drafts, offset: u64, data: &[u8]) -> Result<usize> {
        let mut work = self.working()?;
        let end = offset.saturating_add(data.len() as u64);
        self.open_for_change(drafts, &mut work, offset == 0 && end >= self.size())?;
        self.judge_size(drafts, &mut work, end)?;
        let staged = work.staged()?;
        if let Err(error) = staged.file.write_all_at(data, offset) {
            // Incomplete bytes are worth nothing, and putting back what the writer unlinked may need their space.
            if let Err(error) = staged.file.set_len(0) {
                tracing::warn!(%error, "incomplete bytes keep their room");
            }
            work.spoil();
            return Err(Error::io("write the draft")(error));
        }
        work.wrote(self.is_kept_as_sent(), offset, data);
        if offset <= work.contiguous {
            work.contiguous = work.contiguous.max(end);
        }
        self.set_size(self.size().max(end));
        self.probe(drafts, &mut work, offset, data)?;
        Ok(data.len())
    }

    /// `fsync`: the bytes so far survive a crash of the machine. If the draft is never closed, they go to the quarantine.
    pub fn sync(&self, drafts: &Drafts) -> Result<()> {
        let mut work = self.working()?;
        work.check()?;
        let synced = match &work.stage {
            Stage::Open(staged) => drafts.staging.sync(&staged.file),
            Stage::Frozen { sent, .. } => drafts.staging.sync(sent),
            _ => Ok(()),
        };
        // The next fsync would succeed though these bytes are not on the disk. Any other failure has raised the fence.
        if matches!(synced, Err(Error::NoSpace)) {
            work.spoil();
        }
        synced
    }

    /// `ftruncate`. A length of 0 takes back a refusal, and the draft begins anew.
    pub fn truncate(&self, drafts: &Drafts, length: u64) -> Result<()> {
        let mut work = self.working()?;
        if length == 0 {
            work.restart();
            self.set_size(0);
            return Ok(());
        }
        self.open_for_change(drafts, &mut work, false)?;
        self.judge_size(drafts, &mut work, length)?;
        work.staged()?.file.set_len(length).map_err(Error::io("truncate the draft"))?;
        // The rest of the header was judged already, or will be at close.
        work.contiguous = work.contiguous.min(length);
        work.sum.changed_from(length);
        self.set_size(length);
        Ok(())
    }

    /// `fallocate`, except for the modes that move ranges. A call that fails leaves the draft as it was.
    pub fn allocate(
        &self,
        drafts: &Drafts,
        offset: u64,
        length: u64,
        flags: FallocateFlags,
    ) -> Result<()> {
        let mut work = self.working()?;
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
        let file = &work.staged()?.file;
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
    pub fn seek(&self, whence: rustix::fs::SeekFrom) -> Result<u64> {
        let bytes = self.shown.lock().bytes.clone();
        let sought = match bytes {
            Bytes::Refused(refusal) => return Err(refusal.into()),
            Bytes::Blank | Bytes::Truncated => Err(Errno::NXIO),
            Bytes::In(file, _) => rustix::fs::seek(&file, whence),
        };
        sought.map_err(|errno| Error::Io { action: "seek", source: errno.into() })
    }

    /// Opens a new staged file if the present bytes were judged, or are those of the stored file. Copies them to it, unless the
    /// caller is about to replace all of them (`whole`).
    fn open_for_change(&self, drafts: &Drafts, work: &mut Work, whole: bool) -> Result<()> {
        if matches!(work.stage, Stage::Open(_)) {
            return Ok(());
        }
        work.check()?;
        if !whole {
            session_thread::leave_for_bytes(self.size())?;
        }
        let staged =
            drafts.staging.named(&self.note(work)).map_err(Error::io("stage the draft"))?;
        if work.detached {
            staged.name.unlink();
        }
        if let Bytes::In(source, _) = work.bytes()
            && !whole
        {
            fd::copy(&source, &staged.file, self.size())
                .map_err(Error::io("copy the stored bytes"))?;
        } else {
            self.shown.lock().size = 0;
        }
        // Only new bytes are judged as a header while they come: old and new ones mixed may be no image.
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
}

impl Work {
    /// Gives back the space that is allocated beyond the end.
    pub(super) fn trim(&mut self) -> Result<()> {
        if let Stage::Open(staged) = &self.stage
            && self.reserved
        {
            fd::trim(&staged.file).map_err(Error::io("give back space"))?;
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
            self.writeback.written_to(&staged.file, offset.saturating_add(data.len() as u64));
        }
    }

    fn spoil(&mut self) {
        self.stage = match std::mem::take(&mut self.stage) {
            Stage::Open(staged) => Stage::Spoiled(staged),
            other => other,
        };
    }

    fn restart(&mut self) {
        let Self { condemned, detached, replaced, .. } = std::mem::take(self);
        let (start, unfit, probe_at) = (Start::Truncated, condemned.clone(), Some(1));
        *self = Self { start, probe_at, unfit, condemned, detached, replaced, ..Self::default() };
    }
}
