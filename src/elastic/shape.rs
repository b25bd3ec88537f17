//! How an answer is printed: what the request said about it, and what its fields are.
//!
//! A request is split in two when it is read: what must be computed goes to `query`, what only
//! concerns printing stays here and meets the result again in `render`.

use jiff::tz::TimeZone;
use query::response::SearchResponse;
use serde_json::Value;
use storage::model::{DateFormat, Field, GeoCells};

use super::context::Context;
use super::highlight::HighlightShape;
use super::render::DecimalPattern;

/// How the answer of one search is printed.
#[derive(Debug, Clone)]
pub struct ResponseShape {
    /// Names of the searched indices, in the order of the requests.
    pub(super) indices: Vec<SearchedIndex>,
    /// Their partitions, which clients know as shards.
    pub(super) shards: usize,
    pub(super) total: TotalShape,
    /// The total as a number instead of an object.
    pub(super) total_as_int: bool,
    /// The score of every hit; `None` when hits are sorted by something else, or each has its own.
    pub(super) score: Option<f64>,
    /// Whether the best score is said.
    pub(super) says_score_max: bool,
    pub(super) hits: HitShape,
    /// What each hit shows of those that it stands for.
    pub(super) inner: Vec<InnerShape>,
    pub(super) aggregations: Vec<AggregationShape>,
    /// Whether the answer says how it was made.
    pub(super) profile: bool,
    /// Whether the answer says that it ended early.
    pub(super) ended_early: bool,
}

impl ResponseShape {
    pub(crate) fn set_ended_early(&mut self, ended_early: bool) {
        self.ended_early = ended_early && self.total != TotalShape::Exact;
    }

    /// Leaves aggregations out: they were answered before.
    pub(crate) fn without_aggregations(&mut self) {
        self.aggregations.clear();
    }
}

/// An index that hits are from.
#[derive(Debug, Clone)]
pub(super) struct SearchedIndex {
    pub(super) name: String,
    /// Whether its documents are not shown.
    pub(super) hides_source: bool,
}

impl SearchedIndex {
    pub(super) fn of(context: &Context<'_>) -> Self {
        Self {
            name: context.index.into(),
            hides_source: context.mapping.hides_source,
        }
    }
}

/// How far hits are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TotalShape {
    /// All of them.
    Exact,
    /// Up to here; more is "at least".
    UpTo(u64),
    /// Not at all.
    Absent,
}

/// What a hit shows.
#[derive(Debug, Clone, Default)]
pub(super) struct HitShape {
    pub(super) source: SourceShape,
    /// `stored_fields: "_none_"`: no id.
    pub(super) without_id: bool,
    pub(super) version: bool,
    pub(super) sequence_number: bool,
    /// Fields read from the document and printed in a format.
    pub(super) fields: Vec<FieldShape>,
    pub(super) sort: Vec<SortShape>,
    /// Why it matches.
    pub(super) highlight: Option<HighlightShape>,
    /// The field that hits are taken together by.
    pub(super) collapse: Option<String>,
    /// Names of the filters that hits are asked about.
    pub(super) named: Vec<String>,
    /// What they score by them is said too.
    pub(super) named_scores: bool,
    /// What is said of each score.
    pub(super) explain: bool,
}

/// Hits below a hit, and the answers for each hit.
#[derive(Debug, Clone)]
pub(super) struct InnerShape {
    pub(super) name: String,
    pub(super) shape: Box<ResponseShape>,
    pub(super) answers: Vec<SearchResponse>,
}

/// What is shown of the document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum SourceShape {
    /// All of it, byte for byte.
    #[default]
    Whole,
    /// Nothing.
    None,
    /// Paths to keep (all when empty) and paths to leave out.
    Parts {
        includes: Vec<Vec<String>>,
        excludes: Vec<Vec<String>>,
    },
}

/// A field of a hit.
#[derive(Debug, Clone)]
pub(super) struct FieldShape {
    /// The name it is shown under.
    pub(super) path: String,
    /// Where its values are in the document: its parent's path for a subfield.
    pub(super) source_path: Vec<String>,
    pub(super) field: Field,
    /// How its values are printed, when not as themselves.
    pub(super) text: Option<ValueText>,
    /// Whether values stand as in the document or as in a column.
    pub(super) order: ValueOrder,
}

/// How the values of a field stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueOrder {
    /// As in the document.
    Document,
    /// As `docvalue_fields` have them: ascending, equal texts once.
    Column,
}

/// A value that hits are sorted by.
#[derive(Debug, Clone)]
pub(super) struct SortShape {
    pub(super) kind: SortKind,
    pub(super) descending: bool,
    pub(super) missing_first: bool,
    /// Dates as texts, when the request names a format.
    pub(super) text: Option<ValueText>,
    /// Distances are said in units of so many metres.
    pub(super) unit_m: f64,
}

/// What a sort value is; it decides what a row without one shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortKind {
    /// Long, date.
    Integer,
    /// A date in nanoseconds.
    Nanos,
    Decimal,
    Text,
    /// The row's place.
    Row,
    Score,
    /// How far away a place is.
    Distance,
}

/// How one aggregation is printed.
#[derive(Debug, Clone)]
pub(super) struct AggregationShape {
    /// Its name, after its type when the request wants typed keys.
    pub(super) key: String,
    pub(super) meta: Option<Value>,
    pub(super) kind: AggregationKind,
    pub(super) children: Vec<AggregationShape>,
}

/// What is special about printing it.
#[derive(Debug, Clone)]
pub(super) enum AggregationKind {
    Metric(MetricShape),
    DateHistogram {
        format: DateFormat,
        zone: TimeZone,
        keyed: bool,
        unmapped: bool,
    },
    /// Time buckets whose width is told.
    AutoDates {
        format: DateFormat,
        zone: TimeZone,
        unmapped: bool,
    },
    /// The bounds of places; across the date line where that is narrower and allowed.
    GeoBounds {
        wraps: bool,
    },
    /// The middle of places.
    GeoCentroid,
    /// How fields are distributed together.
    Moments {
        names: Vec<String>,
    },
    /// Numbers near each other.
    Clusters {
        text: Option<ValueText>,
    },
    /// Terms that stand out.
    Significant {
        text: Option<ValueText>,
    },
    Terms {
        text: Option<ValueText>,
        show_error: bool,
        /// With so many terms or more, Elasticsearch does not know the error of its counts.
        error_unknown_from: Option<usize>,
        unmapped: bool,
        /// Rare terms say nothing of errors and of other rows.
        is_rare: bool,
    },
    Histogram {
        text: Option<ValueText>,
        keyed: bool,
        unmapped: bool,
    },
    Ranges {
        keyed: bool,
        /// In the order of the buckets.
        ranges: Vec<RangeShape>,
        unmapped: bool,
    },
    /// Cells of places.
    GeoGrid {
        cells: GeoCells,
    },
    Single,
    Filters {
        keyed: bool,
    },
    /// Filters and their pairs; those without rows are left out.
    Matrix,
    Pipeline(Box<PipelineShape>),
    TopHits(Box<TopHitsShape>),
    TopMetrics(Box<TopMetricsShape>),
    /// Keys under the names of their sources, and the last of them.
    Composite {
        sources: Vec<TupleShape>,
    },
    MultiTerms {
        sources: Vec<TupleShape>,
        show_error: bool,
    },
}

/// How what a pipeline made is printed.
#[derive(Debug, Clone)]
pub(super) struct PipelineShape {
    pub(super) text: Option<ValueText>,
    pub(super) form: PipelineForm,
}

/// What a pipeline makes.
#[derive(Debug, Clone)]
pub(super) enum PipelineForm {
    /// A number.
    Plain,
    /// A number and the buckets that have it, printed as those of this aggregation.
    Extreme(Box<AggregationShape>),
    Stats,
    /// Statistics, and bounds so many deviations around the mean.
    ExtendedStats {
        sigma: f64,
    },
    Percentiles {
        keyed: bool,
    },
}

/// How documents of a bucket are printed.
#[derive(Debug, Clone)]
pub(super) struct TopHitsShape {
    /// Names of the searched indices, in the order of the requests.
    pub(super) indices: Vec<SearchedIndex>,
    pub(super) hits: HitShape,
    /// The score of every hit; `None` when hits are sorted by something else.
    pub(super) score: Option<f64>,
}

/// How values of the first rows are printed.
#[derive(Debug, Clone)]
pub(super) struct TopMetricsShape {
    pub(super) sort: Vec<SortShape>,
    pub(super) columns: Vec<MetricColumn>,
}

/// A field whose value is printed.
#[derive(Debug, Clone)]
pub(super) struct MetricColumn {
    pub(super) path: String,
    /// Dates are texts.
    pub(super) text: Option<ValueText>,
}

/// How one value of a tuple is printed.
#[derive(Debug, Clone)]
pub(super) struct TupleShape {
    pub(super) name: String,
    /// The value as a text instead of itself.
    pub(super) text: Option<ValueText>,
}

/// How a bucket of a range is printed.
#[derive(Debug, Clone)]
pub(super) struct RangeShape {
    pub(super) key: String,
    pub(super) from: Option<EndShape>,
    pub(super) to: Option<EndShape>,
}

/// One end of a range.
#[derive(Debug, Clone)]
pub(super) struct EndShape {
    /// Where it is among others.
    pub(super) place: f64,
    /// What it is called in keys.
    pub(super) name: String,
    pub(super) value: Value,
    /// The value as a text beside itself.
    pub(super) text: Option<String>,
}

/// How a metric's value is printed.
#[derive(Debug, Clone, Default)]
pub(super) struct MetricShape {
    pub(super) text: Option<ValueText>,
    /// Values are nanoseconds and shown as milliseconds.
    pub(super) is_nanos: bool,
    pub(super) unmapped: bool,
    pub(super) form: MetricForm,
}

/// Which values of a metric are printed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum MetricForm {
    /// Those that it has.
    #[default]
    Plain,
    /// Statistics, and bounds so many deviations around the mean.
    ExtendedStats { sigma: f64 },
    /// The values that so many percent lie below; with so many significant digits by the rules of a
    /// high dynamic range histogram.
    Percentiles {
        percents: Vec<f64>,
        keyed: bool,
        digits: Option<u32>,
    },
    /// How many percent lie below these values.
    Ranks { values: Vec<f64>, keyed: bool },
    /// The median of the distances from the median.
    MedianAbsoluteDeviation,
}

/// How a value is printed as a text beside itself.
#[derive(Debug, Clone)]
pub(super) enum ValueText {
    Date {
        format: DateFormat,
        zone: TimeZone,
        is_nanos: bool,
    },
    Boolean,
    Number(DecimalPattern),
}

impl ResponseShape {
    /// Takes from the shape of a further index what this one could not know: how fields are
    /// printed that only the other has.
    pub(super) fn join(&mut self, other: Self) {
        self.indices.extend(other.indices);
        self.shards += other.shards;
        join_all(&mut self.aggregations, other.aggregations);
        for (own, others) in self.hits.sort.iter_mut().zip(other.hits.sort) {
            if own.text.is_none() {
                own.text = others.text;
            }
        }
        for field in other.hits.fields {
            if !self.hits.fields.iter().any(|own| own.path == field.path) {
                self.hits.fields.push(field);
            }
        }
    }
}

fn join_all(shapes: &mut [AggregationShape], others: Vec<AggregationShape>) {
    for (own, other) in shapes.iter_mut().zip(others) {
        if own.kind.is_unmapped() && !other.kind.is_unmapped() {
            own.key.clone_from(&other.key);
            own.kind = other.kind.clone();
        }
        if let (AggregationKind::TopHits(own), AggregationKind::TopHits(other)) =
            (&mut own.kind, &other.kind)
        {
            own.indices.extend(other.indices.iter().cloned());
        }
        join_all(&mut own.children, other.children);
    }
}

impl AggregationKind {
    fn is_unmapped(&self) -> bool {
        match self {
            Self::Metric(shape) => shape.unmapped,
            Self::Terms { unmapped, .. } | Self::DateHistogram { unmapped, .. } => *unmapped,
            Self::AutoDates { unmapped, .. } => *unmapped,
            Self::Clusters { .. } | Self::Significant { .. } => false,
            Self::GeoBounds { .. } | Self::GeoCentroid | Self::Moments { .. } => false,
            Self::Histogram { unmapped, .. } | Self::Ranges { unmapped, .. } => *unmapped,
            Self::Single | Self::Filters { .. } | Self::Matrix | Self::GeoGrid { .. } => false,
            Self::TopHits(_) | Self::TopMetrics(_) | Self::Pipeline(_) => false,
            Self::Composite { .. } | Self::MultiTerms { .. } => false,
        }
    }
}
