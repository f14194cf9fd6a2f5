//! Scratch: ordinary, unvalidated files in a row, and how they become attachments.
//! Does not know handles: whoever opened a scratch file writes to it directly.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::attachment::{Access, Amendment, ScratchId, Times};
use crate::catalog::{Collision, Folder, Published, ScratchRecord};
use crate::library::publish::{Metadata, Raw};
use crate::library::refuse::Author;
use crate::library::{Error, Library, Target, staging};
use crate::pipeline::policy;
use crate::refusal::{Refusal, Rule, Violation};
use crate::slot::Name;
use crate::timestamp::Timestamp;

/// Scratch belongs to its writer alone (CONTRACT 1).
pub const SCRATCH_MODE: u32 = 0o600;

/// Makes file names unique within one run; the time makes them unique over runs.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What `stat` shows of scratch beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScratchStat {
    pub size: u64,
    pub times: Times,
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
        uid: u32,
        gid: u32,
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
        let access = Access { uid, gid, mode: SCRATCH_MODE };
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

    /// `chmod`, `chown`, `utimens`. The times are the backing file's own.
    pub fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
    ) -> Result<ScratchRecord, Error> {
        let record = self.catalog.amend_scratch(id, amendment, Timestamp::now())?;
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
        if let Some(displaced) = other.filter(|_| collision == Collision::Replace) {
            remove_file(&self.scratch_path(&displaced));
        }
        Ok(())
    }

    pub fn remove_scratch(&self, id: ScratchId) -> Result<(), Error> {
        let forget = || Ok(self.catalog.remove_scratch(id, Timestamp::now())?);
        let Some(record) = self.even_when_full(forget)? else { return Err(Error::Missing) };
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
    ) -> Result<(Published, File), Error> {
        let (published, sent) = self.publish_scratch(record, target, author)?;
        // Published: a scratch record that stays behind is only clutter, and expires.
        if let Err(error) = self.remove_scratch(record.id) {
            tracing::warn!(name = %record.name, %error, "attached scratch stays behind");
        }
        Ok((published, sent))
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
        let mut access = self.file_access(record.access.uid, record.access.gid, &target.field);
        if record.access.mode != SCRATCH_MODE {
            access.mode = record.access.mode;
        }
        let metadata = Metadata { access, times: stat.times, attributes, source: None };
        let published = self.publish(Raw::new(&sent)?, target, author, &metadata)?;
        Ok((published, sent))
    }

    /// A stored blob becomes scratch: its bytes are copied, since scratch may be written to.
    pub fn scratch_from_blob(
        &self,
        link: &crate::catalog::Link,
        folder: &Folder,
        name: &Name,
        (uid, gid): (u32, u32),
    ) -> Result<ScratchRecord, Error> {
        let attachment = &link.attachment;
        let blob = self.open_blob(attachment.blob)?;
        let (record, file) = self.make_scratch(folder, name, uid, gid)?;
        let copied = staging::copy(&blob, &file, attachment.content.length);
        let kept = copied.and_then(|()| keep_times(&file, attachment.times));
        // The attachment loses its name next, and the copy is then all there is.
        if let Err(error) = kept.and_then(|()| file.sync_all()) {
            self.remove_scratch(record.id)?;
            return Err(Error::io("copy the stored bytes")(error));
        }
        Ok(record)
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

    /// New scratch with these bytes.
    pub fn write_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        (uid, gid): (u32, u32),
        bytes: &[u8],
    ) -> Result<(), Error> {
        let (record, mut file) = self.make_scratch(folder, name, uid, gid)?;
        if let Err(error) = file.write_all(bytes) {
            self.remove_scratch(record.id)?;
            return Err(Error::io("write a scratch file")(error));
        }
        Ok(())
    }

    /// Removes scratch that nobody fetched in time: what has bytes goes to the quarantine.
    pub fn expire_scratch(&self, before: Timestamp) -> Result<usize, Error> {
        let old = self.catalog.scratch_before(before)?;
        for record in &old {
            let path = self.folder_path(&record.folder)?;
            // Kept first, forgotten next, removed last: a crash between them loses nothing.
            if self.keep_scratch(record, &path) {
                self.catalog.remove_scratch(record.id, Timestamp::now())?;
                remove_file(&self.scratch_path(record));
            }
        }
        Ok(old.len())
    }

    /// Moves the file of forgotten scratch out of the way. One that cannot be kept stays for the next start.
    pub(crate) fn retire_scratch(&self, record: &ScratchRecord, row_path: &str) {
        if self.keep_scratch(record, row_path) {
            remove_file(&self.scratch_path(record));
        }
    }

    /// Sends scratch with bytes to the quarantine; whether its file is needed no more.
    fn keep_scratch(&self, record: &ScratchRecord, row_path: &str) -> bool {
        // What was taken from a box is attached, or in the quarantine, already.
        if record.arrival.taken.is_some() && !record.arrival.waiting {
            return true;
        }
        let Ok(file) = File::open(self.scratch_path(record)) else { return true };
        if file.metadata().is_ok_and(|meta| meta.len() == 0) {
            return true;
        }
        let refusal = self.scratch_refusal(record, row_path, expired(record));
        let author = Author { uid: record.access.uid, pid: 0 };
        let kept = self.keep(&refusal, record.name.as_str(), author, &file);
        let safe = kept.is_some();
        self.refusals.record(&refusal, None, author, kept);
        safe
    }

    /// Notes that bytes were left under a name that is no field's: a mistyped field must not be a silent loss.
    pub fn notice_scratch(&self, record: &ScratchRecord, author: Author) -> Result<(), Error> {
        let Some(row) = self.row_by_id(record.folder.row)? else { return Ok(()) };
        let Some(table) = self.table(row.table) else { return Ok(()) };
        let path = self.folder_path(&record.folder)?;
        let fields: Vec<_> = table.fields.iter().map(|field| field.name.as_str()).collect();
        let violation = not_a_field(record, &fields.join(", "));
        let refusal = self.scratch_refusal(record, &path, violation);
        self.refusals.record(&refusal, None, author, None);
        Ok(())
    }

    fn scratch_refusal(&self, record: &ScratchRecord, row: &str, violation: Violation) -> Refusal {
        Refusal {
            id: self.refusals.next_id(),
            path: format!("{row}/{}", record.name),
            field: row.to_owned(),
            violation,
        }
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

fn not_a_field(record: &ScratchRecord, fields: &str) -> Violation {
    Violation {
        rule: Rule::NotAField,
        fact: format!("{} is the name of no field and was kept as scratch", record.name),
        measured: record.name.to_string(),
        allows: format!("has the fields {fields}"),
        allowed: fields.to_owned(),
        hint: "move it onto a field before it expires".into(),
    }
}

fn expired(record: &ScratchRecord) -> Violation {
    Violation {
        rule: Rule::Expired,
        fact: format!("scratch {} was moved onto no field in time", record.name),
        measured: record.created.as_rfc3339(),
        allows: "keeps scratch for a while only".into(),
        allowed: "[library] scratch".into(),
        hint: "move it onto a field from the quarantine".into(),
    }
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

fn keep_times(file: &File, times: Times) -> io::Result<()> {
    let wanted = fs::FileTimes::new()
        .set_accessed(times.accessed.into())
        .set_modified(times.modified.into());
    file.set_times(wanted)
}

/// `user.*` attributes that were set on scratch are the backing file's own, where its filesystem has any.
pub(super) fn foreign_attributes(file: &File) -> Vec<(String, Vec<u8>)> {
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

fn remove_file(path: &std::path::Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a scratch file stays behind");
    }
}
