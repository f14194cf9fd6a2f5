//! Recovery: the files that a crash of the daemon left are kept, put back or removed before anything is opened.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::fd;
use crate::library::counts::Counts;
use crate::library::draft::close::interrupted;
use crate::library::error::{Error, Result};
use crate::library::home::staging::{Leftover, Note, Staging};
use crate::library::keep::sweeper::Sweeper;
use crate::library::lookup::Lookup;
use crate::library::names::naming::Links;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::scratch::Scratch;
use crate::library::scratch::report_name::is_report;
use words::author::Author;
use words::byte_count::ByteCount;
use words::place::Place;
use words::refusal::Refusal;
use words::timestamp::Timestamp;

/// The unit of `st_blocks` (stat(3type)).
const BLOCK: u64 = 512;

pub(in crate::library) struct Recovery {
    pub catalog: Arc<dyn Catalog>,
    pub staging: Arc<Staging>,
    pub lookup: Arc<Lookup>,
    pub scratch: Arc<Scratch>,
    pub journal: Arc<Journal>,
    pub quarantine: Arc<Quarantine>,
    pub sweeper: Arc<Sweeper>,
    pub links: Arc<Links>,
    pub counts: Arc<Counts>,
}

impl Recovery {
    /// Settles the pending blobs, moves interrupted drafts to the quarantine, puts back what their writers unlinked, and
    /// removes scratch files without a record. Bytes that the quarantine cannot take stay where they are.
    pub fn run(&self) -> Result<()> {
        self.sweeper.settle()?;
        for leftover in self.staging.leftovers().map_err(Error::io("read the staging folder"))? {
            self.recover_draft(leftover)?;
        }
        self.recover_scratch()?;
        let (files, bytes) = self.counts.awaiting_quarantine();
        if files > 0 {
            tracing::warn!(files, bytes = %ByteCount(bytes), "interrupted files that the quarantine cannot take stay in the library's folders `staging` and `scratch`; the next start tries again");
        }
        Ok(())
    }

    fn recover_draft(&self, mut leftover: Leftover) -> Result<()> {
        let is_safe = self.keep(&leftover.path, leftover.note.as_ref())?;
        if let Some(note) = &leftover.note {
            self.put_back_replaced(note)?;
        }
        if is_safe {
            leftover.remove();
        } else if let Err(error) = leftover.forget_replaced() {
            // The next start may put the replaced attachment back again, even if it was removed meanwhile.
            tracing::warn!(path = %leftover.path.display(), %error, "a staged file keeps its name");
        }
        Ok(())
    }

    /// Keeps the bytes of a file in the quarantine, if it has any. Returns whether the file itself may go.
    fn keep(&self, file: &Path, note: Option<&Note>) -> Result<bool> {
        let slot = note.map(|note| self.lookup.slot_of(&note.place)).transpose()?.flatten();
        let path = match (slot, note) {
            (Some(slot), _) => slot.to_string(),
            (None, Some(Note { place, .. })) => format!("?/{}/{}", place.row.0, place.field),
            (None, None) => format!("?/{}", own_name(file)),
        };
        Ok(self.quarantine(file, note, path).unwrap_or_else(|error| {
            tracing::debug!(file = %file.display(), %error, "an interrupted file stays where it is");
            self.counts.leave(fs::metadata(file).map_or(0, |meta| meta.len()));
            false
        }))
    }

    fn quarantine(&self, path: &Path, note: Option<&Note>, slot: String) -> io::Result<bool> {
        let meta = fs::symlink_metadata(path)?;
        if !meta.is_file() {
            // mediafs did not make it, and opening a fifo would wait for its writer.
            tracing::warn!(path = %path.display(), "this is no file, and stays where it is");
            return Ok(false);
        }
        // A second link is a blob or an entry of the quarantine: the crash came before this name was removed.
        if meta.len() == 0 || meta.nlink() > 1 {
            return Ok(true);
        }
        let file = File::open(path)?;
        trim(&file);
        let place = note.map(|note| &note.place);
        let field = place.map(|place| place.field.as_str());
        let refusal = Refusal {
            id: self.journal.next_id(),
            path: slot,
            field: field.unwrap_or("the library").to_owned(),
            violation: interrupted(),
        };
        let author = Author { uid: note.map_or_else(|| meta.uid(), |note| note.uid), pid: 0 };
        let name = field.map_or_else(|| own_name(path), Cow::from);
        let kept = self.quarantine.try_keep(&refusal, &name, author, &file)?;
        self.journal.record(&refusal, place, author, Some(kept));
        Ok(true)
    }

    /// Puts back the attachment that the writer unlinked before the draft began.
    fn put_back_replaced(&self, note: &Note) -> Result<()> {
        let Some(id) = note.replaced else { return Ok(()) };
        let Some(retired) = self.catalog.retired_by_id(id)? else { return Ok(()) };
        // The name of a staged file may have an item's name cut short.
        let place = Place { item: retired.slot.item, ..note.place.clone() };
        self.links.put_back(id, &place, &retired.written)?;
        Ok(())
    }

    /// Counts all scratch, and keeps the bytes of scratch files without a record.
    fn recover_scratch(&self) -> Result<()> {
        let records = self.scratch.made_before(Timestamp(i64::MAX))?;
        for record in records.iter().filter(|record| !is_report(record)) {
            self.scratch.count(record, size_of(&self.scratch.path(record)))?;
        }
        let known: HashSet<_> = records.iter().map(|record| self.scratch.path(record)).collect();
        let read = || Error::io("read the scratch folder");
        for entry in fs::read_dir(&self.scratch.folder).map_err(read())? {
            let file = entry.map_err(read())?.path();
            if !known.contains(&file) && self.keep(&file, None)? {
                fs::remove_file(&file).map_err(read())?;
            }
        }
        Ok(())
    }
}

fn own_name(file: &Path) -> Cow<'_, str> {
    file.file_name().unwrap_or_default().to_string_lossy()
}

/// The size of a scratch file. Space that a crash left allocated beyond its end is given back.
fn size_of(path: &Path) -> u64 {
    let Ok(meta) = fs::metadata(path) else { return 0 };
    if meta.blocks().saturating_mul(BLOCK) > meta.len().next_multiple_of(meta.blksize())
        && let Ok(file) = File::open(path)
    {
        trim(&file);
    }
    meta.len()
}

fn trim(file: &File) {
    if let Err(error) = fd::trim(file) {
        tracing::warn!(%error, "a file that was interrupted keeps room that it does not need");
    }
}
