//! Drop boxes: a finished file in a box becomes a new row, once.
//!
//! The caller knows a file's writers, and offers the file when it is finished. One transaction makes the row and notes it on the
//! file's record. Once the bytes are attached or refused, the file is marked as taken, with their digest. After a crash between
//! any two of these steps the next start goes on, in the same row.

use std::fs::File;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::catalog::{self, Catalog};
use crate::fd;
use crate::library::counts::Count;
use crate::library::error::{Error, Result};
use crate::library::home::staging::Staging;
use crate::library::limit::enforcement::Quotas;
use crate::library::lookup::Lookup;
use crate::library::lookup::table::{DropBox, Table};
use crate::library::lookup::target::Target;
use crate::library::publish::metadata::Metadata;
use crate::library::publish::{Publisher, Raw};
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::refuse::reports::{self, Reports};
use crate::library::scratch::report_name::report_name;
use crate::library::scratch::{Scratch, ScratchStat, xattr};
use words::access::DIR_MODE;
use words::attachment::{Access, RowId, ScratchId};
use words::author::Author;
use words::digest::Digest;
use words::place::Place;
use words::refusal::{Refusal, Rule, Violation};
use words::row::RowRecord;
use words::schema::{Collection, Field};
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::template::Values;
use words::timestamp::Timestamp;

/// The most ids that are tried for one file before it is refused.
const MAX_ATTEMPTS: u32 = 1_000;

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
    /// By the row of each box.
    pub(in crate::library) states: Vec<(RowId, State)>,
}

/// The ids that a box has given out, and what has become of its files since the start.
#[derive(Debug, Default)]
pub(in crate::library) struct State {
    /// Guards the last number given out. Held over the query for the first, so that two files do not get the same number.
    numbers: Mutex<Numbers>,
    taken: Count,
    refused: Count,
}

/// The last number that a box gave out, and the text of ids around it.
#[derive(Debug, Default)]
struct Numbers {
    around: (String, String),
    last: Option<u64>,
}

pub(in crate::library) fn states(lookup: &Lookup) -> Vec<(RowId, State)> {
    lookup.boxes().iter().map(|drop_box| (drop_box.row, State::default())).collect()
}

/// A finished file of a box, while its bytes are attached or refused.
struct Arrived<'a> {
    drop_box: &'a DropBox,
    state: &'a State,
    record: &'a ScratchRecord,
    /// A copy of the bytes that no descriptor can write to.
    sent: &'a File,
}

impl Boxes {
    /// How many files of a box became rows since the start, and how many were refused.
    pub fn counts(&self, row: RowId) -> (u64, u64) {
        let state = self.state(row);
        state.map_or((0, 0), |state| (state.taken.total(), state.refused.total()))
    }

    fn state(&self, row: RowId) -> Option<&State> {
        self.states.iter().find(|(known, _)| *known == row).map(|(_, state)| state)
    }

    /// Notes durably that a file of a box is finished.
    pub fn offer(&self, id: ScratchId) -> Result<()> {
        Ok(self.catalog.offer(id)?)
    }

    /// Makes a row of a finished file, unless its bytes were attached or refused already, and returns the row that has them. After
    /// another error the file stays offered.
    pub fn receive(&self, id: ScratchId) -> Result<Option<RowId>> {
        let Some(record) = self.scratch.by_id(id)? else { return Ok(None) };
        let Some(drop_box) = self.lookup.drop_box(record.folder.row) else { return Ok(None) };
        let state = self.state(drop_box.row).ok_or(Error::Missing)?;
        let file = self.scratch.open(&record)?;
        let before = self.scratch.stat(&record)?;
        let sent = self.staging.snapshot(&file, before.size)?;
        let read = Error::io("read a file in a box");
        let digest = pipeline::running_digest::of_file(&sent, before.size).map_err(read)?;
        let arrived = Arrived { drop_box, state, record: &record, sent: &sent };
        let (row, safe) = match record.arrival.taken {
            Some(taken) if taken == digest => (None, true),
            _ => self.admit(&arrived)?,
        };
        // Refused bytes without room in the quarantine get another digest, so that they go there when they expire.
        self.catalog.take(id, if safe { digest } else { Digest::of(&[]) })?;
        // The file may have been written to, and closed, before it was taken. Reading it is no change.
        let changes = |stat: ScratchStat| (stat.size, stat.times.modified, stat.times.changed);
        if changes(self.scratch.stat(&record)?) != changes(before) {
            self.catalog.offer(id)?;
        }
        Ok(row)
    }

    /// Attaches or refuses the bytes. Returns the row that they are attached in, and whether they are there or in the quarantine.
    fn admit(&self, arrived: &Arrived<'_>) -> Result<(Option<RowId>, bool)> {
        match self.attach(arrived) {
            Ok(row) => {
                arrived.state.taken.add(1);
                let ScratchRecord { folder, name, .. } = arrived.record;
                report_name(name).map_or(Ok(()), |name| self.reports.remove(folder, &name))?;
                Ok((Some(row), true))
            }
            Err(Error::Refused(refusal)) => {
                arrived.state.refused.add(1);
                self.write_report(arrived.record, &refusal)?;
                Ok((None, self.quarantine.find(refusal.id).is_some()))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the reason beside a refused file: a scanner has no other way to be told.
    fn write_report(&self, record: &ScratchRecord, refusal: &Refusal) -> Result<()> {
        let Some(name) = report_name(&record.name) else { return Ok(()) };
        let hint = &refusal.violation.hint;
        let text = format!("{refusal}\nhint: {hint}\nid: {}\n", refusal.id);
        let access = Access { mode: reports::MODE, ..record.access };
        self.reports.write(&record.folder, &name, access, &text)
    }

    fn attach(&self, arrived: &Arrived<'_>) -> Result<RowId> {
        let Arrived { drop_box, record, sent, .. } = *arrived;
        let table = self.lookup.table_named(drop_box.rule.table.as_str()).ok_or(Error::Missing)?;
        let field = table.field(drop_box.rule.field.as_str()).ok_or(Error::Missing)?;
        // Judged before the row is made: a refused file makes none.
        let refined = self.publisher.refine(Raw::new(sent)?, field, &record.name);
        let product = refined.map_err(|error| match error {
            pipeline::Error::Refused(violation) => self.refuse(arrived, violation).into(),
            error => Error::from(error),
        })?;
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
            stored => stored.map(|_| row.id),
        }
    }

    /// Makes a row with a free id by the box's template, and notes it on the file's record, in one transaction.
    fn make_row(&self, arrived: &Arrived<'_>, table: &Table) -> Result<RowRecord> {
        let Arrived { drop_box, state, record, .. } = *arrived;
        let template = &drop_box.rule.id;
        let access = table.access.rows().of(Access { mode: DIR_MODE, ..record.access });
        let first_unused = |(prefix, suffix): &(String, String)| {
            Ok::<_, Error>(self.catalog.largest_number(table.id, prefix, suffix)?.saturating_add(1))
        };
        for attempt in 0..MAX_ATTEMPTS {
            let at = Timestamp::now();
            let random = fd::random().map_err(Error::io("read random bytes"))?;
            let arrival = Values { file: &record.name, at, random };
            let around = template.around(&arrival);
            let number = match attempt {
                _ if template.counts() => Some(state.numbers.lock().next(around, first_unused)?),
                0 => None,
                _ if template.is_random() => None,
                _ => Some(first_unused(&around)?.max(2)),
            };
            let id = template.id(&arrival, number).filter(|id| table.rule.allows(id));
            let Some(id) = id else { break };
            match self.catalog.enrol(record.id, table.id, &id, access, at) {
                Err(catalog::Error::Taken) => {}
                made => return Ok(made?),
            }
        }
        Err(self.refuse(arrived, no_id(drop_box, &record.name)).into())
    }

    /// Where a file goes in its row.
    fn target(&self, field: &Arc<Field>, row: &RowRecord, file: &Name) -> Result<Target> {
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
        let (field, directory) = (Arc::clone(field), row.access);
        Ok(Target { place, slot, field, written, directory })
    }

    fn refuse(&self, arrived: &Arrived<'_>, violation: Violation) -> Refusal {
        let Arrived { drop_box, record, sent, .. } = *arrived;
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

impl Numbers {
    /// The next number. The row of that name may exist already: the caller then asks again.
    fn next(
        &mut self,
        around: (String, String),
        first_unused: impl FnOnce(&(String, String)) -> Result<u64>,
    ) -> Result<u64> {
        let next = match self.last.filter(|_| self.around == around) {
            Some(last) => last.saturating_add(1),
            None => first_unused(&around)?,
        };
        *self = Self { around, last: Some(next) };
        Ok(next)
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
