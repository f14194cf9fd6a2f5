//! Scratch: ordinary, unvalidated files in a row, and how they become attachments.
//! Does not know handles: whoever opened a scratch file writes to it directly.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::catalog::slots::Published;
use crate::library::publish::{Metadata, Raw};
use crate::library::refuse::Author;
use crate::library::sidecar::{has_suffix, is_report};
use crate::library::{Error, Library, Target, staging};
use pipeline::policy;
use words::attachment::{Access, Amendment, ScratchId, Times};
use words::link::Collision;
use words::place::Folder;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Scratch belongs to its writer alone (CONTRACT 1), on the backing disk as in the tree. What mode a program gives it is
/// kept for the file that it may become.
const SCRATCH_MODE: u32 = 0o600;
/// The bits of it that are shown.
const OWNERS: u32 = 0o700;

/// Makes file names unique within one run; the time makes them unique over runs.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What `stat` shows of scratch beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScratchStat {
    pub size: u64,
    pub times: Times,
}

/// What became of scratch that was renamed onto a field.
#[derive(Debug)]
pub enum Attached {
    Published(Box<Published>),
    /// It was refused, is in the quarantine, and whoever renamed it is told success.
    Quarantined,
}

impl ScratchStat {
    /// Of an open scratch file, whatever became of its name.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::new(&file.metadata()?))
    }

    fn new(meta: &fs::Metadata) -> Self {
        Self { size: meta.len(), times: times(meta) }
    }
}

impl Library {
    pub fn find_scratch(
        &self,
        folder: &Folder,
        name: &Name,
    ) -> Result<Option<ScratchRecord>, Error> {
        Ok(self.catalog.scratch(folder, name)?)
    }

    pub fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>, Error> {
        Ok(self.catalog.scratch_by_id(id)?)
    }

    pub fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>, Error> {
        Ok(self.catalog.scratches(folder)?)
    }

    /// A new empty scratch file, open for reading and writing.
    pub fn make_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        access: Access,
    ) -> Result<(ScratchRecord, File), Error> {
        let table = self.scratch_table(folder)?;
        let (record, file) = self.new_scratch(folder, name, access)?;
        self.tally.add(&record, table, 0);
        Ok((record, file))
    }

    /// The same, which nobody counts.
    pub(super) fn new_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        access: Access,
    ) -> Result<(ScratchRecord, File), Error> {
        let now = Timestamp::now();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file_name = format!("{:x}-{number:x}", now.0);
        let path = self.home.scratch().join(&file_name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(SCRATCH_MODE)
            .open(&path)
            .map_err(Error::io("make a scratch file"))?;
        match self.catalog.add_scratch(folder, name, &file_name, access, now) {
            Ok(record) => Ok((record, file)),
            Err(error) => {
                remove_file(&path);
                Err(error.into())
            }
        }
    }

    pub fn open_scratch(&self, record: &ScratchRecord, write: bool) -> Result<File, Error> {
        let path = self.scratch_path(record);
        let opened = OpenOptions::new().read(true).write(write).open(path);
        opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Missing,
            _ => Error::io("open a scratch file")(error),
        })
    }

    pub fn stat_scratch(&self, record: &ScratchRecord) -> Result<ScratchStat, Error> {
        let meta = match fs::metadata(self.scratch_path(record)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::Missing),
            other => other.map_err(Error::io("stat a scratch file"))?,
        };
        Ok(ScratchStat::new(&meta))
    }

    /// Owner and mode as `stat` shows them: nobody but its owner reads scratch that is not a report.
    pub fn scratch_access(&self, record: &ScratchRecord) -> Access {
        let told = is_report(record)
            || (has_suffix(&record.name) && self.drop_box(record.folder.row).is_some());
        if told { record.access } else { private(record.access) }
    }

    /// `chmod`, `chown`, `utimens`. The times are the backing file's own.
    pub fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
    ) -> Result<ScratchRecord, Error> {
        let record = self.catalog.amend_scratch(id, amendment, Timestamp::now())?;
        if let Some(charge) = self.tally.find(id).filter(|_| amendment.uid.is_some()) {
            charge.give(record.access.uid, self.scratch_table(&record.folder)?);
        }
        let Amendment { accessed, modified, .. } = amendment;
        if accessed.is_some() || modified.is_some() {
            let mut wanted = fs::FileTimes::new();
            if let Some(time) = accessed {
                wanted = wanted.set_accessed(SystemTime::from(time));
            }
            if let Some(time) = modified {
                wanted = wanted.set_modified(SystemTime::from(time));
            }
            let file = self.open_scratch(&record, false)?;
            file.set_times(wanted).map_err(Error::io("set a scratch file's times"))?;
        }
        Ok(record)
    }

    /// Renames scratch to a scratch name; what it displaces is removed. An exchange displaces nothing.
    pub fn rename_scratch(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
    ) -> Result<(), Error> {
        let other = self.catalog.rename_scratch(id, folder, name, collision, Timestamp::now())?;
        self.recount_scratch(id)?;
        match other {
            Some(displaced) if collision == Collision::Replace => {
                self.tally.remove(displaced.id);
                remove_file(&self.scratch_path(&displaced));
                Ok(())
            }
            Some(exchanged) => self.recount_scratch(exchanged.id),
            None => Ok(()),
        }
    }

    pub fn remove_scratch(&self, id: ScratchId) -> Result<(), Error> {
        let forget = || Ok(self.catalog.remove_scratch(id, Timestamp::now())?);
        let Some(record) = self.even_when_full(forget)? else { return Err(Error::Missing) };
        self.tally.remove(id);
        remove_file(&self.scratch_path(&record));
        Ok(())
    }

    /// Judges scratch as it stands and attaches it (CONTRACT 2.8). On `Ok` the scratch is gone, and the file holds what was
    /// judged; on a refusal both names are as they were.
    pub fn attach_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<(Attached, File), Error> {
        let attached = match self.publish_scratch(record, target, author) {
            Ok((published, sent)) => (Attached::Published(Box::new(published)), sent),
            Err(Error::Refused(refusal)) if self.tells_success(target, &refusal) => {
                let kept = self.quarantine.open_bytes(refusal.id);
                (Attached::Quarantined, kept.map_err(Error::io("open what was kept"))?)
            }
            Err(error) => return Err(error),
        };
        // Published: a scratch record that stays behind is only clutter, and expires.
        if let Err(error) = self.remove_scratch(record.id) {
            tracing::warn!(name = %record.name, %error, "attached scratch stays behind");
        }
        Ok(attached)
    }

    /// `link` of scratch to a field: like [`Library::attach_scratch`], but the scratch stays.
    pub fn copy_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<Published, Error> {
        self.publish_scratch(record, target, author).map(|(published, _)| published)
    }

    /// A copy is judged and stored, never the file itself: whoever may write to scratch can open it at any moment, also
    /// while it is judged, and a descriptor that can write would reach into the blob.
    fn publish_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<(Published, File), Error> {
        let scratch = self.open_scratch(record, false)?;
        let stat = self.stat_scratch(record)?;
        // Before it is copied: scratch may be larger than any field takes.
        if let Err(violation) = policy::judge_size_so_far(&target.field.rules, stat.size) {
            return Err(self.refuse(target, author, violation, Some(&scratch)).into());
        }
        let attributes = foreign_attributes(&scratch);
        // Always a copy: the name stays writable while the file is judged, and after a refusal, when the same bytes lie in
        // the quarantine too. A stored blob must share its inode with neither.
        let sent = self.snapshot(&scratch, stat.size)?;
        let metadata = Metadata::written(record.access, stat.times, attributes);
        let published = self.publish(Raw::new(&sent)?, target, author, &metadata)?;
        Ok((published, sent))
    }

    /// The bytes of scratch, if there are no more than `most`.
    pub fn read_scratch(
        &self,
        record: &ScratchRecord,
        most: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let file = self.open_scratch(record, false)?;
        file.take(limit).read_to_end(&mut bytes).map_err(Error::io("read a scratch file"))?;
        Ok((bytes.len() <= most).then_some(bytes))
    }

    /// The first `length` bytes of a file that somebody may write to, in one that nobody can.
    pub fn snapshot(&self, file: &File, length: u64) -> Result<File, Error> {
        let copy = self.staging.nameless().map_err(Error::io("stage the copy"))?;
        staging::copy(file, &copy, length).map_err(Error::io("copy what was sent"))?;
        staging::read_only(&copy).map_err(Error::io("reopen the copy"))
    }

    pub(crate) fn scratch_path(&self, record: &ScratchRecord) -> PathBuf {
        self.home.scratch().join(&record.file)
    }
}

/// The owner's bits alone.
pub fn private(access: Access) -> Access {
    Access { mode: access.mode & OWNERS, ..access }
}

/// The times that a file of the backing disk shows.
fn times(meta: &fs::Metadata) -> Times {
    let nanos = |seconds: i64, nanos: i64| Timestamp(seconds.saturating_mul(1_000_000_000) + nanos);
    Times {
        accessed: nanos(meta.atime(), meta.atime_nsec()),
        modified: nanos(meta.mtime(), meta.mtime_nsec()),
        changed: nanos(meta.ctime(), meta.ctime_nsec()),
    }
}

/// `user.*` attributes that were set on scratch are the backing file's own, where its filesystem has any.
pub fn foreign_attributes(file: &File) -> Vec<(String, Vec<u8>)> {
    attribute_names(file)
        .into_iter()
        .filter_map(|name| attribute(file, &name).map(|value| (name, value)))
        .collect()
}

/// The names of a backing file's `user.*` attributes.
pub fn attribute_names(file: &File) -> Vec<String> {
    let mut buffer = vec![0_u8; 64 << 10];
    let Ok(length) = rustix::fs::flistxattr(file, &mut buffer[..]) else { return Vec::new() };
    let names = buffer[..length].split(|&byte| byte == 0);
    names
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|name| name.starts_with("user."))
        .map(str::to_owned)
        .collect()
}

/// One attribute of a backing file.
pub fn attribute(file: &File, name: &str) -> Option<Vec<u8>> {
    let mut buffer = vec![0_u8; 64 << 10];
    let length = rustix::fs::fgetxattr(file, name, &mut buffer[..]).ok()?;
    buffer.truncate(length);
    Some(buffer)
}

pub(super) fn remove_file(path: &std::path::Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a scratch file stays behind");
    }
}
