//! New rows for files of drop boxes, with ids by the boxes' templates.

use std::sync::{Arc, Mutex, PoisonError};

use crate::catalog::{self, Catalog};
use crate::fd;
use crate::library::error::Error;
use crate::library::lookup::Lookup;
use crate::library::lookup::drop_box::DropBox;
use crate::library::lookup::table::Table;
use words::access::DIR_MODE;
use words::attachment::{Access, RowId};
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::template::Values;
use words::timestamp::Timestamp;

/// Ids that are tried for one file before it is refused.
const MAX_ATTEMPTS: u32 = 1_000;

/// Makes rows for files.
pub(in crate::library) struct BoxRows {
    catalog: Arc<dyn Catalog>,
    /// By the row of each box. The lock guards the last number given out; it is held over the query that finds the first, so
    /// that two files do not get the same one.
    counters: Vec<(RowId, Mutex<Counter>)>,
}

/// The last number that was given out, and the text of ids around it.
#[derive(Debug, Default)]
struct Counter {
    around: (String, String),
    last: Option<u64>,
}

impl BoxRows {
    pub fn new(catalog: Arc<dyn Catalog>, lookup: &Lookup) -> Self {
        let counter = |drop_box: &DropBox| (drop_box.row, Mutex::default());
        Self { catalog, counters: lookup.boxes().iter().map(counter).collect() }
    }

    /// Makes a row with a free id, and notes it on the record, in one transaction. None if the template makes no free id of the
    /// file.
    pub fn make(
        &self,
        drop_box: &DropBox,
        table: &Table,
        record: &ScratchRecord,
    ) -> Result<Option<RowRecord>, Error> {
        let template = &drop_box.rule.id;
        let access = table.access.rows().of(Access { mode: DIR_MODE, ..record.access });
        for attempt in 0..MAX_ATTEMPTS {
            let at = Timestamp::now();
            let random = fd::random().map_err(Error::io("read random bytes"))?;
            let arrival = Values { file: &record.name, at, random };
            let around = template.around(&arrival);
            let number = match attempt {
                _ if template.counts() => Some(self.next_number(drop_box, table, around)?),
                0 => None,
                _ if template.is_random() => None,
                _ => Some(self.first_unused(table, &around)?.max(2)),
            };
            let id = template.id(&arrival, number).filter(|id| table.rule.allows(id));
            let Some(id) = id else { break };
            match self.catalog.enrol(record.id, table.id, &id, access, at) {
                Err(catalog::Error::Taken) => {}
                made => return Ok(Some(made?)),
            }
        }
        Ok(None)
    }

    /// The next number of a box. Numbers that others have taken since are skipped by trying.
    fn next_number(
        &self,
        drop_box: &DropBox,
        table: &Table,
        around: (String, String),
    ) -> Result<u64, Error> {
        let counter = self.counters.iter().find(|(row, _)| *row == drop_box.row);
        let (_, counter) = counter.ok_or(Error::Missing)?;
        let mut counter = counter.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match counter.last.filter(|_| counter.around == around) {
            Some(last) => last.saturating_add(1),
            None => self.first_unused(table, &around)?,
        };
        *counter = Counter { around, last: Some(next) };
        Ok(next)
    }

    /// One more than the largest number in an id with this text around it.
    fn first_unused(&self, table: &Table, around: &(String, String)) -> Result<u64, Error> {
        let largest = self.catalog.largest_number(table.id, &around.0, &around.1)?;
        Ok(largest.saturating_add(1))
    }
}
