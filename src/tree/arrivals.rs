//! When the files of drop boxes are finished: which of them nobody has written to for long enough.
//! Does not know what becomes of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use words::attachment::ScratchId;

/// How soon a file that could not be received for another's fault is tried again.
const AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Arrivals {
    /// Guards the files that are waited for. Never held across I/O.
    waiting: Mutex<HashMap<ScratchId, Stage>>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// It has got its name, and its writer has not closed it, or the kernel has not said so yet: finished then.
    Named,
    /// Finished at this time, unless somebody writes before.
    Due(Instant),
    Received,
    /// Somebody wrote to it while it was received: finished at this time.
    ReceivedAgain(Instant),
}

impl Arrivals {
    /// A file was closed, or got its name.
    pub fn note(&self, id: ScratchId, due: Instant) {
        let mut waiting = self.lock();
        let stage = waiting.entry(id).or_insert(Stage::Due(due));
        *stage = match *stage {
            Stage::Named | Stage::Due(_) => Stage::Due(due),
            Stage::Received | Stage::ReceivedAgain(_) => Stage::ReceivedAgain(due),
        };
    }

    /// A file got its name while somebody had it open for writing.
    pub fn named(&self, id: ScratchId) {
        self.lock().entry(id).or_insert(Stage::Named);
    }

    /// Whether a file that is closed now got its name before. Forgets it.
    pub fn was_named(&self, id: ScratchId) -> bool {
        let mut waiting = self.lock();
        let named = matches!(waiting.get(&id), Some(Stage::Named));
        if named {
            waiting.remove(&id);
        }
        named
    }

    /// Somebody opened it for writing, or it is no file of a box any more.
    pub fn forget(&self, id: ScratchId) {
        let mut waiting = self.lock();
        if matches!(waiting.get(&id), Some(Stage::Named | Stage::Due(_))) {
            waiting.remove(&id);
        }
    }

    /// Takes out what is finished, in the order of its making, to be received: [`Arrivals::received`] must follow for each.
    pub fn due(&self, now: Instant) -> Vec<ScratchId> {
        let mut waiting = self.lock();
        let due = |stage: &Stage| matches!(stage, Stage::Due(due) if *due <= now);
        let mut due: Vec<_> =
            waiting.iter().filter(|(_, stage)| due(stage)).map(|(id, _)| *id).collect();
        for id in &due {
            waiting.insert(*id, Stage::Received);
        }
        due.sort_unstable();
        due
    }

    /// A file was dealt with, or is to be tried again.
    pub fn received(&self, id: ScratchId, settled: bool) {
        let mut waiting = self.lock();
        let again = match waiting.remove(&id) {
            Some(Stage::ReceivedAgain(due)) => Some(due),
            _ if settled => None,
            _ => Some(Instant::now() + AGAIN),
        };
        if let Some(due) = again {
            waiting.insert(id, Stage::Due(due));
        }
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ScratchId, Stage>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ScratchId = ScratchId(1);

    #[test]
    fn a_file_is_finished_when_nobody_wrote_to_it_for_its_time() {
        let (arrivals, now) = (Arrivals::default(), Instant::now());
        arrivals.note(ID, now + AGAIN);
        assert_eq!(arrivals.due(now), []);
        arrivals.note(ID, now + 2 * AGAIN);
        assert_eq!(arrivals.due(now + AGAIN), []);
        assert_eq!(arrivals.due(now + 2 * AGAIN), [ID]);
        assert_eq!(arrivals.due(now + 2 * AGAIN), [], "it is received once");
        arrivals.received(ID, true);
        assert_eq!(arrivals.len(), 0);
    }

    #[test]
    fn what_is_written_while_it_is_received_is_received_again() {
        let (arrivals, now) = (Arrivals::default(), Instant::now());
        arrivals.note(ID, now);
        assert_eq!(arrivals.due(now), [ID]);
        arrivals.forget(ID);
        arrivals.note(ID, now);
        arrivals.received(ID, true);
        assert_eq!(arrivals.due(now), [ID]);
    }

    #[test]
    fn what_could_not_be_received_is_tried_again_later() {
        let (arrivals, now) = (Arrivals::default(), Instant::now());
        arrivals.note(ID, now);
        arrivals.due(now);
        arrivals.received(ID, false);
        assert_eq!(arrivals.due(Instant::now()), []);
        assert_eq!(arrivals.due(Instant::now() + 2 * AGAIN), [ID]);
    }
}
