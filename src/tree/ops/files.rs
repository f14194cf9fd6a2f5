//! Reading from handles, and what else is done with an open file's bytes.
//! Does not know names. Reading a stored blob is one `pread`: no catalogue, no lock but the handle table's.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use rustix::fs::{FallocateFlags, SeekFrom};

use crate::fd;
use crate::library;
use crate::tree::document::View;
use crate::tree::drafts::OpenDraft;
use crate::tree::handles::{Handle, OpenScratch};
use crate::tree::{Error, Fh, Result, Tree};
use words::attachment::BlobKey;
use words::author::Author;

/// Bytes that `copy_file_range` moves at a time.
const COPY_CHUNK: usize = 1 << 20;

/// The modes of fallocate(2) that FUSE sends (`fs/fuse/file.c`); the others move the bytes behind a range.
const MODES: FallocateFlags =
    FallocateFlags::KEEP_SIZE.union(FallocateFlags::PUNCH_HOLE).union(FallocateFlags::ZERO_RANGE);

/// `SEEK_DATA` and `SEEK_HOLE`; the kernel does the others itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    Data,
    Hole,
}

impl Tree {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    pub fn read(&self, fh: Fh, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match &*self.handles.find(fh)? {
            Handle::Blob { file, key, .. } => self.read_blob((file, *key), offset, buffer),
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

    /// `fsync`: durable when it returns; tells a refusal that is known already.
    pub fn fsync(&self, fh: Fh) -> Result<()> {
        match &*self.handles.find(fh)? {
            Handle::Draft { open, .. } => Ok(open.draft.sync(&self.library.drafts)?),
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => Ok(open.draft.sync(&self.library.drafts)?),
                None => Ok(self.library.scratch.sync(&scratch.file)?),
            },
            // A URL is durable once it is attached: whoever asks for that hears its verdict.
            Handle::Document(document) => match &document.view {
                View::Url(writing) => self.settle_document(document, writing.author),
                View::Row(..) => Ok(()),
            },
            // What is committed is durable already, and other documents are understood at their close.
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
        match &*self.handles.find(fh)? {
            Handle::Draft { open, writes: true } => self.change_extent(open, || {
                open.draft.allocate(&self.library.drafts, offset, length, flags)
            }),
            Handle::Scratch(scratch) if scratch.writes => match scratch.became.get() {
                Some(open) => self.change_extent(open, || {
                    open.draft.allocate(&self.library.drafts, offset, length, flags)
                }),
                None => self.allocate_scratch(scratch, (offset, length), flags),
            },
            _ => Err(Error::BadHandle),
        }
    }

    pub fn lseek(&self, fh: Fh, offset: u64, whence: Seek) -> Result<u64> {
        let position = match whence {
            Seek::Data => SeekFrom::Data(offset),
            Seek::Hole => SeekFrom::Hole(offset),
        };
        match &*self.handles.find(fh)? {
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

    /// Changes the size of a draft: it may be refused for that, and a refused one begins anew. Either shows in a listing.
    pub(in crate::tree) fn change_extent(
        &self,
        open: &OpenDraft,
        change: impl FnOnce() -> std::result::Result<(), library::Error>,
    ) -> Result<()> {
        let was_shown = open.is_shown();
        let changed = change();
        if open.is_shown() != was_shown {
            self.relist(open.place().folder());
        }
        Ok(changed?)
    }

    /// A stored blob. After the disk has failed, the bytes of one that is open may be certain elsewhere.
    fn read_blob(
        &self,
        (file, key): (&Arc<File>, Option<BlobKey>),
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        match key.filter(|_| self.library.fence.is_raised()) {
            Some(key) => read_fully(&*self.library.blobs.reopen(key, file)?, offset, buffer),
            None => read_fully(file, offset, buffer),
        }
    }

    /// A handle on scratch, for its own bytes.
    pub(in crate::tree) fn write_scratch(
        &self,
        scratch: &OpenScratch,
        offset: u64,
        data: &[u8],
    ) -> Result<usize> {
        self.grow_scratch(scratch, offset.saturating_add(data.len() as u64))?;
        if let Err(error) = scratch.file.write_all_at(data, offset) {
            scratch.charge.set(scratch.file.metadata().map_or(0, |meta| meta.len()));
            return Err(failed(error));
        }
        scratch.written.store(true, Ordering::Release);
        Ok(data.len())
    }
}

impl Tree {
    /// Makes room for an open scratch file to have `size` bytes.
    pub(in crate::tree) fn grow_scratch(&self, scratch: &OpenScratch, size: u64) -> Result<()> {
        let Err(excess) = scratch.charge.grow(size, self.library.quotas.limits()) else {
            return Ok(());
        };
        if let Some(refusal) = scratch.refused.get() {
            return Err(refusal.clone().into());
        }
        let author = Author { uid: scratch.access.uid, pid: scratch.opener.pid() };
        let violation = self.library.quotas.violation(&excess);
        let refusal = self.library.refusals.refuse_scratch(scratch.id, author, violation)?;
        Err(scratch.refused.get_or_init(|| refusal).clone().into())
    }

    fn allocate_scratch(
        &self,
        scratch: &OpenScratch,
        (offset, length): (u64, u64),
        flags: FallocateFlags,
    ) -> Result<()> {
        let _gate = scratch.charge.gate.write().unwrap_or_else(PoisonError::into_inner);
        let (before, size) = (scratch.charge.size(), length_of(&scratch.file)?);
        // Also where the size is kept: the room is taken all the same, until the file is closed.
        if !flags.contains(FallocateFlags::PUNCH_HOLE) {
            self.grow_scratch(scratch, offset.saturating_add(length))?;
            scratch.reserved.store(true, Ordering::Release);
        }
        rustix::fs::fallocate(&scratch.file, flags, offset, length).map_err(|errno| {
            // ext4 keeps, and shows, what it found room for.
            if let Err(error) = scratch.file.set_len(size) {
                tracing::warn!(%error, "a scratch file keeps room that it does not need");
            }
            scratch.charge.set(before);
            failed(errno.into())
        })
    }

    /// A handle is closed: what it had allocated beyond the end of its file is given back.
    pub(in crate::tree) fn trim_scratch(scratch: &OpenScratch) {
        if !scratch.reserved.load(Ordering::Acquire) {
            return;
        }
        let _gate = scratch.charge.gate.write().unwrap_or_else(PoisonError::into_inner);
        match fd::trim(&scratch.file).and_then(|()| scratch.file.metadata()) {
            Ok(meta) => scratch.charge.set(meta.len()),
            Err(error) => tracing::warn!(%error, "a scratch file keeps room that it does not need"),
        }
    }
}

fn length_of(file: &File) -> Result<u64> {
    Ok(file.metadata().map_err(failed)?.len())
}

/// A short read means the end of the file to the kernel.
pub(in crate::tree) fn read_fully(file: &File, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
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
        other => failed(other.into()),
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

pub(in crate::tree) fn failed(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace,
        io::ErrorKind::FileTooLarge => Error::TooLarge,
        io::ErrorKind::Unsupported => Error::NotSupported,
        _ => Error::Failed(Box::new(error)),
    }
}
