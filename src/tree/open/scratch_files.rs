//! Scratch files: opened, written within the quotas, and their attributes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::fs::FallocateFlags;

use crate::fd;
use crate::library::Library;
use crate::library::names::attributes;
use crate::library::scratch::report_name::is_report;
use crate::library::scratch::{ScratchStat, private, xattr};
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::node::meaning;
use crate::tree::open::drop_boxes::DropBoxes;
use crate::tree::open::handles::{Caching, Handle, Handles, OpenScratch, Opened};
use crate::tree::open::processes::{Owner, Processes};
use crate::tree::request::{Caller, OpenFlags, SetAttr};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::show::{self, Show};
use words::attachment::ScratchId;
use words::author::Author;
use words::scratch::ScratchRecord;

pub struct ScratchFiles {
    pub(super) library: Arc<Library>,
    pub(super) show: Arc<Show>,
    pub(super) handles: Arc<Handles>,
    pub(super) boxes: Arc<DropBoxes>,
    pub(super) processes: Processes,
}

impl ScratchFiles {
    pub fn open(&self, who: Caller, id: ScratchId, flags: OpenFlags) -> Result<Opened> {
        let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
        if flags.changes() && is_report(&record) {
            return Err(Error::ReadOnly);
        }
        let scratch = &self.library.scratch;
        let file = if flags.changes() {
            let file = scratch.open_to_write(&record)?;
            self.boxes.files.forget(id);
            file
        } else {
            scratch.open(&record)?
        };
        let opener = self.processes.owner(who.tid);
        let scratch = self.scratch(&record, file, flags.changes(), opener)?;
        if flags.truncate {
            self.resize(&scratch, 0)?;
        }
        Ok(self.hold(who, scratch, flags))
    }

    pub fn scratch(
        &self,
        record: &ScratchRecord,
        file: File,
        writes: bool,
        opener: Owner,
    ) -> Result<OpenScratch> {
        Ok(OpenScratch {
            id: record.id,
            charge: self.library.scratch.charge(record)?,
            refused: OnceLock::new(),
            access: record.access,
            file,
            writes,
            opener,
            written: AtomicBool::new(false),
            reserved: AtomicBool::new(false),
            became: OnceLock::new(),
        })
    }

    pub fn hold(&self, who: Caller, scratch: OpenScratch, flags: OpenFlags) -> Opened {
        let fh = self.handles.add(who, Handle::Scratch(Arc::new(scratch)));
        Opened { fh, caching: Caching::of_writable(flags) }
    }

    /// The attributes of a scratch file. Without a name it has those of its open handles.
    pub fn stat(&self, id: ScratchId) -> Result<Attr> {
        if let Some(record) = self.library.scratch.by_id(id)? {
            return self.show.scratch(&record);
        }
        let handles = self.handles.open_scratch(id);
        let open = handles.first().ok_or(Error::Stale)?;
        if let Some(draft) = open.became.get() {
            return Ok(draft.shown(&self.library)?.attr);
        }
        let stat = ScratchStat::of(&open.file)?;
        Ok(show::scratch(id, private(open.access), 0, stat))
    }

    pub fn file(&self, id: ScratchId) -> Result<File> {
        let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
        Ok(self.library.scratch.open(&record)?)
    }

    /// Sets or removes an extended attribute of the backing file; returns whether it was there. The limits are those of an
    /// attachment, which the file may become.
    pub fn set_attribute(
        &self,
        id: ScratchId,
        name: &str,
        value: Option<&[u8]>,
        author: Author,
    ) -> Result<bool> {
        let file = self.file(id)?;
        if let Some(value) = value {
            let there = xattr::all(&file);
            let there = there.iter().map(|(name, value)| (name.as_str(), value.len()));
            if let Err(excess) = attributes::fits(there, name, value) {
                return Err(self.library.refusals.refuse_scratch(id, author, excess)?.into());
            }
        }
        set_file_attribute(&file, name, value)
    }

    /// Writes through a handle that has not become a draft's; the caller holds the gate of its charge.
    pub fn write(&self, scratch: &OpenScratch, offset: u64, data: &[u8]) -> Result<usize> {
        self.grow(scratch, offset.saturating_add(data.len() as u64))?;
        if let Err(error) = scratch.file.write_all_at(data, offset) {
            scratch.charge.set(scratch.file.metadata().map_or(0, |meta| meta.len()));
            return Err(error.into());
        }
        scratch.written.store(true, Ordering::Release);
        Ok(data.len())
    }

    /// Charges an open scratch file for `size` bytes.
    fn grow(&self, scratch: &OpenScratch, size: u64) -> Result<()> {
        let Err(excess) = scratch.charge.grow(size, self.library.quotas.limits()) else {
            return Ok(());
        };
        if let Some(refusal) = scratch.refused.get() {
            return Err(refusal.clone().into());
        }
        let author = scratch.opener.author(scratch.access.uid);
        let violation = self.library.quotas.violation(&excess);
        let refusal = self.library.refusals.refuse_scratch(scratch.id, author, violation)?;
        Err(scratch.refused.get_or_init(|| refusal).clone().into())
    }

    pub fn allocate(
        &self,
        scratch: &OpenScratch,
        offset: u64,
        length: u64,
        flags: FallocateFlags,
    ) -> Result<()> {
        session_thread::leave()?;
        let _gate = scratch.charge.hold();
        let (before, size) = (scratch.charge.size(), scratch.file.metadata()?.len());
        // Charged even if the size is kept: the disk space is taken until the file is closed.
        if !flags.contains(FallocateFlags::PUNCH_HOLE) {
            self.grow(scratch, offset.saturating_add(length))?;
            scratch.reserved.store(true, Ordering::Release);
        }
        rustix::fs::fallocate(&scratch.file, flags, offset, length).map_err(|errno| {
            // ext4 keeps the part that it found room for, and shows it in the size.
            if let Err(error) = scratch.file.set_len(size) {
                tracing::warn!(%error, "a scratch file keeps room that it does not need");
            }
            scratch.charge.set(before);
            std::io::Error::from(errno).into()
        })
    }

    /// Frees the space that a closed handle had allocated beyond the end of its file.
    pub fn trim(scratch: &OpenScratch) {
        if !scratch.reserved.load(Ordering::Acquire) {
            return;
        }
        let _gate = scratch.charge.hold();
        match fd::trim(&scratch.file).and_then(|()| scratch.file.metadata()) {
            Ok(meta) => scratch.charge.set(meta.len()),
            Err(error) => tracing::warn!(%error, "a scratch file keeps room that it does not need"),
        }
    }

    /// A flush: bytes under a name of no field are recorded once (CONTRACT 1).
    pub fn flush(&self, who: Caller, scratch: &OpenScratch) -> Result<()> {
        if !scratch.written.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.library.fence.check()?;
        let Some(record) = self.library.scratch.by_id(scratch.id)? else { return Ok(()) };
        if !meaning::is_temporary(&record.name) {
            self.library.expiry.notice(&record, scratch.opener.author(who.uid))?;
        }
        Ok(())
    }

    /// `setattr` by handle: an open file is truncated even without a name. `None` if no size is to be set.
    pub fn set_open(&self, scratch: &OpenScratch, change: SetAttr) -> Result<Option<Entry>> {
        let Some(size) = change.size else { return Ok(None) };
        self.resize(scratch, size)?;
        self.set(scratch.id, SetAttr { size: None, ..change }).map(Some)
    }

    fn resize(&self, scratch: &OpenScratch, size: u64) -> Result<()> {
        let _gate = scratch.charge.share()?;
        // What lies beyond the new end is freed.
        session_thread::leave_for_bytes(scratch.charge.size().saturating_sub(size))?;
        self.grow(scratch, size)?;
        scratch.file.set_len(size)?;
        scratch.charge.set(size);
        Ok(())
    }

    pub fn set(&self, id: ScratchId, wanted: SetAttr) -> Result<Entry> {
        if let Some(size) = wanted.size {
            let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
            if is_report(&record) {
                return Err(Error::ReadOnly);
            }
            let file = self.library.scratch.open_to_write(&record)?;
            self.resize(&self.scratch(&record, file, true, Owner::Handle)?, size)?;
        }
        if wanted.amends() {
            self.library.scratch.amend(id, wanted.amendment)?;
        }
        Ok(Entry::fleeting(self.stat(id)?))
    }
}

fn set_file_attribute(file: &File, name: &str, value: Option<&[u8]>) -> Result<bool> {
    let there = xattr::value(file, name).is_some();
    let changed = match value {
        Some(value) => rustix::fs::fsetxattr(file, name, value, rustix::fs::XattrFlags::empty()),
        None if there => rustix::fs::fremovexattr(file, name),
        None => Ok(()),
    };
    changed.map(|()| there).map_err(|errno| match errno {
        rustix::io::Errno::OPNOTSUPP => Error::NotSupported,
        rustix::io::Errno::NOSPC | rustix::io::Errno::TOOBIG => Error::NoSpace,
        other => std::io::Error::from(other).into(),
    })
}
