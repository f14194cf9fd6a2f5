//! Scratch that ends under no field: expired, removed with its row, or closed under a mistyped name. Its bytes are kept.
//! Does not know which scratch is still of use: time and rows decide.

use std::collections::BTreeSet;
use std::fs::File;

use crate::attachment::RowId;
use crate::catalog::ScratchRecord;
use crate::library::refuse::Author;
use crate::library::scratch::remove_file;
use crate::library::sidecar::{has_suffix, is_report};
use crate::library::{Error, Library};
use crate::refusal::{Refusal, Rule, Violation};
use crate::timestamp::Timestamp;

impl Library {
    /// Removes scratch that nobody fetched in time: what has bytes goes to the quarantine. Returns the rows that it was in.
    pub fn expire_scratch(&self, before: Timestamp) -> Result<BTreeSet<RowId>, Error> {
        let old = self.catalog.scratch_before(before)?;
        let (reports, old): (Vec<_>, Vec<_>) = old.into_iter().partition(is_report);
        for record in &reports {
            self.expire_report(record)?;
        }
        for record in &old {
            let path = self.folder_path(&record.folder)?;
            // Kept first, forgotten next, removed last: a crash between them loses nothing.
            if self.keep_scratch(record, &path) {
                self.catalog.remove_scratch(record.id, Timestamp::now())?;
                self.tally.remove(record.id);
                remove_file(&self.scratch_path(record));
            }
        }
        Ok(reports.iter().chain(&old).map(|record| record.folder.row).collect())
    }

    /// Moves the file of forgotten scratch out of the way. One that cannot be kept stays for the next start.
    pub(crate) fn retire_scratch(&self, record: &ScratchRecord, row_path: &str) {
        self.tally.remove(record.id);
        if self.keep_scratch(record, row_path) {
            remove_file(&self.scratch_path(record));
        }
    }

    /// Sends scratch with bytes to the quarantine; whether its file is needed no more.
    fn keep_scratch(&self, record: &ScratchRecord, row_path: &str) -> bool {
        // What was taken from a box is attached, or in the quarantine, already; of the reason beside it nobody needs a copy.
        let taken = record.arrival.taken.is_some() && !record.arrival.waiting;
        let reason = self.drop_box(record.folder.row).is_some() && has_suffix(&record.name);
        if taken || reason {
            return true;
        }
        let Ok(file) = File::open(self.scratch_path(record)) else { return true };
        if is_report(record) || file.metadata().is_ok_and(|meta| meta.len() == 0) {
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
