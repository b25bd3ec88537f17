//! Which rows are returned, and in which order.

use storage::model::GeoPoint;

use super::scoring::Scoring;
use crate::request::{FieldRef, Filter};
use crate::response::SortValue;

/// Which rows are returned.
#[derive(Debug, Clone, Default)]
pub struct HitsRequest {
    /// How many.
    pub size: usize,
    /// How many before them are skipped.
    pub from: usize,
    /// Order; empty is partition and offset.
    pub sort: Vec<SortKey>,
    /// Only rows behind this one in the order.
    pub after: Option<After>,
    /// Of all rows with the same value only the first in the order is returned.
    pub collapse: Option<Collapse>,
    /// What rows score; `None`: nobody asks. Without an order, the best come first.
    pub score: Option<Scoring>,
    /// Rows that score less are not among the hits.
    pub score_min: Option<f64>,
    /// Filters of which each hit says whether it matches them.
    pub named: Vec<NamedFilter>,
}

/// A filter that hits are asked about.
#[derive(Debug, Clone)]
pub struct NamedFilter {
    /// Its name.
    pub name: String,
    /// Which rows.
    pub filter: Filter,
    /// What they score by it.
    pub score: Scoring,
}

/// What rows are taken together by.
#[derive(Debug, Clone)]
pub struct Collapse {
    /// The field; `None`: no such field, all rows are without a value and so together.
    pub field: Option<FieldRef>,
}

/// A place in an order of hits.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    /// Values of the criteria; `None` for a row without one.
    pub sort: Vec<Option<SortValue>>,
    /// The row there; `None` when only its values are known, and all rows with these are passed.
    pub row: Option<HitPlace>,
}

/// Where a hit came from: it names the row for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct HitPlace {
    /// Which part of a search over several topics: 0 for the first or only one.
    pub part: usize,
    /// The partition.
    pub partition: u32,
    /// The offset there.
    pub offset: u64,
}

/// A criterion of hit order.
#[derive(Debug, Clone, Default)]
pub struct SortKey {
    /// By what.
    pub by: SortBy,
    /// Largest first.
    pub descending: bool,
    /// Rows without a value come first.
    pub missing_first: bool,
    /// What rows without a value are taken to have.
    pub missing: Option<SortValue>,
    /// What is made of several values.
    pub mode: SortMode,
    /// What values become before they are compared.
    pub cast: SortCast,
}

/// What hits are ordered by.
#[derive(Debug, Clone, Default)]
pub enum SortBy {
    /// A field. `None`: no such field, every row is without a value.
    Field(Option<FieldRef>),
    /// The row's place: partition, then offset.
    #[default]
    Row,
    /// What the row scores.
    Score,
    /// How far a place is away, in metres: of several the least or as the mode says.
    Distance {
        /// A field of places.
        field: FieldRef,
        /// From the nearest of these.
        from: Vec<GeoPoint>,
    },
}

/// What several values of a row count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortMode {
    /// The one that comes first in the order: the smallest, descending the largest.
    #[default]
    First,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their sum; numbers alone.
    Sum,
    /// Their mean; numbers alone.
    Avg,
    /// The middle one, or the mean of the two in the middle; numbers alone.
    Median,
}

/// What values become so that those of different fields compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortCast {
    /// They stay.
    #[default]
    None,
    /// Integers become decimals.
    Decimal,
    /// Decimals lose their fractions.
    Integer,
    /// Milliseconds become nanoseconds.
    Nanos,
    /// Nanoseconds become milliseconds.
    Millis,
}
