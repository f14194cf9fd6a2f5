//! Files of drop boxes in memory: which are to be looked at, and the rows that were made for them.
//! Does not know boxes: to the catalogue their files are scratch.

use super::State;
use crate::catalog::Error;
use words::attachment::{Access, ScratchId, TableId};
use words::digest::Digest;
use words::row::RowRecord;
use words::scratch::{Arrival, ScratchRecord};
use words::slot::Name;
use words::timestamp::Timestamp;

impl State {
    pub(super) fn offer(&mut self, id: ScratchId) -> Result<(), Error> {
        self.scratch.get_mut(&id).ok_or(Error::Missing)?.arrival.waiting = true;
        Ok(())
    }

    pub(super) fn offered(&self, after: ScratchId, limit: usize) -> Vec<ScratchRecord> {
        let waiting = self.scratch.values().filter(|it| it.arrival.waiting && it.id > after);
        waiting.take(limit).cloned().collect()
    }

    pub(super) fn enrol(
        &mut self,
        id: ScratchId,
        (table, name): (TableId, &Name),
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        if self.row(table, name).is_some() {
            return Err(Error::Taken);
        }
        self.scratch_by_id(id).ok_or(Error::Missing)?;
        let row = self.add_row(table, name, access, now)?;
        if let Some(scratch) = self.scratch.get_mut(&id) {
            scratch.arrival.becomes = Some(row.id);
        }
        Ok(row)
    }

    pub(super) fn take(&mut self, id: ScratchId, taken: Digest) -> Result<(), Error> {
        let scratch = self.scratch.get_mut(&id).ok_or(Error::Missing)?;
        scratch.arrival = Arrival { taken: Some(taken), ..Arrival::default() };
        Ok(())
    }

    pub(super) fn largest_number(&self, table: TableId, (before, after): (&str, &str)) -> u64 {
        let rows = self.rows.values().filter(|row| row.table == table);
        let number = |name: &str| {
            let digits = name.strip_prefix(before)?.strip_suffix(after)?;
            let plain = digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| plain)
        };
        // What SQL counts up to.
        let most = u64::MAX >> 1;
        rows.filter_map(|row| number(row.name.as_str())).max().unwrap_or(0).min(most)
    }
}
