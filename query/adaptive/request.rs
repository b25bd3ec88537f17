//! What is asked of aggregations whose buckets depend on the rows.

use jiff::tz::TimeZone;

use crate::request::{FieldRef, Filter, Terms};

/// An aggregation whose buckets are known only after a look at the rows.
#[derive(Debug, Clone)]
pub enum Adaptive {
    /// Time buckets as narrow as their number allows.
    Dates(AutoDates),
    /// Numbers that are near each other.
    Clusters(Clusters),
    /// Terms that are more frequent than elsewhere.
    Significant(Box<Significant>),
}

/// Time buckets of the first width of a ladder that needs no more buckets than asked.
#[derive(Debug, Clone)]
pub struct AutoDates {
    /// A date field; `None` when no such field exists.
    pub field: Option<FieldRef>,
    /// Most buckets.
    pub count_max: usize,
    /// No bucket is narrower than one of these.
    pub unit_min: LadderUnit,
    /// Where midnight is.
    pub time_zone: TimeZone,
    /// The instant of rows without one.
    pub missing_ms: Option<i64>,
}

/// Units of the ladder, each wider than those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum LadderUnit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

/// The width of a bucket: so many units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LadderStep {
    /// What is counted.
    pub unit: LadderUnit,
    /// How many of them.
    pub count: u32,
}

/// Numbers put together with those nearest to them until there are few enough groups.
#[derive(Debug, Clone)]
pub struct Clusters {
    /// An integer or decimal field; `None` when no such field exists.
    pub field: Option<FieldRef>,
    /// Most groups.
    pub count_max: usize,
}

/// Terms that rows which match have more often than all rows.
#[derive(Debug, Clone)]
pub struct Significant {
    /// The terms that may be; their size and order do not matter.
    pub terms: Terms,
    /// Most terms returned.
    pub size: usize,
    /// How much a term stands out.
    pub score: SignificanceScore,
    /// The rows that are compared with.
    pub background: Filter,
}

/// How much a term stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignificanceScore {
    /// The change of its share times the quotient of both shares.
    Jlh,
    /// What knowing the term says of the rows, in bits.
    MutualInformation,
    /// How unlikely its frequency is by chance.
    ChiSquare,
    /// How near the term and the rows are by what they share.
    NormalizedDistance,
    /// Its rows that match, of all its rows.
    Percentage,
}
