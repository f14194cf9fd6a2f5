//! What was opened a moment ago: who opens it again asks neither the catalogue nor the store.
//! Does not know what it keeps; whether that is still so it knows by the catalogue's count of commits alone.

use std::collections::HashMap;
use std::fs::File;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that are kept open where nobody has said how many may be.
const MOST: usize = 64;

/// A record of the catalogue, and the bytes that it is of.
#[derive(Debug)]
pub struct Stored<R> {
    pub record: R,
    pub file: Arc<File>,
}

#[derive(Debug)]
pub struct Lately<K, R> {
    /// Guards what is kept. Never held across I/O; files are closed after it.
    kept: Mutex<Kept<K, R>>,
    most: AtomicUsize,
}

#[derive(Debug)]
struct Kept<K, R> {
    by_key: HashMap<K, Entry<R>>,
    /// Its keys, in no order.
    keys: Vec<K>,
    /// What chance has come to.
    chance: u64,
}

#[derive(Debug)]
struct Entry<R> {
    /// The commits that there were before it was asked for.
    commits: u64,
    stored: Arc<Stored<R>>,
}

impl<K: Copy + Eq + Hash, R> Lately<K, R> {
    pub fn new() -> Self {
        let kept = Kept { by_key: HashMap::new(), keys: Vec::new(), chance: 1 };
        Self { kept: Mutex::new(kept), most: AtomicUsize::new(MOST) }
    }

    /// How many files may be kept open.
    pub fn limit(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// What asking anew would say, `commits` being the catalogue's count now.
    pub fn get(&self, key: K, commits: u64) -> Option<Arc<Stored<R>>> {
        let kept = self.lock();
        let entry = kept.by_key.get(&key).filter(|entry| entry.commits == commits)?;
        Some(Arc::clone(&entry.stored))
    }

    /// Keeps what was asked for when there were `commits`.
    pub fn put(&self, key: K, commits: u64, stored: Arc<Stored<R>>) {
        let most = self.most.load(Ordering::Relaxed);
        let mut kept = self.lock();
        let replaced = kept.by_key.insert(key, Entry { commits, stored });
        if replaced.is_none() {
            kept.keys.push(key);
        }
        let dropped = if kept.keys.len() > most { kept.drop_any() } else { None };
        drop(kept);
        drop((replaced, dropped));
    }

    /// Closes what the catalogue may know otherwise by now: a file that is open keeps its space on the disk.
    pub fn forget_old(&self, commits: Option<u64>) {
        let mut kept = self.lock();
        let is_old = |entry: &Entry<R>| Some(entry.commits) != commits;
        let dropped: Vec<_> = kept.by_key.extract_if(|_, entry| is_old(entry)).collect();
        let Kept { by_key, keys, .. } = &mut *kept;
        keys.retain(|key| by_key.contains_key(key));
        drop(kept);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Kept<K, R>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, R> Kept<K, R> {
    /// Makes room. Were it the oldest that goes, who reads more files over and over than there is room for would find none.
    fn drop_any(&mut self) -> Option<Entry<R>> {
        // George Marsaglia, 'Xorshift RNGs', 2003.
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        let count = u64::try_from(self.keys.len()).ok().filter(|count| *count > 0)?;
        let key = self.keys.swap_remove(usize::try_from(self.chance % count).ok()?);
        self.by_key.remove(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(record: u64) -> Arc<Stored<u64>> {
        let file = tempfile::tempfile().expect("a file");
        Arc::new(Stored { record, file: Arc::new(file) })
    }

    fn found(lately: &Lately<u64, u64>, key: u64, commits: u64) -> Option<u64> {
        lately.get(key, commits).map(|stored| stored.record)
    }

    #[test]
    fn it_is_as_good_as_asked_anew_until_something_is_committed() {
        let lately = Lately::new();
        lately.put(1, 7, stored(10));
        assert_eq!(found(&lately, 1, 7), Some(10));
        assert_eq!(found(&lately, 1, 8), None);
        lately.put(1, 8, stored(11));
        assert_eq!(found(&lately, 1, 8), Some(11));
    }

    #[test]
    fn files_are_bounded_and_who_reads_a_few_more_over_and_over_finds_most_of_them() {
        let lately = Lately::new();
        lately.limit(80);
        let files: Vec<_> = (0..100).map(stored).collect();
        let mut found = 0;
        for _ in 0..10 {
            for (key, file) in (0..).zip(&files) {
                if lately.get(key, 7).is_some() {
                    found += 1;
                } else {
                    lately.put(key, 7, Arc::clone(file));
                }
            }
            let open = files.iter().filter(|file| Arc::strong_count(file) > 1).count();
            assert_eq!((open, lately.lock().keys.len()), (80, 80));
        }
        assert!(found > 400, "{found} of 1000");
    }

    #[test]
    fn what_may_be_otherwise_by_now_is_closed() {
        let lately = Lately::new();
        let files: Vec<_> = (0..2).map(stored).collect();
        lately.put(0, 7, Arc::clone(&files[0]));
        lately.put(1, 8, Arc::clone(&files[1]));
        lately.forget_old(Some(8));
        let kept: Vec<_> = files.iter().map(|file| Arc::strong_count(file) > 1).collect();
        assert_eq!(kept, [false, true]);
        assert_eq!(lately.lock().keys, [1]);
    }
}
