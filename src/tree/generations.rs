//! Generations: `rmdir` of a collection succeeds, and it is there again at the next lookup. The kernel's own inode of a
//! directory that was removed stays dead for as long as somebody is in it; a new generation makes it take a new one.
//! Does not know what was removed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::tree::Ino;

/// Directories that are remembered. Of one that is forgotten the generation is 0 again, which is as good: another one.
const MAX: usize = 65_536;

#[derive(Debug, Default)]
pub struct Generations {
    /// Guards the generations that are not 0. Never held across I/O.
    of: RwLock<HashMap<Ino, u64>>,
    last: AtomicU64,
}

impl Generations {
    pub fn of(&self, ino: Ino) -> u64 {
        if self.last.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let of = self.of.read().unwrap_or_else(PoisonError::into_inner);
        of.get(&ino).copied().unwrap_or(0)
    }

    /// The directory was removed.
    pub fn renew(&self, ino: Ino) {
        let next = self.last.fetch_add(1, Ordering::AcqRel) + 1;
        let mut of = self.of.write().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= MAX {
            of.clear();
        }
        of.insert(ino, next);
    }

    /// It is gone for good: its number never comes again.
    pub fn forget(&self, ino: Ino) {
        if self.last.load(Ordering::Acquire) > 0 {
            self.of.write().unwrap_or_else(PoisonError::into_inner).remove(&ino);
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
    fn the_directories_that_are_remembered_are_bounded() {
        let generations = Generations::default();
        for number in 0..=MAX as u64 {
            generations.renew(Ino(number));
        }
        assert!(generations.of.read().expect("not poisoned").len() <= MAX);
        assert!(generations.of(Ino(MAX as u64)) > 0);
    }
}
