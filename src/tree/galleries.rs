//! The directories of variants that somebody has listed since a variant last came or went.
//! Does not know the variants. Many directories may list one variant, of equal pictures, and the kernel keeps what each lists
//! until its time of change moves: so it moves for all of them at once.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::tree::Ino;
use words::attachment::Times;
use words::timestamp::Timestamp;

/// Directories that are remembered. When there are more, those that were remembered are to be asked for again.
const MAX: usize = 4_096;

#[derive(Debug, Default)]
pub struct Galleries {
    /// Guards what is remembered. Never held across I/O.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// When a variant last came or went that one of them may have listed.
    changed: Option<Timestamp>,
    listed: HashSet<Ino>,
}

impl Galleries {
    /// A directory is about to be listed. Returns those whose listings must be forgotten.
    pub fn list(&self, directory: Ino, now: Timestamp) -> Vec<Ino> {
        let mut known = self.lock();
        let over = if known.listed.len() >= MAX { known.change(now) } else { Vec::new() };
        known.listed.insert(directory);
        over
    }

    /// A variant came or went. Returns the directories whose listings must be forgotten.
    pub fn changed(&self, now: Timestamp) -> Vec<Ino> {
        let mut known = self.lock();
        if known.listed.is_empty() { Vec::new() } else { known.change(now) }
    }

    /// The times of a directory as they are shown.
    pub fn shown(&self, times: Times) -> Times {
        match self.lock().changed {
            Some(at) => Times { modified: times.modified.max(at), ..times },
            None => times,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn change(&mut self, now: Timestamp) -> Vec<Ino> {
        self.changed = Some(now);
        self.listed.drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_listed_is_to_be_asked_for_again_once() {
        let galleries = Galleries::default();
        let times = Times::all(Timestamp(5));
        assert_eq!(galleries.changed(Timestamp(7)), []);
        assert_eq!(galleries.shown(times), times, "nobody has looked");
        assert_eq!(galleries.list(Ino(1), Timestamp(8)), []);
        assert_eq!(galleries.changed(Timestamp(9)), [Ino(1)]);
        assert_eq!(galleries.shown(times).modified, Timestamp(9));
        assert_eq!(galleries.changed(Timestamp(10)), []);
    }

    #[test]
    fn the_directories_that_are_remembered_are_bounded() {
        let galleries = Galleries::default();
        for number in 0..MAX as u64 {
            assert_eq!(galleries.list(Ino(number), Timestamp(1)), []);
        }
        assert_eq!(galleries.list(Ino(MAX as u64), Timestamp(2)).len(), MAX);
        assert_eq!(galleries.changed(Timestamp(3)), [Ino(MAX as u64)]);
    }
}
