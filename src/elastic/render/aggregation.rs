//! Results of aggregations as JSON.

use std::borrow::Cow;

use query::response::{AggregationResult, Bucket, BucketKey};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::metric::metric_entries;
use super::number::Number;
use crate::elastic::shape::{AggregationKind, AggregationShape, MetricShape, ValueText};

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
            map.serialize_entry(&shape.key, &Shown { shape, result })?;
        }
        Ok(())
    }
}

impl Serialize for Aggregations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.shapes.len()))?;
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
            (_, AggregationResult::Metric(result)) => {
                metric_entries(&mut map, &MetricShape::default(), result)?;
            }
            (_, AggregationResult::Single(bucket)) => {
                map.serialize_entry("doc_count", &bucket.count)?;
                children(self.shape, bucket).entries(&mut map)?;
            }
            (
                kind,
                AggregationResult::Buckets {
                    buckets,
                    other_count,
                    term_count,
                },
            ) => {
                let mut error = 0;
                if let AggregationKind::Terms {
                    error_unknown_from, ..
                } = kind
                {
                    if error_unknown_from.is_some_and(|from| *term_count >= from) {
                        error = ERROR_UNKNOWN;
                    }
                    map.serialize_entry("doc_count_error_upper_bound", &error)?;
                    map.serialize_entry("sum_other_doc_count", other_count)?;
                }
                map.serialize_entry(
                    "buckets",
                    &Buckets {
                        shape: self.shape,
                        buckets,
                        error,
                    },
                )?;
            }
        }
        map.end()
    }
}

fn children<'a>(shape: &'a AggregationShape, bucket: &'a Bucket) -> Aggregations<'a> {
    Aggregations {
        shapes: &shape.children,
        results: &bucket.aggregations,
    }
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
            AggregationKind::DateHistogram { keyed, .. } | AggregationKind::Filters { keyed } => {
                keyed
            }
            AggregationKind::Metric(_)
            | AggregationKind::Terms { .. }
            | AggregationKind::Single => false,
        };
        let shown = self.buckets.iter().map(|bucket| ShownBucket {
            shape: self.shape,
            bucket,
            error: self.error,
        });
        if keyed {
            let mut map = serializer.serialize_map(Some(self.buckets.len()))?;
            for bucket in shown {
                map.serialize_entry(bucket.name().as_ref(), &bucket)?;
            }
            return map.end();
        }
        let mut list = serializer.serialize_seq(Some(self.buckets.len()))?;
        for bucket in shown {
            list.serialize_element(&bucket)?;
        }
        list.end()
    }
}

struct ShownBucket<'a> {
    shape: &'a AggregationShape,
    bucket: &'a Bucket,
    error: i64,
}

impl ShownBucket<'_> {
    /// What a keyed bucket stands under.
    fn name(&self) -> Cow<'_, str> {
        match (&self.shape.kind, &self.bucket.key) {
            (AggregationKind::DateHistogram { format, zone, .. }, BucketKey::Time(ms)) => {
                format.print(*ms, zone).into()
            }
            (_, BucketKey::Name(name)) => Cow::Borrowed(name.as_ref()),
            (_, BucketKey::Text(text)) => String::from_utf8_lossy(text),
            (_, BucketKey::Time(number) | BucketKey::Integer(number)) => number.to_string().into(),
            (_, BucketKey::Decimal(number)) => number.to_f64().to_string().into(),
            (_, BucketKey::None) => Cow::Borrowed(""),
        }
    }

    fn key_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let text = match &self.shape.kind {
            AggregationKind::DateHistogram { format, zone, .. } => {
                if let BucketKey::Time(ms) = self.bucket.key {
                    map.serialize_entry("key_as_string", &format.print(ms, zone))?;
                }
                None
            }
            AggregationKind::Terms { text, .. } => text.as_ref(),
            AggregationKind::Metric(_)
            | AggregationKind::Single
            | AggregationKind::Filters { .. } => None,
        };
        match &self.bucket.key {
            BucketKey::None | BucketKey::Name(_) => Ok(()),
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
}

impl Serialize for ShownBucket<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.key_entries(&mut map)?;
        map.serialize_entry("doc_count", &self.bucket.count)?;
        if let AggregationKind::Terms {
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
