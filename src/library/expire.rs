//! Scratch that ends under no field: expired, removed with its row, or closed under a mistyped name. Its bytes are kept.
//! Does not know which scratch is still of use: time and rows decide.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::library::refuse::Author;
use crate::library::scratch::remove_file;
use crate::library::sidecar::{has_suffix, is_report};
use crate::library::{Error, Library};
use words::attachment::RowId;
use words::byte_count::ByteCount;
use words::place::Folder;
use words::scratch::ScratchRecord;

use words::refusal::{Refusal, Rule, Violation};
use words::timestamp::Timestamp;

/// Rows that a warning names.
const NAMED_ROWS: usize = 5;

/// What the log was told of scratch, so that it is told once.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Scratch that was made before this was warned of.
    warned: Option<Timestamp>,
    /// How many files could not be moved at the last try.
    stuck: usize,
}

/// What there is of scratch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScratchStatus {
    pub files: usize,
    pub bytes: u64,
    pub next_expiry: Option<Timestamp>,
}

/// An expired file that is in the quarantine.
struct Moved {
    refusal: Refusal,
    author: Author,
    kept: String,
}

impl Library {
    /// Costs as much as there are users.
    pub fn scratch_status(&self) -> ScratchStatus {
        let (files, bytes, oldest) = self.tally.named();
        let next_expiry = oldest.map(|created| created.plus(self.settings.scratch));
        ScratchStatus { files, bytes, next_expiry }
    }

    /// Warns once of scratch with bytes that has less than a quarter of its life left. To be asked before it expires; it
    /// looks at the catalogue 16 times in a life of scratch.
    pub fn warn_of_expiry(&self, now: Timestamp) -> Result<(), Error> {
        let life = self.settings.scratch;
        let (until, step) = (now.minus(life / 4 * 3), life / 16);
        let from = {
            let mut told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
            if told.warned.is_some_and(|warned| until.since(warned) < step) {
                return Ok(());
            }
            told.warned.replace(until)
        };
        let new = |it: &ScratchRecord| from.is_none_or(|from| it.created >= from);
        let mut found = self.catalog.scratch_before(until)?;
        found
            .retain(|it| new(it) && !is_report(it) && !self.is_dealt_with(it) && self.size(it) > 0);
        let Some(first) = found.iter().map(|record| record.created).min() else { return Ok(()) };
        let rows: BTreeSet<_> = found.iter().map(|record| record.folder.row).collect();
        let mut named = Vec::new();
        for row in rows.iter().take(NAMED_ROWS) {
            named.push(self.folder_path(&Folder::row(*row))?);
        }
        tracing::warn!(
            files = found.len(),
            bytes = %ByteCount(found.iter().map(|record| self.size(record)).sum()),
            rows = rows.len(),
            first = first.plus(life).as_rfc3339(),
            "scratch expires soon and goes to the quarantine then, in {}{}; move it onto fields, or raise [library] scratch",
            named.join(", "),
            if rows.len() > NAMED_ROWS { " and others" } else { "" },
        );
        Ok(())
    }

    fn size(&self, record: &ScratchRecord) -> u64 {
        self.tally.find(record.id).map_or(0, |charge| charge.size())
    }

    /// Removes scratch that nobody fetched in time: what has bytes goes to the quarantine. Returns the rows that it was in.
    /// What the quarantine cannot take stays scratch.
    pub fn expire_scratch(&self, before: Timestamp) -> Result<BTreeSet<RowId>, Error> {
        let old = self.catalog.scratch_before(before)?;
        let (reports, old): (Vec<_>, Vec<_>) = old.into_iter().partition(is_report);
        for record in &reports {
            self.expire_report(record)?;
        }
        let mut stuck = Vec::new();
        for record in &old {
            let path = self.folder_path(&record.folder)?;
            match self.keep_scratch(record, &path) {
                Ok(moved) => self.forget_scratch(record, moved)?,
                Err(error) => stuck.push((path, &record.name, error)),
            }
        }
        let before = {
            let mut told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut told.stuck, stuck.len())
        };
        if let Some((path, name, error)) = stuck.first().filter(|_| before != stuck.len()) {
            tracing::warn!(files = stuck.len(), first = format!("{path}/{name}"), %error, "expired scratch cannot be moved to the quarantine, and stays");
        }
        Ok(reports.iter().chain(&old).map(|record| record.folder.row).collect())
    }

    /// Kept first, forgotten next, removed last: a crash between them loses nothing.
    fn forget_scratch(&self, record: &ScratchRecord, moved: Option<Moved>) -> Result<(), Error> {
        if let Err(error) = self.catalog.remove_scratch(record.id, Timestamp::now()) {
            // It is scratch still, and would be kept once more by the next try.
            let undone = moved.map_or(Ok(()), |moved| self.quarantine.remove(moved.refusal.id));
            undone.map_err(Error::io("take expired scratch back"))?;
            return Err(error.into());
        }
        self.tally.remove(record.id);
        self.tell_moved(moved);
        remove_file(&self.scratch_path(record));
        Ok(())
    }

    fn tell_moved(&self, moved: Option<Moved>) {
        if let Some(Moved { refusal, author, kept }) = moved {
            self.refusals.record(&refusal, None, author, Some(kept));
        }
    }

    /// Moves the file of forgotten scratch out of the way. One that cannot be kept stays for the next start.
    pub(crate) fn retire_scratch(&self, record: &ScratchRecord, row_path: &str) {
        let length = self.size(record);
        self.tally.remove(record.id);
        match self.keep_scratch(record, row_path) {
            Ok(moved) => {
                self.tell_moved(moved);
                remove_file(&self.scratch_path(record));
            }
            Err(error) => {
                tracing::warn!(path = format!("{row_path}/{}", record.name), %error, "scratch of a removed row stays in the folder `scratch`; the next start tries again to move it to the quarantine");
                self.leave(length);
            }
        }
    }

    /// Sends scratch with bytes to the quarantine. None: nobody needs its file.
    fn keep_scratch(&self, record: &ScratchRecord, row_path: &str) -> io::Result<Option<Moved>> {
        let file = match File::open(self.scratch_path(record)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let length = file.metadata()?.len();
        if length == 0 || is_report(record) || self.is_spent(record, &file, length)? {
            return Ok(None);
        }
        let refusal = self.scratch_refusal(record, row_path, expired(record));
        let author = Author { uid: record.access.uid, pid: 0 };
        let kept = self.try_keep(&refusal, record.name.as_str(), author, &file)?;
        Ok(Some(Moved { refusal, author, kept }))
    }

    /// Whether a file of a box was dealt with, as far as its record tells: what was taken is attached, or in the quarantine,
    /// already; of the reason beside it nobody needs a copy.
    fn is_dealt_with(&self, record: &ScratchRecord) -> bool {
        let taken = record.arrival.taken.is_some() && !record.arrival.waiting;
        taken || (self.drop_box(record.folder.row).is_some() && has_suffix(&record.name))
    }

    /// Whether the bytes that a file has now were dealt with: somebody may be writing others.
    fn is_spent(&self, record: &ScratchRecord, file: &File, length: u64) -> io::Result<bool> {
        let dealt_with = self.is_dealt_with(record);
        match record.arrival.taken {
            Some(taken) if dealt_with => {
                Ok(pipeline::running_digest::of_file(file, length)? == taken)
            }
            _ => Ok(dealt_with),
        }
    }

    /// Notes that bytes were left under a name that is no field's: a mistyped field must not be a silent loss.
    pub fn notice_scratch(&self, record: &ScratchRecord, author: Author) -> Result<(), Error> {
        let Some(row) = self.row_by_id(record.folder.row)? else { return Ok(()) };
        let Some(table) = self.table(row.table) else { return Ok(()) };
        let path = self.folder_path(&record.folder)?;
        let fields: Vec<_> = table.fields.iter().map(|field| field.name.as_str()).collect();
        let violation = not_a_field(record, &fields.join(", "), self.settings.scratch);
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
}

fn not_a_field(record: &ScratchRecord, fields: &str, life: Duration) -> Violation {
    let end = record.created.plus(life);
    // Seconds where minutes would say too little.
    let end = if life < Duration::from_secs(3600) { end.as_second() } else { end.as_minute() };
    Violation {
        rule: Rule::NotAField,
        fact: format!("{} is the name of no field and was kept as scratch", record.name),
        measured: record.name.to_string(),
        allows: format!("has the fields {fields}"),
        allowed: fields.to_owned(),
        hint: format!("move it onto a field; kept as scratch until {end}, then in the quarantine"),
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
