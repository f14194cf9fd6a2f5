//! The extents of a draft: space allocated ahead, holes, and where data is.
//! Does not read or write bytes.

use std::fs::File;

use crate::library::draft::{Draft, Stage, Start};
use crate::library::{Error, Library};

impl Draft {
    /// `fallocate`: any mode that the backing disk knows.
    pub fn allocate(
        &self,
        library: &Library,
        offset: u64,
        length: u64,
        flags: rustix::fs::FallocateFlags,
    ) -> Result<(), Error> {
        let mut work = self.work();
        self.open_for_change(library, &mut work, false)?;
        let grows = !flags.contains(rustix::fs::FallocateFlags::KEEP_SIZE);
        let end = offset.saturating_add(length);
        if grows {
            self.judge_size(library, &mut work, end)?;
        }
        let file = work.staged()?.file();
        rustix::fs::fallocate(file, flags, offset, length)
            .map_err(|errno| Error::io("allocate space for the draft")(errno.into()))?;
        // Whatever it may have done to the bytes.
        work.sum.forget();
        let file = work.staged()?.file();
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
                Start::Empty => {
                    Err(Error::Io { action: "seek", source: rustix::io::Errno::NXIO.into() })
                }
            },
        }
    }
}
