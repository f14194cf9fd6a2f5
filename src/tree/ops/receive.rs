//! Drop boxes as the tree sees them: listed, filled, and emptied into rows when their files are finished.
//! Does not attach: `library::arrive::boxes` does.

use std::time::{Duration, Instant};

use crate::library::scratch::report_name;
use crate::tree::attr::{Attr, Entry, Lifetime};
use crate::tree::node::Node;
use crate::tree::ops::stat::directory_attr;
use crate::tree::{Error, Result, Tree, name};
use words::attachment::{RowId, ScratchId};
use words::place::Folder;
use words::scratch::ScratchRecord;
use words::slot::Name;

impl Tree {
    pub(in crate::tree) fn lookup_box(&self, name: &Name) -> Result<Entry> {
        let boxes = self.library.lookup.boxes();
        let found = boxes.iter().find(|found| found.rule.name == *name).ok_or(Error::NotFound)?;
        let attr = self.box_attr(found.row)?;
        Ok(Entry { attr, name: Lifetime::Long, attributes: Lifetime::None, generation: 0 })
    }

    /// A box looks like the table that its files go to.
    pub(in crate::tree) fn box_attr(&self, id: RowId) -> Result<Attr> {
        let row = self.row(id)?;
        let rule = self.library.lookup.drop_box(id).map(|drop_box| &drop_box.rule);
        let table = rule.and_then(|rule| self.library.lookup.table_named(rule.table.as_str()));
        let access = table.ok_or(Error::NotFound)?.directory(self.daemon());
        Ok(Attr { access, ..directory_attr(Node::DropBox(id), &row) })
    }

    pub(in crate::tree) fn list_boxes(&self) -> Vec<(Node, String)> {
        let boxes = self.library.lookup.boxes().iter();
        boxes.map(|found| (Node::DropBox(found.row), found.rule.name.to_string())).collect()
    }

    /// Takes up the files that the last run of the daemon did not come to. Once, at the start.
    pub fn resume_arrivals(&self) {
        if let Err(error) = self.take_up_arrivals() {
            tracing::warn!(%error, "files in boxes wait for the next start");
        }
    }

    fn take_up_arrivals(&self) -> Result<()> {
        for drop_box in self.library.lookup.boxes() {
            for record in self.library.scratch.list(&Folder::row(drop_box.row))? {
                let untold = record.arrival.taken.is_none() || record.arrival.waiting;
                if untold {
                    self.arrived(&record, drop_box.rule.settle)?;
                }
            }
        }
        Ok(())
    }

    /// The last writer of a scratch file has closed it: in a box it may be finished.
    pub(in crate::tree) fn closed_in_box(&self, id: ScratchId) -> Result<()> {
        if self.is_written(id) {
            return Ok(());
        }
        let named = self.arrivals.was_named(id);
        let Some(record) = self.library.scratch.by_id(id)? else { return Ok(()) };
        let Some(drop_box) = self.library.lookup.drop_box(record.folder.row) else { return Ok(()) };
        let settle = if named { Duration::ZERO } else { drop_box.rule.settle };
        self.arrived(&record, settle)
    }

    /// A file has got its name by a rename, which is the end of an upload.
    pub(in crate::tree) fn renamed_in_box(&self, id: ScratchId) -> Result<()> {
        let Some(record) = self.library.scratch.by_id(id)? else { return Ok(()) };
        if self.library.lookup.drop_box(record.folder.row).is_none() {
            self.arrivals.forget(id);
            return Ok(());
        }
        // The kernel tells of a close after it has answered it, and maybe after the rename that follows.
        if self.is_written(id) {
            self.arrivals.named(id);
        }
        self.arrived(&record, Duration::ZERO)
    }

    fn arrived(&self, record: &ScratchRecord, settle: Duration) -> Result<()> {
        let under_way = name::is_temporary(&record.name) || report_name::has_suffix(&record.name);
        if under_way || self.library.scratch.stat(record)?.size == 0 || self.is_written(record.id) {
            return Ok(());
        }
        self.library.boxes.offer(record.id)?;
        self.arrivals.note(record.id, Instant::now() + settle);
        Ok(())
    }

    pub(in crate::tree) fn is_written(&self, id: ScratchId) -> bool {
        self.handles.open_scratch(id).iter().any(|open| open.writes)
    }

    /// Files in boxes that are finished now; [`Tree::receive`] must follow for each.
    pub fn arrivals(&self) -> Vec<ScratchId> {
        if self.library.fence.is_raised() {
            return Vec::new();
        }
        self.arrivals.due(Instant::now())
    }

    /// A finished file for which there was no thread: it is finished still at the next look.
    pub fn defer(&self, id: ScratchId) {
        self.arrivals.received(id, true);
        self.arrivals.note(id, Instant::now());
    }

    /// Makes a row of a finished file. What fails is tried again later.
    pub fn receive(&self, id: ScratchId) {
        // Its close will say when it is finished.
        if self.is_written(id) {
            return self.arrivals.received(id, true);
        }
        let received = self.library.boxes.receive(id);
        if let Err(error) = &received {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "a file in a box could not be attached; it will be tried again"
            );
        }
        for drop_box in self.library.lookup.boxes() {
            if let Some(table) =
                self.library.lookup.tables().iter().find(|it| it.name == drop_box.rule.table)
            {
                self.table_changed(table.id);
            }
        }
        // The row may have been listed between its making and the attachment.
        if let Ok(Some(record)) = self.library.scratch.by_id(id)
            && let Some(row) = record.arrival.becomes
        {
            self.names_changed(row);
        }
        self.arrivals.received(id, received.is_ok());
    }
}
