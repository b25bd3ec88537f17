//! Hourly cells of a topic, by one dimension or none, as record batches.
//!
//! Each batch is the answer to one search over a window of hours, so that late rows, active rows,
//! deletions and several segments of the same hour are merged exactly as for any other search,
//! and rollup cells answer wherever they are exact.

use std::ops::Bound;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use query::request::{
    Aggregation, BucketBy, DateHistogram, FieldRef, Filter, HitsRequest, Interval, Limits, Metric,
    MetricKind, NamedAggregation, Order, OrderBy, RollupUse, SearchRequest, Terms,
};
use query::response::{AggregationResult, Bucket, BucketKey, MetricResult};
use query::{QueryError, ScanPool};
use storage::catalog::TimeField;
use storage::model::{ColumnKind, Decimal, ExactSum, FieldType, HOUR_MS, Mapping};
use storage::segment::RowSource;
use storage::store::TopicSnapshot;

use crate::column::{ColumnBuilder, ColumnType};
use crate::decimal_text::sum_text;
use crate::rows::DECIMAL_SUFFIX;
use crate::unread::{Unread, damage_of, unread_of};
use crate::{Decimals, ExportError};

/// Hours that are asked for at once, unless their cells are too many.
const WINDOW_HOURS: i64 = 7 * 24;

/// Most cells of one answer; a window with more is halved.
const CELLS_MAX: usize = 1 << 19;

/// Most bytes of state of one search.
const STATE_BYTES_MAX: usize = 256 << 20;

/// Which cells.
#[derive(Debug, Clone)]
pub struct RollupChoice {
    /// Which rows take part.
    pub filter: Filter,
    /// Cells are told apart by this field, too; a row with several values counts in each.
    pub dimension: Option<String>,
    /// Number fields whose count, sum, min and max each cell has; `None` for all but dates.
    pub measures: Option<Vec<String>>,
    /// How sums are given.
    pub decimals: Decimals,
}

/// Cells as record batches, ascending by hour, then by term; rows without a value of the
/// dimension are a cell with null. An iterator; after an error it ends.
#[derive(Debug)]
pub struct RollupBatches {
    snapshot: TopicSnapshot,
    choice: RollupChoice,
    time: FieldRef,
    dimension: Option<FieldRef>,
    measures: Vec<FieldRef>,
    schema: SchemaRef,
    builders: Builders,
    pool: Arc<ScanPool>,
    /// Starts of the first hour, the next one, and behind the last.
    first_ms: i64,
    next_ms: i64,
    end_ms: i64,
    window_hours: i64,
    unread: Vec<Unread>,
}

#[derive(Debug)]
struct Builders {
    hour: ColumnBuilder,
    dimension: Option<ColumnBuilder>,
    count: ColumnBuilder,
    measures: Vec<MeasureBuilders>,
}

#[derive(Debug)]
struct MeasureBuilders {
    is_integer: bool,
    count: ColumnBuilder,
    sum: ColumnBuilder,
    sum_text: Option<ColumnBuilder>,
    min: ColumnBuilder,
    max: ColumnBuilder,
}

impl RollupBatches {
    /// The cells of `snapshot` that `choice` names, made on the threads of `pool`.
    ///
    /// # Errors
    /// When a field does not exist or cannot be used, or the topic has no time field.
    pub fn new(
        snapshot: TopicSnapshot,
        choice: RollupChoice,
        pool: Arc<ScanPool>,
    ) -> Result<Self, ExportError> {
        let topic = Arc::clone(&snapshot.topic);
        let mapping = &topic.mapping;
        let Some(TimeField::Field(time)) = &topic.time_field else {
            return Err(ExportError::NoTimeField);
        };
        let time = resolve(mapping, time)?;
        let dimension = choice.dimension.as_deref();
        let dimension = dimension
            .map(|path| dimension_of(mapping, path))
            .transpose()?;
        let names = choice.measures.clone().unwrap_or_else(|| measures(mapping));
        let mut measures = Vec::new();
        let mut builders = Builders {
            hour: ColumnBuilder::new("hour", ColumnType::Milliseconds, false, false),
            dimension: choice
                .dimension
                .as_ref()
                .map(|name| ColumnBuilder::new(name, ColumnType::Terms, false, true)),
            count: ColumnBuilder::new("count", ColumnType::Integer, false, false),
            measures: Vec::new(),
        };
        for name in names {
            let field = resolve(mapping, &name)?;
            if field.field_type.column_kind() == ColumnKind::Text {
                let what = "is no number and cannot be summed";
                return Err(ExportError::Field { field: name, what });
            }
            builders.measures.push(MeasureBuilders::new(
                &name,
                field.field_type,
                choice.decimals,
            ));
            measures.push(field);
        }
        let bounds = snapshot
            .sources
            .iter()
            .filter_map(RowSource::time_bounds_ms);
        let bounds = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let hour = |time_ms: i64| time_ms - time_ms.rem_euclid(HOUR_MS);
        let (first_ms, end_ms) = bounds.map_or((0, 0), |(first_ms, last_ms)| {
            (hour(first_ms), hour(last_ms).saturating_add(HOUR_MS))
        });
        let fields: Vec<_> = builders.all().map(|one| Arc::clone(one.field())).collect();
        Ok(Self {
            choice,
            time,
            dimension,
            measures,
            schema: Arc::new(Schema::new(fields)),
            builders,
            pool,
            first_ms,
            next_ms: first_ms,
            end_ms,
            window_hours: WINDOW_HOURS,
            unread: unread_of(&snapshot),
            snapshot,
        })
    }

    /// The schema of every batch.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Hours that were answered so far, and all from the first to the last: how far it is.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let hours = |until_ms: i64| ((until_ms - self.first_ms) / HOUR_MS).unsigned_abs();
        (hours(self.next_ms.min(self.end_ms)), hours(self.end_ms))
    }

    /// What could not be read so far, and is left out.
    #[must_use]
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }

    /// Lets go of the segments that were found damaged; whether there were some.
    fn leave_out_damaged(&mut self) -> bool {
        let before = self.unread.len();
        let unread = &mut self.unread;
        self.snapshot.sources.retain(|source| {
            let damage = damage_of(source);
            unread.extend(damage.iter().map(|reason| Unread {
                rows: source.live_row_count() as u64,
                reason: Arc::clone(reason),
            }));
            damage.is_none()
        });
        self.unread.len() > before
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ExportError> {
        while self.next_ms < self.end_ms {
            let window_ms = self.window_hours * HOUR_MS;
            let until_ms = self.next_ms.saturating_add(window_ms).min(self.end_ms);
            let request = self.request(self.next_ms, until_ms);
            let response = match query::search(&request, &self.snapshot, &self.pool) {
                Ok(response) => response,
                Err(QueryError::TooManyBuckets { .. } | QueryError::StateTooLarge { .. })
                    if self.window_hours > 1 =>
                {
                    self.window_hours /= 2;
                    continue;
                }
                Err(QueryError::TooManyBuckets { buckets_max }) => {
                    return Err(ExportError::TooManyCells {
                        dimension: self.choice.dimension.clone().unwrap_or_default(),
                        cells_max: buckets_max,
                    });
                }
                Err(QueryError::Rows(_)) if self.leave_out_damaged() => continue,
                Err(error) => return Err(error.into()),
            };
            self.next_ms = until_ms;
            let mut cells = 0;
            if let Some(AggregationResult::Buckets { buckets, .. }) = response.aggregations.first()
            {
                for bucket in buckets {
                    cells += self.push_hour(bucket);
                }
            }
            if cells > 0 {
                let columns = self.builders.all_mut().map(ColumnBuilder::finish);
                let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
                return Ok(Some(RecordBatch::try_new(
                    Arc::clone(&self.schema),
                    columns,
                )?));
            }
        }
        Ok(None)
    }

    fn request(&self, from_ms: i64, until_ms: i64) -> SearchRequest {
        let per_millisecond = match self.time.field_type {
            FieldType::DateNanos => 1_000_000,
            _ => 1,
        };
        let bound = |time_ms: i64| Decimal::from_i64(time_ms.saturating_mul(per_millisecond));
        let range = Filter::NumberRange {
            field: self.time.clone(),
            lower: Bound::Included(bound(from_ms)),
            upper: Bound::Excluded(bound(until_ms)),
        };
        let filter = match &self.choice.filter {
            Filter::All => range,
            other => Filter::And(vec![range, other.clone()]),
        };
        let stats: Vec<NamedAggregation> = self
            .measures
            .iter()
            .map(|field| NamedAggregation {
                name: field.column.to_string(),
                aggregation: Aggregation::Metric(Metric {
                    kind: MetricKind::Stats,
                    field: Some(field.clone()),
                    missing: None,
                    linear: None,
                }),
            })
            .collect();
        let children = match &self.dimension {
            None => stats,
            Some(field) => vec![
                bucket("terms", BucketBy::Terms(terms(field)), stats.clone()),
                bucket(
                    "null",
                    BucketBy::Filter(Filter::Not(Box::new(Filter::Exists(field.clone())))),
                    stats,
                ),
            ],
        };
        SearchRequest {
            filter,
            aggregations: vec![bucket(
                "hour",
                BucketBy::DateHistogram(hours(&self.time)),
                children,
            )],
            hits: HitsRequest::default(),
            rollup: RollupUse::WhereExact,
            limits: Limits {
                buckets_max: CELLS_MAX,
                state_bytes_max: STATE_BYTES_MAX,
                ..Limits::default()
            },
        }
    }

    /// Adds the cells of an hour; how many.
    fn push_hour(&mut self, bucket: &Bucket) -> usize {
        let BucketKey::Time(hour_ms) = bucket.key else {
            return 0;
        };
        if self.dimension.is_none() {
            self.builders
                .push(hour_ms, None, bucket.count, &bucket.aggregations);
            return 1;
        }
        let mut cells = 0;
        for result in &bucket.aggregations {
            match result {
                AggregationResult::Buckets { buckets, .. } => {
                    for cell in buckets {
                        let term = term_text(&cell.key);
                        self.builders
                            .push(hour_ms, Some(term), cell.count, &cell.aggregations);
                        cells += 1;
                    }
                }
                AggregationResult::Single(cell) if cell.count > 0 => {
                    self.builders
                        .push(hour_ms, None, cell.count, &cell.aggregations);
                    cells += 1;
                }
                AggregationResult::Single(_)
                | AggregationResult::Metric(_)
                | AggregationResult::Rows(_)
                | AggregationResult::Pipeline(_) => {}
            }
        }
        cells
    }
}

impl Iterator for RollupBatches {
    type Item = Result<RecordBatch, ExportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch();
        if batch.is_err() {
            self.next_ms = self.end_ms;
        }
        batch.transpose()
    }
}

fn resolve(mapping: &Mapping, path: &str) -> Result<FieldRef, ExportError> {
    let Some((field, column)) = mapping.resolve(path) else {
        let (field, what) = (path.to_owned(), "does not exist");
        return Err(ExportError::Field { field, what });
    };
    Ok(FieldRef {
        column: column.into(),
        field_type: field.field_type,
    })
}

fn dimension_of(mapping: &Mapping, path: &str) -> Result<FieldRef, ExportError> {
    let field = resolve(mapping, path)?;
    match field.field_type {
        FieldType::Double | FieldType::Float | FieldType::HalfFloat => Err(ExportError::Field {
            field: path.to_owned(),
            what: "is a decimal number and cannot be a dimension",
        }),
        _ => Ok(field),
    }
}

/// The fields that are summed unless somebody says which: numbers that are no instants.
fn measures(mapping: &Mapping) -> Vec<String> {
    let fields = mapping.fields.iter();
    let numbers = fields.filter(|(_, field)| {
        let field_type = field.field_type;
        field_type.column_kind() != ColumnKind::Text
            && !field_type.is_date()
            && field_type != FieldType::Boolean
    });
    numbers.map(|(name, _)| name.clone()).collect()
}

fn bucket(name: &str, by: BucketBy, children: Vec<NamedAggregation>) -> NamedAggregation {
    NamedAggregation {
        name: name.into(),
        aggregation: Aggregation::Bucket { by, children },
    }
}

fn by_key() -> Vec<Order> {
    vec![Order {
        by: OrderBy::Key,
        descending: false,
    }]
}

fn hours(time: &FieldRef) -> DateHistogram {
    DateHistogram {
        field: Some(time.clone()),
        interval: Interval::Fixed(HOUR_MS),
        time_zone: jiff::tz::TimeZone::UTC,
        offset_ms: 0,
        doc_count_min: 1,
        extended_bounds_ms: None,
        hard_bounds_ms: None,
        missing_ms: None,
        order: by_key(),
    }
}

fn terms(field: &FieldRef) -> Terms {
    Terms {
        field: Some(field.clone()),
        size: CELLS_MAX,
        doc_count_min: 1,
        doc_count_max: u64::MAX,
        cells: None,
        words: None,
        missing: None,
        include: None,
        exclude: None,
        order: by_key(),
    }
}

fn term_text(key: &BucketKey) -> Vec<u8> {
    match key {
        BucketKey::Text(text) => text.to_vec(),
        BucketKey::Integer(value) | BucketKey::Time(value) => value.to_string().into_bytes(),
        BucketKey::Decimal(value) => crate::decimal_text::decimal_text(*value).into_bytes(),
        BucketKey::Name(name) => name.as_bytes().to_vec(),
        BucketKey::Tuple(keys) => {
            let keys: Vec<_> = keys.iter().map(term_text).collect();
            keys.join(&b'|')
        }
        BucketKey::Significant { term, .. } => term_text(term),
        BucketKey::Cluster { mean, .. } => mean.to_string().into_bytes(),
        BucketKey::None => Vec::new(),
    }
}

impl Builders {
    fn all(&self) -> impl Iterator<Item = &ColumnBuilder> {
        let measures = self.measures.iter().flat_map(MeasureBuilders::all);
        std::iter::once(&self.hour)
            .chain(&self.dimension)
            .chain([&self.count])
            .chain(measures)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut ColumnBuilder> {
        let measures = self.measures.iter_mut().flat_map(MeasureBuilders::all_mut);
        std::iter::once(&mut self.hour)
            .chain(&mut self.dimension)
            .chain([&mut self.count])
            .chain(measures)
    }

    fn push(
        &mut self,
        hour_ms: i64,
        term: Option<Vec<u8>>,
        count: u64,
        stats: &[AggregationResult],
    ) {
        self.hour.push_integers([hour_ms]);
        if let Some(column) = &mut self.dimension {
            let code = term.map(|term| column.add_term(&term));
            column.push_codes(code);
        }
        self.count.push_integers([count.cast_signed()]);
        for (measure, result) in self.measures.iter_mut().zip(stats) {
            measure.push(result);
        }
    }
}

impl MeasureBuilders {
    fn new(name: &str, field_type: FieldType, decimals: Decimals) -> Self {
        let is_integer = field_type.column_kind() == ColumnKind::Integer;
        let bound_type = match is_integer {
            true => ColumnType::Integer,
            false => ColumnType::Double,
        };
        let column = |what: &str, column_type, nullable| {
            ColumnBuilder::new(&format!("{name}.{what}"), column_type, false, nullable)
        };
        let text = format!("sum{DECIMAL_SUFFIX}");
        Self {
            is_integer,
            count: column("count", ColumnType::Integer, false),
            sum: column("sum", ColumnType::Double, true),
            sum_text: (decimals == Decimals::WithText)
                .then(|| column(&text, ColumnType::Text, true)),
            min: column("min", bound_type, true),
            max: column("max", bound_type, true),
        }
    }

    fn all(&self) -> impl Iterator<Item = &ColumnBuilder> {
        let sums = [&self.count, &self.sum].into_iter().chain(&self.sum_text);
        sums.chain([&self.min, &self.max])
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut ColumnBuilder> {
        let sums = [&mut self.count, &mut self.sum];
        let sums = sums.into_iter().chain(&mut self.sum_text);
        sums.chain([&mut self.min, &mut self.max])
    }

    fn push(&mut self, result: &AggregationResult) {
        let AggregationResult::Metric(MetricResult::Stats {
            count,
            min,
            max,
            sum,
            ..
        }) = result
        else {
            self.all_mut().for_each(ColumnBuilder::push_missing);
            return;
        };
        self.count.push_integers([count.cast_signed()]);
        let sum = (*count > 0).then_some(sum);
        self.sum.push_double(sum.map(ExactSum::to_f64));
        if let Some(column) = &mut self.sum_text {
            column.push_text(sum.map(sum_text));
        }
        for (column, bound) in [(&mut self.min, min), (&mut self.max, max)] {
            match (self.is_integer, bound) {
                (true, Some(bound)) => column.push_integers(integer(*bound)),
                (true, None) => column.push_missing(),
                (false, bound) => column.push_decimals(*bound),
            }
        }
    }
}

/// An integer's value; integers that fit 64 bits come with exponent 0 or as few digits and zeros.
fn integer(value: Decimal) -> Option<i64> {
    let power = u32::try_from(value.exponent).ok()?;
    value.mantissa.checked_mul(10_i64.checked_pow(power)?)
}
