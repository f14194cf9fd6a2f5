//! The control files and views of a mount: its status, metrics, refusals, quarantine and trash, as the tests read them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::daemon::Mount;
use super::picture::Bytes;
use super::{names, read};

/// An entry of the quarantine.
pub struct Kept {
    pub id: String,
    /// The directory of the entry.
    pub entry: PathBuf,
    /// The file with the refused bytes.
    pub file: PathBuf,
}

impl Kept {
    pub fn bytes(&self) -> Bytes {
        read(&self.file)
    }

    pub fn reason(&self) -> String {
        fs::read_to_string(self.entry.join("reason.json")).expect("a reason")
    }
}

impl Mount {
    /// The content of `/.mediafs/status.json`.
    pub fn status(&self) -> Value {
        json(&self.path(".mediafs/status.json"))
    }

    /// The content of `row.json` of row user/42.
    pub fn row_json(&self) -> Value {
        json(&self.row().join("row.json"))
    }

    /// The value of a sample in `/.mediafs/metrics`.
    pub fn metric(&self, sample: &str) -> Option<u64> {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    pub fn metrics(&self) -> String {
        fs::read_to_string(self.path(".mediafs/metrics")).expect("metrics")
    }

    pub fn last_error(&self) -> String {
        fs::read_to_string(self.path(".mediafs/last-error")).expect("last-error")
    }

    /// The content of last-error after the time with which it begins.
    pub fn last_message(&self) -> String {
        let text = self.last_error();
        let (time, message) = text.split_once(' ').expect("a time and a message");
        assert!(time.starts_with("20") && time.ends_with('Z'), "{text}");
        message.to_owned()
    }

    /// Checks that last-error names a slot and contains these words.
    pub fn last_error_has(&self, slot: &str, words: &str) {
        let text = self.last_error();
        assert!(text.contains(slot) && text.contains(words), "{slot}, {words}: {text}");
    }

    /// The lines of errors.jsonl.
    pub fn refusals(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path(".mediafs/errors.jsonl")).expect("errors.jsonl");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    pub fn last_refusal(&self) -> Value {
        self.refusals().pop().expect("a refusal")
    }

    pub fn quarantine(&self) -> PathBuf {
        self.path(".mediafs/quarantine")
    }

    /// The entries of the quarantine, sorted by id.
    pub fn all_kept(&self) -> Vec<Kept> {
        let kept = |id: String| {
            let entry = self.quarantine().join(&id);
            let file = names(&entry).into_iter().find(|name| name != "reason.json");
            let file = entry.join(file.expect("the refused bytes"));
            Kept { id, entry, file }
        };
        names(&self.quarantine()).into_iter().map(kept).collect()
    }

    /// The only entry of the quarantine.
    pub fn kept(&self) -> Kept {
        let mut all = self.all_kept();
        assert_eq!(all.len(), 1, "entries of the quarantine");
        all.remove(0)
    }

    /// The files in the trash, by day and name.
    pub fn trash(&self) -> Vec<PathBuf> {
        let trash = self.path("trash");
        let days = names(&trash).into_iter().map(|day| trash.join(day));
        days.flat_map(|day| names(&day).into_iter().map(move |name| day.join(name))).collect()
    }

    /// The names of the files in the trash.
    pub fn trash_names(&self) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
        self.trash().into_iter().map(name).collect()
    }

    pub fn lost_named(&self, name: &str) -> PathBuf {
        self.trash().into_iter().find(|path| path.ends_with(name)).expect("in the trash")
    }

    /// The only file in the trash.
    pub fn lost(&self) -> PathBuf {
        let mut all = self.trash();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&read(path)).expect("JSON")
}
