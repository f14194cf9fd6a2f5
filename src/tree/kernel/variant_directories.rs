//! The directories of variants that were listed since a variant last came or went. Equal pictures share their variants, so that
//! many directories may list the same one; and the kernel keeps a listing until the directory's time of change moves. So the
//! time of all of them moves at once.

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use crate::tree::node::Ino;
use words::attachment::Times;
use words::timestamp::Timestamp;

/// Directories that are remembered. When there are more, the kernel must forget the listings of all of them.
const MAX: usize = 4_096;

#[derive(Debug)]
pub struct VariantDirectories {
    /// Guards the directories and their time. Never held across I/O.
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// When a variant last came or went that one of them may have listed.
    changed: Option<Timestamp>,
    listed: BoundedMap<Ino, ()>,
}

impl Default for VariantDirectories {
    fn default() -> Self {
        let known = Known { changed: None, listed: BoundedMap::ageless(MAX) };
        Self { known: Mutex::new(known) }
    }
}

impl VariantDirectories {
    /// A directory is about to be listed. Returns those whose listings must be forgotten.
    pub(super) fn list(&self, directory: Ino, now: Timestamp) -> Vec<Ino> {
        let mut known = self.known.lock();
        let over = if known.listed.is_full() { known.change(now) } else { Vec::new() };
        known.listed.insert(directory, ());
        over
    }

    /// A variant came or went. Returns the directories whose listings must be forgotten.
    pub(super) fn changed(&self, now: Timestamp) -> Vec<Ino> {
        let mut known = self.known.lock();
        if known.listed.is_empty() { Vec::new() } else { known.change(now) }
    }

    /// The times that a directory shows.
    pub fn shown(&self, times: Times) -> Times {
        match self.known.lock().changed {
            Some(at) => Times { modified: times.modified.max(at), ..times },
            None => times,
        }
    }
}

impl Known {
    fn change(&mut self, now: Timestamp) -> Vec<Ino> {
        self.changed = Some(now);
        self.listed.clear()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_to_be_forgotten_once() {
        let directories = VariantDirectories::default();
        let times = Times::all(Timestamp(5));
        assert_eq!(directories.changed(Timestamp(7)), []);
        assert_eq!(directories.shown(times), times, "nobody has looked");
        assert_eq!(directories.list(Ino(1), Timestamp(8)), []);
        assert_eq!(directories.changed(Timestamp(9)), [Ino(1)]);
        assert_eq!(directories.shown(times).modified, Timestamp(9));
        assert_eq!(directories.changed(Timestamp(10)), []);
    }

    #[test]
    fn the_directories_that_are_remembered_are_bounded() {
        let directories = VariantDirectories::default();
        for number in 0..MAX as u64 {
            assert_eq!(directories.list(Ino(number), Timestamp(1)), []);
        }
        assert_eq!(directories.list(Ino(MAX as u64), Timestamp(2)).len(), MAX);
        assert_eq!(directories.changed(Timestamp(3)), [Ino(MAX as u64)]);
    }
}
