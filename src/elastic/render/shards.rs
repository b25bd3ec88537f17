//! `_shards`: how much of what was asked took part in the answer.

use std::collections::BTreeSet;

use query::response::{Failure, SearchResponse};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::elastic::error::NODE_NAME;
use crate::elastic::shape::{ResponseShape, SearchedIndex};

/// Failures that an answer describes; all are counted.
const FAILURES_SHOWN_MAX: usize = 100;

/// One shard for each index: it is never split. A shard that lacks segments has failed, although
/// the answer holds what the others of its segments say.
pub(super) struct Shards<'a> {
    total: usize,
    indices: &'a [SearchedIndex],
    failures: &'a [Failure],
}

impl<'a> Shards<'a> {
    /// The shards of a search over `total` indices.
    pub(super) fn new(
        total: usize,
        shape: &'a ResponseShape,
        response: Option<&'a SearchResponse>,
    ) -> Self {
        Self {
            total,
            indices: &shape.indices,
            failures: response.map_or(&[], |response| &response.failures),
        }
    }
}

impl Serialize for Shards<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let failed: BTreeSet<_> = self.failures.iter().map(|failure| failure.part).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("total", &self.total)?;
        map.serialize_entry("successful", &self.total.saturating_sub(failed.len()))?;
        map.serialize_entry("skipped", &0)?;
        map.serialize_entry("failed", &failed.len())?;
        if !self.failures.is_empty() {
            let shown = self.failures.iter().take(FAILURES_SHOWN_MAX);
            let shown: Vec<_> = shown.map(|failure| self.shown(failure)).collect();
            map.serialize_entry("failures", &shown)?;
        }
        map.end()
    }
}

impl Shards<'_> {
    /// A failure in Elasticsearch's words.
    fn shown(&self, failure: &Failure) -> Value {
        json!({
            "shard": 0,
            "index": self.indices.get(failure.part).map(|index| &index.name),
            "node": NODE_NAME,
            "reason": { "type": "corrupt_index_exception", "reason": &*failure.reason },
        })
    }
}
