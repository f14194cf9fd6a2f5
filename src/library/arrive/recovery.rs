//! Recovery: what the last run of the daemon left unfinished, dealt with before anything is opened. After a clean stop there is
//! nothing to do.

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
use crate::library::error::Error;
use crate::library::home::staging::{Leftover, Note, Staging};
use crate::library::keep::promises::Promises;
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

/// Deals with what a crash left.
pub(in crate::library) struct Recovery {
    pub catalog: Arc<dyn Catalog>,
    pub staging: Arc<Staging>,
    pub lookup: Arc<Lookup>,
    pub scratch: Arc<Scratch>,
    pub journal: Arc<Journal>,
    pub quarantine: Arc<Quarantine>,
    pub promises: Arc<Promises>,
    pub sweeper: Arc<Sweeper>,
    pub links: Arc<Links>,
    pub counts: Arc<Counts>,
}

/// A file that a crash left, and where its bytes belong.
struct Found<'f> {
    file: &'f Path,
    name: &'f str,
    path: String,
    place: Option<&'f Place>,
    /// The writer; if it is unknown, the file's owner on the disk counts.
    uid: Option<u32>,
}

impl Recovery {
    /// Moves interrupted drafts to the quarantine, puts back what their writers unlinked, sweeps reservations that came to nothing,
    /// and removes scratch files without a record. Bytes that the quarantine cannot take stay where they are.
    pub fn run(&self) -> Result<(), Error> {
        let leftovers = self.staging.leftovers().map_err(Error::io("read the staging folder"))?;
        let replaced = leftovers.iter().filter_map(|leftover| leftover.note.as_ref()?.replaced);
        let promises: Vec<_> = replaced.map(|id| self.promises.make(id)).collect();
        self.sweeper.sweep_leftovers()?;
        for leftover in leftovers {
            self.recover_draft(leftover)?;
        }
        drop(promises);
        self.recover_scratch()?;
        let (files, bytes) = self.counts.awaiting_quarantine();
        if files > 0 {
            tracing::warn!(files, bytes = %ByteCount(bytes), "interrupted files that the quarantine cannot take stay in the library's folders `staging` and `scratch`; the next start tries again");
        }
        Ok(())
    }

    fn recover_draft(&self, mut leftover: Leftover) -> Result<(), Error> {
        let place = leftover.note.as_ref().map(|note| &note.place);
        let own = leftover.path().file_name().unwrap_or_default().to_string_lossy();
        let found = Found {
            file: leftover.path(),
            name: place.map_or(&own, |place| place.field.as_str()),
            path: place.map_or_else(|| Ok(format!("?/{own}")), |place| self.path_of(place))?,
            place,
            uid: leftover.note.as_ref().map(|note| note.uid),
        };
        let is_safe = self.keep(&found);
        if let Some(note) = &leftover.note {
            self.put_back_replaced(note)?;
        }
        if is_safe {
            leftover.remove();
        } else {
            // Otherwise the next start would put it back once more, whatever its users did with it meanwhile.
            let renamed = leftover.forget_replaced();
            renamed.inspect_err(|error| tracing::warn!(path = %leftover.path().display(), %error, "a staged file keeps its name")).ok();
        }
        Ok(())
    }

    /// Keeps the bytes of a file, if it has any. Returns whether they are safe under another name.
    fn keep(&self, found: &Found<'_>) -> bool {
        self.quarantine(found).unwrap_or_else(|error| {
            tracing::debug!(file = %found.file.display(), %error, "an interrupted file stays where it is");
            self.counts.leave(fs::metadata(found.file).map_or(0, |meta| meta.len()));
            false
        })
    }

    fn quarantine(&self, found: &Found<'_>) -> io::Result<bool> {
        let meta = fs::symlink_metadata(found.file)?;
        if !meta.is_file() {
            // mediafs did not make it, and opening a fifo would wait for its writer.
            tracing::warn!(path = %found.file.display(), "this is no file, and stays where it is");
            return Ok(false);
        }
        // A second name is that of a blob or of an entry of the quarantine: only this name outlived the crash.
        if meta.len() == 0 || meta.nlink() > 1 {
            return Ok(true);
        }
        let file = File::open(found.file)?;
        trim(&file);
        let refusal = Refusal {
            id: self.journal.next_id(),
            path: found.path.clone(),
            field: found.place.map_or("the library", |place| place.field.as_str()).to_owned(),
            violation: interrupted(),
        };
        let author = Author { uid: found.uid.unwrap_or_else(|| meta.uid()), pid: 0 };
        let kept = self.quarantine.try_keep(&refusal, found.name, author, &file)?;
        self.journal.record(&refusal, found.place, author, Some(kept));
        Ok(true)
    }

    /// Puts back what the writer of a draft unlinked before it began.
    fn put_back_replaced(&self, note: &Note) -> Result<(), Error> {
        let Some(id) = note.replaced else { return Ok(()) };
        let Some(retired) = self.catalog.retired_by_id(id)? else { return Ok(()) };
        // The name of a staged file may have had no room for the whole name of an item.
        let place = Place { item: retired.slot.item, ..note.place.clone() };
        self.links.put_back(id, &place, &retired.written)?;
        Ok(())
    }

    /// Counts all scratch, and keeps the bytes of scratch files without a record.
    fn recover_scratch(&self) -> Result<(), Error> {
        let records = self.scratch.made_before(Timestamp(i64::MAX))?;
        for record in records.iter().filter(|record| !is_report(record)) {
            self.scratch.count(record, size_of(&self.scratch.path(record)))?;
        }
        let known: HashSet<_> = records.iter().map(|record| self.scratch.path(record)).collect();
        let read = || Error::io("read the scratch folder");
        for entry in fs::read_dir(&self.scratch.folder).map_err(read())? {
            let file = entry.map_err(read())?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let path = format!("?/{name}");
            let found = Found { file: &file, name: &name, path, place: None, uid: None };
            if !known.contains(&file) && self.keep(&found) {
                fs::remove_file(&file).map_err(read())?;
            }
        }
        Ok(())
    }

    /// The path of a place, for people; with the row's number if the row has no path any more.
    fn path_of(&self, place: &Place) -> Result<String, Error> {
        let slot = self.lookup.slot_of(place)?;
        let numbered = || format!("?/{}/{}", place.row.0, place.field);
        Ok(slot.map_or_else(numbered, |slot| slot.to_string()))
    }
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
