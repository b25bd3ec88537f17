//! Maps that later searches use again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::segment::{ColumnHandle, SourceId};

use super::{OrdinalMap, TermColumn};
use crate::QueryError;
use crate::pool::ScanPool;

/// What all kept maps may take together.
pub(crate) const ORDINALS_BYTES_MAX: usize = 128 << 20;

/// Most maps that are kept, however small: most are of sources that have been merged since.
const ORDINAL_MAPS_MAX: usize = 256;

/// The columns of a map: which terms it is about.
type Key = Vec<(SourceId, ColumnHandle)>;

/// Ordinal maps up to a bound; those that were used longest ago go first.
#[derive(Debug, Default)]
pub(crate) struct OrdinalCache {
    /// Ascending by last use.
    entries: Mutex<Vec<(Key, Arc<OrdinalMap>)>>,
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
        let key: Key = columns
            .iter()
            .map(|column| (column.source.source_id(), column.column))
            .collect();
        if let Some(map) = self.get(&key) {
            return Ok(map);
        }
        let map = Arc::new(OrdinalMap::build(columns, pool)?);
        self.insert(key, &map);
        Ok(map)
    }

    fn get(&self, key: &Key) -> Option<Arc<OrdinalMap>> {
        let mut entries = self.lock();
        let place = entries.iter().position(|(other, _)| other == key)?;
        let entry = entries.remove(place);
        let map = Arc::clone(&entry.1);
        entries.push(entry);
        Some(map)
    }

    fn insert(&self, key: Key, map: &Arc<OrdinalMap>) {
        let mut entries = self.lock();
        entries.retain(|(other, _)| *other != key);
        entries.push((key, Arc::clone(map)));
        let sizes = entries.iter().map(|(_, map)| map.memory_bytes());
        let mut bytes: usize = sizes.sum();
        let mut gone = 0;
        while bytes > ORDINALS_BYTES_MAX || entries.len() - gone > ORDINAL_MAPS_MAX {
            bytes -= entries[gone].1.memory_bytes();
            gone += 1;
        }
        entries.drain(..gone);
    }

    /// A panic elsewhere leaves at worst a map too few.
    fn lock(&self) -> MutexGuard<'_, Vec<(Key, Arc<OrdinalMap>)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
