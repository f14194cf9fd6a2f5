//! The bytes of open files. Reading a stored blob is one `pread`: no query, and no lock but the handle table's.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, SeekFrom};

use crate::library;
use crate::tree::error::{Error, Result};
use crate::tree::open::document::read_text;
use crate::tree::open::handles::{Fh, Handle};
use crate::tree::ops::Tree;
use crate::tree::request::Caller;

/// Bytes that `copy_file_range` moves at a time.
const COPY_CHUNK: usize = 1 << 20;

/// The modes of fallocate(2) that FUSE sends (`fs/fuse/file.c`); the others move the bytes behind a range.
const MODES: FallocateFlags =
    FallocateFlags::KEEP_SIZE.union(FallocateFlags::PUNCH_HOLE).union(FallocateFlags::ZERO_RANGE);

/// An offset in an open file.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    pub fh: Fh,
    pub offset: u64,
}

impl Tree {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    pub fn read(&self, fh: Fh, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match &*self.open.handles.find(fh)? {
            Handle::Blob { file, key, .. } => {
                match key.filter(|_| self.library.fence.is_raised()) {
                    // After the disk has failed, the pages of an open file may not be on the disk.
                    Some(key) => {
                        read_fully(&*self.library.blobs.reopen(key, file)?, offset, buffer)
                    }
                    None => read_fully(file, offset, buffer),
                }
            }
            Handle::Draft { open, .. } => Ok(open.draft.read_at(offset, buffer)?),
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => Ok(open.draft.read_at(offset, buffer)?),
                None => read_fully(&scratch.file, offset, buffer),
            },
            Handle::Text(text) => Ok(read_text(text, offset, buffer)),
            Handle::Document(document) => Ok(document.read_at(offset, buffer)),
            Handle::Nothing(_) | Handle::Litter(_) => Ok(0),
        }
    }

    pub(super) fn write_bytes(
        &self,
        who: Caller,
        fh: Fh,
        offset: u64,
        data: &[u8],
    ) -> Result<usize> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, writes: true } => self.open.writers.write(open, offset, data),
            Handle::Scratch(scratch) if scratch.writes => {
                let _gate = scratch.charge.share()?;
                match scratch.became.get() {
                    Some(open) => self.open.writers.write(open, offset, data),
                    None => self.open.scratch.write(scratch, offset, data),
                }
            }
            Handle::Document(document) => {
                let written = document.write_at(offset, data)?;
                self.judge_early(who, document)?;
                Ok(written)
            }
            Handle::Litter(_) => Ok(data.len()),
            _ => Err(Error::BadHandle),
        }
    }

    pub(super) fn sync(&self, fh: Fh) -> Result<()> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, .. } => Ok(open.draft.sync(&self.library.drafts)?),
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => Ok(open.draft.sync(&self.library.drafts)?),
                None => Ok(self.library.scratch.sync(&scratch.file)?),
            },
            Handle::Document(document) => self.sync_document(document),
            // Committed bytes are durable already.
            Handle::Blob { .. } | Handle::Text(_) | Handle::Nothing(_) | Handle::Litter(_) => {
                Ok(())
            }
        }
    }

    pub(super) fn allocate(&self, fh: Fh, offset: u64, length: u64, mode: i32) -> Result<()> {
        let bits = u32::try_from(mode).map_err(|_| Error::NotSupported)?;
        let flags = FallocateFlags::from_bits(bits).ok_or(Error::NotSupported)?;
        if !MODES.contains(flags) {
            return Err(Error::NotSupported);
        }
        let handle = self.open.handles.find(fh)?;
        let open = match &*handle {
            Handle::Draft { open, writes: true } => open,
            Handle::Scratch(scratch) if scratch.writes => match scratch.became.get() {
                Some(open) => open,
                None => return self.open.scratch.allocate(scratch, offset, length, flags),
            },
            Handle::Litter(_) => return Ok(()),
            _ => return Err(Error::BadHandle),
        };
        let allocate = || open.draft.allocate(&self.library.drafts, offset, length, flags);
        self.open.writers.change_extent(open, allocate)
    }

    /// `lseek` to data or to a hole; the kernel does the others itself.
    pub fn lseek(&self, fh: Fh, position: SeekFrom) -> Result<u64> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, .. } => open.draft.seek(position).map_err(seek_error),
            Handle::Blob { file, .. } => seek(file, position),
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => open.draft.seek(position).map_err(seek_error),
                None => seek(&scratch.file, position),
            },
            _ => Err(Error::NotSupported),
        }
    }

    /// `copy_file_range`: like reading and writing, the rules included.
    pub fn copy_range(
        &self,
        who: Caller,
        from: Position,
        to: Position,
        length: u64,
    ) -> Result<usize> {
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        let mut buffer = vec![0; wanted.min(COPY_CHUNK)];
        let mut copied = 0;
        while copied < wanted {
            let chunk = buffer.len().min(wanted - copied);
            let read = self.read(from.fh, from.offset + copied as u64, &mut buffer[..chunk])?;
            if read == 0 {
                break;
            }
            self.write_bytes(who, to.fh, to.offset + copied as u64, &buffer[..read])?;
            copied += read;
        }
        Ok(copied)
    }
}

/// Reads until the buffer is full or the file ends: the kernel takes a short read for the end.
pub fn read_fully(file: &File, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(read)
}

fn seek(file: &File, position: SeekFrom) -> Result<u64> {
    rustix::fs::seek(file, position).map_err(|errno| match errno {
        rustix::io::Errno::NXIO => Error::NoData,
        other => io::Error::from(other).into(),
    })
}

fn seek_error(error: library::Error) -> Error {
    match error {
        library::Error::Io { source, .. }
            if source.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) =>
        {
            Error::NoData
        }
        other => other.into(),
    }
}
