//! The end of scratch that was moved onto no field: it expires, or its row is removed, and the quarantine keeps its bytes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::library::counts::Counts;
use crate::library::error::{Error, Result};
use crate::library::lookup::Lookup;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::refuse::reports::Reports;
use crate::library::scratch::Scratch;
use crate::library::scratch::report_name::{has_suffix, is_report};
use words::attachment::RowId;
use words::author::Author;
use words::byte_count::ByteCount;
use words::place::Folder;
use words::refusal::{Refusal, Rule, Violation};
use words::scratch::ScratchRecord;
use words::timestamp::Timestamp;

/// The most rows that a warning names.
const NAMED_ROWS: usize = 5;

/// How much scratch there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScratchStatus {
    pub files: usize,
    pub bytes: u64,
    pub next_expiry: Option<Timestamp>,
}

pub struct Expiry {
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) scratch: Arc<Scratch>,
    pub(in crate::library) journal: Arc<Journal>,
    pub(in crate::library) quarantine: Arc<Quarantine>,
    pub(in crate::library) reports: Arc<Reports>,
    pub(in crate::library) counts: Arc<Counts>,
    /// How long scratch lives.
    pub(in crate::library) life: Duration,
    /// Guards the record of warnings, so that each is logged once. Never held across I/O.
    pub(in crate::library) told: Mutex<Told>,
}

/// The warnings that were logged of scratch.
#[derive(Debug, Default)]
pub(in crate::library) struct Told {
    /// A warning named all scratch that was made before this.
    warned: Option<Timestamp>,
    /// How many files could not be moved at the last try.
    stuck: usize,
}

/// An expired file that is in the quarantine.
struct Moved {
    refusal: Refusal,
    author: Author,
    kept: String,
}

impl Expiry {
    /// Costs as much as there are users.
    pub fn status(&self) -> ScratchStatus {
        let (files, bytes, oldest) = self.scratch.tally.named();
        let next_expiry = oldest.map(|created| created.plus(self.life));
        ScratchStatus { files, bytes, next_expiry }
    }

    /// Warns once of scratch with bytes in the last quarter of its life. Makes a query 16 times in a life of scratch.
    pub fn warn(&self, now: Timestamp) -> Result<()> {
        let (until, step) = (now.minus(self.life / 4 * 3), self.life / 16);
        let from = {
            let mut told = self.told.lock();
            if told.warned.is_some_and(|warned| until.since(warned) < step) {
                return Ok(());
            }
            told.warned.replace(until)
        };
        let mut found = self.scratch.made_before(until)?;
        found.retain(|it| {
            let is_new = from.is_none_or(|from| it.created >= from);
            is_new && !is_report(it) && !self.is_dealt_with(it) && self.scratch.size(it) > 0
        });
        let Some(first) = found.iter().map(|record| record.created).min() else { return Ok(()) };
        let rows: BTreeSet<_> = found.iter().map(|record| record.folder.row).collect();
        let mut named = Vec::new();
        for row in rows.iter().take(NAMED_ROWS) {
            named.push(self.lookup.folder_path(&Folder::row(*row))?);
        }
        tracing::warn!(
            files = found.len(),
            bytes = %ByteCount(found.iter().map(|record| self.scratch.size(record)).sum()),
            rows = rows.len(),
            first = first.plus(self.life).as_rfc3339(),
            "scratch expires soon and goes to the quarantine then, in {}{}; move it onto fields, or raise [library] scratch",
            named.join(", "),
            if rows.len() > NAMED_ROWS { " and others" } else { "" },
        );
        Ok(())
    }

    /// Removes scratch that was made before a time; files with bytes go to the quarantine. Returns the rows that it was in. A
    /// file that the quarantine cannot take stays scratch.
    pub fn expire(&self, before: Timestamp) -> Result<BTreeSet<RowId>> {
        let old = self.scratch.made_before(before)?;
        let (reports, old): (Vec<_>, Vec<_>) = old.into_iter().partition(is_report);
        for record in &reports {
            self.reports.expire(record)?;
        }
        let mut stuck = Vec::new();
        for record in &old {
            let path = self.lookup.folder_path(&record.folder)?;
            match self.quarantine(record, &path, expired(record)) {
                Ok(moved) => self.forget(record, moved)?,
                Err(error) => stuck.push((path, &record.name, error)),
            }
        }
        let before = std::mem::replace(&mut self.told.lock().stuck, stuck.len());
        if let Some((path, name, error)) = stuck.first().filter(|_| before != stuck.len()) {
            tracing::warn!(files = stuck.len(), first = format!("{path}/{name}"), %error, "expired scratch cannot be moved to the quarantine, and stays");
        }
        Ok(reports.iter().chain(&old).map(|record| record.folder.row).collect())
    }

    /// Removes an expired record, then its file. The bytes are in the quarantine already, so a crash in between loses nothing.
    fn forget(&self, record: &ScratchRecord, moved: Option<Moved>) -> Result<()> {
        if let Err(error) = self.scratch.forget(record) {
            // The file is still scratch, and the next try would keep it a second time.
            let undone = moved.map_or(Ok(()), |moved| self.quarantine.remove(moved.refusal.id));
            undone.map_err(Error::io("take expired scratch back"))?;
            return Err(error);
        }
        self.record(moved);
        self.scratch.remove_file(record);
        Ok(())
    }

    fn record(&self, moved: Option<Moved>) {
        if let Some(Moved { refusal, author, kept }) = moved {
            self.journal.record(&refusal, None, author, Some(kept));
        }
    }

    /// Moves the file of removed scratch to the quarantine. A file that the quarantine cannot take stays for the next start.
    pub(in crate::library) fn retire(&self, record: &ScratchRecord, row_path: &str) {
        let length = self.scratch.size(record);
        self.scratch.tally.remove(record.id);
        match self.quarantine(record, row_path, row_gone(record, row_path)) {
            Ok(moved) => {
                self.record(moved);
                self.scratch.remove_file(record);
            }
            Err(error) => {
                tracing::warn!(path = format!("{row_path}/{}", record.name), %error, "scratch of a removed row stays in the folder `scratch`; the next start tries again to move it to the quarantine");
                self.counts.leave(length);
            }
        }
    }

    /// Keeps the bytes of scratch in the quarantine. None if they are empty, a report, or attached or kept already.
    fn quarantine(
        &self,
        record: &ScratchRecord,
        row_path: &str,
        violation: Violation,
    ) -> io::Result<Option<Moved>> {
        let file = match File::open(self.scratch.path(record)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let length = file.metadata()?.len();
        if length == 0 || is_report(record) || self.is_spent(record, &file, length)? {
            return Ok(None);
        }
        let refusal = self.refusal(record, row_path, violation);
        let author = Author { uid: record.access.uid, pid: 0 };
        let kept = self.quarantine.try_keep(&refusal, record.name.as_str(), author, &file)?;
        Ok(Some(Moved { refusal, author, kept }))
    }

    /// Whether the bytes of a box's file were attached or kept, by its record. A report in a box counts as such.
    fn is_dealt_with(&self, record: &ScratchRecord) -> bool {
        let taken = record.arrival.taken.is_some() && !record.arrival.waiting;
        let is_in_box = || self.lookup.drop_box(record.folder.row).is_some();
        taken || (is_in_box() && has_suffix(&record.name))
    }

    /// Whether the present bytes of a box's file were attached or kept: other bytes may have been written since.
    fn is_spent(&self, record: &ScratchRecord, file: &File, length: u64) -> io::Result<bool> {
        let dealt_with = self.is_dealt_with(record);
        match record.arrival.taken {
            Some(taken) if dealt_with => {
                Ok(pipeline::running_digest::of_file(file, length)? == taken)
            }
            _ => Ok(dealt_with),
        }
    }

    /// Records that a file was closed under a name that is no field's: a mistyped field must not be a silent loss.
    pub fn notice(&self, record: &ScratchRecord, author: Author) -> Result<()> {
        let Some(row) = self.lookup.row_by_id(record.folder.row)? else { return Ok(()) };
        let Some(table) = self.lookup.table(row.table) else { return Ok(()) };
        let path = self.lookup.folder_path(&record.folder)?;
        let fields: Vec<_> = table.fields.iter().map(|field| field.name.as_str()).collect();
        let violation = not_a_field(record, &fields.join(", "), self.life);
        let refusal = self.refusal(record, &path, violation);
        self.journal.record(&refusal, None, author, None);
        Ok(())
    }

    fn refusal(&self, record: &ScratchRecord, row: &str, violation: Violation) -> Refusal {
        let path = format!("{row}/{}", record.name);
        Refusal { id: self.journal.next_id(), path, field: row.to_owned(), violation }
    }
}

fn not_a_field(record: &ScratchRecord, fields: &str, life: Duration) -> Violation {
    let end = record.created.plus(life);
    // With seconds if minutes would say too little.
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

fn row_gone(record: &ScratchRecord, row_path: &str) -> Violation {
    Violation {
        rule: Rule::RowGone,
        fact: format!("the directory of scratch {} was removed", record.name),
        measured: "removed".into(),
        allows: "keeps scratch as long as its directory is there".into(),
        allowed: row_path.to_owned(),
        hint: "make the row again with mkdir, and move the file onto a field from the quarantine"
            .into(),
    }
}
