//! Generations of directories that exist again after their `rmdir`: collections and directories of variants. The kernel's inode
//! of a removed directory stays dead for as long as a process has it open; with a new generation the kernel makes a new one.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::tree::bounded::BoundedMap;
use crate::tree::node::Ino;

/// The most directories whose generation is kept. Beyond that, all begin another generation.
const MAX: usize = 65_536;

#[derive(Debug, Default)]
pub struct Generations {
    /// Whether any directory was ever removed: until then a lookup takes no lock.
    any: AtomicBool,
    /// Guards the generations. Never held across I/O.
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    last: u64,
    /// The generation of every directory that is not in the map.
    base: u64,
    of: BoundedMap<Ino, u64, MAX>,
}

impl Generations {
    pub fn of(&self, ino: Ino) -> u64 {
        if !self.any.load(Ordering::Acquire) {
            return 0;
        }
        let known = self.known.read();
        known.of.get(&ino).copied().unwrap_or(known.base)
    }

    /// Gives a directory that was removed a generation that it has never had.
    pub(super) fn renew(&self, ino: Ino) {
        let mut known = self.known.write();
        known.last += 1;
        let last = known.last;
        if known.of.is_full() {
            known.of.clear();
            known.base = last;
        } else {
            known.of.insert(ino, last);
        }
        self.any.store(true, Ordering::Release);
    }

    /// Forgets a directory whose inode number is never used again.
    pub(super) fn forget(&self, ino: Ino) {
        if self.any.load(Ordering::Acquire) {
            self.known.write().of.remove(&ino);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_was_removed_has_a_new_generation_each_time() {
        let generations = Generations::default();
        assert_eq!(generations.of(Ino(7)), 0);
        generations.renew(Ino(7));
        let first = generations.of(Ino(7));
        generations.renew(Ino(7));
        assert!(first > 0 && generations.of(Ino(7)) > first);
        assert_eq!(generations.of(Ino(8)), 0);
        generations.forget(Ino(7));
        assert_eq!(generations.of(Ino(7)), 0);
    }

    #[test]
    fn the_directories_that_are_remembered_are_bounded_and_no_generation_comes_twice() {
        let generations = Generations::default();
        for number in 0..=MAX as u64 {
            let before = generations.of(Ino(number));
            generations.renew(Ino(number));
            assert!(generations.of(Ino(number)) > before);
        }
        assert!(generations.known.read().of.is_empty());
        assert!(generations.of(Ino(0)) > MAX as u64);
    }
}
