//! How rows are dealt out to buckets.

use std::sync::Arc;

use storage::model::{Decimal, GeoCells};

use super::{FieldRef, Filter, Pattern};
use crate::Steps;
use crate::adaptive::Adaptive;
use crate::response::BucketKey;
use crate::text::Analyzer;

/// How rows are dealt out to buckets.
#[derive(Debug, Clone)]
pub enum BucketBy {
    /// By time.
    DateHistogram(DateHistogram),
    /// By number.
    NumberHistogram(NumberHistogram),
    /// By distinct value.
    Terms(Terms),
    /// By several values together.
    Tuples(Tuples),
    /// One bucket: all rows of the topics, whatever the search's filter says. Stands at the top.
    Global,
    /// One bucket: the rows that match.
    Filter(Filter),
    /// A bucket a filter, in this order; a row may fall into several.
    Filters(Filters),
    /// In a way that depends on the rows.
    Adaptive(Adaptive),
}

/// Buckets by filter.
#[derive(Debug, Clone)]
pub struct Filters {
    /// Filters with their keys; without keys when anonymous.
    pub filters: Vec<(Option<String>, Filter)>,
    /// Key of a last bucket with the rows that match none.
    pub other: Option<String>,
}

/// Buckets by time. Keys are milliseconds.
#[derive(Debug, Clone)]
pub struct DateHistogram {
    /// A date field, or one of texts that say spans of dates: rows are in all buckets that these
    /// overlap. `None` when no such field exists.
    pub field: Option<FieldRef>,
    /// Width of a bucket.
    pub interval: Interval,
    /// Where midnight is.
    pub time_zone: jiff::tz::TimeZone,
    /// Moves every boundary, in milliseconds.
    pub offset_ms: i64,
    /// Buckets with fewer rows are left out; 0 fills gaps between the first and last bucket.
    pub doc_count_min: u64,
    /// With `doc_count_min` 0: buckets reach at least from the first to the second instant.
    pub extended_bounds_ms: Option<(Option<i64>, Option<i64>)>,
    /// No bucket starts outside: both are rounded as data is, but not moved by the offset, and
    /// buckets start from the first (inclusive) to the second (exclusive).
    pub hard_bounds_ms: Option<(Option<i64>, Option<i64>)>,
    /// The instant of rows without one.
    pub missing_ms: Option<i64>,
    /// Order of buckets.
    pub order: Vec<Order>,
}

/// Buckets by number.
#[derive(Debug, Clone)]
pub struct NumberHistogram {
    /// An integer or decimal field; `None` when no such field exists.
    pub field: Option<FieldRef>,
    /// The field has texts that say spans of numbers: rows are in all buckets that these overlap.
    pub spans: Option<SpanNumbers>,
    /// Where buckets start.
    pub steps: Steps,
    /// Buckets with fewer rows are left out; 0 fills gaps between the first and last bucket.
    pub doc_count_min: u64,
    /// With `doc_count_min` 0: buckets reach at least from the first to the second number.
    pub extended_bounds: Option<(Option<Decimal>, Option<Decimal>)>,
    /// No multiple of the interval that names a bucket lies outside, both ends inside.
    pub hard_bounds: Option<(Option<Decimal>, Option<Decimal>)>,
    /// The number of rows without one.
    pub missing: Option<Decimal>,
    /// Order of buckets.
    pub order: Vec<Order>,
}

/// What spans of numbers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanNumbers {
    /// Integers.
    Integers,
    /// Doubles.
    Doubles,
}

/// Width of a time bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// So many milliseconds.
    Fixed(i64),
    /// A unit of the calendar in the histogram's time zone.
    Calendar(CalendarUnit),
    /// So many days of the calendar, counted from a day after 1970-01-01.
    Days {
        /// How many.
        count: u32,
        /// A day that a bucket starts with.
        from: i64,
    },
    /// So many months of the calendar, counted from a month after January of year 0.
    Months {
        /// How many.
        count: u32,
        /// A month that a bucket starts with.
        from: i64,
    },
}

/// Units of the calendar. Weeks start on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// From local midnight to the next: 23 to 25 hours.
    Day,
    /// From Monday.
    Week,
    /// A month.
    Month,
    /// Three months from January.
    Quarter,
    /// A year.
    Year,
}

/// Buckets by distinct value.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Any field; `None` when no such field exists.
    pub field: Option<FieldRef>,
    /// Most buckets returned.
    pub size: usize,
    /// Buckets with fewer rows are left out; 0 also lists values of rows that do not match, the one
    /// of rows without a value among them; a text that is such a value is always listed.
    pub doc_count_min: u64,
    /// Buckets with more rows are left out.
    pub doc_count_max: u64,
    /// Values are places, and buckets the cells that they lie in.
    pub cells: Option<GeoCells>,
    /// Values are texts, and buckets the words that these have.
    pub words: Option<Analyzer>,
    /// The value of rows without one.
    pub missing: Option<TermValue>,
    /// Which values may make a bucket.
    pub include: Option<TermSelection>,
    /// Which may not.
    pub exclude: Option<TermSelection>,
    /// Order of buckets; ties are broken by ascending key.
    pub order: Vec<Order>,
}

/// Buckets by several values together. A row with several values of one source is in the buckets
/// of all of them; a row without one is in none unless the source says where.
#[derive(Debug, Clone)]
pub struct Tuples {
    /// What the values are.
    pub sources: Vec<TupleSource>,
    /// Most buckets returned.
    pub size: usize,
    /// Buckets with fewer rows are left out.
    pub doc_count_min: u64,
    /// Only buckets behind this key.
    pub after: Option<Vec<BucketKey>>,
    /// Order of buckets; empty is by key, in the directions of the sources.
    pub order: Vec<Order>,
}

/// One of the values of a tuple.
#[derive(Debug, Clone)]
pub struct TupleSource {
    /// What it is.
    pub by: TupleBy,
    /// Largest first.
    pub descending: bool,
    /// Rows without a value are in buckets of their own, and these come there. Terms alone.
    pub missing: Option<MissingPlace>,
}

/// Where rows without a value come in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingPlace {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
}

/// What a value of a tuple is.
#[derive(Debug, Clone)]
pub enum TupleBy {
    /// A distinct value; its selections and `missing` count.
    Terms(Terms),
    /// The start of a time bucket; without gaps.
    DateHistogram(DateHistogram),
    /// The start of a bucket of numbers; without gaps.
    NumberHistogram(NumberHistogram),
}

/// A set of terms.
#[derive(Debug, Clone)]
pub enum TermSelection {
    /// These.
    Values(Vec<TermValue>),
    /// Texts that fit.
    Pattern(Pattern),
    /// One part of all terms.
    Partition(TermPartition),
}

/// One of several parts that all terms are dealt out to by their hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermPartition {
    /// Which one, counted from 0.
    pub number: u32,
    /// How many there are.
    pub count: u32,
}

/// One distinct value.
#[derive(Debug, Clone, PartialEq)]
pub enum TermValue {
    /// Of a text field.
    Text(Arc<[u8]>),
    /// Of an integer field: long, date, boolean.
    Integer(i64),
    /// Of a decimal field.
    Decimal(Decimal),
}

/// A criterion of bucket order.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// Largest first.
    pub descending: bool,
}

/// What buckets are ordered by.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderBy {
    /// Number of rows.
    Count,
    /// The key.
    Key,
    /// A value below the bucket: indexes of children down to a metric (through single-bucket
    /// aggregations), and which of its values.
    Metric {
        /// Child indexes, outermost first.
        path: Vec<usize>,
        /// Which value of the metric.
        value: MetricValue,
    },
}

/// A value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// Its only value.
    Single,
    /// Number of values.
    Count,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Mean.
    Avg,
    /// Sum.
    Sum,
    /// Sum of squares.
    SumOfSquares,
    /// Variance of these values.
    VariancePopulation,
    /// Variance of what these values are a sample of.
    VarianceSampling,
    /// Square root of the first variance.
    DeviationPopulation,
    /// Square root of the second variance.
    DeviationSampling,
    /// The value that so many percent lie below.
    Percentile(f64),
    /// How many percent lie below the value.
    Rank(f64),
    /// The median of the distances from the median.
    MedianAbsoluteDeviation,
}
