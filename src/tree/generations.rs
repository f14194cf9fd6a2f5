//! Generations: `rmdir` of a collection, or of a directory of variants, succeeds, and it is there again at the next lookup.
//! The kernel's own inode of a directory that was removed stays dead for as long as somebody is in it; a new generation
//! makes it take a new one. Does not know what was removed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use crate::tree::Ino;

/// Directories that are remembered. When there are more, all begin another generation.
const MAX: usize = 65_536;

#[derive(Debug, Default)]
pub struct Generations {
    /// Whether any was ever renewed: most lookups need not ask further.
    any: AtomicBool,
    /// Guards what is remembered. Never held across I/O.
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    last: u64,
    /// Of a directory that is not in the map.
    base: u64,
    of: HashMap<Ino, u64>,
}

impl Generations {
    /// The generation of a directory now.
    pub fn of(&self, ino: Ino) -> u64 {
        if !self.any.load(Ordering::Acquire) {
            return 0;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.of.get(&ino).copied().unwrap_or(known.base)
    }

    /// The directory was removed. No generation of it comes twice.
    pub fn renew(&self, ino: Ino) {
        let mut known = self.write();
        known.last += 1;
        let last = known.last;
        if known.of.len() >= MAX {
            known.of.clear();
            known.base = last;
        } else {
            known.of.insert(ino, last);
        }
        self.any.store(true, Ordering::Release);
    }

    /// It is gone for good: its number never comes again.
    pub fn forget(&self, ino: Ino) {
        if self.any.load(Ordering::Acquire) {
            self.write().of.remove(&ino);
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
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
        assert!(generations.write().of.is_empty());
        assert!(generations.of(Ino(0)) > MAX as u64);
    }
}
