//! The extents of a draft: its end, space allocated ahead, holes, and where data is.
//! Does not read or write bytes.

use std::fs::File;

use rustix::fs::FallocateFlags;

use crate::fd;
use crate::library::Library;
use crate::library::draft::{Draft, Stage, Start, Work};
use crate::library::error::Error;

impl Draft {
    /// `ftruncate`. To 0 it forgives a refusal and starts anew.
    pub fn truncate(&self, library: &Library, length: u64) -> Result<(), Error> {
        let mut work = self.work();
        if length == 0 {
            work.restart();
            self.set_size(0);
            return Ok(());
        }
        self.open_for_change(library, &mut work, false)?;
        self.judge_size(library, &mut work, length)?;
        work.staged()?.file().set_len(length).map_err(Error::io("truncate the draft"))?;
        // What a truncation leaves was judged as a prefix already, or will be at close.
        work.contiguous = work.contiguous.min(length);
        work.sum.changed_from(length);
        self.set_size(length);
        Ok(())
    }

    /// `fallocate`, of ranges that stay where they are. Space beyond the end is given back before the bytes are judged. A call
    /// that fails leaves the draft as it was.
    pub fn allocate(
        &self,
        library: &Library,
        offset: u64,
        length: u64,
        flags: FallocateFlags,
    ) -> Result<(), Error> {
        let mut work = self.work();
        self.open_for_change(library, &mut work, false)?;
        let end = offset.saturating_add(length);
        if !flags.contains(FallocateFlags::KEEP_SIZE) {
            self.judge_size(library, &mut work, end)?;
        } else if !flags.contains(FallocateFlags::PUNCH_HOLE) {
            self.judge_reserve(library, end)?;
            work.reserved = true;
        }
        // Whatever it does to the bytes.
        work.sum.forget();
        let file = work.staged()?.file();
        if let Err(errno) = rustix::fs::fallocate(file, flags, offset, length) {
            // ext4 keeps, and shows, what it found room for.
            file.set_len(self.size()).map_err(Error::io("give back space"))?;
            return Err(Error::io("allocate space for the draft")(errno.into()));
        }
        let size = file.metadata().map_err(Error::io("stat the draft"))?.len();
        work.contiguous = work.contiguous.min(size);
        self.set_size(size);
        Ok(())
    }

    /// Where the next data or hole begins, on the backing file.
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
}

impl Work {
    /// Gives back what is allocated beyond the end: a blob and an entry of the quarantine take no more room than their bytes.
    pub(crate) fn trim(&mut self) -> Result<(), Error> {
        if let Stage::Open(staged) = &self.stage
            && self.reserved
        {
            fd::trim(staged.file()).map_err(Error::io("give back space"))?;
            self.reserved = false;
        }
        Ok(())
    }
}
