//! The open-file cache: a file that is opened again costs neither a query nor an open.
//!
//! An entry is valid as long as the catalogue's number of commits is the one from before it was looked up. Which file is closed for
//! another is chosen by the cache (S3-FIFO): a client that reads a few more files in turn than there is room for still finds most.

use std::fs::File;
use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::Cache;

/// Files that are kept open before [`OpenFiles::limit`] is called.
const MOST: usize = 64;

/// A record of the catalogue, with the open file of its bytes.
#[derive(Debug)]
pub struct OpenFile<R> {
    pub record: R,
    pub file: Arc<File>,
}

/// Open files by number, each with the number of commits before its record was looked up.
pub(super) struct OpenFiles<K, R>(Cache<K, (u64, Arc<OpenFile<R>>)>);

impl<K: Copy + Eq + Hash, R> OpenFiles<K, R> {
    pub fn new() -> Self {
        Self(Cache::new(MOST))
    }

    /// Sets how many files may be kept open.
    pub fn limit(&self, most: usize) {
        self.0.set_capacity(most as u64);
    }

    /// The file with this key, if there are still as many commits as when it was looked up.
    pub fn get(&self, key: K, commits: u64) -> Option<Arc<OpenFile<R>>> {
        self.0.get(&key).filter(|(then, _)| *then == commits).map(|(_, open)| open)
    }

    /// Keeps a file open that was looked up when there were `commits`. If there are too many, one is closed.
    pub fn put(&self, key: K, commits: u64, open: Arc<OpenFile<R>>) {
        self.0.insert(key, (commits, open));
    }

    /// Closes the files that are no longer valid. A deleted file that is open keeps its space on the disk.
    pub fn close_old(&self, commits: Option<u64>) {
        for (key, entry) in self.0.iter() {
            if Some(entry.0) != commits {
                // Not `retain`, which would close the file under the cache's lock.
                self.0.remove_if(&key, |(then, _)| *then == entry.0);
            }
        }
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
            assert!(open <= 80, "{open} open");
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
    }
}
