//! Files in drop boxes. A file that has not been written to for a while is finished, and becomes a row.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::library::Library;
use crate::library::scratch::report_name;
use crate::tree::error::Result;
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::meaning;
use crate::tree::open::handles::Handles;
use words::attachment::ScratchId;
use words::place::Folder;
use words::scratch::ScratchRecord;
use words::timestamp::Timestamp;

/// The delay before a file is tried again after an error that is not the file's.
const AGAIN: Duration = Duration::from_secs(10);

pub struct DropBoxes {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) handles: Arc<Handles>,
    pub files: BoxFiles,
}

impl DropBoxes {
    /// Schedules the files that the last run of the daemon left. Called once, at the start.
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

    /// A handle of a scratch file that could write was closed. After the last one, a file in a box is scheduled.
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
        let named = self.files.take_name(id);
        let Some(record) = self.library.scratch.by_id(id)? else { return Ok(()) };
        let Some(drop_box) = self.library.lookup.drop_box(record.folder.row) else { return Ok(()) };
        let wait = if named { Duration::ZERO } else { drop_box.rule.settle };
        self.arrived(&record, wait)
    }

    /// A scratch file was renamed. In a box that is the end of an upload.
    pub fn renamed(&self, id: ScratchId) -> Result<()> {
        let Some(record) = self.library.scratch.by_id(id)? else { return Ok(()) };
        if self.library.lookup.drop_box(record.folder.row).is_none() {
            self.files.forget(id);
            return Ok(());
        }
        // The kernel sends a release after `close` has returned, maybe even after this rename.
        if self.handles.is_written(id) {
            self.files.note_name(id);
        }
        self.arrived(&record, Duration::ZERO)
    }

    /// Schedules a file to be received after this time. Not if it is empty, has a temporary name or is open for writing.
    fn arrived(&self, record: &ScratchRecord, wait: Duration) -> Result<()> {
        if meaning::is_temporary(&record.name)
            || report_name::has_suffix(&record.name)
            || self.library.scratch.stat(record)?.size == 0
            || self.handles.is_written(record.id)
        {
            return Ok(());
        }
        self.library.boxes.offer(record.id)?;
        self.files.note(record.id, Instant::now() + wait);
        Ok(())
    }

    /// The files that are finished now. For each, [`DropBoxes::receive`] or [`DropBoxes::defer`] must be called.
    pub fn finished(&self) -> Vec<ScratchId> {
        if self.library.fence.is_raised() {
            return Vec::new();
        }
        self.files.due(Instant::now())
    }

    /// Keeps a finished file for the next call of [`DropBoxes::finished`], because there is no thread for it now.
    pub fn defer(&self, id: ScratchId) {
        self.files.received(id, true);
        self.files.note(id, Instant::now());
    }

    /// Makes a row of a finished file. A failure is tried again later.
    pub fn receive(&self, id: ScratchId) {
        // It is open for writing again: its next close schedules it.
        if self.handles.is_written(id) {
            return self.files.received(id, true);
        }
        let received = self.library.boxes.receive(id);
        for drop_box in self.library.lookup.boxes() {
            let table = self.library.lookup.table_named(drop_box.rule.table.as_str());
            if let Some(table) = table {
                self.kernel.tell(&Change::Table { table: table.id, at: Timestamp::now() });
            }
        }
        match &received {
            // The kernel may have listed the row after it was made and before it had the attachment.
            Ok(Some(row)) => self.kernel.tell(&Change::Names(*row)),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                error = error as &dyn std::error::Error,
                "a file in a box could not be attached; it will be tried again"
            ),
        }
        self.files.received(id, received.is_ok());
    }
}

/// The files that are waited for.
#[derive(Debug, Default)]
pub struct BoxFiles {
    /// Guards the files. Never held across I/O.
    waiting: Mutex<HashMap<ScratchId, Stage>>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// It has its final name, and the release of its writer has not come yet: finished then.
    Named,
    /// Finished at this time, unless it is written to before.
    Due(Instant),
    /// It is being received.
    Received,
    /// It was written to while it was received: finished again at this time.
    ReceivedAgain(Instant),
}

impl BoxFiles {
    /// A file was closed or renamed: it is finished at this time.
    pub fn note(&self, id: ScratchId, due: Instant) {
        let mut waiting = self.waiting.lock();
        let stage = waiting.entry(id).or_insert(Stage::Due(due));
        *stage = match *stage {
            Stage::Named => Stage::Due(due),
            // A rename and the close before it may be noted in either order: the file is finished at the earlier time. An open
            // for writing in between has forgotten the first.
            Stage::Due(known) => Stage::Due(known.min(due)),
            Stage::Received | Stage::ReceivedAgain(_) => Stage::ReceivedAgain(due),
        };
    }

    /// A file got its final name while it was open for writing.
    pub fn note_name(&self, id: ScratchId) {
        self.waiting.lock().entry(id).or_insert(Stage::Named);
    }

    /// Takes the note of [`BoxFiles::note_name`] on a file that is closed now. Returns whether there was one.
    pub fn take_name(&self, id: ScratchId) -> bool {
        let mut waiting = self.waiting.lock();
        let named = matches!(waiting.get(&id), Some(Stage::Named));
        if named {
            waiting.remove(&id);
        }
        named
    }

    /// Forgets a file that was opened for writing, or that is in no box any more.
    pub fn forget(&self, id: ScratchId) {
        let mut waiting = self.waiting.lock();
        if matches!(waiting.get(&id), Some(Stage::Named | Stage::Due(_))) {
            waiting.remove(&id);
        }
    }

    /// Takes the finished files, the oldest first. For each, [`BoxFiles::received`] must be called.
    pub fn due(&self, now: Instant) -> Vec<ScratchId> {
        let mut waiting = self.waiting.lock();
        let due = |stage: &Stage| matches!(stage, Stage::Due(due) if *due <= now);
        let mut due: Vec<_> =
            waiting.iter().filter(|(_, stage)| due(stage)).map(|(id, _)| *id).collect();
        for id in &due {
            waiting.insert(*id, Stage::Received);
        }
        due.sort_unstable();
        due
    }

    /// A file was received or, if it is not `done`, is to be tried again.
    pub fn received(&self, id: ScratchId, done: bool) {
        let mut waiting = self.waiting.lock();
        let again = match waiting.remove(&id) {
            Some(Stage::ReceivedAgain(due)) => Some(due),
            _ if done => None,
            _ => Some(Instant::now() + AGAIN),
        };
        if let Some(due) = again {
            waiting.insert(id, Stage::Due(due));
        }
    }

    pub fn count(&self) -> usize {
        self.waiting.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ScratchId = ScratchId(1);

    #[test]
    fn a_file_is_finished_when_nobody_wrote_to_it_for_its_time() {
        let (files, now) = (BoxFiles::default(), Instant::now());
        files.note(ID, now + AGAIN);
        assert_eq!(files.due(now), []);
        // Opened for writing again, and closed.
        files.forget(ID);
        files.note(ID, now + 2 * AGAIN);
        assert_eq!(files.due(now + AGAIN), []);
        assert_eq!(files.due(now + 2 * AGAIN), [ID]);
        assert_eq!(files.due(now + 2 * AGAIN), [], "it is received once");
        files.received(ID, true);
        assert_eq!(files.count(), 0);
    }

    #[test]
    fn a_close_that_is_noted_after_the_rename_does_not_put_the_file_off() {
        let (files, now) = (BoxFiles::default(), Instant::now());
        files.note(ID, now);
        files.note(ID, now + AGAIN);
        assert_eq!(files.due(now), [ID]);
    }

    #[test]
    fn what_is_written_while_it_is_received_is_received_again() {
        let (files, now) = (BoxFiles::default(), Instant::now());
        files.note(ID, now);
        assert_eq!(files.due(now), [ID]);
        files.forget(ID);
        files.note(ID, now);
        files.received(ID, true);
        assert_eq!(files.due(now), [ID]);
    }

    #[test]
    fn what_could_not_be_received_is_tried_again_later() {
        let (files, now) = (BoxFiles::default(), Instant::now());
        files.note(ID, now);
        files.due(now);
        files.received(ID, false);
        assert_eq!(files.due(Instant::now()), []);
        assert_eq!(files.due(Instant::now() + 2 * AGAIN), [ID]);
    }
}
