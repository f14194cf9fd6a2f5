//! A map of limited size and age. Its owner guards it with a lock, and decides what happens when it is full.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Any age.
const AGELESS: u64 = u64::MAX;

/// At most `LIMIT` values by key, each kept for `SECS` seconds; the oldest makes room for a new one.
#[derive(Debug)]
pub struct BoundedMap<K, V, const LIMIT: usize, const SECS: u64 = AGELESS> {
    span: Duration,
    entries: HashMap<K, Entry<V>>,
    /// The keys in the order in which their values were inserted.
    order: BTreeMap<u64, K>,
    last: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    since: Instant,
    turn: u64,
}

impl<K, V, const LIMIT: usize, const SECS: u64> Default for BoundedMap<K, V, LIMIT, SECS> {
    fn default() -> Self {
        Self::lasting(Duration::from_secs(SECS))
    }
}

impl<K, V, const LIMIT: usize, const SECS: u64> BoundedMap<K, V, LIMIT, SECS> {
    /// Keeps each value for a span that is known at run time only.
    pub fn lasting(span: Duration) -> Self {
        Self { span, entries: HashMap::new(), order: BTreeMap::new(), last: 0 }
    }
}

impl<K: Clone + Eq + Hash, V, const LIMIT: usize, const SECS: u64> BoundedMap<K, V, LIMIT, SECS> {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.entries.len() >= LIMIT
    }

    /// Inserts or replaces a value, which becomes the youngest. Returns the oldest if that was evicted.
    pub fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        self.remove(&key);
        let evicted = if self.is_full() { self.pop_oldest() } else { None };
        self.last += 1;
        self.order.insert(self.last, key.clone());
        let entry = Entry { value, since: Instant::now(), turn: self.last };
        self.entries.insert(key, entry);
        evicted
    }

    /// The value of a key, unless it is too old.
    pub fn get(&self, key: &K) -> Option<&V> {
        let entry = self.entries.get(key)?;
        (entry.since.elapsed() < self.span).then_some(&entry.value)
    }

    /// The value of a key, unless it is too old. Changing it leaves its age as it is.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        (entry.since.elapsed() < self.span).then_some(&mut entry.value)
    }

    /// Removes the value of a key. Returns it unless it was too old.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.turn);
        (entry.since.elapsed() < self.span).then_some(entry.value)
    }

    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        let (_, key) = self.order.pop_first()?;
        let entry = self.entries.remove(&key)?;
        Some((key, entry.value))
    }

    /// The values that are not too old, the oldest first.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        let now = Instant::now();
        let found = self.order.values().filter_map(|key| self.entries.get(key));
        found
            .filter(move |entry| now.saturating_duration_since(entry.since) < self.span)
            .map(|entry| &entry.value)
    }

    pub fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        let Self { entries, order, .. } = self;
        entries.retain(|_, entry| keep(&entry.value));
        order.retain(|_, key| entries.contains_key(key));
    }

    /// Removes every value and returns the keys, the oldest first.
    pub fn clear(&mut self) -> Vec<K> {
        self.entries.clear();
        std::mem::take(&mut self.order).into_values().collect()
    }

    /// Removes and returns the values that are too old at this time, the oldest first.
    pub fn expire(&mut self, now: Instant) -> Vec<V> {
        let mut expired = Vec::new();
        while let Some(key) = self.order.first_key_value().map(|(_, key)| key)
            && let Some(entry) = self.entries.get(key)
            && now.saturating_duration_since(entry.since) >= self.span
        {
            expired.extend(self.pop_oldest().map(|(_, value)| value));
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(map: &BoundedMap<u8, u8, 3>) -> Vec<u8> {
        map.values().copied().collect()
    }

    #[test]
    fn a_value_is_removed_once_and_fades() {
        let mut map = BoundedMap::<_, _, 9>::default();
        map.insert(1, "x");
        assert_eq!((map.remove(&1), map.remove(&1)), (Some("x"), None));
        let mut short = BoundedMap::<_, _, 9, 0>::default();
        short.insert(1, "x");
        assert_eq!(short.get(&1), None);
        assert_eq!(short.get_mut(&1), None);
        assert_eq!((short.remove(&1), short.is_empty()), (None, true));
    }

    #[test]
    fn the_oldest_makes_room_and_a_value_that_is_replaced_is_the_youngest() {
        let mut map = BoundedMap::default();
        for key in [1, 2, 3, 1] {
            assert_eq!(map.insert(key, key), None);
        }
        assert_eq!((numbers(&map), map.is_full()), (vec![2, 3, 1], true));
        assert_eq!(map.insert(4, 4), Some((2, 2)));
        *map.get_mut(&3).expect("there") = 7;
        assert_eq!(numbers(&map), [7, 1, 4], "a change keeps its turn");
        map.retain(|value| *value != 1);
        assert_eq!((map.clear(), map.len()), (vec![3, 4], 0));
    }

    #[test]
    fn values_expire_by_their_age() {
        let mut map = BoundedMap::<_, _, 9, 60>::default();
        map.insert(1, 1);
        map.insert(2, 2);
        let now = Instant::now();
        assert!(map.expire(now).is_empty());
        assert_eq!(map.expire(now + Duration::from_secs(60)), [1, 2]);
        assert!(map.is_empty() && map.clear().is_empty());
    }
}
