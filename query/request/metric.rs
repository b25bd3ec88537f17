//! What is computed over the rows of a bucket.

use storage::model::Decimal;

use super::{FieldRef, SortKey, TermValue};
use crate::row_script::RowScript;

/// One value over rows.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Which.
    pub kind: MetricKind,
    /// Over which field; `None` when no such field exists: every row is without a value. Text
    /// fields serve `ValueCount` alone.
    pub field: Option<FieldRef>,
    /// The value of rows without one.
    pub missing: Option<Decimal>,
    /// What is made of its only value; the result is a mean without regard to the kind.
    pub linear: Option<Linear>,
}

/// Something times a value, and something more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// Positive, so that the order of values stays.
    pub factor: f64,
    /// What is added.
    pub addend: f64,
}

/// Metrics. All are exact; a distribution of many values says that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Sum of values.
    Sum,
    /// Sum divided by count.
    Avg,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Number of values.
    ValueCount,
    /// Count, min, max, avg and sum.
    Stats,
    /// Those, the sum of squares and variances.
    ExtendedStats,
    /// How values are distributed: percentiles, ranks, the median's deviation.
    Distribution,
}

/// How many distinct values rows have.
#[derive(Debug, Clone)]
pub struct Cardinality {
    /// Any field; `None` when no such field exists.
    pub field: Option<FieldRef>,
    /// The value of rows without one.
    pub missing: Option<TermValue>,
    /// How they are counted.
    pub counting: Counting,
}

/// How distinct values are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counting {
    /// Exactly; estimated when that takes more memory than there is.
    #[default]
    Exact,
    /// Estimated in little memory, with a standard error of 0.8 %.
    Estimated,
}

/// A mean of values by their weights. A row has one weight and any number of values.
#[derive(Debug, Clone)]
pub struct WeightedAvg {
    /// What is averaged.
    pub value: Input,
    /// How much it counts.
    pub weight: Input,
}

/// How fields are distributed together: of rows that have a value in each.
#[derive(Debug, Clone)]
pub struct Moments {
    /// The fields.
    pub fields: Vec<Input>,
    /// Which value stands for several of a row.
    pub several: Several,
}

/// Which value stands for several of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Several {
    /// Their mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their sum.
    Sum,
    /// The one in the middle.
    Median,
}

/// A metric of what a script gives for each row.
#[derive(Debug, Clone)]
pub struct ScriptMetric {
    /// Which.
    pub kind: MetricKind,
    /// What is computed for each row.
    pub script: RowScript,
}

/// The numbers that an aggregation reads.
#[derive(Debug, Clone)]
pub struct Input {
    /// An integer or decimal field; `None` when no such field exists.
    pub field: Option<FieldRef>,
    /// The number of rows without one.
    pub missing: Option<Decimal>,
}

/// The first rows in some order.
#[derive(Debug, Clone)]
pub struct TopRows {
    /// How many.
    pub size: usize,
    /// How many before them are skipped.
    pub from: usize,
    /// Order; empty is partition and offset.
    pub sort: Vec<SortKey>,
    /// Fields of which each row's first value is answered.
    pub fields: Vec<Option<FieldRef>>,
    /// Whether documents are answered, too.
    pub documents: bool,
}
