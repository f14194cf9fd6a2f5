//! The bytes of open files. Reading a stored blob is one `pread`: no query, and no lock but the handle table's.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, PoisonError};

use rustix::fs::{FallocateFlags, SeekFrom};

use crate::library;
use crate::tree::error::{Error, Result};
use crate::tree::open::handles::Handle;
use crate::tree::open::opened::Fh;
use crate::tree::open::scratch_files::Extent;
use crate::tree::ops::Tree;
use crate::tree::request::Seek;
use words::attachment::BlobKey;

/// Bytes that `copy_file_range` moves at a time.
const COPY_CHUNK: usize = 1 << 20;

/// The modes of fallocate(2) that FUSE sends (`fs/fuse/file.c`); the others move the bytes behind a range.
const MODES: FallocateFlags =
    FallocateFlags::KEEP_SIZE.union(FallocateFlags::PUNCH_HOLE).union(FallocateFlags::ZERO_RANGE);

impl Tree {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    pub fn read(&self, fh: Fh, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match &*self.open.handles.find(fh)? {
            Handle::Blob { file, key, .. } => self.read_blob(file, *key, offset, buffer),
            Handle::Draft { open, .. } => Ok(open.draft.read_at(offset, buffer)?),
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => Ok(open.draft.read_at(offset, buffer)?),
                None => read_fully(&scratch.file, offset, buffer),
            },
            Handle::Text(text) => Ok(read_text(text, offset, buffer)),
            Handle::Document(document) => Ok(document.read_at(offset, buffer)),
            Handle::Nothing(_) => Ok(0),
        }
    }

    /// A stored blob. After the disk has failed, the bytes of one that is open may be certain elsewhere.
    fn read_blob(
        &self,
        file: &Arc<File>,
        key: Option<BlobKey>,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        match key.filter(|_| self.library.fence.is_raised()) {
            Some(key) => read_fully(&*self.library.blobs.reopen(key, file)?, offset, buffer),
            None => read_fully(file, offset, buffer),
        }
    }

    pub fn write(&self, fh: Fh, offset: u64, data: &[u8]) -> Result<usize> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, writes: true } => self.open.writers.write(open, offset, data),
            Handle::Scratch(scratch) if scratch.writes => {
                let _gate = scratch.charge.gate.read().unwrap_or_else(PoisonError::into_inner);
                match scratch.became.get() {
                    Some(open) => self.open.writers.write(open, offset, data),
                    None => self.open.scratch.write(scratch, offset, data),
                }
            }
            Handle::Document(document) => document.write_at(offset, data),
            _ => Err(Error::BadHandle),
        }
    }

    /// `fsync`: durable when it returns; tells a refusal that is known already.
    pub fn fsync(&self, fh: Fh) -> Result<()> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, .. } => Ok(open.draft.sync(&self.library.drafts)?),
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => Ok(open.draft.sync(&self.library.drafts)?),
                None => Ok(self.library.scratch.sync(&scratch.file)?),
            },
            Handle::Document(document) => self.view.verdicts.sync(document),
            // What is committed is durable already.
            Handle::Blob { .. } | Handle::Text(_) | Handle::Nothing(_) => Ok(()),
        }
    }

    /// `fallocate`, with the mode bits of `linux/falloc.h`.
    pub fn fallocate(&self, fh: Fh, offset: u64, length: u64, mode: i32) -> Result<()> {
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
                None => {
                    return self.open.scratch.allocate(scratch, Extent { offset, length }, flags);
                }
            },
            _ => return Err(Error::BadHandle),
        };
        let allocate = || open.draft.allocate(&self.library.drafts, offset, length, flags);
        self.open.writers.change_extent(open, allocate)
    }

    pub fn lseek(&self, fh: Fh, offset: u64, whence: Seek) -> Result<u64> {
        let position = match whence {
            Seek::Data => SeekFrom::Data(offset),
            Seek::Hole => SeekFrom::Hole(offset),
        };
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
        from: Fh,
        from_at: u64,
        to: Fh,
        to_at: u64,
        length: u64,
    ) -> Result<usize> {
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        let mut buffer = vec![0; wanted.min(COPY_CHUNK)];
        let mut copied = 0;
        while copied < wanted {
            let chunk = buffer.len().min(wanted - copied);
            let read = self.read(from, from_at + copied as u64, &mut buffer[..chunk])?;
            if read == 0 {
                break;
            }
            self.write(to, to_at + copied as u64, &buffer[..read])?;
            copied += read;
        }
        Ok(copied)
    }

    /// Reads from a file that [`Tree::file_of`] has found.
    pub fn read_stored(file: &File, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        read_fully(file, offset, buffer)
    }
}

/// The kernel takes a short read for the end of the file.
fn read_fully(file: &File, offset: u64, buffer: &mut [u8]) -> Result<usize> {
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

fn read_text(text: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    let count = buffer.len().min(text.len() - start);
    buffer[..count].copy_from_slice(&text[start..start + count]);
    count
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
