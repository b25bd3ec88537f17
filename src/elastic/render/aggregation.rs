//! Results of aggregations as JSON.

use std::borrow::Cow;

use query::adaptive::{LadderStep, LadderUnit};
use query::response::{
    AggregationResult, Bucket, BucketKey, BucketsNote, MetricResult, PipelineResult,
};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::metric::metric_entries;
use super::number::{Number, java_double};
use super::top_rows::{TopHits, TopMetrics};
use super::tuples::{ListedKeys, NamedKeys};
use super::{pipeline, places};
use crate::elastic::shape::{
    AggregationKind, AggregationShape, EndShape, MetricShape, RangeShape, ValueText,
};

/// What Elasticsearch says where it does not know how wrong its counts may be. Ours are exact.
const ERROR_UNKNOWN: i64 = -1;

/// Results side by side, under their names.
pub(super) struct Aggregations<'a> {
    pub(super) shapes: &'a [AggregationShape],
    pub(super) results: &'a [AggregationResult],
}

impl Aggregations<'_> {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for (shape, result) in self.shapes.iter().zip(self.results) {
            if let AggregationResult::Pipeline(PipelineResult::Absent) = result {
                continue;
            }
            map.serialize_entry(&shape.key, &Shown { shape, result })?;
        }
        Ok(())
    }
}

impl Serialize for Aggregations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entries(&mut map)?;
        map.end()
    }
}

struct Shown<'a> {
    shape: &'a AggregationShape,
    result: &'a AggregationResult,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(meta) = &self.shape.meta {
            map.serialize_entry("meta", meta)?;
        }
        match (&self.shape.kind, self.result) {
            (AggregationKind::Metric(shape), AggregationResult::Metric(result)) => {
                metric_entries(&mut map, shape, result)?;
            }
            (
                AggregationKind::GeoBounds { wraps },
                AggregationResult::Metric(MetricResult::Places(found)),
            ) => places::bounds_entries(&mut map, *wraps, found)?,
            (
                AggregationKind::GeoCentroid,
                AggregationResult::Metric(MetricResult::Places(found)),
            ) => places::centroid_entries(&mut map, found)?,
            (
                AggregationKind::Moments { names },
                AggregationResult::Metric(MetricResult::Moments(fields)),
            ) => places::moments_entries(&mut map, names, fields)?,
            (_, AggregationResult::Metric(result)) => {
                metric_entries(&mut map, &MetricShape::default(), result)?;
            }
            (AggregationKind::Pipeline(shape), AggregationResult::Pipeline(result)) => {
                pipeline::entries(&mut map, shape, result)?;
            }
            (AggregationKind::TopMetrics(shape), AggregationResult::Rows(rows)) => {
                map.serialize_entry("top", &TopMetrics { shape, rows })?;
            }
            (AggregationKind::TopHits(shape), AggregationResult::Rows(rows)) => {
                map.serialize_entry("hits", &TopHits { shape, rows })?;
            }
            (_, AggregationResult::Rows(_) | AggregationResult::Pipeline(_)) => {
                unreachable!("shapes are made with their requests")
            }
            (_, AggregationResult::Single(bucket)) => {
                map.serialize_entry("doc_count", &bucket.count)?;
                children(self.shape, bucket).entries(&mut map)?;
            }
            (_, AggregationResult::Buckets { .. }) => self.bucket_entries(&mut map)?,
        }
        map.end()
    }
}

impl Shown<'_> {
    /// What is said of all buckets, and the buckets.
    fn bucket_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let AggregationResult::Buckets {
            buckets,
            other_count,
            term_count,
            note,
        } = self.result
        else {
            return Ok(());
        };
        let kind = &self.shape.kind;

        let mut error = 0;
        if let AggregationKind::Terms {
            error_unknown_from,
            is_rare: false,
            ..
        } = kind
        {
            if error_unknown_from.is_some_and(|from| *term_count >= from) {
                error = ERROR_UNKNOWN;
            }
            map.serialize_entry("doc_count_error_upper_bound", &error)?;
            map.serialize_entry("sum_other_doc_count", other_count)?;
        }
        if let AggregationKind::MultiTerms { .. } = kind {
            map.serialize_entry("doc_count_error_upper_bound", &error)?;
            map.serialize_entry("sum_other_doc_count", other_count)?;
        }
        if let (AggregationKind::Composite { sources }, Some(last)) = (kind, buckets.last())
            && let BucketKey::Tuple(keys) = &last.key
        {
            map.serialize_entry("after_key", &NamedKeys { sources, keys })?;
        }
        if let BucketsNote::Compared {
            rows,
            background_rows,
        } = note
        {
            map.serialize_entry("doc_count", rows)?;
            map.serialize_entry("bg_count", background_rows)?;
        }
        map.serialize_entry(
            "buckets",
            &Buckets {
                shape: self.shape,
                buckets,
                error,
            },
        )?;
        if let BucketsNote::Step(step) = note {
            map.serialize_entry("interval", &step_name(*step))?;
        }
        Ok(())
    }
}

/// The width of time buckets: `7d`.
fn step_name(step: LadderStep) -> String {
    let letter = match step.unit {
        LadderUnit::Second => 's',
        LadderUnit::Minute => 'm',
        LadderUnit::Hour => 'h',
        LadderUnit::Day => 'd',
        LadderUnit::Month => 'M',
        LadderUnit::Year => 'y',
    };
    format!("{}{letter}", step.count)
}

fn children<'a>(shape: &'a AggregationShape, bucket: &'a Bucket) -> Aggregations<'a> {
    Aggregations {
        shapes: &shape.children,
        results: &bucket.aggregations,
    }
}

/// What a bucket of `shape` is called in lists of keys.
pub(super) fn key_name(shape: &AggregationShape, key: &BucketKey) -> String {
    let bucket = Bucket {
        key: key.clone(),
        count: 0,
        aggregations: Vec::new(),
    };
    let shown = ShownBucket {
        shape,
        index: 0,
        bucket: &bucket,
        keyed: false,
        error: 0,
    };
    shown.name().into_owned()
}

struct Buckets<'a> {
    shape: &'a AggregationShape,
    buckets: &'a [Bucket],
    /// How wrong each count may be, where the request asks.
    error: i64,
}

impl Serialize for Buckets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keyed = match self.shape.kind {
            AggregationKind::DateHistogram { keyed, .. }
            | AggregationKind::Histogram { keyed, .. }
            | AggregationKind::Ranges { keyed, .. }
            | AggregationKind::Filters { keyed } => keyed,
            AggregationKind::Metric(_)
            | AggregationKind::Terms { .. }
            | AggregationKind::AutoDates { .. }
            | AggregationKind::Clusters { .. }
            | AggregationKind::Significant { .. }
            | AggregationKind::GeoBounds { .. }
            | AggregationKind::GeoCentroid
            | AggregationKind::Moments { .. }
            | AggregationKind::GeoGrid { .. }
            | AggregationKind::Single
            | AggregationKind::Matrix
            | AggregationKind::TopHits(_)
            | AggregationKind::TopMetrics(_)
            | AggregationKind::Pipeline(_)
            | AggregationKind::Composite { .. }
            | AggregationKind::MultiTerms { .. } => false,
        };
        let skips_empty = matches!(self.shape.kind, AggregationKind::Matrix);
        let shown = self.buckets.iter().enumerate();
        let shown = shown.filter(|(_, bucket)| !skips_empty || bucket.count > 0);
        let shown = shown.map(|(index, bucket)| ShownBucket {
            shape: self.shape,
            index,
            bucket,
            keyed,
            error: self.error,
        });
        if keyed {
            let mut map = serializer.serialize_map(Some(self.buckets.len()))?;
            for bucket in shown {
                map.serialize_entry(bucket.name().as_ref(), &bucket)?;
            }
            return map.end();
        }
        let mut list = serializer.serialize_seq(None)?;
        for bucket in shown {
            list.serialize_element(&bucket)?;
        }
        list.end()
    }
}

struct ShownBucket<'a> {
    shape: &'a AggregationShape,
    /// Its place among its siblings.
    index: usize,
    bucket: &'a Bucket,
    /// Whether it stands under its name.
    keyed: bool,
    error: i64,
}

impl ShownBucket<'_> {
    /// What a keyed bucket stands under.
    fn name(&self) -> Cow<'_, str> {
        match (&self.shape.kind, &self.bucket.key) {
            (
                AggregationKind::DateHistogram { format, zone, .. }
                | AggregationKind::AutoDates { format, zone, .. },
                BucketKey::Time(ms),
            ) => format.print(*ms, zone).into(),
            (AggregationKind::Ranges { ranges, .. }, _) => match ranges.get(self.index) {
                Some(range) => Cow::Borrowed(range.key.as_str()),
                None => Cow::Borrowed(""),
            },
            (AggregationKind::Histogram { text, .. }, BucketKey::Decimal(key)) => {
                let key = Number::of_decimal(*key);
                match text {
                    Some(text) => text.of_number(&key).into(),
                    None => java_double(key.to_f64()).into(),
                }
            }
            (_, BucketKey::Name(name)) => Cow::Borrowed(name.as_ref()),
            (_, BucketKey::Text(text)) => String::from_utf8_lossy(text),
            (_, BucketKey::Time(number) | BucketKey::Integer(number)) => number.to_string().into(),
            (_, BucketKey::Decimal(number)) => number.to_f64().to_string().into(),
            (_, BucketKey::Cluster { mean, .. }) => java_double(*mean).into(),
            (_, BucketKey::Significant { term, .. }) => key_name(self.shape, term).into(),
            (_, BucketKey::None | BucketKey::Tuple(_)) => Cow::Borrowed(""),
        }
    }

    fn key_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let text = match &self.shape.kind {
            AggregationKind::DateHistogram { format, zone, .. }
            | AggregationKind::AutoDates { format, zone, .. } => {
                if let BucketKey::Time(ms) = self.bucket.key {
                    map.serialize_entry("key_as_string", &format.print(ms, zone))?;
                }
                None
            }
            AggregationKind::Terms { text, .. }
            | AggregationKind::Histogram { text, .. }
            | AggregationKind::Clusters { text }
            | AggregationKind::Significant { text } => text.as_ref(),
            AggregationKind::Ranges { ranges, .. } => {
                return match ranges.get(self.index) {
                    Some(range) => range_entries(map, range, self.keyed),
                    None => Ok(()),
                };
            }
            AggregationKind::GeoGrid { cells } => {
                return match &self.bucket.key {
                    BucketKey::Integer(cell) => map.serialize_entry("key", &cells.name(*cell)),
                    _no_place => Ok(()),
                };
            }
            AggregationKind::Composite { sources } => {
                return match &self.bucket.key {
                    BucketKey::Tuple(keys) => {
                        map.serialize_entry("key", &NamedKeys { sources, keys })
                    }
                    _single => Ok(()),
                };
            }
            AggregationKind::MultiTerms { sources, .. } => {
                return match &self.bucket.key {
                    BucketKey::Tuple(keys) => {
                        let keys = ListedKeys { sources, keys };
                        map.serialize_entry("key", &keys)?;
                        map.serialize_entry("key_as_string", &keys.text())
                    }
                    _single => Ok(()),
                };
            }
            AggregationKind::TopHits(_)
            | AggregationKind::TopMetrics(_)
            | AggregationKind::Pipeline(_) => None,
            AggregationKind::Matrix => return map.serialize_entry("key", self.name().as_ref()),
            AggregationKind::Metric(_)
            | AggregationKind::GeoBounds { .. }
            | AggregationKind::GeoCentroid
            | AggregationKind::Moments { .. }
            | AggregationKind::Single
            | AggregationKind::Filters { .. } => None,
        };
        key_of(map, &self.bucket.key, text)
    }
}

/// A key, and its text where it has one.
fn key_of<M: SerializeMap>(
    map: &mut M,
    key: &BucketKey,
    text: Option<&ValueText>,
) -> Result<(), M::Error> {
    match key {
        BucketKey::Cluster { min, mean, max } => {
            let mut number = |name: &str, value: f64| {
                map.serialize_entry(name, &value)?;
                match text {
                    Some(text) => {
                        let shown = text.of_number(&Number::Double(value));
                        map.serialize_entry(&format!("{name}_as_string"), &shown)
                    }
                    None => Ok(()),
                }
            };
            number("min", *min)?;
            number("key", *mean)?;
            number("max", *max)
        }
        BucketKey::Significant { term, .. } => key_of(map, term, text),
        BucketKey::None | BucketKey::Name(_) | BucketKey::Tuple(_) => Ok(()),
        BucketKey::Time(number) | BucketKey::Integer(number) => {
            map.serialize_entry("key", number)?;
            match text {
                Some(text) => map.serialize_entry("key_as_string", &text.of_integer(*number)),
                None => Ok(()),
            }
        }
        BucketKey::Decimal(number) => {
            let number = Number::of_decimal(*number);
            map.serialize_entry("key", &number)?;
            match text {
                Some(text) => map.serialize_entry("key_as_string", &text.of_number(&number)),
                None => Ok(()),
            }
        }
        BucketKey::Text(text) => map.serialize_entry("key", &String::from_utf8_lossy(text)),
    }
}

/// The ends of a range; its key where it does not stand under it.
fn range_entries<M: SerializeMap>(
    map: &mut M,
    range: &RangeShape,
    keyed: bool,
) -> Result<(), M::Error> {
    if !keyed {
        map.serialize_entry("key", &range.key)?;
    }
    let mut end = |name: &str, end: &Option<EndShape>| {
        let Some(end) = end else { return Ok(()) };
        map.serialize_entry(name, &end.value)?;
        match &end.text {
            Some(text) => map.serialize_entry(&format!("{name}_as_string"), text),
            None => Ok(()),
        }
    };
    end("from", &range.from)?;
    end("to", &range.to)
}

/// What the end of a range is called in keys, and its text where it has one.
pub(in crate::elastic) fn range_end(
    value: f64,
    text: Option<&ValueText>,
) -> (String, Option<String>) {
    let text = text.map(|text| text.of_number(&Number::Double(value)));
    let name = text.clone().unwrap_or_else(|| java_double(value));
    (name, text)
}

impl Serialize for ShownBucket<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.key_entries(&mut map)?;
        map.serialize_entry("doc_count", &self.bucket.count)?;
        if let BucketKey::Significant {
            score,
            background_count,
            ..
        } = &self.bucket.key
        {
            map.serialize_entry("score", score)?;
            map.serialize_entry("bg_count", background_count)?;
        }
        if let AggregationKind::Terms {
            show_error: true, ..
        }
        | AggregationKind::MultiTerms {
            show_error: true, ..
        } = self.shape.kind
        {
            map.serialize_entry("doc_count_error_upper_bound", &self.error)?;
        }
        children(self.shape, self.bucket).entries(&mut map)?;
        map.end()
    }
}

impl ValueText {
    /// A value of an integer column.
    pub(super) fn of_integer(&self, value: i64) -> String {
        match self {
            Self::Date {
                format,
                zone,
                is_nanos: true,
            } => format.print_nanos(value, zone),
            Self::Date {
                format,
                zone,
                is_nanos: false,
            } => format.print(value, zone),
            Self::Boolean => (value != 0).to_string(),
            #[expect(clippy::cast_precision_loss, reason = "formats print doubles")]
            Self::Number(pattern) => pattern.print(value as f64),
        }
    }

    /// A value that a metric made.
    pub(super) fn of_number(&self, value: &Number) -> String {
        let number = value.to_f64();
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "a date is a whole number")]
            Self::Date { .. } => self.of_integer(number as i64),
            Self::Boolean => (number != 0.0).to_string(),
            Self::Number(pattern) => pattern.print(number),
        }
    }
}
