//! Drop boxes: a finished file in a box becomes a new row, once.
//!
//! A file is offered when it is finished. Its row is made and noted on its record in one transaction. It is taken, by the digest
//! of its bytes, after they were attached or refused. After a crash between any two of these steps the next start goes on, in the
//! same row. When a file is finished is decided by the caller, who knows its writers.

use std::fs::File;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::library::arrive::box_rows::BoxRows;
use crate::library::counts::Count;
use crate::library::error::Error;
use crate::library::home::staging::Staging;
use crate::library::limit::enforcement::Quotas;
use crate::library::lookup::Lookup;
use crate::library::lookup::drop_box::DropBox;
use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use crate::library::publish::Publisher;
use crate::library::publish::metadata::Metadata;
use crate::library::publish::raw::Raw;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::refuse::reports::{self, Reports};
use crate::library::scratch::report_name::report_name;
use crate::library::scratch::{Scratch, ScratchStat, xattr};
use words::attachment::{Access, RowId, ScratchId};
use words::author::Author;
use words::digest::Digest;
use words::place::Place;
use words::refusal::{Refusal, Rule, Violation};
use words::row::RowRecord;
use words::schema::{Collection, Field};
use words::scratch::ScratchRecord;
use words::slot::Name;

/// Attaches the files of drop boxes.
pub struct Boxes {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) staging: Arc<Staging>,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) quotas: Arc<Quotas>,
    pub(in crate::library) scratch: Arc<Scratch>,
    pub(in crate::library) journal: Arc<Journal>,
    pub(in crate::library) quarantine: Arc<Quarantine>,
    pub(in crate::library) reports: Arc<Reports>,
    pub(in crate::library) publisher: Arc<Publisher>,
    pub(in crate::library) rows: BoxRows,
    pub(in crate::library) counts: BoxCounts,
}

/// What has become of the files of each box since the start.
pub(in crate::library) struct BoxCounts(Vec<(RowId, BoxCount)>);

#[derive(Debug, Default)]
struct BoxCount {
    taken: Count,
    refused: Count,
}

impl BoxCounts {
    pub fn new(lookup: &Lookup) -> Self {
        let count = |drop_box: &DropBox| (drop_box.row, BoxCount::default());
        Self(lookup.boxes().iter().map(count).collect())
    }

    fn of(&self, row: RowId) -> Option<&BoxCount> {
        self.0.iter().find(|(known, _)| *known == row).map(|(_, count)| count)
    }
}

/// A file of a box whose bytes are being dealt with.
struct Arrived<'a> {
    drop_box: &'a DropBox,
    record: &'a ScratchRecord,
    /// A copy of the bytes that nobody can write to.
    sent: &'a File,
}

impl Boxes {
    /// How many files of a box became rows since the start, and how many were refused.
    pub fn counts(&self, row: RowId) -> (u64, u64) {
        let count = self.counts.of(row);
        count.map_or((0, 0), |count| (count.taken.total(), count.refused.total()))
    }

    /// Notes durably that a file of a box is finished.
    pub fn offer(&self, id: ScratchId) -> Result<(), Error> {
        Ok(self.catalog.offer(id)?)
    }

    /// Makes a row of a finished file, unless its bytes were dealt with already. A refusal is recorded, and the file is taken with
    /// it: it is looked at again when it has changed. After any other error it stays offered.
    pub fn receive(&self, id: ScratchId) -> Result<(), Error> {
        let Some(record) = self.scratch.by_id(id)? else { return Ok(()) };
        let Some(drop_box) = self.lookup.drop_box(record.folder.row) else { return Ok(()) };
        let file = self.scratch.open(&record)?;
        let before = self.scratch.stat(&record)?;
        let sent = self.staging.snapshot(&file, before.size)?;
        let read = Error::io("read a file in a box");
        let digest = pipeline::running_digest::of_file(&sent, before.size).map_err(read)?;
        let arrived = Arrived { drop_box, record: &record, sent: &sent };
        let safe = record.arrival.taken == Some(digest) || self.admit(&arrived)?;
        // Refused bytes that found no room in the quarantine are not dealt with: taken by another digest, they go to the
        // quarantine when they expire.
        self.catalog.take(id, if safe { digest } else { Digest::of(&[]) })?;
        // The file may have been written to, and closed, before it was taken. Reading it is no change.
        let changes = |stat: ScratchStat| (stat.size, stat.times.modified, stat.times.changed);
        if changes(self.scratch.stat(&record)?) != changes(before) {
            self.catalog.offer(id)?;
        }
        Ok(())
    }

    /// Attaches or refuses the bytes. Returns whether they are attached, or in the quarantine.
    fn admit(&self, arrived: &Arrived<'_>) -> Result<bool, Error> {
        let count = self.counts.of(arrived.drop_box.row).ok_or(Error::Missing)?;
        match self.attach(arrived) {
            Ok(()) => {
                count.taken.add(1);
                self.remove_report(arrived.record)?;
                Ok(true)
            }
            Err(Error::Refused(refusal)) => {
                count.refused.add(1);
                self.write_report(arrived.record, &refusal)?;
                Ok(self.quarantine.find(refusal.id).is_some())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the reason beside a refused file: a scanner has no other way to be told.
    fn write_report(&self, record: &ScratchRecord, refusal: &Refusal) -> Result<(), Error> {
        let Some(name) = report_name(&record.name) else { return Ok(()) };
        let hint = &refusal.violation.hint;
        let text = format!("{refusal}\nhint: {hint}\nid: {}\n", refusal.id);
        let access = Access { mode: reports::MODE, ..record.access };
        self.reports.write(&record.folder, &name, access, &text)
    }

    fn remove_report(&self, record: &ScratchRecord) -> Result<(), Error> {
        let name = report_name(&record.name);
        name.map_or(Ok(()), |name| self.reports.remove(&record.folder, &name))
    }

    fn attach(&self, arrived: &Arrived<'_>) -> Result<(), Error> {
        let Arrived { drop_box, record, sent } = *arrived;
        let table = self.lookup.table_named(drop_box.rule.table.as_str()).ok_or(Error::Missing)?;
        let field = table.field(drop_box.rule.field.as_str()).ok_or(Error::Missing)?;
        // Judged before the row is made: a refused file makes none.
        let product = match self.publisher.refine(Raw::new(sent)?, field, &record.name) {
            Ok(product) => product,
            Err(pipeline::Error::Refused(violation)) => {
                return Err(self.refuse(arrived, violation).into());
            }
            Err(error) => return Err(error.into()),
        };
        let known = record.arrival.becomes.map(|row| self.lookup.row_by_id(row));
        let known = known.transpose()?.flatten();
        let is_new = known.is_none();
        let row = known.map_or_else(|| self.make_row(arrived, table), Ok)?;
        let times = self.scratch.stat(record)?.times;
        let metadata = Metadata::written(record.access, times, xattr::all(sent));
        let target = self.target(field, &row, &record.name)?;
        match self.publisher.store(&product, &target, &metadata) {
            Err(Error::Quota(excess)) => {
                // A row from before a crash is kept; it is only empty.
                if is_new {
                    self.catalog.remove_row(row.id)?;
                }
                Err(self.refuse(arrived, self.quotas.violation(&excess)).into())
            }
            stored => stored.map(drop),
        }
    }

    fn make_row(&self, arrived: &Arrived<'_>, table: &Table) -> Result<RowRecord, Error> {
        let Arrived { drop_box, record, .. } = *arrived;
        let made = self.rows.make(drop_box, table, record)?;
        made.ok_or_else(|| self.refuse(arrived, no_id(drop_box, &record.name)).into())
    }

    /// Where a file goes in its row.
    fn target(&self, field: &Arc<Field>, row: &RowRecord, file: &Name) -> Result<Target, Error> {
        let (_, extension) = file.split_extension();
        let (item, written) = match (field.collection, extension) {
            (Collection::List | Collection::Dict, _) => (Some(field.item(file)), file.clone()),
            (Collection::One, None) => (None, field.name.clone()),
            (Collection::One, Some(extension)) => {
                let written = Name::parse(&format!("{}.{extension}", field.name));
                (None, written.unwrap_or_else(|_| field.name.clone()))
            }
        };
        let place = Place { row: row.id, field: field.name.clone(), item };
        let slot = self.lookup.slot(row, &place).ok_or(Error::Missing)?;
        Ok(Target { place, slot, field: Arc::clone(field), written })
    }

    fn refuse(&self, arrived: &Arrived<'_>, violation: Violation) -> Refusal {
        let Arrived { drop_box, record, sent } = *arrived;
        let refusal = Refusal {
            id: self.journal.next_id(),
            path: format!("drop/{}/{}", drop_box.rule.name, record.name),
            field: drop_box.rule.field.to_string(),
            violation,
        };
        // The process of the writer has ended.
        let author = Author { uid: record.access.uid, pid: 0 };
        let kept = self.quarantine.keep(&refusal, record.name.as_str(), author, sent);
        self.journal.record(&refusal, None, author, kept);
        refusal
    }
}

fn no_id(drop_box: &DropBox, file: &Name) -> Violation {
    Violation {
        rule: Rule::Name,
        fact: format!("no free id of a row comes of '{file}'"),
        measured: file.to_string(),
        allows: "takes files from which the box's template makes one".into(),
        allowed: drop_box.rule.table.to_string(),
        hint: "give the file another name".into(),
    }
}
