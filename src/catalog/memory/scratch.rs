//! Scratch in memory: which file stands behind which unvalidated name.
//! Does not know the files themselves.

use super::{State, next};
use crate::catalog::Error;
use words::attachment::{Access, Amendment, ScratchId, Times};
use words::link::Collision;
use words::place::Folder;
use words::scratch::{Arrival, ScratchRecord};
use words::slot::Name;
use words::timestamp::Timestamp;

impl State {
    pub(super) fn scratch(&self, folder: &Folder, name: &Name) -> Option<ScratchRecord> {
        self.scratch.values().find(|found| found.folder == *folder && found.name == *name).cloned()
    }

    pub(super) fn scratch_by_id(&self, id: ScratchId) -> Option<ScratchRecord> {
        self.scratch.get(&id).cloned()
    }

    pub(super) fn scratches(&self, folder: &Folder) -> Vec<ScratchRecord> {
        self.scratch.values().filter(|found| found.folder == *folder).cloned().collect()
    }

    pub(super) fn scratch_before(&self, created: Timestamp) -> Vec<ScratchRecord> {
        self.scratch.values().filter(|found| found.created < created).cloned().collect()
    }

    pub(super) fn add_scratch(
        &mut self,
        folder: &Folder,
        name: &Name,
        file: &str,
        (access, now): (Access, Timestamp),
    ) -> Result<ScratchRecord, Error> {
        self.require_row(folder.row)?;
        if self.scratch(folder, name).is_some() {
            return Err(Error::Taken);
        }
        let id = ScratchId(next(&mut self.last.scratch));
        let (folder, name, file) = (folder.clone(), name.clone(), file.to_owned());
        let added = ScratchRecord {
            id,
            folder,
            name,
            file,
            access,
            created: now,
            arrival: Arrival::default(),
        };
        self.scratch.insert(id, added.clone());
        self.touch_row(added.folder.row, now);
        Ok(added)
    }

    pub(super) fn rename_scratch(
        &mut self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        (collision, now): (Collision, Timestamp),
    ) -> Result<Option<ScratchRecord>, Error> {
        let old = self.scratch_by_id(id).ok_or(Error::Missing)?;
        self.require_row(folder.row)?;
        if (&old.folder, &old.name) == (folder, name) {
            return Ok(None);
        }
        let there = self.scratch(folder, name);
        match (&there, collision) {
            (None, Collision::Exchange) => return Err(Error::Missing),
            (Some(_), Collision::Refuse) => return Err(Error::Taken),
            (None, _) => {}
            (Some(other), Collision::Replace) => {
                self.scratch.remove(&other.id);
            }
            (Some(other), Collision::Exchange) => self.lay(other.id, &old.folder, &old.name),
        }
        self.lay(id, folder, name);
        self.touch_row(old.folder.row, now);
        self.touch_row(folder.row, now);
        Ok(there)
    }

    pub(super) fn amend_scratch(
        &mut self,
        id: ScratchId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error> {
        let scratch = self.scratch.get_mut(&id).ok_or(Error::Missing)?;
        amendment.apply(&mut scratch.access, &mut Times::all(now), now);
        Ok(scratch.clone())
    }

    pub(super) fn remove_scratch(
        &mut self,
        id: ScratchId,
        now: Timestamp,
    ) -> Option<ScratchRecord> {
        let scratch = self.scratch.remove(&id)?;
        self.touch_row(scratch.folder.row, now);
        Some(scratch)
    }

    fn lay(&mut self, id: ScratchId, folder: &Folder, name: &Name) {
        if let Some(scratch) = self.scratch.get_mut(&id) {
            scratch.folder = folder.clone();
            scratch.name = name.clone();
        }
    }
}
