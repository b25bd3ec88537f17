//! Answers as JSON, in the shapes and with the key order that clients know.

mod aggregation;
mod distribution;
mod extended;
mod fields;
mod highlight;
mod hits;
mod metric;
mod number;
mod pipeline;
mod places;
mod shards;
mod top_rows;
mod tuples;

use query::response::SearchResponse;
use serde::ser::{Serialize, SerializeMap, Serializer};

use self::shards::Shards;
use super::shape::{ResponseShape, TotalShape};

pub(super) use aggregation::range_end;
pub(super) use fields::collect;
pub(super) use number::DecimalPattern;

/// Prints an answer; `None` is the answer of a search over no index at all.
#[must_use]
pub fn render_search(
    shape: &ResponseShape,
    response: Option<&SearchResponse>,
    took_ms: u64,
) -> Vec<u8> {
    let reply = Reply {
        shape,
        response,
        took_ms,
    };
    serde_json::to_vec(&reply).expect("answers are printed from texts and finite numbers")
}

/// Prints the answer of a count.
#[must_use]
pub fn render_count(shape: &ResponseShape, response: Option<&SearchResponse>) -> Vec<u8> {
    struct Reply<'a>(u64, Shards<'a>);
    impl Serialize for Reply<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(2))?;
            map.serialize_entry("count", &self.0)?;
            map.serialize_entry("_shards", &self.1)?;
            map.end()
        }
    }
    let count = response.map_or(0, |response| response.matched);
    let reply = Reply(count, Shards::new(shape.shards, shape, response));
    serde_json::to_vec(&reply).expect("numbers and texts are JSON")
}

struct Reply<'a> {
    shape: &'a ResponseShape,
    response: Option<&'a SearchResponse>,
    took_ms: u64,
}

impl Serialize for Reply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("took", &self.took_ms)?;
        map.serialize_entry("timed_out", &false)?;
        if self.shape.ended_early {
            map.serialize_entry("terminated_early", &true)?;
        }
        let shards = if self.response.is_some() {
            self.shape.shards
        } else {
            0
        };
        let shards = Shards::new(shards, self.shape, self.response);
        map.serialize_entry("_shards", &shards)?;
        match self.response {
            None => map.serialize_entry("hits", &NoHits(self.shape))?,
            Some(response) => {
                map.serialize_entry(
                    "hits",
                    &Hits {
                        shape: self.shape,
                        response,
                    },
                )?;
                if !self.shape.aggregations.is_empty() {
                    let aggregations = aggregation::Aggregations {
                        shapes: &self.shape.aggregations,
                        results: &response.aggregations,
                    };
                    map.serialize_entry("aggregations", &aggregations)?;
                }
                if self.shape.profile {
                    map.serialize_entry("profile", &Made(response, self.took_ms))?;
                }
            }
        }
        map.end()
    }
}

/// The hits of a search over no index.
struct NoHits<'a>(&'a ResponseShape);

impl Serialize for NoHits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        total_entry(&mut map, self.0, 0)?;
        map.serialize_entry("max_score", &0.0)?;
        map.serialize_entry::<_, [u8; 0]>("hits", &[])?;
        map.end()
    }
}

struct Hits<'a> {
    shape: &'a ResponseShape,
    response: &'a SearchResponse,
}

impl Serialize for Hits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        total_entry(&mut map, self.shape, self.response.matched)?;
        let says = self.shape.says_score_max && !self.response.hits.is_empty();
        match self.response.score_max.filter(|_| says) {
            Some(best) => map.serialize_entry("max_score", &best)?,
            None => map.serialize_entry("max_score", &self.shape.score.filter(|_| says))?,
        }
        let inner = |number: usize| {
            let all = self.shape.inner.iter();
            all.filter_map(|inner| Some((inner, inner.answers.get(number)?)))
                .collect()
        };
        let hits: Vec<_> = self
            .response
            .hits
            .iter()
            .enumerate()
            .map(|(number, hit)| hits::ShownHit {
                indices: &self.shape.indices,
                shape: &self.shape.hits,
                score: self.shape.score,
                hit,
                inner: inner(number),
            })
            .collect();
        map.serialize_entry("hits", &hits)?;
        map.end()
    }
}

/// `"total": {"value": .., "relation": ..}`, or a number where the request wants that.
fn total_entry<M: SerializeMap>(
    map: &mut M,
    shape: &ResponseShape,
    matched: u64,
) -> Result<(), M::Error> {
    struct Total(u64, &'static str);
    impl Serialize for Total {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(2))?;
            map.serialize_entry("value", &self.0)?;
            map.serialize_entry("relation", &self.1)?;
            map.end()
        }
    }
    let total = match shape.total {
        TotalShape::Absent if shape.total_as_int => return map.serialize_entry("total", &-1),
        TotalShape::Absent => return Ok(()),
        TotalShape::UpTo(limit) if matched > limit => Total(limit, "gte"),
        TotalShape::Exact | TotalShape::UpTo(_) => Total(matched, "eq"),
    };
    if shape.total_as_int {
        map.serialize_entry("total", &total.0)
    } else {
        map.serialize_entry("total", &total)
    }
}

/// `profile`: how the answer was made. Clients compare members of aggregations strictly, so it is
/// here that an answer says whether it is exact.
struct Made<'a>(&'a SearchResponse, u64);

impl Serialize for Made<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Siltstone<'a>(&'a SearchResponse, u64);
        impl Serialize for Siltstone<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Self(response, took_ms) = self;
                let profile = &response.profile;
                let is_exact = !distribution::is_approximate(&response.aggregations);
                let mut map = serializer.serialize_map(Some(7))?;
                map.serialize_entry("exact", &is_exact)?;
                map.serialize_entry("rollup_cells", &profile.cells_used)?;
                map.serialize_entry("rows_scanned", &profile.rows_scanned)?;
                map.serialize_entry("segments", &profile.segments)?;
                map.serialize_entry("active_chunks", &profile.active_chunks)?;
                map.serialize_entry("milliseconds", took_ms)?;
                map.serialize_entry("cells_unused_because", &profile.cells_unused_because)?;
                map.end()
            }
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry::<_, [u8; 0]>("shards", &[])?;
        map.serialize_entry("siltstone", &Siltstone(self.0, self.1))?;
        map.end()
    }
}

#[cfg(test)]
mod tests;
