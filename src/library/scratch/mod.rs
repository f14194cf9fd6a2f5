//! Scratch: ordinary, unvalidated files in a row or a collection.
//!
//! A scratch file is a record in the catalogue and a file in the folder `scratch`. Handles read and write that file directly.

pub mod report_name;
pub mod xattr;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::catalog::Catalog;
use crate::fence::Fence;
use crate::library::error::{Error, Result};
use crate::library::home::reserve::Reserve;
use crate::library::home::staging;
use crate::library::limit::enforcement::Quotas;
use crate::library::limit::tally::{Charge, Tally};
use crate::library::lookup::Lookup;
use crate::library::scratch::report_name::{has_suffix, is_report};
use words::attachment::{Access, Amendment, ScratchId, Times};
use words::link::Collision;
use words::place::Folder;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// The mode of the file on the backing disk: scratch belongs to its writer alone (CONTRACT 1). The mode that a program sets is
/// kept for the attachment that the file may become.
const SCRATCH_MODE: u32 = 0o600;
/// The bits of that mode which `stat` shows.
const OWNERS: u32 = 0o700;

/// The part of `stat` that the backing file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScratchStat {
    pub size: u64,
    pub times: Times,
}

impl ScratchStat {
    /// The figures of an open scratch file, which may have lost its name.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::new(&file.metadata()?))
    }

    fn new(meta: &fs::Metadata) -> Self {
        let time = |seconds: i64, nanos| Timestamp(seconds.saturating_mul(1_000_000_000) + nanos);
        let times = Times {
            accessed: time(meta.atime(), meta.atime_nsec()),
            modified: time(meta.mtime(), meta.mtime_nsec()),
            changed: time(meta.ctime(), meta.ctime_nsec()),
        };
        Self { size: meta.len(), times }
    }
}

pub struct Scratch {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) fence: Fence,
    pub(super) folder: PathBuf,
    pub(super) lookup: Arc<Lookup>,
    pub(super) quotas: Arc<Quotas>,
    pub(super) reserve: Arc<Reserve>,
    pub(super) tally: Tally,
}

impl Scratch {
    pub fn find(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>> {
        Ok(self.catalog.scratch(folder, name)?)
    }

    /// How many files there are in all rows.
    pub fn total(&self) -> u64 {
        self.tally.count()
    }

    pub fn by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>> {
        Ok(self.catalog.scratch_by_id(id)?)
    }

    /// The scratch of a folder, by number. That of a row does not include that of its collections.
    pub fn list(&self, folder: &Folder) -> Result<Vec<ScratchRecord>> {
        Ok(self.catalog.scratches(folder)?)
    }

    /// The scratch of all rows that was made before a time.
    pub(super) fn made_before(&self, time: Timestamp) -> Result<Vec<ScratchRecord>> {
        Ok(self.catalog.scratch_before(time)?)
    }

    /// A new empty scratch file, open for reading and writing.
    pub fn make(
        &self,
        folder: &Folder,
        name: &Name,
        access: Access,
    ) -> Result<(ScratchRecord, File)> {
        let table = self.quotas.scratch_table(folder)?;
        let (record, file) = self.make_uncounted(folder, name, access)?;
        self.tally.add(&record, table, 0);
        Ok((record, file))
    }

    /// A new empty scratch file that no quota counts.
    pub(super) fn make_uncounted(
        &self,
        folder: &Folder,
        name: &Name,
        access: Access,
    ) -> Result<(ScratchRecord, File)> {
        let now = Timestamp::now();
        let file_name = unique_name(now);
        let path = self.folder.join(&file_name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(SCRATCH_MODE);
        let file = options.open(&path).map_err(Error::io("make a scratch file"))?;
        match self.catalog.add_scratch(folder, name, &file_name, access, now) {
            Ok(record) => Ok((record, file)),
            Err(error) => {
                remove(&path);
                Err(error.into())
            }
        }
    }

    pub fn open(&self, record: &ScratchRecord) -> Result<File> {
        File::open(self.path(record)).map_err(unless_missing("open a scratch file"))
    }

    pub fn open_to_write(&self, record: &ScratchRecord) -> Result<File> {
        let opened = File::options().read(true).write(true).open(self.path(record));
        opened.map_err(unless_missing("open a scratch file"))
    }

    /// The bytes of scratch; none if there are more than `most`.
    pub fn read(&self, record: &ScratchRecord, most: usize) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let file = self.open(record)?;
        file.take(limit).read_to_end(&mut bytes).map_err(Error::io("read a scratch file"))?;
        Ok((bytes.len() <= most).then_some(bytes))
    }

    /// Makes the bytes of an open scratch file durable.
    pub fn sync(&self, file: &File) -> Result<()> {
        staging::sync(&self.fence, file)
    }

    pub fn stat(&self, record: &ScratchRecord) -> Result<ScratchStat> {
        let meta =
            fs::metadata(self.path(record)).map_err(unless_missing("stat a scratch file"))?;
        Ok(ScratchStat::new(&meta))
    }

    /// Owner and mode as `stat` shows them. Only the owner reads scratch; only reports are for everybody.
    pub fn access(&self, record: &ScratchRecord) -> Access {
        let is_report = is_report(record)
            || (has_suffix(&record.name) && self.lookup.drop_box(record.folder.row).is_some());
        if is_report { record.access } else { private(record.access) }
    }

    /// `chmod`, `chown`, `utimens`. The times are those of the backing file.
    pub fn amend(&self, id: ScratchId, amendment: Amendment) -> Result<ScratchRecord> {
        let record = self.catalog.amend_scratch(id, amendment, Timestamp::now())?;
        if let Some(charge) = self.tally.find(id).filter(|_| amendment.uid.is_some()) {
            charge.give(record.access.uid, self.quotas.scratch_table(&record.folder)?);
        }
        let Amendment { accessed, modified, .. } = amendment;
        if accessed.is_some() || modified.is_some() {
            let times = fs::FileTimes::new();
            let times = accessed.map_or(times, |time| times.set_accessed(time.into()));
            let times = modified.map_or(times, |time| times.set_modified(time.into()));
            let file = self.open(&record)?;
            file.set_times(times).map_err(Error::io("set a scratch file's times"))?;
        }
        Ok(record)
    }

    /// Renames scratch to a scratch name, and removes a file that `Collision::Replace` displaces.
    pub fn rename(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
    ) -> Result<()> {
        let other = self.catalog.rename_scratch(id, folder, name, collision, Timestamp::now())?;
        self.recount(id)?;
        match other {
            Some(displaced) if collision == Collision::Replace => {
                self.tally.remove(displaced.id);
                self.remove_file(&displaced);
                Ok(())
            }
            Some(exchanged) => self.recount(exchanged.id),
            None => Ok(()),
        }
    }

    /// Charges a renamed file to the table that it is in now.
    fn recount(&self, id: ScratchId) -> Result<()> {
        if self.quotas.limits().count_scratch_by_table()
            && let Some(record) = self.catalog.scratch_by_id(id)?
            && let Some(charge) = self.tally.find(id)
        {
            charge.give(record.access.uid, self.quotas.scratch_table(&record.folder)?);
        }
        Ok(())
    }

    pub fn remove(&self, id: ScratchId) -> Result<()> {
        let forget = || Ok(self.catalog.remove_scratch(id, Timestamp::now())?);
        let removed = self.reserve.even_when_full(forget)?.ok_or(Error::Missing)?;
        self.tally.remove(id);
        self.remove_file(&removed);
        Ok(())
    }

    /// Removes the record of scratch and leaves its file, which may have to be kept elsewhere first.
    pub(super) fn forget(&self, record: &ScratchRecord) -> Result<()> {
        self.catalog.remove_scratch(record.id, Timestamp::now())?;
        self.tally.remove(record.id);
        Ok(())
    }

    /// Removes the file of scratch whose record is removed already.
    pub(super) fn remove_file(&self, record: &ScratchRecord) {
        remove(&self.path(record));
    }

    /// Counts a scratch file that was found at the start.
    pub(super) fn count(&self, record: &ScratchRecord, size: u64) -> Result<()> {
        self.tally.add(record, self.quotas.scratch_table(&record.folder)?, size);
        Ok(())
    }

    /// The charge of a scratch file, for a new handle.
    pub fn charge(&self, record: &ScratchRecord) -> Result<Arc<Charge>> {
        if let Some(charge) = self.tally.find(record.id) {
            return Ok(charge);
        }
        // The file has just lost its name.
        let size = self.stat(record).map_or(0, |stat| stat.size);
        let table = self.quotas.scratch_table(&record.folder)?;
        Ok(self.tally.open(record.access.uid, table, size))
    }

    /// The size of scratch, from the tally; 0 for a report, which is not counted.
    pub fn size(&self, record: &ScratchRecord) -> u64 {
        self.tally.find(record.id).map_or(0, |charge| charge.size())
    }

    /// The file of a record on the backing disk.
    pub(super) fn path(&self, record: &ScratchRecord) -> PathBuf {
        self.folder.join(&record.file)
    }
}

/// A name that is unique within one run by its number, and over runs by its time.
pub(super) fn unique_name(now: Timestamp) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:x}-{:x}", now.0, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The access with the owner's bits alone.
pub fn private(access: Access) -> Access {
    Access { mode: access.mode & OWNERS, ..access }
}

/// Wraps an I/O error, where a file that is not there is [`Error::Missing`].
fn unless_missing(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing,
        _ => Error::io(action)(error),
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a scratch file stays behind");
    }
}
