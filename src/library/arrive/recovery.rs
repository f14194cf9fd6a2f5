//! Recovery: what the last run of the daemon left unfinished, dealt with before anything is opened.
//! Does not ask how it ended: a clean stop leaves nothing to do here.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::fd;
use crate::library::Library;
use crate::library::error::Error;
use crate::library::home::staging::{Leftover, Note};
use crate::library::scratch::report_name::is_report;
use words::author::Author;
use words::byte_count::ByteCount;
use words::place::Place;
use words::refusal::{Refusal, Rule, Violation};
use words::timestamp::Timestamp;

/// What `st_blocks` counts (stat(3type)).
const BLOCK: u64 = 512;

/// A file that a crash left, and where its bytes belong.
struct Found<'f> {
    file: &'f Path,
    name: &'f str,
    path: String,
    place: Option<&'f Place>,
    /// Its owner on the disk where nobody is known.
    uid: Option<u32>,
}

impl Library {
    /// Interrupted drafts go to the quarantine, what their writers unlinked is put back, reservations that came to
    /// nothing are swept, and scratch files without a record are removed. Bytes that the quarantine cannot take stay
    /// where they are.
    pub(crate) fn recover(&self) -> Result<(), Error> {
        let leftovers = self.staging.leftovers().map_err(Error::io("read the staging folder"))?;
        let replaced = leftovers.iter().filter_map(|leftover| leftover.note.as_ref()?.replaced);
        let promises: Vec<_> = replaced.map(|id| self.promise(id)).collect();
        self.sweep_leftovers()?;
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
        let is_safe = self.keep_found(&found);
        if let Some(note) = &leftover.note {
            self.restore_replaced(note)?;
        }
        if is_safe {
            leftover.remove();
        } else {
            // Else it would be put back once more, whatever its users made of it meanwhile.
            let renamed = leftover.forget_replaced();
            renamed.inspect_err(|error| tracing::warn!(path = %leftover.path().display(), %error, "a staged file keeps its name")).ok();
        }
        Ok(())
    }

    /// Whether the bytes of a file, if it has any, are safe under another name.
    fn keep_found(&self, found: &Found<'_>) -> bool {
        self.send_to_quarantine(found).unwrap_or_else(|error| {
            tracing::debug!(file = %found.file.display(), %error, "an interrupted file stays where it is");
            self.counts.leave(fs::metadata(found.file).map_or(0, |meta| meta.len()));
            false
        })
    }

    fn send_to_quarantine(&self, found: &Found<'_>) -> io::Result<bool> {
        let meta = fs::symlink_metadata(found.file)?;
        if !meta.is_file() {
            // Nobody of ours made it, and to open a fifo would wait for whoever writes to it.
            tracing::warn!(path = %found.file.display(), "this is no file, and stays where it is");
            return Ok(false);
        }
        // With another name it is stored, or in the quarantine, already: only this name outlived the crash.
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
            let size = size_of(&self.scratch.path(record));
            self.scratch.count(record, size)?;
        }
        let known: HashSet<_> = records.iter().map(|record| self.scratch.path(record)).collect();
        let read = || Error::io("read the scratch folder");
        for entry in fs::read_dir(self.home.scratch()).map_err(read())? {
            let file = entry.map_err(read())?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let path = format!("?/{name}");
            let found = Found { file: &file, name: &name, path, place: None, uid: None };
            if !known.contains(&file) && self.keep_found(&found) {
                fs::remove_file(&file).map_err(read())?;
            }
        }
        Ok(())
    }

    fn path_of(&self, place: &Place) -> Result<String, Error> {
        let row = self.lookup.row_by_id(place.row)?;
        let slot = row.and_then(|row| self.lookup.slot(&row, place));
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
    if let Err(error) = fd::trim(file) {
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
