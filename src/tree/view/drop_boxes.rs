//! `/drop`: boxes that are listed, filled, and emptied into rows when their files are finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::library::Library;
use crate::library::scratch::report_name;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::{Node, meaning};
use crate::tree::open::box_files::BoxFiles;
use crate::tree::open::handles::Handles;
use crate::tree::show::Show;
use crate::tree::show::attr::{Entry, Lifetime};
use words::attachment::ScratchId;
use words::place::Folder;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub struct DropBoxes {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) show: Arc<Show>,
    pub(super) handles: Arc<Handles>,
    pub(super) box_files: Arc<BoxFiles>,
}

impl DropBoxes {
    pub fn lookup(&self, name: &Name) -> Result<Entry> {
        let boxes = self.library.lookup.boxes();
        let found = boxes.iter().find(|found| found.rule.name == *name).ok_or(Error::NotFound)?;
        let attr = self.show.drop_box(found.row)?;
        Ok(Entry { name: Lifetime::Long, ..Entry::fleeting(attr) })
    }

    pub fn list(&self) -> Vec<(Node, String)> {
        let boxes = self.library.lookup.boxes().iter();
        boxes.map(|found| (Node::DropBox(found.row), found.rule.name.to_string())).collect()
    }

    /// Takes up the files that the last run of the daemon did not come to. Once, at the start.
    pub fn resume(&self) {
        if let Err(error) = self.take_up() {
            tracing::warn!(%error, "files in boxes wait for the next start");
        }
    }

    fn take_up(&self) -> Result<()> {
        for drop_box in self.library.lookup.boxes() {
            for record in self.library.scratch.list(&Folder::row(drop_box.row))? {
                if record.arrival.taken.is_none() || record.arrival.waiting {
                    self.arrived(&record, drop_box.rule.settle)?;
                }
            }
        }
        Ok(())
    }

    /// A handle of a scratch file that could write was closed. In a box the file may be finished after the last.
    pub fn closed(&self, id: ScratchId) {
        if self.library.lookup.boxes().is_empty() {
            return;
        }
        if let Err(error) = self.note_close(id) {
            tracing::warn!(%error, "a file in a box is looked at only after the next start");
        }
    }

    fn note_close(&self, id: ScratchId) -> Result<()> {
        if self.handles.is_written(id) {
            return Ok(());
        }
        let named = self.box_files.take_name(id);
        let Some(record) = self.library.scratch.by_id(id)? else { return Ok(()) };
        let Some(drop_box) = self.library.lookup.drop_box(record.folder.row) else { return Ok(()) };
        let wait = if named { Duration::ZERO } else { drop_box.rule.settle };
        self.arrived(&record, wait)
    }

    /// A scratch file was renamed. In a box that is the end of an upload.
    pub fn renamed(&self, id: ScratchId) -> Result<()> {
        let Some(record) = self.library.scratch.by_id(id)? else { return Ok(()) };
        if self.library.lookup.drop_box(record.folder.row).is_none() {
            self.box_files.forget(id);
            return Ok(());
        }
        // The kernel tells of a close after it has answered it, and maybe after the rename that follows.
        if self.handles.is_written(id) {
            self.box_files.note_name(id);
        }
        self.arrived(&record, Duration::ZERO)
    }

    /// Expects a file to be finished after this time, unless it is empty or unfinished by its name or its writers.
    fn arrived(&self, record: &ScratchRecord, wait: Duration) -> Result<()> {
        let unfinished =
            meaning::is_temporary(&record.name) || report_name::has_suffix(&record.name);
        if unfinished
            || self.library.scratch.stat(record)?.size == 0
            || self.handles.is_written(record.id)
        {
            return Ok(());
        }
        self.library.boxes.offer(record.id)?;
        self.box_files.note(record.id, Instant::now() + wait);
        Ok(())
    }

    /// The files that are finished now; [`DropBoxes::receive`] or [`DropBoxes::defer`] must follow for each.
    pub fn finished(&self) -> Vec<ScratchId> {
        if self.library.fence.is_raised() {
            return Vec::new();
        }
        self.box_files.due(Instant::now())
    }

    /// Leaves a finished file, for which there is no thread, to the next look.
    pub fn defer(&self, id: ScratchId) {
        self.box_files.received(id, true);
        self.box_files.note(id, Instant::now());
    }

    /// Makes a row of a finished file. A failure is tried again later.
    pub fn receive(&self, id: ScratchId) {
        // Somebody writes to it again: its close will say when it is finished.
        if self.handles.is_written(id) {
            return self.box_files.received(id, true);
        }
        let received = self.library.boxes.receive(id);
        if let Err(error) = &received {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "a file in a box could not be attached; it will be tried again"
            );
        }
        for drop_box in self.library.lookup.boxes() {
            let mut tables = self.library.lookup.tables().iter();
            if let Some(table) = tables.find(|it| it.name == drop_box.rule.table) {
                self.kernel.tell(&Change::Table { table: table.id, at: Timestamp::now() });
            }
        }
        // The row may have been listed between its making and the attachment.
        if let Ok(Some(record)) = self.library.scratch.by_id(id)
            && let Some(row) = record.arrival.becomes
        {
            self.kernel.tell(&Change::Names { row });
        }
        self.box_files.received(id, received.is_ok());
    }
}
