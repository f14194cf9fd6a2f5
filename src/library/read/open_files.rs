//! The open-file cache: a file that is opened again costs neither a query nor an open.
//!
//! An entry is valid as long as the catalogue's number of commits is the one from before it was looked up.

use std::collections::HashMap;
use std::fs::File;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that are kept open before [`OpenFiles::limit`] is called.
const MOST: usize = 64;

/// A record of the catalogue, with the open file of its bytes.
#[derive(Debug)]
pub struct OpenFile<R> {
    pub record: R,
    pub file: Arc<File>,
}

/// Open files by number.
#[derive(Debug)]
pub(super) struct OpenFiles<K, R> {
    /// Guards the entries. Never held across I/O: files are closed after it is released.
    cache: Mutex<Cache<K, R>>,
    most: AtomicUsize,
}

#[derive(Debug)]
struct Cache<K, R> {
    by_key: HashMap<K, Entry<R>>,
    /// The keys of all entries, in no order.
    keys: Vec<K>,
    /// The state of the random generator.
    random: u64,
}

#[derive(Debug)]
struct Entry<R> {
    /// The number of commits before the record was looked up.
    commits: u64,
    open: Arc<OpenFile<R>>,
}

impl<K: Copy + Eq + Hash, R> OpenFiles<K, R> {
    pub fn new() -> Self {
        let cache = Cache { by_key: HashMap::new(), keys: Vec::new(), random: 1 };
        Self { cache: Mutex::new(cache), most: AtomicUsize::new(MOST) }
    }

    /// Sets how many files may be kept open.
    pub fn limit(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// The file with this key, if there are still as many commits as when it was looked up.
    pub fn get(&self, key: K, commits: u64) -> Option<Arc<OpenFile<R>>> {
        let cache = self.lock();
        let entry = cache.by_key.get(&key).filter(|entry| entry.commits == commits)?;
        Some(Arc::clone(&entry.open))
    }

    /// Keeps a file open that was looked up when there were `commits`. If there are too many, any one is closed.
    pub fn put(&self, key: K, commits: u64, open: Arc<OpenFile<R>>) {
        let most = self.most.load(Ordering::Relaxed);
        let mut cache = self.lock();
        let replaced = cache.by_key.insert(key, Entry { commits, open });
        if replaced.is_none() {
            cache.keys.push(key);
        }
        let dropped = if cache.keys.len() > most { cache.drop_any() } else { None };
        drop(cache);
        drop((replaced, dropped));
    }

    /// Closes the files that are no longer valid. A deleted file that is open keeps its space on the disk.
    pub fn close_old(&self, commits: Option<u64>) {
        let mut cache = self.lock();
        let is_old = |entry: &Entry<R>| Some(entry.commits) != commits;
        let dropped: Vec<_> = cache.by_key.extract_if(|_, entry| is_old(entry)).collect();
        let Cache { by_key, keys, .. } = &mut *cache;
        keys.retain(|key| by_key.contains_key(key));
        drop(cache);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Cache<K, R>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, R> Cache<K, R> {
    /// Removes a random entry. If it were the oldest, a client that reads a few more files in turn than there is room for would
    /// find none of them.
    fn drop_any(&mut self) -> Option<Entry<R>> {
        // George Marsaglia, 'Xorshift RNGs', 2003.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let count = u64::try_from(self.keys.len()).ok().filter(|count| *count > 0)?;
        let key = self.keys.swap_remove(usize::try_from(self.random % count).ok()?);
        self.by_key.remove(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(record: u64) -> Arc<OpenFile<u64>> {
        let file = tempfile::tempfile().expect("a file");
        Arc::new(OpenFile { record, file: Arc::new(file) })
    }

    fn found(cache: &OpenFiles<u64, u64>, key: u64, commits: u64) -> Option<u64> {
        cache.get(key, commits).map(|file| file.record)
    }

    #[test]
    fn a_file_is_found_until_something_is_committed() {
        let cache = OpenFiles::new();
        cache.put(1, 7, open(10));
        assert_eq!(found(&cache, 1, 7), Some(10));
        assert_eq!(found(&cache, 1, 8), None);
        cache.put(1, 8, open(11));
        assert_eq!(found(&cache, 1, 8), Some(11));
    }

    #[test]
    fn files_are_bounded_and_reading_a_few_more_in_turn_finds_most_of_them() {
        let cache = OpenFiles::new();
        cache.limit(80);
        let files: Vec<_> = (0..100).map(open).collect();
        let mut found = 0;
        for _ in 0..10 {
            for (key, file) in (0..).zip(&files) {
                if cache.get(key, 7).is_some() {
                    found += 1;
                } else {
                    cache.put(key, 7, Arc::clone(file));
                }
            }
            let open = files.iter().filter(|file| Arc::strong_count(file) > 1).count();
            assert_eq!((open, cache.lock().keys.len()), (80, 80));
        }
        assert!(found > 400, "{found} of 1000");
    }

    #[test]
    fn files_of_an_older_commit_are_closed() {
        let cache = OpenFiles::new();
        let files: Vec<_> = (0..2).map(open).collect();
        cache.put(0, 7, Arc::clone(&files[0]));
        cache.put(1, 8, Arc::clone(&files[1]));
        cache.close_old(Some(8));
        let kept: Vec<_> = files.iter().map(|file| Arc::strong_count(file) > 1).collect();
        assert_eq!(kept, [false, true]);
        assert_eq!(cache.lock().keys, [1]);
    }
}
