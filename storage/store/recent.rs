//! A bounded map of what was used lately.

use std::collections::HashMap;
use std::hash::Hash;

/// At most `max` values; those that were used longest ago go first.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    values: HashMap<K, (V, u64)>,
    max: usize,
    /// Grows with every use.
    uses: u64,
}

impl<K: Copy + Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            values: HashMap::new(),
            max: max.max(1),
            uses: 0,
        }
    }

    pub(super) fn get(&mut self, key: K) -> Option<V> {
        self.uses += 1;
        let (value, last_use) = self.values.get_mut(&key)?;
        *last_use = self.uses;
        Some(value.clone())
    }

    /// Keeps `value`. When that is one too many, a quarter of all goes, so that the search for
    /// the oldest is paid for by many uses to come.
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.uses += 1;
        self.values.insert(key, (value, self.uses));
        if self.values.len() > self.max {
            self.shrink(self.max - self.max / 4);
        }
    }

    pub(super) fn remove(&mut self, key: K) {
        self.values.remove(&key);
    }

    /// Lets the oldest go until `len` are left.
    fn shrink(&mut self, len: usize) {
        let mut by_use: Vec<_> = self
            .values
            .iter()
            .map(|(key, (_, last_use))| (*last_use, *key))
            .collect();
        by_use.sort_unstable_by_key(|(last_use, _)| *last_use);
        let gone = by_use.len().saturating_sub(len);
        for (_, key) in &by_use[..gone] {
            self.values.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_bound_holds() {
        let mut recent = Recent::new(8);
        for key in 0..100 {
            recent.insert(key, key);
            assert!(recent.values.len() <= 8);
            assert_eq!(recent.get(0), Some(0), "used all the time");
        }
        assert_eq!(recent.get(99), Some(99));
        assert_eq!(recent.get(1), None);
        recent.remove(99);
        assert_eq!(recent.get(99), None);
    }
}
