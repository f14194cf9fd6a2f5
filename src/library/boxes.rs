//! Drop boxes: a file that is finished in one becomes a new row, once.
//! Does not know when a file is finished: whoever sees its writers tells.
//!
//! To the catalogue a box is a row of an internal table, and its files are scratch of that row. A file is offered when it is
//! finished; its row is made and noted on it in one transaction; it is taken, by the digest of its bytes, after they were
//! attached or refused. A crash between any two of these is gone on with at the next start, in the same row.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalog::{self, Catalog};
use crate::library::publish::{Metadata, Raw};
use crate::library::refuse::Author;
use crate::library::scratch::ScratchStat;
use crate::library::sidecar::{self, report_name};
use crate::library::{Error, Library, Table, Target, scratch};
use words::access::{DIR_MODE, Policy};
use words::attachment::{Access, RowId, ScratchId};
use words::digest::Digest;
use words::place::Place;
use words::row::RowRecord;
use words::scratch::ScratchRecord;

use words::refusal::{Refusal, Rule, Violation};
use words::schema::{self, Collection, Field, IdRule};
use words::slot::Name;
use words::template::Values;
use words::timestamp::Timestamp;

/// The internal table. No configured one has a `$` in its name.
const TABLE: &str = "$drop";
/// Ids that are tried for one file before it is refused.
const MAX_ATTEMPTS: u32 = 1_000;

/// A box with what has become of its files in this run of the daemon.
#[derive(Debug)]
pub struct DropBox {
    pub row: RowId,
    pub rule: schema::DropBox,
    /// Guards the number given out last, and what stands around it; held over the query that finds it.
    counter: Mutex<Counter>,
    taken: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Counter {
    around: (String, String),
    last: Option<u64>,
}

/// Declares the boxes of the configuration to the catalogue.
pub(super) fn declare(
    catalog: &dyn Catalog,
    boxes: Vec<schema::DropBox>,
) -> Result<(Table, Vec<DropBox>), Error> {
    let name = Name::parse(TABLE).map_err(|_| Error::Missing)?;
    let table = catalog.table(&name)?;
    let (fields, numbers) = (Vec::new(), Vec::new());
    let (rule, open) = (IdRule::Name, Policy::default());
    let internal = Table { id: table, name, rule, access: open, fields, numbers };
    let access = Access { uid: 0, gid: 0, mode: DIR_MODE };
    let declare = |rule: schema::DropBox| {
        let row = match catalog.row(table, &rule.name)? {
            Some(row) => row,
            None => catalog.add_row(table, &rule.name, access, Timestamp::now())?,
        };
        let (counter, taken, refused) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Ok(DropBox { row: row.id, rule, counter, taken, refused })
    };
    Ok((internal, boxes.into_iter().map(declare).collect::<Result<_, Error>>()?))
}

impl DropBox {
    /// How many files became rows since the start, and how many were refused.
    pub fn counts(&self) -> (u64, u64) {
        (self.taken.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

impl Library {
    pub fn boxes(&self) -> &[DropBox] {
        &self.boxes
    }

    /// The internal table of boxes: without fields, so that every name in a box is scratch.
    pub fn box_table(&self) -> &Table {
        &self.box_table
    }

    /// The box whose files are scratch of this row.
    pub fn drop_box(&self, row: RowId) -> Option<&DropBox> {
        self.boxes.iter().find(|drop_box| drop_box.row == row)
    }

    /// Notes durably that a file of a box is finished and to be looked at.
    pub fn offer(&self, id: ScratchId) -> Result<(), Error> {
        Ok(self.catalog.offer(id)?)
    }

    /// Files that were finished and not taken.
    pub fn offered(&self, after: ScratchId, limit: usize) -> Result<Vec<ScratchRecord>, Error> {
        Ok(self.catalog.offered(after, limit)?)
    }

    /// Makes a row of a finished file, unless these bytes were dealt with already. A refusal is on record, and the file is
    /// taken with it: it is looked at again when it has changed. Any other error leaves it offered.
    pub fn receive(&self, id: ScratchId) -> Result<(), Error> {
        let Some(record) = self.catalog.scratch_by_id(id)? else { return Ok(()) };
        let Some(drop_box) = self.drop_box(record.folder.row) else { return Ok(()) };
        let file = self.open_scratch(&record, false)?;
        let before = self.stat_scratch(&record)?;
        let sent = self.snapshot(&file, before.size)?;
        let read = Error::io("read a file in a box");
        let digest = pipeline::running_digest::of_file(&sent, before.size).map_err(read)?;
        let safe = record.arrival.taken == Some(digest) || self.admit(drop_box, &record, &sent)?;
        // Bytes that were refused and found no room in the quarantine are told from those that were dealt with: they go
        // there when they expire.
        self.catalog.take(id, if safe { digest } else { Digest::of(&[]) })?;
        // Somebody wrote on meanwhile and may have closed it before it was taken. That it was read is no change.
        let changes = |stat: ScratchStat| (stat.size, stat.times.modified, stat.times.changed);
        if changes(self.stat_scratch(&record)?) != changes(before) {
            self.catalog.offer(id)?;
        }
        Ok(())
    }

    /// Whether the bytes are attached, or in the quarantine.
    fn admit(
        &self,
        drop_box: &DropBox,
        record: &ScratchRecord,
        sent: &File,
    ) -> Result<bool, Error> {
        match self.attach_arrival(drop_box, record, sent) {
            Ok(()) => {
                drop_box.taken.fetch_add(1, Ordering::Relaxed);
                self.take_reason(record)?;
                Ok(true)
            }
            Err(Error::Refused(refusal)) => {
                drop_box.refused.fetch_add(1, Ordering::Relaxed);
                self.lay_reason(record, &refusal)?;
                Ok(self.quarantine.find(refusal.id).is_some())
            }
            Err(error) => Err(error),
        }
    }

    /// Lays the reason beside a refused file: the one channel of a scanner.
    fn lay_reason(&self, record: &ScratchRecord, refusal: &Refusal) -> Result<(), Error> {
        let Some(name) = report_name(&record.name) else { return Ok(()) };
        let hint = &refusal.violation.hint;
        let text = format!("{refusal}\nhint: {hint}\nid: {}\n", refusal.id);
        let access = Access { mode: sidecar::MODE, ..record.access };
        self.write_report(&record.folder, &name, access, &text)
    }

    fn take_reason(&self, record: &ScratchRecord) -> Result<(), Error> {
        let name = report_name(&record.name);
        name.map_or(Ok(()), |name| self.remove_report(&record.folder, &name))
    }

    fn attach_arrival(
        &self,
        drop_box: &DropBox,
        record: &ScratchRecord,
        sent: &File,
    ) -> Result<(), Error> {
        let named = |table: &&Table| table.name == drop_box.rule.table;
        let table = self.tables.iter().find(named).ok_or(Error::Missing)?;
        let field = table.field(drop_box.rule.field.as_str()).ok_or(Error::Missing)?;
        // Judged first: what is refused makes no row.
        let refined = match self.refine(Raw::new(sent)?, field, &record.name) {
            Ok(refined) => refined,
            Err(pipeline::Error::Refused(violation)) => {
                return Err(self.refuse_arrival(drop_box, record, violation, sent).into());
            }
            Err(error) => return Err(error.into()),
        };
        let noted = record.arrival.becomes.map(|row| self.row_by_id(row)).transpose()?.flatten();
        let row = match &noted {
            Some(row) => row.clone(),
            None => self.enrol(drop_box, table, (record, sent))?,
        };
        let times = self.stat_scratch(record)?.times;
        let metadata = Metadata::written(record.access, times, scratch::foreign_attributes(sent));
        let target = self.arrival_target(field, &row, &record.name)?;
        match self.store(&refined, &target, &metadata) {
            Err(Error::Quota(excess)) => {
                // What is refused makes no row; one that is kept nevertheless is only empty.
                if noted.is_none() {
                    self.catalog.remove_row(row.id)?;
                }
                let violation = self.over_quota(&excess);
                Err(self.refuse_arrival(drop_box, record, violation, sent).into())
            }
            stored => stored.map(drop),
        }
    }

    /// A row that nobody has, by the box's template.
    fn enrol(
        &self,
        drop_box: &DropBox,
        table: &Table,
        (record, sent): (&ScratchRecord, &File),
    ) -> Result<RowRecord, Error> {
        let template = &drop_box.rule.id;
        let access = table.access.rows().of(Access { mode: DIR_MODE, ..record.access });
        for attempt in 0..MAX_ATTEMPTS {
            let at = Timestamp::now();
            let arrival = Values { file: &record.name, at, random: random()? };
            let around = template.around(&arrival);
            let number = match attempt {
                _ if template.counts() => Some(self.next_number(drop_box, table, around)?),
                0 => None,
                _ if template.is_random() => None,
                _ => Some(self.number_behind(table, &around)?.max(2)),
            };
            let id = template.id(&arrival, number).filter(|id| table.rule.allows(id));
            let Some(id) = id else { break };
            match self.catalog.enrol(record.id, table.id, &id, access, at) {
                Err(catalog::Error::Taken) => {}
                made => return Ok(made?),
            }
        }
        let violation = no_id(drop_box, &record.name);
        Err(self.refuse_arrival(drop_box, record, violation, sent).into())
    }

    /// The next whole number. Numbers that others have taken since are stepped over by trying.
    fn next_number(
        &self,
        drop_box: &DropBox,
        table: &Table,
        around: (String, String),
    ) -> Result<u64, Error> {
        let mut counter = drop_box.counter.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match counter.last.filter(|_| counter.around == around) {
            Some(last) => last.saturating_add(1),
            None => self.number_behind(table, &around)?,
        };
        *counter = Counter { around, last: Some(next) };
        Ok(next)
    }

    /// One more than the largest number that a row has there.
    fn number_behind(&self, table: &Table, around: &(String, String)) -> Result<u64, Error> {
        let largest = self.catalog.largest_number(table.id, (&around.0, &around.1))?;
        Ok(largest.saturating_add(1))
    }

    /// Where a file goes in its row.
    fn arrival_target(
        &self,
        field: &Arc<Field>,
        row: &RowRecord,
        file: &Name,
    ) -> Result<Target, Error> {
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
        let slot = self.slot(row, &place).ok_or(Error::Missing)?;
        Ok(Target { place, slot, field: Arc::clone(field), written })
    }

    fn refuse_arrival(
        &self,
        drop_box: &DropBox,
        record: &ScratchRecord,
        violation: Violation,
        sent: &File,
    ) -> Refusal {
        let refusal = Refusal {
            id: self.refusals.next_id(),
            path: format!("drop/{}/{}", drop_box.rule.name, record.name),
            field: drop_box.rule.field.to_string(),
            violation,
        };
        let name = record.name.as_str();
        let kept = self.keep(&refusal, name, author(record), sent);
        self.refusals.record(&refusal, None, author(record), kept);
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

/// Whoever owns the file; its process has ended.
fn author(record: &ScratchRecord) -> Author {
    Author { uid: record.access.uid, pid: 0 }
}

fn random() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(Error::io("read random bytes"))
}
