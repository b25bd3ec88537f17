//! The first rows of a bucket as JSON.

use query::response::{Hit, RowsResult, SortValue};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::hits::{ShownHit, sort_values};
use super::number::Number;
use crate::elastic::shape::{MetricColumn, TopHitsShape, TopMetricsShape};

/// `hits` of `top_hits`.
pub(super) struct TopHits<'a> {
    pub(super) shape: &'a TopHitsShape,
    pub(super) rows: &'a RowsResult,
}

impl Serialize for TopHits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, rows } = self;
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("total", &Total(rows.matched))?;
        let best = shape.score.filter(|_| !rows.hits.is_empty());
        map.serialize_entry("max_score", &best)?;
        let hits: Vec<_> = rows
            .hits
            .iter()
            .map(|hit| ShownHit {
                indices: &shape.indices,
                shape: &shape.hits,
                score: shape.score,
                hit,
                inner: Vec::new(),
            })
            .collect();
        map.serialize_entry("hits", &hits)?;
        map.end()
    }
}

/// A number of rows that is always exact.
struct Total(u64);

impl Serialize for Total {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("value", &self.0)?;
        map.serialize_entry("relation", "eq")?;
        map.end()
    }
}

/// `top` of `top_metrics`.
pub(super) struct TopMetrics<'a> {
    pub(super) shape: &'a TopMetricsShape,
    pub(super) rows: &'a RowsResult,
}

impl Serialize for TopMetrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.rows.hits.len()))?;
        for (hit, values) in self.rows.hits.iter().zip(&self.rows.fields) {
            list.serialize_element(&TopMetric {
                shape: self.shape,
                hit,
                values,
            })?;
        }
        list.end()
    }
}

struct TopMetric<'a> {
    shape: &'a TopMetricsShape,
    hit: &'a Hit,
    values: &'a [Option<SortValue>],
}

impl Serialize for TopMetric<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("sort", &sort_values(&self.shape.sort, self.hit))?;
        map.serialize_entry("metrics", &Metrics(&self.shape.columns, self.values))?;
        map.end()
    }
}

struct Metrics<'a>(&'a [MetricColumn], &'a [Option<SortValue>]);

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, value) in self.0.iter().zip(self.1) {
            match value {
                Some(SortValue::Decimal(number)) => {
                    map.serialize_entry(&column.path, &Number::of_decimal(*number))?;
                }
                other => map.serialize_entry(&column.path, &plain(column, other.as_ref()))?,
            }
        }
        map.end()
    }
}

fn plain(column: &MetricColumn, value: Option<&SortValue>) -> Value {
    match value {
        Some(SortValue::Integer(number)) => match &column.text {
            Some(text) => text.of_integer(*number).into(),
            None => (*number).into(),
        },
        Some(SortValue::Text(text)) => String::from_utf8_lossy(text).into(),
        Some(SortValue::Float(number)) => (*number).into(),
        Some(SortValue::Decimal(_) | SortValue::Row | SortValue::Place(_)) | None => Value::Null,
    }
}
