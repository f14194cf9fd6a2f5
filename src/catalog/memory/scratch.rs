//! Scratch files in memory.

use super::{Memory, State, next};
use crate::catalog::error::{Error, Result};
use crate::catalog::scratch::Scratch;
use words::attachment::{Access, Amendment, ScratchId, TableId, Times};
use words::digest::Digest;
use words::link::Collision;
use words::place::Folder;
use words::row::RowRecord;
use words::scratch::{Arrival, ScratchRecord};
use words::slot::Name;
use words::timestamp::Timestamp;

impl Scratch for Memory {
    fn scratch(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>> {
        Ok(self.state("scratch").find_scratch(folder, name))
    }

    fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>> {
        Ok(self.state("scratch_by_id").scratch.get(&id).cloned())
    }

    fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>> {
        let state = self.state("scratches");
        Ok(state.scratch.values().filter(|found| found.folder == *folder).cloned().collect())
    }

    fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>> {
        let state = self.state("scratch_before");
        Ok(state.scratch.values().filter(|found| found.created < created).cloned().collect())
    }

    fn add_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        file: &str,
        access: Access,
        now: Timestamp,
    ) -> Result<ScratchRecord> {
        let mut state = self.state("add_scratch");
        state.require_row(folder.row)?;
        if state.find_scratch(folder, name).is_some() {
            return Err(Error::Taken);
        }
        let added = ScratchRecord {
            id: ScratchId(next(&mut state.last.scratch)),
            folder: folder.clone(),
            name: name.clone(),
            file: file.to_owned(),
            access,
            created: now,
            arrival: Arrival::default(),
        };
        state.scratch.insert(added.id, added.clone());
        state.touch_row(folder.row, now);
        Ok(added)
    }

    fn rename_scratch(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>> {
        let mut state = self.state("rename_scratch");
        let old = state.scratch.get(&id).cloned().ok_or(Error::Missing)?;
        state.require_row(folder.row)?;
        if (&old.folder, &old.name) == (folder, name) {
            return Ok(None);
        }
        let there = state.find_scratch(folder, name);
        match (&there, collision) {
            (None, Collision::Exchange) => return Err(Error::Missing),
            (Some(_), Collision::Refuse) => return Err(Error::Taken),
            (None, _) => {}
            (Some(other), Collision::Replace) => drop(state.scratch.remove(&other.id)),
            (Some(other), Collision::Exchange) => {
                state.set_scratch_place(other.id, &old.folder, &old.name);
            }
        }
        state.set_scratch_place(id, folder, name);
        state.touch_row(old.folder.row, now);
        state.touch_row(folder.row, now);
        Ok(there)
    }

    fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<ScratchRecord> {
        let mut state = self.state("amend_scratch");
        let scratch = state.scratch.get_mut(&id).ok_or(Error::Missing)?;
        amendment.apply(&mut scratch.access, &mut Times::all(now), now);
        Ok(scratch.clone())
    }

    fn remove_scratch(&self, id: ScratchId, now: Timestamp) -> Result<Option<ScratchRecord>> {
        let mut state = self.state("remove_scratch");
        let Some(scratch) = state.scratch.remove(&id) else { return Ok(None) };
        state.touch_row(scratch.folder.row, now);
        Ok(Some(scratch))
    }

    fn offer(&self, id: ScratchId) -> Result<()> {
        let mut state = self.state("offer");
        state.scratch.get_mut(&id).ok_or(Error::Missing)?.arrival.waiting = true;
        Ok(())
    }

    fn enrol(
        &self,
        id: ScratchId,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord> {
        let mut state = self.state("enrol");
        let mut next = state.clone();
        let row = next.add_row(table, name, access, now)?;
        next.scratch.get_mut(&id).ok_or(Error::Missing)?.arrival.becomes = Some(row.id);
        *state = next;
        Ok(row)
    }

    fn take(&self, id: ScratchId, taken: Digest) -> Result<()> {
        let mut state = self.state("take");
        let scratch = state.scratch.get_mut(&id).ok_or(Error::Missing)?;
        scratch.arrival = Arrival { taken: Some(taken), ..Arrival::default() };
        Ok(())
    }
}

impl State {
    fn find_scratch(&self, folder: &Folder, name: &Name) -> Option<ScratchRecord> {
        self.scratch.values().find(|found| found.folder == *folder && found.name == *name).cloned()
    }

    fn set_scratch_place(&mut self, id: ScratchId, folder: &Folder, name: &Name) {
        if let Some(scratch) = self.scratch.get_mut(&id) {
            scratch.folder = folder.clone();
            scratch.name = name.clone();
        }
    }
}
