//! What is asked: typed, resolved against the mapping, free of any protocol.

mod buckets;
mod filter;
mod metric;

use std::sync::Arc;

use storage::model::FieldType;

use crate::pipeline::Pipeline;

pub use crate::hits::request::{
    After, Collapse, HitPlace, HitsRequest, NamedFilter, SortBy, SortCast, SortKey, SortMode,
};
pub use crate::hits::scoring::{Origin, Scoring, ValueChange, ValueScoring, WordScoring};
pub use buckets::{
    BucketBy, CalendarUnit, DateHistogram, Filters, Interval, MetricValue, MissingPlace,
    NumberHistogram, Order, OrderBy, SpanNumbers, TermPartition, TermSelection, TermValue, Terms,
    TupleBy, TupleSource, Tuples,
};
pub use filter::{
    Area, Filter, IntervalFilter, IntervalOrder, Intervals, Pattern, Slice, TextPredicate,
    TokenMatch, WordMatch,
};
pub use metric::{
    Cardinality, Counting, Input, Linear, Metric, MetricKind, Moments, ScriptMetric, Several,
    TopRows, WeightedAvg,
};

/// A field of the topic: the column that holds its values and how to read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRef {
    /// Path of the column (a subfield's values are in its parent's column).
    pub column: Arc<str>,
    /// What the values are.
    pub field_type: FieldType,
}

/// One search over one topic.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Which rows take part.
    pub filter: Filter,
    /// What is computed over them.
    pub aggregations: Vec<NamedAggregation>,
    /// Which rows are returned.
    pub hits: HitsRequest,
    /// Whether rollup cells may answer.
    pub rollup: RollupUse,
    /// What it may cost.
    pub limits: Limits,
}

/// Whether rollup cells may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollupUse {
    /// Wherever they are exact.
    WhereExact,
    /// Never: rows alone.
    Never,
}

/// What one search may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most buckets in the answer, empty ones included.
    pub buckets_max: usize,
    /// Most bytes of state that the search may hold.
    pub state_bytes_max: usize,
    /// Rows that match are counted exactly up to this number; of more it is only said that they
    /// are more. 0: they need not be counted at all. Aggregations see every row all the same.
    pub counted_rows_max: u64,
}

/// Most buckets of an answer unless a setting says otherwise.
pub const BUCKETS_MAX: usize = 65_535;

/// Most bytes of aggregation state unless a setting says otherwise.
pub const STATE_BYTES_MAX: usize = 256 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            buckets_max: BUCKETS_MAX,
            state_bytes_max: STATE_BYTES_MAX,
            counted_rows_max: u64::MAX,
        }
    }
}

/// An aggregation and the name its answer carries.
#[derive(Debug, Clone)]
pub struct NamedAggregation {
    /// Its name, unique among its siblings.
    pub name: String,
    /// What is computed.
    pub aggregation: Aggregation,
}

/// A metric, or buckets with what is computed in each.
#[derive(Debug, Clone)]
pub enum Aggregation {
    /// One value over the rows of the bucket it stands in.
    Metric(Metric),
    /// How many distinct values they have.
    Cardinality(Cardinality),
    /// A mean of values by their weights.
    WeightedAvg(WeightedAvg),
    /// The first rows in some order.
    TopRows(TopRows),
    /// Where places lie; `None` when no such field exists.
    Places(Option<FieldRef>),
    /// How fields are distributed together.
    Moments(Moments),
    /// A metric of what a script gives.
    Script(ScriptMetric),
    /// A value made of the results of others.
    Pipeline(Pipeline),
    /// Rows dealt out to buckets.
    Bucket {
        /// How rows are dealt out.
        by: BucketBy,
        /// What is computed in each.
        children: Vec<NamedAggregation>,
    },
}
