//! What is asked: typed, resolved against the mapping, free of any protocol.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use storage::model::{Decimal, FieldType, GeoCells, GeoPoint, Span, SpanRelation};

use crate::Steps;
use crate::adaptive::Adaptive;
use crate::pipeline::Pipeline;
use crate::response::BucketKey;
use crate::row_script::RowScript;
use crate::text::Analyzer;

pub use crate::hits::request::{
    After, Collapse, HitPlace, HitsRequest, NamedFilter, SortBy, SortCast, SortKey, SortMode,
};
pub use crate::hits::scoring::{Origin, Scoring, ValueChange, ValueScoring, WordScoring};

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

/// Which rows take part. A row matches or not; nothing is scored.
#[derive(Debug, Clone)]
pub enum Filter {
    /// Every row.
    All,
    /// No row.
    None,
    /// All of them match; every row when empty.
    And(Vec<Filter>),
    /// At least `count` of them match.
    AtLeast {
        /// How many must match.
        count: usize,
        /// The choices.
        of: Vec<Filter>,
    },
    /// The inner filter does not match.
    Not(Box<Filter>),
    /// The field has a value.
    Exists(FieldRef),
    /// A value of the number field lies in the range. Dates are in the column's own unit.
    NumberRange {
        /// An integer or decimal field.
        field: FieldRef,
        /// Lower bound.
        lower: Bound<Decimal>,
        /// Upper bound.
        upper: Bound<Decimal>,
    },
    /// A value of the number field is one of these.
    NumberIn {
        /// An integer or decimal field.
        field: FieldRef,
        /// The values.
        values: Vec<Decimal>,
    },
    /// A value of the text field fits the predicate.
    Text {
        /// A text field.
        field: FieldRef,
        /// What must hold of one of its values.
        predicate: TextPredicate,
    },
    /// The row's id is one of these.
    Ids(BTreeSet<String>),
    /// A place lies so far from another one.
    Distance {
        /// A field of places.
        field: FieldRef,
        /// The other place.
        from: GeoPoint,
        /// The distance, in metres.
        metres: (Bound<f64>, Bound<f64>),
    },
    /// The script holds.
    Script(Box<RowScript>),
    /// A place of the field lies in the area.
    Place {
        /// A field of places.
        field: FieldRef,
        /// Where.
        area: Area,
    },
    /// Rows of one of several shares, by their ids.
    Slice(Slice),
}

/// A part of the globe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Area {
    /// Between two corners; from east to west across the date line if the first lies east.
    Box {
        /// One corner.
        north_west: GeoPoint,
        /// The other.
        south_east: GeoPoint,
    },
    /// So far around a place.
    Circle {
        /// The place.
        center: GeoPoint,
        /// How far.
        radius_m: f64,
    },
}

impl Area {
    /// Whether `place` lies inside.
    #[must_use]
    pub fn contains(&self, place: GeoPoint) -> bool {
        match self {
            Self::Box {
                north_west,
                south_east,
            } => {
                let (west, east) = (north_west.longitude, south_east.longitude);
                let is_between = match west <= east {
                    true => (west..=east).contains(&place.longitude),
                    false => place.longitude >= west || place.longitude <= east,
                };
                is_between && (south_east.latitude..=north_west.latitude).contains(&place.latitude)
            }
            Self::Circle { center, radius_m } => center.distance_m(place) <= *radius_m,
        }
    }
}

/// One of several shares of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Which.
    pub number: u32,
    /// Of how many.
    pub count: u32,
    /// Ids are dealt out to so many piles first, and these to the shares.
    pub piles: u32,
}

impl Slice {
    /// Whether the row of this id is in the share.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        let hash = murmur3(id);
        let remainder = |of: i32, by: u32| i64::from(of).rem_euclid(i64::from(by.max(1)));
        let pile = remainder(hash, self.piles);
        let (count, number) = (i64::from(self.count.max(1)), i64::from(self.number));
        if count <= i64::from(self.piles) {
            return pile % count == number;
        }
        // Several shares to a pile.
        let piles = i64::from(self.piles.max(1));
        let shares = (count - pile).div_euclid(piles) + i64::from((count - pile) % piles != 0);
        let within = remainder(hash.rotate_left(13), u32::try_from(shares).unwrap_or(1));
        pile + within * piles == number
    }
}

/// The hash that documents are dealt out to shards by: MurmurHash3 of the id's UTF-16.
fn murmur3(id: &str) -> i32 {
    let bytes: Vec<u8> = id.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mixed = |word: u32| {
        let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15);
        word.wrapping_mul(0x1b87_3593)
    };
    let mut hash: u32 = 0;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes(word.try_into().expect("it has four bytes"));
        hash = (hash ^ mixed(word)).rotate_left(13);
        hash = hash.wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let mut last = [0; 4];
    let rest = words.remainder();
    last[..rest.len()].copy_from_slice(rest);
    if !rest.is_empty() {
        hash ^= mixed(u32::from_le_bytes(last));
    }
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    (hash ^ hash >> 16).cast_signed()
}

/// What must hold of a distinct text. Evaluated once a term, never once a row.
#[derive(Debug, Clone)]
pub enum TextPredicate {
    /// The whole text is one of these.
    In(BTreeSet<Vec<u8>>),
    /// The whole text lies between, compared by bytes.
    Range {
        /// Lower bound.
        lower: Bound<Vec<u8>>,
        /// Upper bound.
        upper: Bound<Vec<u8>>,
    },
    /// The text is an IP address from the first to the last, both as numbers of IPv6.
    Address {
        /// The first address.
        first: u128,
        /// The last address.
        last: u128,
    },
    /// The whole text, or for a full-text field one of its tokens, fits the pattern.
    Pattern {
        /// An anchored pattern.
        pattern: Pattern,
        /// Against tokens instead of the whole text.
        tokens: bool,
    },
    /// The text's tokens hold these: see [`TokenMatch`].
    Tokens {
        /// Tokens as `query::text::tokens` makes them.
        tokens: Vec<String>,
        /// How they must occur.
        how: TokenMatch,
    },
    /// Words at places that fit together.
    Intervals(Intervals),
    /// The predicate fits the tokens that this analyzer makes of the text.
    Analyzed {
        /// How the text is cut.
        analyzer: Analyzer,
        /// A predicate over tokens.
        predicate: Box<TextPredicate>,
    },
    /// The text says a span that stands so to the one given.
    Span {
        /// The other span.
        span: Span,
        /// How the text's span stands to it.
        relation: SpanRelation,
    },
}

/// Places of a text that are looked for.
#[derive(Debug, Clone)]
pub enum Intervals {
    /// One word.
    Word(WordMatch),
    /// One of each.
    All {
        /// What is to be there.
        of: Vec<Intervals>,
        /// In which order.
        order: IntervalOrder,
        /// Most words between.
        gaps_max: Option<u32>,
    },
    /// One of them.
    Any(Vec<Intervals>),
    /// Those that stand so to others.
    Filtered {
        /// What is looked for.
        of: Box<Intervals>,
        /// How they stand.
        filter: IntervalFilter,
        /// To what.
        by: Box<Intervals>,
    },
}

/// A word of a text.
#[derive(Debug, Clone)]
pub enum WordMatch {
    /// This one.
    Is(String),
    /// One that fits.
    Fits(Pattern),
}

/// In which order intervals stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalOrder {
    /// One behind the other.
    Ordered,
    /// In any, and they may overlap.
    Unordered,
    /// In any, and they do not overlap.
    Apart,
}

/// How an interval stands to one of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalFilter {
    /// It has one inside.
    Containing,
    /// It has none inside.
    NotContaining,
    /// It is inside of one.
    ContainedBy,
    /// It is inside of none.
    NotContainedBy,
    /// It shares a word with one.
    Overlapping,
    /// It shares a word with none.
    NotOverlapping,
    /// It stands before one.
    Before,
    /// It stands behind one.
    After,
}

/// How tokens must occur in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenMatch {
    /// At least one of them.
    Any,
    /// All of them, anywhere.
    All,
    /// All of them in this order; up to `slop` moves apart.
    Phrase {
        /// How many positions they may be off together.
        slop: u32,
    },
}

/// A pattern over a whole text.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// `*` is any text, `?` any character, `\` takes the next literally.
    Wildcard(String),
    /// A regular expression in the syntax of the `regex` crate; its reader anchors it at both ends.
    Regex(String),
    /// Texts that few changes of letters make of a word.
    Near {
        /// The word.
        word: String,
        /// Most letters that are wrong, missing, added or exchanged.
        edits_max: usize,
        /// So many first letters must be the same.
        prefix_chars: usize,
    },
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
