//! The journal of refusals: all of them in `errors.jsonl`, and the last one of each user and each place in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use words::attachment::RowId;
use words::author::Author;
use words::place::{Folder, Place};
use words::refusal::{Refusal, RefusalId, Rule};
use words::timestamp::Timestamp;

/// Beyond this size `errors.jsonl` is renamed to `errors.jsonl.1` and a new one begun.
const MAX_LOG_BYTES: u64 = 16 << 20;
/// The most refusals that are remembered. The oldest are forgotten first.
const MAX_REMEMBERED: usize = 4_096;
/// The most refusals of a user in a span that are logged although programs may make any number of them.
const MAX_NOTED: u32 = 100;
const SPAN: Duration = Duration::from_secs(60);
/// How much of the log's end is read at the start.
const TAIL_BYTES: u64 = 256 << 10;

/// One line of `errors.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub id: String,
    pub time: String,
    pub path: String,
    pub uid: u32,
    pub pid: u32,
    pub rule: Rule,
    pub measured: String,
    pub allowed: String,
    pub message: String,
    pub hint: String,
    /// Where the bytes are, below `/.mediafs/quarantine/`; none if they are not kept.
    pub quarantine: Option<String>,
}

impl Line {
    fn new(refusal: &Refusal, author: Author, quarantine: Option<String>) -> Self {
        Self {
            id: refusal.id.to_string(),
            time: Timestamp::now().as_rfc3339(),
            path: refusal.path.clone(),
            uid: author.uid,
            pid: author.pid,
            rule: refusal.rule(),
            measured: refusal.violation.measured.clone(),
            allowed: refusal.violation.allowed.clone(),
            message: refusal.to_string(),
            hint: refusal.violation.hint.clone(),
            quarantine,
        }
    }

    /// The text of `last-error`: the time, the message, which begins with the path, the hint, and where the bytes are.
    pub fn text(&self) -> String {
        let kept = |path| format!("kept: .mediafs/quarantine/{path}\n");
        let kept = self.quarantine.as_ref().map_or_else(String::new, kept);
        format!("{} {}\nhint: {}\n{kept}id: {}\n", self.time, self.message, self.hint, self.id)
    }
}

#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Guards the log and the remembered refusals. Held while a line is written: lines must not mix, and refusals are rare.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    log: File,
    last: RefusalId,
    /// By id, so that the oldest can be forgotten.
    lines: BTreeMap<RefusalId, (Line, Option<Place>)>,
    by_uid: HashMap<u32, RefusalId>,
    by_place: HashMap<Place, RefusalId>,
    by_rule: HashMap<Rule, u64>,
    /// The last refusal of each user that was not logged, until one is.
    unlogged: HashMap<u32, Line>,
    /// How many refusals of each user were noted, and since when.
    noted: HashMap<u32, (Instant, u32)>,
}

impl Journal {
    /// Opens the log, and reads the last refusal of each user from it. New ids are larger than those in it.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let log = open_log(&path)?;
        let mut state = State {
            last: RefusalId::at(Timestamp::now()),
            lines: BTreeMap::new(),
            by_uid: HashMap::new(),
            by_place: HashMap::new(),
            by_rule: HashMap::new(),
            unlogged: HashMap::new(),
            noted: HashMap::new(),
            log,
        };
        for line in tail(&path)? {
            if let Some(id) = RefusalId::parse(&line.id) {
                // The clock may have been set back since, and an id names one refusal for ever.
                state.last = state.last.max(id);
                state.by_uid.insert(line.uid, id);
                state.lines.insert(id, (line, None));
            }
        }
        Ok(Self { path, state: Mutex::new(state) })
    }

    /// A new id, larger than all before.
    pub fn next_id(&self) -> RefusalId {
        let mut state = self.state.lock();
        state.last = state.last.next().max(RefusalId::at(Timestamp::now()));
        state.last
    }

    /// Appends a refusal to the log, with the place of kept bytes, and remembers it. A failed write is only a warning.
    pub fn record(
        &self,
        refusal: &Refusal,
        place: Option<&Place>,
        author: Author,
        quarantine: Option<String>,
    ) {
        let line = Line::new(refusal, author, quarantine);
        // The user's fault, not the daemon's: never above info.
        tracing::info!(
            id = line.id,
            uid = line.uid,
            pid = line.pid,
            rule = line.rule.to_string(),
            "{}",
            line.message
        );
        let mut state = self.state.lock();
        if let Err(error) = self.append(&mut state, &line) {
            tracing::warn!(path = %self.path.display(), %error, "a refusal is not in the log");
        }
        state.remember(refusal.id, line, place);
    }

    /// Records a refusal of which a program may make any number. Beyond [`MAX_NOTED`] of a user in [`SPAN`] it is the user's
    /// last refusal, and neither logged nor counted.
    pub fn note(&self, refusal: &Refusal, author: Author) {
        if self.state.lock().is_in_bounds(author.uid) {
            return self.record(refusal, None, author, None);
        }
        let mut state = self.state.lock();
        // A map that is full has forgotten those of others already.
        if state.unlogged.len() < MAX_REMEMBERED || state.unlogged.contains_key(&author.uid) {
            state.unlogged.insert(author.uid, Line::new(refusal, author, None));
        }
    }

    /// The last refusal of a user.
    pub fn last_of(&self, uid: u32) -> Option<Line> {
        let state = self.state.lock();
        if let Some(line) = state.unlogged.get(&uid) {
            return Some(line.clone());
        }
        let id = state.by_uid.get(&uid)?;
        state.lines.get(id).map(|(line, _)| line.clone())
    }

    /// The last refusal at a place, until it takes a file.
    pub fn of_place(&self, place: &Place) -> Option<Line> {
        let state = self.state.lock();
        let id = state.by_place.get(place)?;
        state.lines.get(id).map(|(line, _)| line.clone())
    }

    /// The newest refusal among the fields and items of a row, or among the items of a collection.
    pub fn of_folder(&self, folder: &Folder) -> Option<Line> {
        let state = self.state.lock();
        let inside = |place: &Place| {
            place.row == folder.row && folder.field.as_ref().is_none_or(|it| *it == place.field)
        };
        let ids = state.by_place.iter().filter(|(place, _)| inside(place)).map(|(_, id)| id);
        ids.max().and_then(|id| state.lines.get(id)).map(|(line, _)| line.clone())
    }

    /// The last refusal of each field and item of a row, until it takes a file.
    pub fn of_places(&self, row: RowId) -> Vec<(Place, Line)> {
        let state = self.state.lock();
        let own = state.by_place.iter().filter(|(place, _)| place.row == row);
        let lines =
            own.filter_map(|(place, id)| Some((place.clone(), state.lines.get(id)?.0.clone())));
        lines.collect()
    }

    /// Forgets the last refusal at a place, which has taken a file.
    pub fn clear(&self, place: &Place) {
        self.state.lock().by_place.remove(place);
    }

    /// How often each rule refused since the start.
    pub fn counts(&self) -> Vec<(Rule, u64)> {
        let mut counts: Vec<_> = self.state.lock().by_rule.iter().map(|(r, n)| (*r, *n)).collect();
        counts.sort_by_key(|(rule, _)| rule.to_string());
        counts
    }

    /// `errors.jsonl`, for reading.
    pub fn open_log(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// One `write` a line, so that no reader sees half of one.
    fn append(&self, state: &mut State, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        if state.log.metadata()?.len() > MAX_LOG_BYTES {
            let old = self.path.with_extension("jsonl.1");
            std::fs::rename(&self.path, old)?;
            state.log = open_log(&self.path)?;
        }
        state.log.write_all(text.as_bytes())
    }
}

impl State {
    /// Counts a noted refusal of a user. Returns whether it may be logged.
    fn is_in_bounds(&mut self, uid: u32) -> bool {
        let now = Instant::now();
        if self.noted.len() >= MAX_REMEMBERED {
            self.noted.retain(|_, (since, _)| now.duration_since(*since) < SPAN);
        }
        if self.noted.len() >= MAX_REMEMBERED && !self.noted.contains_key(&uid) {
            return false;
        }
        let (since, count) = self.noted.entry(uid).or_insert((now, 0));
        if now.duration_since(*since) >= SPAN {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= MAX_NOTED
    }

    fn remember(&mut self, id: RefusalId, line: Line, place: Option<&Place>) {
        *self.by_rule.entry(line.rule).or_default() += 1;
        self.unlogged.remove(&line.uid);
        self.by_uid.insert(line.uid, id);
        if let Some(place) = place {
            self.by_place.insert(place.clone(), id);
        }
        self.lines.insert(id, (line, place.cloned()));
        while self.lines.len() > MAX_REMEMBERED {
            let Some((old, (line, place))) = self.lines.pop_first() else { return };
            if self.by_uid.get(&line.uid) == Some(&old) {
                self.by_uid.remove(&line.uid);
            }
            if let Some(place) = place
                && self.by_place.get(&place) == Some(&old)
            {
                self.by_place.remove(&place);
            }
        }
    }
}

/// Opens the log for appending. A line that a crash cut short is ended, so that the next one stands alone.
fn open_log(path: &Path) -> io::Result<File> {
    let mut log = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut last = [b'\n'];
    if log.metadata()?.len() > 0 {
        log.seek(SeekFrom::End(-1))?;
        log.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        log.write_all(b"\n")?;
    }
    Ok(log)
}

/// The lines at the end of the log.
fn tail(path: &Path) -> io::Result<Vec<Line>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut text = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut text)?;
    // A line that begins before the tail, or was cut short by a crash, is no JSON and is skipped.
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::refusal::Violation;
    use words::slot::{Name, Row, Slot};

    fn refusal(id: RefusalId) -> (Refusal, Place) {
        let name = |text| Name::parse(text).expect("a name");
        let slot = Slot {
            row: Row { table: name("user"), id: name("42") },
            field: name("avatar"),
            item: None,
        };
        let violation = Violation::small_image();
        let place = Place { row: RowId(1), field: name("avatar"), item: None };
        (Refusal::new(id, &slot, violation), place)
    }

    #[test]
    fn the_last_refusal_of_a_user_is_known_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("errors.jsonl");
        let journal = Journal::open(path.clone()).expect("a log");
        let (refusal, place) = refusal(journal.next_id());
        journal.record(&refusal, Some(&place), Author { uid: 1000, pid: 7 }, None);
        assert_eq!(journal.of_place(&place), journal.last_of(1000));
        let again = Journal::open(path).expect("a log");
        assert_eq!(again.last_of(1000), journal.last_of(1000));
        assert_eq!(again.last_of(0), None);
        assert!(again.next_id() > refusal.id);
    }

    #[test]
    fn a_torn_line_takes_no_other_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("errors.jsonl");
        let record = |uid| {
            let journal = Journal::open(path.clone()).expect("a log");
            let (refusal, place) = refusal(journal.next_id());
            journal.record(&refusal, Some(&place), Author { uid, pid: 7 }, None);
        };
        record(1000);
        let mut log = OpenOptions::new().append(true).open(&path).expect("a log");
        log.write_all(b"{\"id\":\"\xff\xfe").expect("a line that a crash cut short");
        record(1001);
        let again = Journal::open(path).expect("a log");
        assert!(again.last_of(1000).is_some() && again.last_of(1001).is_some());
    }

    #[test]
    fn a_success_clears_the_field_but_not_the_users_last_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path().join("errors.jsonl")).expect("a log");
        let (refusal, place) = refusal(journal.next_id());
        journal.record(&refusal, Some(&place), Author { uid: 1000, pid: 7 }, None);
        journal.clear(&place);
        assert_eq!(journal.of_place(&place), None);
        assert!(journal.last_of(1000).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path().join("errors.jsonl")).expect("a log");
        for uid in 0..5_000 {
            let (refusal, place) = refusal(journal.next_id());
            journal.record(&refusal, Some(&place), Author { uid, pid: 7 }, None);
        }
        let state = journal.state.lock();
        assert_eq!(state.lines.len(), MAX_REMEMBERED);
        assert!(state.by_uid.len() <= MAX_REMEMBERED);
    }
}
