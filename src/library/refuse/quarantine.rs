//! The quarantine: refused, interrupted and expired bytes, kept for a while so that nothing is lost.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;
use rustix::io::Errno;

use crate::fence::Fence;
use crate::library::refuse::kept::{self, Kept, REASON};
use crate::library::refuse::shares::{Bound, Entries};
use words::author::Author;
use words::quarantine_bounds::Bounds;
use words::refusal::{Refusal, RefusalId, Rule};
use words::timestamp::Timestamp;

/// The quarantine's folder, and a list of its entries.
#[derive(Debug)]
pub struct Quarantine {
    folder: PathBuf,
    bounds: Bounds,
    fence: Fence,
    /// Guards the list of entries. A file is moved in before it is listed, and out after it is taken off the list.
    entries: Mutex<Entries>,
}

impl Quarantine {
    /// Lists what is in the folder. Bytes are never removed, even if nothing else of their entry can be read.
    pub fn open(folder: PathBuf, bounds: Bounds, fence: Fence) -> io::Result<Self> {
        let mut entries = Entries::default();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let id = path.file_name().and_then(|name| RefusalId::parse(name.to_str()?));
            let found = id.map_or(Ok(None), |id| kept::read(&path, id));
            match (id, found) {
                (Some(id), Ok(Some(kept))) => entries.insert(id, kept),
                (_, found) => {
                    if let Err(error) = found.and_then(|_| kept::tidy(&path)) {
                        tracing::warn!(path = %path.display(), %error, "this is no entry of the quarantine, and stays as it is");
                    }
                }
            }
        }
        let is_unreadable = |kept: &&Kept| kept.rule == Rule::Unreadable;
        let unreadable = entries.all().values().filter(is_unreadable).count();
        if unreadable > 0 {
            tracing::warn!(
                entries = unreadable,
                "reasons in the quarantine cannot be read; their files are kept, see `mediafs refused`"
            );
        }
        Ok(Self { folder, bounds, fence, entries: Mutex::new(entries) })
    }

    /// A quarantine for a reader, which lists nothing.
    pub fn none(folder: PathBuf, bounds: Bounds, fence: Fence) -> Self {
        Self { folder, bounds, fence, entries: Mutex::default() }
    }

    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Keeps the bytes of a refused file. Returns their path below the quarantine; none, with a warning, on a failure.
    pub(in crate::library) fn keep(
        &self,
        refusal: &Refusal,
        name: &str,
        author: Author,
        bytes: &File,
    ) -> Option<String> {
        let kept = self.try_keep(refusal, name, author, bytes);
        kept.inspect_err(|error| {
            if Errno::from_io_error(error) == Some(Errno::IO) {
                self.fence.raise("the quarantine could not be written", error);
            }
            tracing::warn!(id = %refusal.id, path = refusal.path, %error, "refused bytes cannot be quarantined");
        })
        .ok()
    }

    /// Keeps the bytes of a file under `name`. Returns their path below the quarantine.
    pub(in crate::library) fn try_keep(
        &self,
        refusal: &Refusal,
        name: &str,
        author: Author,
        bytes: &File,
    ) -> io::Result<String> {
        if self.fence.is_raised() {
            return Err(io::Error::other("the library's disk has failed"));
        }
        let kept = Kept {
            id: refusal.id.to_string(),
            name: name.to_owned(),
            path: refusal.path.clone(),
            uid: author.uid,
            rule: refusal.rule(),
            message: refusal.to_string(),
            hint: refusal.violation.hint.clone(),
            length: bytes.metadata()?.len(),
            time: Timestamp::now(),
        };
        let name = self.take_in(refusal.id, bytes, kept)?;
        Ok(format!("{}/{name}", refusal.id))
    }

    /// Links the bytes if they lie on the same disk, else copies them; then deletes what is over a bound. Durable when it
    /// returns. Returns the file's name. Errors: `StorageFull` if there is no room for it.
    fn take_in(&self, id: RefusalId, bytes: &File, kept: Kept) -> io::Result<String> {
        if !self.entries.lock().has_room(&kept, self.bounds) {
            let full = "the quarantine has no room for it ([quarantine] size and count)";
            return Err(io::Error::new(io::ErrorKind::StorageFull, full));
        }
        // The reason lies beside the bytes.
        let name = if kept.name == REASON { format!("file-{REASON}") } else { kept.name };
        let kept = Kept { name: name.clone(), ..kept };
        kept::make(&self.entry(id), bytes, &kept)?;
        self.entries.lock().insert(id, kept);
        self.prune(Timestamp::now());
        Ok(name)
    }

    pub fn find(&self, id: RefusalId) -> Option<Kept> {
        self.entries.lock().all().get(&id).cloned()
    }

    /// All entries, oldest first.
    pub fn list(&self) -> Vec<(RefusalId, Kept)> {
        self.entries.lock().all().iter().map(|(id, kept)| (*id, kept.clone())).collect()
    }

    pub fn count(&self) -> usize {
        self.entries.lock().all().len()
    }

    pub fn open_bytes(&self, id: RefusalId) -> io::Result<File> {
        let name = self.find(id).ok_or(io::ErrorKind::NotFound)?.name;
        File::open(self.entry(id).join(name))
    }

    /// Removes an entry that a user has moved out or does not want back.
    pub fn remove(&self, id: RefusalId) -> io::Result<()> {
        let Some(kept) = self.entries.lock().remove(id) else { return Ok(()) };
        tracing::info!(%id, path = kept.path, uid = kept.uid, bytes = kept.length, "a file was taken out of the quarantine");
        kept::remove(&self.entry(id), &kept)
    }

    /// Deletes the entries that are over a bound.
    pub fn prune(&self, now: Timestamp) {
        let old = self.entries.lock().old(self.bounds, now);
        for id in old {
            self.delete(id, Bound::Age);
        }
        loop {
            let surplus = self.entries.lock().surplus(self.bounds);
            let Some((id, bound)) = surplus else { return };
            self.delete(id, bound);
        }
    }

    fn delete(&self, id: RefusalId, bound: Bound) {
        let Some(kept) = self.entries.lock().remove(id) else { return };
        tracing::warn!(%id, path = kept.path, uid = kept.uid, bytes = kept.length, rule = kept.rule.to_string(), "a file in the quarantine is deleted: {bound}");
        if let Err(error) = kept::remove(&self.entry(id), &kept) {
            tracing::warn!(%id, %error, "a quarantined file cannot be removed");
        }
    }

    fn entry(&self, id: RefusalId) -> PathBuf {
        self.folder.join(id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::time::Duration;

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
        Quarantine::open(folder.to_owned(), bounds, Fence::default()).expect("a quarantine")
    }

    #[test]
    fn what_is_quarantined_is_there_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let quarantine = open(folder.path(), Bounds::default());
        let id = RefusalId::at(Timestamp::now());
        quarantine.take_in(id, &bytes(b"hello"), kept(id, 5, Timestamp::now())).expect("kept");
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
            quarantine.take_in(id, &bytes(b"ten bytes!"), kept(id, 10, time)).expect("kept");
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
        // An entry as a crash leaves it before the bytes are linked.
        let made = folder.path().join("0sacgz1v800");
        fs::create_dir(&made)
            .and_then(|()| fs::write(made.join(REASON), "{ \"id\""))
            .expect("made");
        open(folder.path(), Bounds::default());
        assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), 0);
    }

    /// An entry of five bytes whose reason was changed to this, as the next start finds it.
    fn found_with(reason: impl Fn(&Path)) -> (Quarantine, RefusalId, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let id = RefusalId::at(Timestamp::now());
        let first = open(folder.path(), Bounds::default());
        first.take_in(id, &bytes(b"hello"), kept(id, 5, Timestamp::now())).expect("kept");
        reason(&folder.path().join(id.to_string()).join(REASON));
        (open(folder.path(), Bounds::default()), id, folder)
    }

    type Damage = Box<dyn Fn(&Path)>;

    fn replace(from: &'static str, to: &'static str) -> Damage {
        Box::new(move |path| {
            let text = fs::read_to_string(path).expect("a reason");
            fs::write(path, text.replace(from, to)).expect("written");
        })
    }

    #[test]
    fn bytes_whose_reason_cannot_be_read_stay_and_say_so() {
        let damages: [(&str, Damage); 6] = [
            ("of another version", replace("truncated", "a_newer_rule")),
            ("a field less", replace("\"hint\"", "\"advice\"")),
            ("torn", replace("avatar.jpg\",", "")),
            ("empty", Box::new(|path| fs::write(path, "").expect("emptied"))),
            ("gone", Box::new(|path| fs::remove_file(path).expect("removed"))),
            (
                "no file",
                Box::new(|path| {
                    fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("a directory");
                }),
            ),
        ];
        for (what, damage) in damages {
            let (quarantine, id, _folder) = found_with(damage);
            let entry = quarantine.find(id).unwrap_or_else(|| panic!("{what}: it is listed"));
            assert_eq!(
                (entry.rule, entry.name.as_str()),
                (Rule::Unreadable, "avatar.jpg"),
                "{what}"
            );
            assert_eq!(entry.length, 5, "{what}");
            assert!(entry.message.contains("reason unreadable"), "{what}: {}", entry.message);
            let text = io::read_to_string(quarantine.open_bytes(id).expect("bytes")).expect("text");
            assert_eq!(text, "hello", "{what}");
            quarantine.remove(id).expect("dropped by a person");
            assert_eq!(fs::read_dir(&quarantine.folder).expect("a list").count(), 0, "{what}");
        }
    }

    #[test]
    fn what_an_unreadable_reason_does_tell_is_shown() {
        let (quarantine, id, _folder) = found_with(replace("truncated", "a_newer_rule"));
        let entry = quarantine.find(id).expect("listed");
        assert_eq!((entry.path.as_str(), entry.uid), ("user/42/avatar", 1000));
        assert!(entry.message.ends_with("it says: cut"), "{}", entry.message);
    }

    #[test]
    fn an_unreadable_entry_is_bounded_like_the_others() {
        let (quarantine, id, folder) = found_with(|path| fs::write(path, "").expect("emptied"));
        let time = std::time::SystemTime::now() - Duration::from_secs(7_200);
        let directory = File::open(folder.path().join(id.to_string())).expect("there");
        directory.set_times(fs::FileTimes::new().set_modified(time)).expect("set");
        drop(quarantine);
        let bounds = Bounds { age: Duration::from_secs(3_600), ..Bounds::default() };
        let quarantine = open(folder.path(), bounds);
        quarantine.prune(Timestamp::now());
        assert!(quarantine.find(id).is_some(), "the newest stays");
        put(&quarantine, Rule::Truncated, 1000, 5);
        assert_eq!(quarantine.find(id), None);
    }

    /// Keeps bytes of a user under a new id.
    fn put(quarantine: &Quarantine, rule: Rule, uid: u32, length: u64) -> Option<RefusalId> {
        let last = quarantine.list().last().map_or(RefusalId::from_number(0), |(id, _)| *id);
        let id = last.next().max(RefusalId::at(Timestamp::now()));
        let entry = Kept { uid, rule, ..kept(id, length, Timestamp::now()) };
        let content = vec![0; usize::try_from(length).expect("few")];
        quarantine.take_in(id, &bytes(&content), entry).ok().map(|_| id)
    }

    fn has(quarantine: &Quarantine, id: Option<RefusalId>) -> bool {
        id.is_some_and(|id| quarantine.find(id).is_some())
    }

    #[test]
    fn refusals_push_out_neither_expired_scratch_nor_interrupted_drafts() {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds { count: 3, bytes: 100, ..Bounds::default() };
        let quarantine = open(folder.path(), bounds);
        let expired: Vec<_> = (0..5).map(|_| put(&quarantine, Rule::Expired, 7, 50)).collect();
        let draft = put(&quarantine, Rule::Interrupted, 7, 60);
        for uid in 0..20 {
            put(&quarantine, Rule::Truncated, uid, 30);
        }
        assert!(expired.iter().all(|id| has(&quarantine, *id)), "bounded by age alone");
        assert!(has(&quarantine, draft));
        assert_eq!(quarantine.count(), 5 + 1 + 3);
        let again = open(folder.path(), bounds);
        again.prune(Timestamp::now());
        assert_eq!(again.list(), quarantine.list());
    }

    #[test]
    fn an_interrupted_draft_that_finds_no_room_is_not_taken_and_pushes_out_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let quarantine = open(folder.path(), Bounds { count: 2, bytes: 100, ..Bounds::default() });
        assert_eq!(put(&quarantine, Rule::Interrupted, 7, 101), None, "larger than all");
        let first = put(&quarantine, Rule::Interrupted, 7, 60);
        assert_eq!(put(&quarantine, Rule::Interrupted, 7, 60), None, "too large");
        let second = put(&quarantine, Rule::Interrupted, 7, 10);
        assert_eq!(put(&quarantine, Rule::Interrupted, 7, 10), None, "too many");
        assert!(has(&quarantine, first) && has(&quarantine, second));
        assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), 2);
    }

    #[test]
    fn who_has_most_makes_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let quarantine = open(folder.path(), Bounds { count: 3, bytes: 100, ..Bounds::default() });
        let other = put(&quarantine, Rule::Truncated, 7, 40);
        for length in [30, 10, 50, 1_000, 20] {
            let newest = put(&quarantine, Rule::Truncated, 8, length);
            assert!(has(&quarantine, newest), "the newest stays, however large: {length}");
            assert!(has(&quarantine, other), "another user's stays: {length}");
        }
        assert_eq!(quarantine.count(), 2);
    }
}
