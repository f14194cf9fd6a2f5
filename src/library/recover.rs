//! Recovery: what the last run of the daemon left unfinished, dealt with before anything is opened.
//! Does not ask how it ended: a clean stop leaves nothing to do here.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::catalog::Place;
use crate::library::refuse::Author;
use crate::library::sidecar::is_report;
use crate::library::staging::{Leftover, Note};
use crate::library::{Error, Library, staging};
use crate::refusal::{Refusal, Rule, Violation};
use crate::timestamp::Timestamp;

/// What `st_blocks` counts (stat(3type)).
const BLOCK: u64 = 512;

impl Library {
    /// Interrupted drafts go to the quarantine, what their writers unlinked is put back, reservations that came to
    /// nothing are swept, and scratch files without a record are removed.
    pub(crate) fn recover(&self) -> Result<(), Error> {
        let leftovers = self.staging.leftovers().map_err(Error::io("read the staging folder"))?;
        let replaced = leftovers.iter().filter_map(|leftover| leftover.note.as_ref()?.replaced);
        let promises: Vec<_> = replaced.map(|id| self.promise(id)).collect();
        self.sweep_leftovers()?;
        for leftover in leftovers {
            self.recover_draft(leftover)?;
        }
        drop(promises);
        self.recover_scratch()
    }

    fn recover_draft(&self, leftover: Leftover) -> Result<(), Error> {
        let file = leftover.staged.file();
        let Some(note) = &leftover.note else { return Ok(()) };
        let meta = file.metadata().map_err(Error::io("stat a staged file"))?;
        // With another name it is stored, or in the quarantine, already: only its staging name outlived the crash.
        if meta.len() > 0 && meta.nlink() == 1 {
            trim(file);
            let author = Author { uid: note.uid, pid: 0 };
            let field = note.place.field.to_string();
            let path = self.path_of(&note.place)?;
            let violation = interrupted();
            let refusal = Refusal { id: self.refusals.next_id(), path, field, violation };
            let kept = self.keep(&refusal, note.place.field.as_str(), author, file);
            let lost = kept.is_none();
            self.refusals.record(&refusal, Some(&note.place), author, kept);
            if lost {
                // Tried again at the next start.
                leftover.staged.freeze().keep();
                return Ok(());
            }
        }
        self.restore_replaced(note)
    }

    fn restore_replaced(&self, note: &Note) -> Result<(), Error> {
        let Some(id) = note.replaced else { return Ok(()) };
        let Some(retired) = self.catalog.retired_by_id(id)? else { return Ok(()) };
        // The note may have had no room for the whole name of an item.
        let place = Place { item: retired.slot.item, ..note.place.clone() };
        self.put_back(id, &place, &retired.written)?;
        Ok(())
    }

    fn recover_scratch(&self) -> Result<(), Error> {
        let records = self.catalog.scratch_before(Timestamp(i64::MAX))?;
        for record in records.iter().filter(|record| !is_report(record)) {
            let size = size_of(&self.scratch_path(record));
            let table = self.scratch_table(&record.folder)?;
            self.tally.add(record.id, record.access.uid, table, size);
        }
        let known: HashSet<_> = records.iter().map(|record| self.scratch_path(record)).collect();
        let read = || Error::io("read the scratch folder");
        for entry in std::fs::read_dir(self.home.scratch()).map_err(read())? {
            let path = entry.map_err(read())?.path();
            if !known.contains(&path) && self.keep_unrecorded(&path) {
                std::fs::remove_file(&path).map_err(read())?;
            }
        }
        Ok(())
    }

    /// A scratch file that a crash left without its record: whether its bytes, if any, are safe.
    fn keep_unrecorded(&self, path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        let Ok(meta) = file.metadata() else { return false };
        if meta.len() == 0 || meta.nlink() > 1 {
            return true;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let refusal = Refusal {
            id: self.refusals.next_id(),
            path: format!("?/{name}"),
            field: "scratch".to_owned(),
            violation: interrupted(),
        };
        let author = Author { uid: meta.uid(), pid: 0 };
        let kept = self.keep(&refusal, &name, author, &file);
        let safe = kept.is_some();
        self.refusals.record(&refusal, None, author, kept);
        safe
    }

    fn path_of(&self, place: &Place) -> Result<String, Error> {
        let row = self.row_by_id(place.row)?;
        let slot = row.and_then(|row| self.slot(&row, place));
        Ok(slot
            .map_or_else(|| format!("?/{}/{}", place.row.0, place.field), |slot| slot.to_string()))
    }
}

/// The size of a scratch file. What a crash left allocated beyond its end is given back.
fn size_of(path: &Path) -> u64 {
    let Ok(meta) = std::fs::metadata(path) else { return 0 };
    if meta.blocks().saturating_mul(BLOCK) > meta.len().next_multiple_of(meta.blksize())
        && let Ok(file) = File::open(path)
    {
        trim(&file);
    }
    meta.len()
}

fn trim(file: &File) {
    if let Err(error) = staging::trim(file) {
        tracing::warn!(%error, "a file that was interrupted keeps room that it does not need");
    }
}

/// The violation of a draft that ended before its close.
pub fn interrupted() -> Violation {
    Violation {
        rule: Rule::Interrupted,
        fact: "the upload ended before the file was closed".into(),
        measured: "not closed".into(),
        allows: "takes files that were closed".into(),
        allowed: "closed".into(),
        hint: "send it again, or move it onto the field from the quarantine".into(),
    }
}
