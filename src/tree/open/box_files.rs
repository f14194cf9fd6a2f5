//! The files of drop boxes that are not rows yet: when nobody has written to one for long enough, it is finished.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use words::attachment::ScratchId;

/// How soon a file is tried again that could not be received for no fault of its own.
const AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct BoxFiles {
    /// Guards the files that are waited for. Never held across I/O.
    waiting: Mutex<HashMap<ScratchId, Stage>>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// It has got its name, and its writer has not closed it, or the kernel has not said so yet: finished then.
    Named,
    /// Finished at this time, unless somebody writes before.
    Due(Instant),
    /// It is being received.
    Received,
    /// Somebody wrote to it while it was received: finished at this time.
    ReceivedAgain(Instant),
}

impl BoxFiles {
    /// A file was closed, or got its name: it is finished at this time.
    pub fn note(&self, id: ScratchId, due: Instant) {
        let mut waiting = self.waiting.lock();
        let stage = waiting.entry(id).or_insert(Stage::Due(due));
        *stage = match *stage {
            Stage::Named | Stage::Due(_) => Stage::Due(due),
            Stage::Received | Stage::ReceivedAgain(_) => Stage::ReceivedAgain(due),
        };
    }

    /// A file got its name while somebody had it open for writing.
    pub fn note_name(&self, id: ScratchId) {
        self.waiting.lock().entry(id).or_insert(Stage::Named);
    }

    /// Whether a file that is closed now got its name before. Forgets that it did.
    pub fn take_name(&self, id: ScratchId) -> bool {
        let mut waiting = self.waiting.lock();
        let named = matches!(waiting.get(&id), Some(Stage::Named));
        if named {
            waiting.remove(&id);
        }
        named
    }

    /// Forgets a file that somebody opened for writing, or that is in no box any more.
    pub fn forget(&self, id: ScratchId) {
        let mut waiting = self.waiting.lock();
        if matches!(waiting.get(&id), Some(Stage::Named | Stage::Due(_))) {
            waiting.remove(&id);
        }
    }

    /// Takes out the finished files, in the order of their making, to be received: [`BoxFiles::received`] must follow for each.
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

    /// A file was dealt with, or, if it is not `done`, is to be tried again.
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
        files.note(ID, now + 2 * AGAIN);
        assert_eq!(files.due(now + AGAIN), []);
        assert_eq!(files.due(now + 2 * AGAIN), [ID]);
        assert_eq!(files.due(now + 2 * AGAIN), [], "it is received once");
        files.received(ID, true);
        assert_eq!(files.count(), 0);
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
