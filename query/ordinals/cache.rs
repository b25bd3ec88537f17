//! Maps that later searches use again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::memory::{GivesWay, Held, MemoryUse};
use storage::segment::{ColumnHandle, SourceId};

use super::grow::{Origin, grow};
use super::{OrdinalMap, TermColumn};
use crate::QueryError;
use crate::pool::ScanPool;

/// What all kept maps may take together.
pub(crate) const ORDINALS_BYTES_MAX: usize = 128 << 20;

/// Most maps that are kept, however small: most are of sources that have been merged since.
const ORDINAL_MAPS_MAX: usize = 256;

/// So often a map grows from one that grew: a lookup in it asks each of them.
const GROWTHS_MAX: usize = 6;

/// The columns of a map: which terms it is about.
type Key = Vec<(SourceId, ColumnHandle)>;

/// Ordinal maps up to a bound; those that were used longest ago go first.
#[derive(Debug, Default)]
pub(crate) struct OrdinalCache {
    /// Ascending by last use.
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
pub(super) struct Entry {
    key: Key,
    map: Arc<OrdinalMap>,
    /// Whether some of its rows are active: they will soon be others.
    is_passing: bool,
    /// Its memory, with that of older maps that it grew from.
    _held: Held,
}

impl GivesWay for OrdinalCache {
    fn give_way(&self, bytes: usize) -> usize {
        let mut given = 0;
        let mut gone = Vec::new();
        let mut entries = self.lock();
        let mut index = 0;
        while given < bytes && index < entries.len() {
            // Who uses one keeps it in memory.
            if Arc::strong_count(&entries[index].map) > 1 {
                index += 1;
                continue;
            }
            let entry = entries.remove(index);
            given += entry.map.memory_bytes();
            gone.push(entry);
        }
        drop(entries);
        drop(gone);
        given
    }
}

impl OrdinalCache {
    /// The map of `columns`, built unless it is here.
    pub(crate) fn map(
        &self,
        columns: &[TermColumn],
        pool: &ScanPool,
    ) -> Result<Arc<OrdinalMap>, QueryError> {
        if let Some(map) = OrdinalMap::of_one(columns)? {
            // Costs nothing, and keeping it would keep the segment open.
            return Ok(Arc::new(map));
        }
        let key = key_of(columns);
        if let Some(map) = self.get(&key) {
            return Ok(map);
        }
        let Some((older_key, older, is_passing)) = self.older(columns, &key, pool)? else {
            let map = Arc::new(OrdinalMap::build(columns, pool)?);
            self.insert(key, &map, false, None, pool);
            return Ok(map);
        };
        let mut fresh = Vec::new();
        let mut origins = Vec::with_capacity(columns.len());
        for (column, part) in columns.iter().zip(&key) {
            let place = older_key.iter().position(|older| older == part);
            origins.push(place.map_or(Origin::Fresh(fresh.len()), Origin::Older));
            if place.is_none() {
                fresh.push(column.clone());
            }
        }
        let fresh = OrdinalMap::build(&fresh, pool)?;
        let map = Arc::new(grow(&older, &fresh, &origins, pool)?);
        self.insert(key, &map, is_passing, Some(&older), pool);
        Ok(map)
    }

    /// A map of most of `columns`, its columns, and whether only active rows are missing.
    fn older(
        &self,
        columns: &[TermColumn],
        key: &Key,
        pool: &ScanPool,
    ) -> Result<Option<(Key, Arc<OrdinalMap>, bool)>, QueryError> {
        let in_segments = columns.iter().filter(|column| column.is_in_segment());
        let in_segments: Vec<TermColumn> = in_segments.cloned().collect();
        if (1..columns.len()).contains(&in_segments.len()) {
            let map = self.map(&in_segments, pool)?;
            return Ok(Some((key_of(&in_segments), map, true)));
        }
        let Some((older_key, map)) = self.largest_within(key) else {
            return Ok(None);
        };
        let mut others = 0;
        for (column, part) in columns.iter().zip(key) {
            if !older_key.contains(part) {
                others += column.term_count()?;
            }
        }
        // More new terms than known ones are joined as fast as looked up.
        Ok((others <= map.len()).then_some((older_key, map, false)))
    }

    /// The largest map that is about some of the columns of `key` alone.
    fn largest_within(&self, key: &Key) -> Option<(Key, Arc<OrdinalMap>)> {
        let entries = self.lock();
        let within = entries.iter().filter(|entry| {
            let is_within = entry.key.iter().all(|part| key.contains(part));
            is_within && entry.map.terms.depth() < GROWTHS_MAX
        });
        let largest = within.max_by_key(|entry| entry.map.len())?;
        Some((largest.key.clone(), Arc::clone(&largest.map)))
    }

    fn get(&self, key: &Key) -> Option<Arc<OrdinalMap>> {
        let mut entries = self.lock();
        let place = entries.iter().position(|entry| entry.key == *key)?;
        let entry = entries.remove(place);
        let map = Arc::clone(&entry.map);
        entries.push(entry);
        Some(map)
    }

    fn insert(
        &self,
        key: Key,
        map: &Arc<OrdinalMap>,
        is_passing: bool,
        older: Option<&OrdinalMap>,
        pool: &ScanPool,
    ) {
        let memory = pool.memory();
        let bytes_max = memory
            .share_bytes(MemoryUse::Ordinals)
            .min(ORDINALS_BYTES_MAX);
        // One that there is no room for lives as long as its search.
        let Some(held) = memory.hold_if_room(MemoryUse::Ordinals, map.memory_bytes()) else {
            return;
        };
        let mut entries = self.lock();
        entries.retain(|entry| {
            // Of the maps with active rows on one older map, the newest will do.
            let is_past = is_passing
                && entry.is_passing
                && older.is_some_and(|older| entry.map.terms.is_grown_from(&older.terms));
            entry.key != key && !is_past
        });
        entries.push(Entry {
            key,
            map: Arc::clone(map),
            is_passing,
            _held: held,
        });
        let sizes = entries.iter().map(|entry| entry.map.memory_bytes());
        let mut bytes: usize = sizes.sum();
        let mut gone = 0;
        while bytes > bytes_max || entries.len() - gone > ORDINAL_MAPS_MAX {
            bytes -= entries[gone].map.memory_bytes();
            gone += 1;
        }
        entries.drain(..gone);
    }

    /// A panic elsewhere leaves at worst a map too few.
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(columns: &[TermColumn]) -> Key {
    columns
        .iter()
        .map(|column| (column.source.source_id(), column.column))
        .collect()
}
