//! Short memories: who unlinked or emptied a field a moment ago (CONTRACT 2.6 and 2.11).
//! Does not act on them; forgetting is always safe, since what was unlinked is held by the catalogue.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// More than this is not remembered: the oldest go first.
const MAX_REMEMBERED: usize = 65_536;

/// Values that are believed for a while.
#[derive(Debug)]
pub struct Memory<K, V> {
    span: Duration,
    /// Guards the memories. Never held across I/O.
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash + Clone, V: Clone> Memory<K, V> {
    pub fn new(span: Duration) -> Self {
        Self { span, entries: Mutex::new(HashMap::new()) }
    }

    pub fn note(&self, key: K, value: V) {
        let mut entries = self.lock();
        if entries.len() >= MAX_REMEMBERED {
            let oldest = entries.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                entries.remove(&key);
            }
        }
        entries.insert(key, (Instant::now(), value));
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub fn find(&self, key: &K) -> Option<V> {
        let entries = self.lock();
        let (since, value) = entries.get(key)?;
        (since.elapsed() < self.span).then(|| value.clone())
    }

    /// What is remembered, forgotten with the asking.
    pub fn take(&self, key: &K) -> Option<V> {
        let (since, value) = self.lock().remove(key)?;
        (since.elapsed() < self.span).then_some(value)
    }

    pub fn forget_old(&self) {
        let span = self.span;
        self.lock().retain(|_, (since, _)| since.elapsed() < span);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_taken_once_and_fades() {
        let memory = Memory::new(Duration::from_secs(60));
        memory.note(1, "x");
        assert_eq!(memory.take(&1), Some("x"));
        assert_eq!(memory.take(&1), None);
        let short = Memory::new(Duration::ZERO);
        short.note(1, "x");
        assert_eq!(short.take(&1), None);
    }
}
