//! New rows for files of drop boxes, with ids by the boxes' templates.

use parking_lot::Mutex;

use crate::catalog::{self, Catalog};
use crate::fd;
use crate::library::error::{Error, Result};
use crate::library::lookup::table::Table;
use words::access::DIR_MODE;
use words::attachment::Access;
use words::row::RowRecord;
use words::schema::DropBox;
use words::scratch::ScratchRecord;
use words::template::Values;
use words::timestamp::Timestamp;

/// The most ids that are tried for one file before it is refused.
const MAX_ATTEMPTS: u32 = 1_000;

/// The last number that a box gave out, and the text of ids around it.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    around: (String, String),
    last: Option<u64>,
}

/// Makes a row with a free id for a file of a box, and notes it on the file's record, in one transaction. None if the box's
/// template makes no free id of the file.
pub(super) fn make(
    catalog: &dyn Catalog,
    numbers: &Mutex<Numbers>,
    drop_box: &DropBox,
    table: &Table,
    record: &ScratchRecord,
) -> Result<Option<RowRecord>> {
    let template = &drop_box.id;
    let access = table.access.rows().of(Access { mode: DIR_MODE, ..record.access });
    let first_unused = |(prefix, suffix): &(String, String)| {
        Ok::<_, Error>(catalog.largest_number(table.id, prefix, suffix)?.saturating_add(1))
    };
    for attempt in 0..MAX_ATTEMPTS {
        let at = Timestamp::now();
        let random = fd::random().map_err(Error::io("read random bytes"))?;
        let arrival = Values { file: &record.name, at, random };
        let around = template.around(&arrival);
        let number = match attempt {
            _ if template.counts() => Some(numbers.lock().next(around, first_unused)?),
            0 => None,
            _ if template.is_random() => None,
            _ => Some(first_unused(&around)?.max(2)),
        };
        let id = template.id(&arrival, number).filter(|id| table.rule.allows(id));
        let Some(id) = id else { break };
        match catalog.enrol(record.id, table.id, &id, access, at) {
            Err(catalog::Error::Taken) => {}
            made => return Ok(Some(made?)),
        }
    }
    Ok(None)
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
