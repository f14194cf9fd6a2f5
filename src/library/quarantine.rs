//! The quarantine: refused and interrupted bytes, kept for a while so that nothing is lost.
//! Does not judge; knows what it keeps only by `reason.json`.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::library::staging;
use crate::refusal::{RefusalId, Rule};
use crate::timestamp::Timestamp;

/// How much is kept: what is older or more goes, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub age: Duration,
    pub count: usize,
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 24 * 3600), count: 10_000, bytes: 1 << 30 }
    }
}

const REASON: &str = "reason.json";

/// Kept bytes with the reason they are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub id: String,
    /// The file's name in the quarantine: the field's, with the extension it was written with.
    pub name: String,
    /// Where it was going, `user/42/avatar`.
    pub path: String,
    pub uid: u32,
    pub rule: Rule,
    pub message: String,
    pub hint: String,
    pub length: u64,
    pub time: Timestamp,
}

#[derive(Debug)]
pub struct Quarantine {
    folder: PathBuf,
    bounds: Bounds,
    /// Guards the list of what is kept; files are moved in before they are listed and out after.
    kept: Mutex<BTreeMap<RefusalId, Kept>>,
}

impl Quarantine {
    /// Reads what is there. Entries without a readable reason, or without their bytes, are half-made: they are removed.
    pub fn open(folder: PathBuf, bounds: Bounds) -> io::Result<Self> {
        let mut kept = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let id = path.file_name().and_then(|name| RefusalId::parse(name.to_str()?));
            match (id, read_reason(&path)) {
                (Some(id), Some(reason)) if path.join(&reason.name).exists() => {
                    kept.insert(id, reason);
                }
                _ => fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path))?,
            }
        }
        Ok(Self { folder, bounds, kept: Mutex::new(kept) })
    }

    /// One that shows nothing, whatever the folder holds.
    pub fn none(folder: PathBuf, bounds: Bounds) -> Self {
        Self { folder, bounds, kept: Mutex::default() }
    }

    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Takes bytes in: links the file if it lies on the same disk, else copies it. The oldest entries make room.
    /// Durable when it returns; returns the name that the file has there.
    pub fn keep(&self, id: RefusalId, bytes: &File, kept: Kept) -> io::Result<String> {
        let folder = self.folder.join(id.to_string());
        let kept = Kept { name: file_name(&kept.name), ..kept };
        DirBuilder::new().mode(0o700).create(&folder)?;
        let made = fill(&folder, bytes, &kept);
        if let Err(error) = made {
            // Best effort: what remains is removed at the next start.
            let _ = fs::remove_dir_all(&folder);
            return Err(error);
        }
        let name = kept.name.clone();
        self.lock().insert(id, kept);
        self.prune(Timestamp::now());
        Ok(name)
    }

    pub fn find(&self, id: RefusalId) -> Option<Kept> {
        self.lock().get(&id).cloned()
    }

    /// Everything that is kept, oldest first.
    pub fn list(&self) -> Vec<(RefusalId, Kept)> {
        self.lock().iter().map(|(id, kept)| (*id, kept.clone())).collect()
    }

    pub fn open_bytes(&self, id: RefusalId) -> io::Result<File> {
        let name = self.find(id).ok_or(io::ErrorKind::NotFound)?.name;
        File::open(self.folder.join(id.to_string()).join(name))
    }

    pub fn open_reason(&self, id: RefusalId) -> io::Result<File> {
        File::open(self.folder.join(id.to_string()).join(REASON))
    }

    pub fn remove(&self, id: RefusalId) -> io::Result<()> {
        if self.lock().remove(&id).is_some() {
            fs::remove_dir_all(self.folder.join(id.to_string()))?;
        }
        Ok(())
    }

    /// Removes what is over a bound.
    pub fn prune(&self, now: Timestamp) {
        for id in self.surplus(now) {
            if let Err(error) = self.remove(id) {
                tracing::warn!(%id, %error, "a quarantined file cannot be removed");
            }
        }
    }

    fn surplus(&self, now: Timestamp) -> Vec<RefusalId> {
        let Bounds { age, count: most, bytes: room } = self.bounds;
        let kept = self.lock();
        let (mut count, mut bytes) = (0_usize, 0_u64);
        let mut surplus = Vec::new();
        for (id, entry) in kept.iter().rev() {
            count += 1;
            bytes = bytes.saturating_add(entry.length);
            let old = now.since(entry.time) > age;
            // The newest entry always stays, however large: it is what its writer looks for.
            if count > 1 && (old || count > most || bytes > room) {
                surplus.push(*id);
            }
        }
        surplus
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RefusalId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reason has its own name beside the bytes.
fn file_name(wanted: &str) -> String {
    if wanted == REASON { format!("file-{REASON}") } else { wanted.to_owned() }
}

/// Bytes first, the reason last: an entry with a reason is whole, and on disk when this returns.
fn fill(folder: &Path, bytes: &File, kept: &Kept) -> io::Result<()> {
    place(bytes, &folder.join(&kept.name), kept.length)?;
    File::open(folder.join(&kept.name))?.sync_all()?;
    let mut reason =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(REASON))?;
    let mut text = serde_json::to_string_pretty(kept)?;
    text.push('\n');
    reason.write_all(text.as_bytes())?;
    reason.sync_all()?;
    File::open(folder)?.sync_all()?;
    folder.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
}

fn place(bytes: &File, path: &Path, length: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let descriptor = format!("/proc/self/fd/{}", bytes.as_raw_fd());
    let linked = rustix::fs::linkat(
        rustix::fs::CWD,
        descriptor,
        rustix::fs::CWD,
        path,
        rustix::fs::AtFlags::SYMLINK_FOLLOW,
    );
    if linked.is_ok() {
        return Ok(());
    }
    let copy = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    staging::copy(bytes, &copy, length)
}

fn read_reason(folder: &Path) -> Option<Kept> {
    let text = fs::read_to_string(folder.join(REASON)).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(id: RefusalId, length: u64, time: Timestamp) -> Kept {
        Kept {
            id: id.to_string(),
            name: "avatar.jpg".into(),
            path: "user/42/avatar".into(),
            uid: 1000,
            rule: Rule::Truncated,
            message: "cut".into(),
            hint: "send it again".into(),
            length,
            time,
        }
    }

    fn bytes(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content).expect("written");
        file
    }

    fn open(folder: &Path, bounds: Bounds) -> Quarantine {
        Quarantine::open(folder.to_owned(), bounds).expect("a quarantine")
    }

    #[test]
    fn what_is_quarantined_is_there_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let quarantine = open(folder.path(), Bounds::default());
        let id = RefusalId::at(Timestamp::now());
        quarantine.keep(id, &bytes(b"hello"), kept(id, 5, Timestamp::now())).expect("kept");
        let again = open(folder.path(), Bounds::default());
        assert_eq!(again.find(id), quarantine.find(id));
        assert_eq!(
            io::read_to_string(again.open_bytes(id).expect("bytes")).expect("text"),
            "hello"
        );
    }

    /// The entries that are left of three, of ten bytes each, the last of them new.
    fn left(bounds: Bounds) -> usize {
        let folder = tempfile::tempdir().expect("a folder");
        let quarantine = open(folder.path(), bounds);
        let now = Timestamp::now();
        for age in [7_200, 3_600, 0] {
            let time = now.minus(Duration::from_secs(age));
            let id = RefusalId::at(time);
            quarantine.keep(id, &bytes(b"ten bytes!"), kept(id, 10, time)).expect("kept");
            assert!(quarantine.find(id).is_some(), "the newest stays, however large");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), quarantine.list().len());
        quarantine.list().len()
    }

    #[test]
    fn the_quarantine_is_bounded_in_age_count_and_size() {
        assert_eq!(left(Bounds::default()), 3);
        assert_eq!(left(Bounds { age: Duration::from_secs(5_000), ..Bounds::default() }), 2);
        assert_eq!(left(Bounds { count: 2, ..Bounds::default() }), 2);
        assert_eq!(left(Bounds { bytes: 25, ..Bounds::default() }), 2);
        assert_eq!(left(Bounds { bytes: 5, ..Bounds::default() }), 1);
    }

    #[test]
    fn an_entry_without_a_reason_is_removed_at_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("half")).expect("a folder");
        open(folder.path(), Bounds::default());
        assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), 0);
    }
}
