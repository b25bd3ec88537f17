//! Groups as entries of a checkpoint: one key for each group, `group/<name>`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommittedOffset, GroupState, Groups};
use crate::catalog::{CatalogError, Entries, decode_entry, encode_entry};
use crate::model::Partition;

const GROUP_PREFIX: &str = "group/";

#[derive(Serialize, Deserialize)]
struct Entry<D, O> {
    description: D,
    offsets: O,
}

impl Groups {
    /// Adds all groups to `entries`.
    pub fn write_entries(&self, entries: &mut Entries) {
        for (name, state) in &self.groups {
            let entry = Entry {
                description: &state.description,
                offsets: state.offsets.iter().collect::<Vec<_>>(),
            };
            entries.insert(format!("{GROUP_PREFIX}{name}").into(), encode_entry(&entry));
        }
    }

    /// The groups of `entries`. Entries of others are left alone.
    ///
    /// # Errors
    /// When an entry is damaged.
    pub fn read_entries(entries: &Entries) -> Result<Self, CatalogError> {
        let mut groups = Self::default();
        let prefix = GROUP_PREFIX.as_bytes();
        let from = entries.range(prefix.to_vec()..);
        for (key, bytes) in from.take_while(|(key, _)| key.starts_with(prefix)) {
            let name = std::str::from_utf8(&key[prefix.len()..]).map_err(|_| {
                let key = String::from_utf8_lossy(key);
                CatalogError::Damaged(format!("entry '{key}' is not text"))
            })?;
            type Read = Entry<Option<Arc<Value>>, Vec<(Partition, CommittedOffset)>>;
            let entry: Read = decode_entry(key, bytes)?;
            let state = GroupState {
                description: entry.description,
                offsets: entry.offsets.into_iter().collect(),
            };
            groups.offset_bytes += state.offset_bytes();
            groups.groups.insert(name.to_owned(), state);
        }
        Ok(groups)
    }
}
