//! What pipelines are asked.

use super::expression::Expression;
use super::moving::MovingModel;
use super::path::BucketPath;

/// An aggregation over the results of others.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// What is computed.
    pub kind: PipelineKind,
    /// What stands for the value of a bucket that has none.
    pub gaps: GapPolicy,
}

/// What stands for the value of a bucket that has none. A bucket without rows has none, whatever
/// its aggregations say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GapPolicy {
    /// Nothing: the bucket is passed over.
    #[default]
    Skip,
    /// Zero.
    InsertZeros,
    /// What its aggregations say, if that is a number.
    KeepValues,
}

/// What is computed.
#[derive(Debug, Clone)]
pub enum PipelineKind {
    /// The difference to the bucket before, also by `unit` of the key.
    Derivative {
        /// Of what.
        path: BucketPath,
        /// Milliseconds (or units of the key) that the second value is a difference per.
        unit: Option<f64>,
    },
    /// The sum up to each bucket.
    CumulativeSum {
        /// Of what.
        path: BucketPath,
    },
    /// The difference to the bucket `lag` before.
    SerialDifference {
        /// Of what.
        path: BucketPath,
        /// How many buckets before; at least 1.
        lag: usize,
    },
    /// Each value's part among all.
    Normalize {
        /// Of what.
        path: BucketPath,
        /// How.
        method: Normalization,
    },
    /// A function of the values before each bucket.
    MovingFunction {
        /// Of what.
        path: BucketPath,
        /// How many values.
        window: usize,
        /// How far the window is moved on; 1 takes the bucket's own value in.
        shift: i64,
        /// The function; its list is the window.
        script: Expression,
    },
    /// A smoothed mean of the values before each bucket.
    MovingAverage {
        /// Of what.
        path: BucketPath,
        /// How many values.
        window: usize,
        /// How they are weighed.
        model: MovingModel,
        /// How many buckets are added behind the last.
        predictions: usize,
    },
    /// A function of values of each bucket.
    BucketScript {
        /// What the variables of the script are.
        paths: Vec<BucketPath>,
        /// The function.
        script: Expression,
    },
    /// Keeps the buckets of which the function holds.
    BucketSelector {
        /// What the variables of the script are.
        paths: Vec<BucketPath>,
        /// The function.
        script: Expression,
    },
    /// Sorts buckets and keeps some.
    BucketSort {
        /// By what; nothing keeps their order.
        by: Vec<SortedBy>,
        /// How many are skipped.
        from: usize,
        /// How many are kept.
        size: Option<usize>,
    },
    /// One value of all buckets beside it.
    Sibling {
        /// Which.
        kind: SiblingKind,
        /// The aggregation beside it, and what of its buckets.
        path: BucketPath,
    },
}

/// A criterion of `BucketSort`.
#[derive(Debug, Clone)]
pub struct SortedBy {
    /// Of what.
    pub path: BucketPath,
    /// Largest first.
    pub descending: bool,
}

/// How values are related to all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalization {
    /// From 0 to 1.
    ToOne,
    /// From 0 to 100.
    ToHundred,
    /// Share of the sum.
    PercentOfSum,
    /// Distance from the mean by the range.
    Mean,
    /// Distance from the mean by the deviation.
    ZScore,
    /// Exponential share.
    Softmax,
}

/// One value of many buckets.
#[derive(Debug, Clone, PartialEq)]
pub enum SiblingKind {
    /// Their mean.
    Avg,
    /// Their sum.
    Sum,
    /// The smallest, and where it is.
    Min,
    /// The largest, and where it is.
    Max,
    /// Count, min, max, avg and sum.
    Stats,
    /// Those and variances.
    ExtendedStats,
    /// Their percentiles.
    Percentiles(Vec<f64>),
}
