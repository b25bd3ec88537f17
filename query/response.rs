//! What is answered: typed, ready for any edge to print.

use std::cmp::Ordering;
use std::sync::Arc;

use storage::model::{Decimal, ExactSum, GeoPoint};

use crate::Distribution;
use crate::adaptive::LadderStep;
use crate::request::{HitPlace, MetricValue};

/// The answer of one search.
#[derive(Debug, Clone)]
pub struct SearchResponse {
    /// Number of rows that match; exact up to the limit of rows that are counted.
    pub matched: u64,
    /// The rows asked for.
    pub hits: Vec<Hit>,
    /// The best score of all rows that match, where rows are scored.
    pub score_max: Option<f32>,
    /// Results in the order of the request.
    pub aggregations: Vec<AggregationResult>,
    /// How the answer was made.
    pub profile: Profile,
    /// Segments that cannot be read: the answer lacks their rows.
    pub failures: Vec<Failure>,
}

/// A segment that an answer lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which part of a search over several topics it is of: 0 for the first or only one.
    pub part: usize,
    /// Why it cannot be read; names its file.
    pub reason: Arc<str>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Which part of a search over several topics it is from: 0 for the first or only one.
    pub part: usize,
    /// Its id: given by the writer, else `partition-offset`.
    pub id: String,
    /// Where it came from.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// How often its document was written: 1 for a row without an id.
    pub version: u64,
    /// The routing that it was written with.
    pub routing: Option<String>,
    /// The fields that were left out because a value did not fit.
    pub ignored: Vec<String>,
    /// The document, byte for byte.
    pub source: Vec<u8>,
    /// A value for each sort key; `None` for a row without one.
    pub sort: Vec<Option<SortValue>>,
    /// What it scores, where rows are scored.
    pub score: Option<f32>,
    /// The value that it stands for, where rows with the same value are one.
    pub group: Option<SortValue>,
    /// Which of the named filters it matches, and what it scores by them.
    pub named: Vec<(usize, f32)>,
}

/// A value that hits were sorted by.
#[derive(Debug, Clone, PartialEq)]
pub enum SortValue {
    /// Integer, date (in the column's unit) or boolean.
    Integer(i64),
    /// Decimal.
    Decimal(Decimal),
    /// Text.
    Text(Arc<[u8]>),
    /// A score or a distance.
    Float(f64),
    /// The row's place.
    Row,
    /// A row's place that is said.
    Place(HitPlace),
}

/// The result of one aggregation.
#[derive(Debug, Clone, PartialEq)]
pub enum AggregationResult {
    /// A metric's value.
    Metric(MetricResult),
    /// One bucket.
    Single(Bucket),
    /// Rows.
    Rows(RowsResult),
    /// What a pipeline made of other results.
    Pipeline(PipelineResult),
    /// Many buckets in order.
    Buckets {
        /// The buckets.
        buckets: Vec<Bucket>,
        /// Rows in buckets that were cut off by size.
        other_count: u64,
        /// Distinct terms found, also those that are not shown; 0 where buckets are no terms.
        term_count: usize,
        /// What is said of all of them.
        note: BucketsNote,
    },
}

/// What is said of all buckets of an aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BucketsNote {
    /// Nothing.
    #[default]
    None,
    /// How wide they are.
    Step(LadderStep),
    /// Of how many rows they are, and with how many those are compared.
    Compared {
        /// Rows of the bucket that they stand in.
        rows: u64,
        /// Rows of the background.
        background_rows: u64,
    },
}

/// The first rows of a bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowsResult {
    /// How many rows the bucket has.
    pub matched: u64,
    /// Those asked for; without documents unless they are asked for.
    pub hits: Vec<Hit>,
    /// For each of them the values of the fields asked for.
    pub fields: Vec<Vec<Option<SortValue>>>,
}

/// What a pipeline made.
#[derive(Debug, Clone, PartialEq)]
pub enum PipelineResult {
    /// Nothing: the bucket shows no such result.
    Absent,
    /// A number; `None` is no number.
    Value(Option<f64>),
    /// A difference.
    Derivative {
        /// To the bucket before.
        value: f64,
        /// By unit of the key, if one is asked for.
        per_unit: Option<f64>,
    },
    /// The smallest or largest value and the buckets that have it.
    Extreme {
        /// The value; `None` without any.
        value: Option<f64>,
        /// Keys of those buckets.
        keys: Vec<BucketKey>,
    },
    /// Statistics.
    Stats(PipelineStats),
    /// Values by percent.
    Percentiles(Vec<(f64, Option<f64>)>),
}

/// Statistics of values that are doubles.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineStats {
    /// Number of values.
    pub count: u64,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Mean.
    pub avg: Option<f64>,
    /// Sum.
    pub sum: f64,
    /// Sum of squares.
    pub sum_of_squares: f64,
    /// Variance of these values; `None` without values.
    pub variance_population: Option<f64>,
    /// Variance of what these values are a sample of; `None` with fewer than two.
    pub variance_sampling: Option<f64>,
}

impl PipelineStats {
    /// One of its values.
    #[must_use]
    pub fn value(&self, value: MetricValue) -> Option<f64> {
        match value {
            MetricValue::Single | MetricValue::Count => Some(self.count as f64),
            MetricValue::Min => self.min,
            MetricValue::Max => self.max,
            MetricValue::Avg => self.avg,
            MetricValue::Sum => Some(self.sum),
            MetricValue::SumOfSquares => Some(self.sum_of_squares),
            MetricValue::VariancePopulation => self.variance_population,
            MetricValue::VarianceSampling => self.variance_sampling,
            MetricValue::DeviationPopulation => self.variance_population.map(f64::sqrt),
            MetricValue::DeviationSampling => self.variance_sampling.map(f64::sqrt),
            MetricValue::Percentile(_)
            | MetricValue::Rank(_)
            | MetricValue::MedianAbsoluteDeviation => None,
        }
    }
}

/// A bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// What its rows share.
    pub key: BucketKey,
    /// How many rows it has.
    pub count: u64,
    /// Results of the children in the order of the request.
    pub aggregations: Vec<AggregationResult>,
}

/// What the rows of a bucket share.
#[derive(Debug, Clone, PartialEq)]
pub enum BucketKey {
    /// No key: single-bucket aggregations and anonymous filters.
    None,
    /// Start of a time bucket, in milliseconds.
    Time(i64),
    /// An integer, date or boolean term, in the column's unit.
    Integer(i64),
    /// A decimal term.
    Decimal(Decimal),
    /// A text term.
    Text(Arc<[u8]>),
    /// A filter's name.
    Name(Arc<str>),
    /// Several keys together.
    Tuple(Vec<BucketKey>),
    /// Numbers that are near each other.
    Cluster {
        /// The smallest.
        min: f64,
        /// Their mean.
        mean: f64,
        /// The largest.
        max: f64,
    },
    /// A term that stands out.
    Significant {
        /// The term.
        term: Box<BucketKey>,
        /// How much it stands out.
        score: f64,
        /// How many rows of the background have it.
        background_count: u64,
    },
}

impl BucketKey {
    /// Compares keys of one aggregation; keys of different kinds do not meet.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Time(a), Self::Time(b)) | (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Name(a), Self::Name(b)) => a.cmp(b),
            (Self::Significant { term: a, .. }, Self::Significant { term: b, .. }) => a.compare(b),
            (Self::Tuple(a), Self::Tuple(b)) => {
                let pairs = a.iter().zip(b);
                pairs.fold(Ordering::Equal, |known, (a, b)| {
                    known.then_with(|| a.compare(b))
                })
            }
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => a.compare(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            },
        }
    }

    fn number(&self) -> Option<Decimal> {
        match self {
            Self::Time(number) | Self::Integer(number) => Some(Decimal::from_i64(*number)),
            Self::Decimal(number) => Some(*number),
            Self::Cluster { mean, .. } => Decimal::from_f64(*mean),
            Self::Significant { term, .. } => term.number(),
            Self::None | Self::Text(_) | Self::Name(_) | Self::Tuple(_) => None,
        }
    }
}

/// The value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricResult {
    /// Exact sum; zero without values.
    Sum(ExactSum),
    /// Mean; `None` without values.
    Avg(Option<f64>),
    /// Smallest value; integers that fit have exponent 0, others no trailing zeros.
    Min(Option<Decimal>),
    /// Largest value, in the same form.
    Max(Option<Decimal>),
    /// Number of values.
    ValueCount(u64),
    /// Number of distinct values.
    Cardinality(u64),
    /// Number of distinct values, estimated.
    Estimate(u64),
    /// All of them.
    Stats {
        /// Number of values.
        count: u64,
        /// Smallest value.
        min: Option<Decimal>,
        /// Largest value.
        max: Option<Decimal>,
        /// Exact sum.
        sum: ExactSum,
        /// Mean.
        avg: Option<f64>,
    },
    /// Those and variances.
    ExtendedStats(Box<ExtendedStats>),
    /// How values are distributed; it answers percentiles and ranks.
    Distribution(Distribution),
    /// Where places lie.
    Places(PlacesResult),
    /// How fields are distributed together, in their order.
    Moments(Vec<FieldMoments>),
}

/// Where places lie, in degrees.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacesResult {
    /// Number of places.
    pub count: u64,
    /// The smallest and the largest latitude.
    pub south_north: Option<(f64, f64)>,
    /// The smallest and the largest longitude below zero.
    pub west: Option<(f64, f64)>,
    /// The smallest and the largest longitude from zero on.
    pub east: Option<(f64, f64)>,
    /// The means of both.
    pub middle: Option<GeoPoint>,
}

/// How one field is distributed, and together with others.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldMoments {
    /// Number of rows.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Variance of what these values are a sample of.
    pub variance: f64,
    /// How unlike both sides are.
    pub skewness: f64,
    /// How far the tails reach.
    pub kurtosis: f64,
    /// With each field, this one included.
    pub covariance: Vec<f64>,
    /// With each field, this one included.
    pub correlation: Vec<f64>,
}

/// Statistics with sums of squares.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtendedStats {
    /// Number of values.
    pub count: u64,
    /// Smallest value.
    pub min: Option<Decimal>,
    /// Largest value.
    pub max: Option<Decimal>,
    /// Mean.
    pub avg: Option<f64>,
    /// Exact sum.
    pub sum: ExactSum,
    /// The exact sum of squares, rounded once.
    pub sum_of_squares: f64,
    /// Variance of these values; `None` without values.
    pub variance_population: Option<f64>,
    /// Variance of what these values are a sample of; `None` with fewer than two.
    pub variance_sampling: Option<f64>,
}

impl MetricResult {
    /// One of its values; of a metric that has only one, that.
    #[must_use]
    pub fn value(&self, value: MetricValue) -> Option<f64> {
        match self {
            Self::Sum(sum) => Some(sum.to_f64()),
            Self::Avg(avg) => *avg,
            Self::Min(extreme) | Self::Max(extreme) => extreme.map(Decimal::to_f64),
            Self::ValueCount(count) | Self::Cardinality(count) | Self::Estimate(count) => {
                Some(*count as f64)
            }
            Self::Stats {
                count,
                min,
                max,
                sum,
                avg,
            } => match value {
                MetricValue::Min => min.map(Decimal::to_f64),
                MetricValue::Max => max.map(Decimal::to_f64),
                MetricValue::Avg => *avg,
                MetricValue::Sum => Some(sum.to_f64()),
                MetricValue::Single | MetricValue::Count => Some(*count as f64),
                _ => None,
            },
            Self::ExtendedStats(all) => all.value(value),
            Self::Places(_) | Self::Moments(_) => None,
            Self::Distribution(all) => match value {
                MetricValue::Percentile(percent) => all.percentile(percent),
                MetricValue::Rank(value) => all.rank(value),
                MetricValue::MedianAbsoluteDeviation => all.median_absolute_deviation(),
                _ => Some(all.count() as f64),
            },
        }
    }
}

impl ExtendedStats {
    fn value(&self, value: MetricValue) -> Option<f64> {
        match value {
            MetricValue::Min => self.min.map(Decimal::to_f64),
            MetricValue::Max => self.max.map(Decimal::to_f64),
            MetricValue::Avg => self.avg,
            MetricValue::Sum => Some(self.sum.to_f64()),
            MetricValue::SumOfSquares => Some(self.sum_of_squares),
            MetricValue::VariancePopulation => self.variance_population,
            MetricValue::VarianceSampling => self.variance_sampling,
            MetricValue::DeviationPopulation => self.variance_population.map(f64::sqrt),
            MetricValue::DeviationSampling => self.variance_sampling.map(f64::sqrt),
            MetricValue::Single | MetricValue::Count => Some(self.count as f64),
            MetricValue::Percentile(_)
            | MetricValue::Rank(_)
            | MetricValue::MedianAbsoluteDeviation => None,
        }
    }
}

/// How an answer was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Segments looked into.
    pub segments: u64,
    /// Chunks of active rows looked into.
    pub active_chunks: u64,
    /// Rows read one by one.
    pub rows_scanned: u64,
    /// Rollup cells merged.
    pub cells_used: u64,
    /// Why rows were read where cells exist, each reason once.
    pub cells_unused_because: Vec<String>,
}

impl Profile {
    /// Adds how a further part of the answer was made.
    pub(crate) fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.active_chunks += other.active_chunks;
        self.rows_scanned += other.rows_scanned;
        self.cells_used += other.cells_used;
        for reason in &other.cells_unused_because {
            if !self.cells_unused_because.contains(reason) {
                self.cells_unused_because.push(reason.clone());
            }
        }
    }
}
