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

/// What is to become of a value that was not used for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    /// It goes.
    Out,
    /// It stays; the next may go.
    Stays,
    /// It stays, and so do all that were used later.
    Enough,
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

    /// Takes values out, those that were used longest ago first, as long as `goes` says that more
    /// are wanted; it may leave single ones in their place.
    pub(super) fn take_oldest(&mut self, mut goes: impl FnMut(&V) -> Goes) -> Vec<V> {
        let mut taken = Vec::new();
        for key in self.by_use() {
            match goes(&self.values[&key].0) {
                Goes::Out => taken.extend(self.values.remove(&key).map(|(value, _)| value)),
                Goes::Stays => {}
                Goes::Enough => break,
            }
        }
        taken
    }

    /// Lets the oldest go until `len` are left.
    fn shrink(&mut self, len: usize) {
        let by_use = self.by_use();
        let gone = by_use.len().saturating_sub(len);
        for key in &by_use[..gone] {
            self.values.remove(key);
        }
    }

    /// All keys, that which was used longest ago first.
    fn by_use(&self) -> Vec<K> {
        let mut by_use: Vec<_> = self
            .values
            .iter()
            .map(|(key, (_, last_use))| (*last_use, *key))
            .collect();
        by_use.sort_unstable_by_key(|(last_use, _)| *last_use);
        by_use.into_iter().map(|(_, key)| key).collect()
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
