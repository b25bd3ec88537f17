//! The second answer: a plain loop over rows. Slow, and obvious.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use num_bigint::BigInt;
use storage::model::{Decimal, ExactSum, FieldType};

use super::generate::SCRIPT_ADDEND;
use super::rows::{Row, Value};
use crate::distribution::Distribution;
use crate::pattern::CompiledPattern;
use crate::request::{
    Aggregation, BucketBy, Cardinality, DateHistogram, FieldRef, Filter, Filters, HitsRequest,
    Input, Metric, MetricKind, MetricValue, MissingPlace, NamedAggregation, NumberHistogram, Order,
    OrderBy, Pattern, ScriptMetric, SearchRequest, SortBy, TermSelection, TermValue, Terms,
    TextPredicate, TokenMatch, TopRows, TupleBy, TupleSource, Tuples, WeightedAvg,
};
use crate::response::{
    AggregationResult, Bucket, BucketKey, BucketsNote, ExtendedStats, Hit, MetricResult,
    RowsResult, SortValue,
};
use crate::rounding::Rounding;
use crate::rounding::tests::oracle;

/// What tests look at of a hit.
pub(super) type ShownHit = (String, u32, u64, Vec<u8>, Vec<Option<SortValue>>);

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) matched: u64,
    pub(super) aggregations: Vec<AggregationResult>,
    pub(super) hits: Vec<ShownHit>,
}

pub(super) fn shown(hits: &[Hit]) -> Vec<ShownHit> {
    hits.iter()
        .map(|hit| {
            let (id, source) = (hit.id.clone(), hit.source.clone());
            (id, hit.partition, hit.offset, source, hit.sort.clone())
        })
        .collect()
}

pub(super) fn answer(request: &SearchRequest, rows: &[Row]) -> Answer {
    let all: Vec<&Row> = rows.iter().collect();
    let matching: Vec<&Row> = rows
        .iter()
        .filter(|row| matches(&request.filter, row))
        .collect();
    Answer {
        matched: matching.len() as u64,
        aggregations: aggregate(&request.aggregations, &matching, &all),
        hits: hits(&request.hits, &matching),
    }
}

// Filters.

/// The numbers of a row as `field` reads them: integers of a decimal field are doubles.
fn numbers(row: &Row, field: &FieldRef) -> Vec<Decimal> {
    let is_decimal = field.field_type == FieldType::Double;
    let read = |value: Decimal| match is_decimal {
        true => Decimal::from_f64(value.to_f64()).expect("a finite number"),
        false => value,
    };
    row.numbers(&field.column).into_iter().map(read).collect()
}

fn matches(filter: &Filter, row: &Row) -> bool {
    match filter {
        Filter::All => true,
        Filter::None => false,
        Filter::And(inner) => inner.iter().all(|filter| matches(filter, row)),
        Filter::AtLeast { count, of } => {
            of.iter().filter(|filter| matches(filter, row)).count() >= *count
        }
        Filter::Not(inner) => !matches(inner, row),
        Filter::Exists(field) => !row.values(&field.column).is_empty(),
        Filter::NumberRange {
            field,
            lower,
            upper,
        } => numbers(row, field).iter().any(|value| {
            let is_above = match lower {
                Bound::Unbounded => true,
                Bound::Included(bound) => value.compare(*bound).is_ge(),
                Bound::Excluded(bound) => value.compare(*bound).is_gt(),
            };
            let is_below = match upper {
                Bound::Unbounded => true,
                Bound::Included(bound) => value.compare(*bound).is_le(),
                Bound::Excluded(bound) => value.compare(*bound).is_lt(),
            };
            is_above && is_below
        }),
        Filter::NumberIn { field, values } => numbers(row, field)
            .iter()
            .any(|value| values.iter().any(|one| one.compare(*value).is_eq())),
        Filter::Text { field, predicate } => row
            .texts(&field.column)
            .iter()
            .any(|text| text_matches(predicate, text)),
        Filter::Ids(ids) => ids.contains(&row.name()),
        Filter::Distance { .. } | Filter::Script(_) => panic!("they are not dealt"),
        Filter::Slice(slice) => slice.contains(&row.name()),
        Filter::Place { field, area } => numbers(row, field)
            .iter()
            .any(|value| area.contains(storage::model::GeoPoint::of_code(value.mantissa))),
    }
}

fn text_matches(predicate: &TextPredicate, text: &str) -> bool {
    let words = crate::text::tokens(text);
    match predicate {
        TextPredicate::In(terms) => terms.iter().any(|term| term == text.as_bytes()),
        TextPredicate::Range { lower, upper } => {
            (lower.clone(), upper.clone()).contains(&text.as_bytes().to_vec())
        }
        TextPredicate::Address { first, last } => text
            .parse::<std::net::Ipv6Addr>()
            .is_ok_and(|address| (*first..=*last).contains(&address.to_bits())),
        TextPredicate::Pattern { pattern, tokens } => match tokens {
            true => words.iter().any(|word| fits(pattern, word.as_bytes())),
            false => fits(pattern, text.as_bytes()),
        },
        TextPredicate::Tokens { tokens, how } => match how {
            TokenMatch::Any => tokens.iter().any(|token| words.contains(token)),
            TokenMatch::All => tokens.iter().all(|token| words.contains(token)),
            TokenMatch::Phrase { .. } => {
                let (text, phrase) = (words.join(" "), tokens.join(" "));
                format!(" {text} ").contains(&format!(" {phrase} "))
            }
        },
        TextPredicate::Intervals(_) | TextPredicate::Analyzed { .. } => {
            panic!("places of words have tests of their own")
        }
        TextPredicate::Span { .. } => panic!("spans have tests of their own"),
    }
}

thread_local! {
    /// Whether a text fits a pattern; asked a million times of a hundred pairs.
    static FITS: RefCell<HashMap<(String, Vec<u8>), bool>> = RefCell::default();
}

fn fits(pattern: &Pattern, text: &[u8]) -> bool {
    let asked = (format!("{pattern:?}"), text.to_vec());
    FITS.with_borrow_mut(|fits| {
        *fits.entry(asked).or_insert_with(|| {
            CompiledPattern::new(pattern)
                .expect("a pattern")
                .matches(text)
        })
    })
}

// Aggregations.

fn aggregate(named: &[NamedAggregation], rows: &[&Row], all: &[&Row]) -> Vec<AggregationResult> {
    named
        .iter()
        .map(|named| match &named.aggregation {
            Aggregation::Metric(metric) => AggregationResult::Metric(measure(metric, rows)),
            Aggregation::Cardinality(by) => AggregationResult::Metric(cardinality(by, rows)),
            Aggregation::WeightedAvg(by) => AggregationResult::Metric(weighted(by, rows)),
            Aggregation::TopRows(by) => AggregationResult::Rows(top_rows(by, rows)),
            Aggregation::Script(by) => AggregationResult::Metric(scripted(by, rows)),
            Aggregation::Places(_) | Aggregation::Moments(_) => panic!("they are not dealt"),
            Aggregation::Pipeline(_) => panic!("pipelines are no matter of rows"),
            Aggregation::Bucket { by, children } => match by {
                BucketBy::Tuples(by) => tuples(by, children, rows, all),
                BucketBy::Adaptive(_) => panic!("it becomes another"),
                BucketBy::DateHistogram(by) => histogram(by, children, rows, all),
                BucketBy::NumberHistogram(by) => number_histogram(by, children, rows, all),
                BucketBy::Terms(by) => terms(by, children, rows, all),
                BucketBy::Global => {
                    AggregationResult::Single(bucket(BucketKey::None, all, children, all))
                }
                BucketBy::Filter(filter) => {
                    let inside: Vec<_> = rows
                        .iter()
                        .copied()
                        .filter(|row| matches(filter, row))
                        .collect();
                    AggregationResult::Single(bucket(BucketKey::None, &inside, children, all))
                }
                BucketBy::Filters(by) => filters(by, children, rows, all),
            },
        })
        .collect()
}

fn bucket(key: BucketKey, rows: &[&Row], children: &[NamedAggregation], all: &[&Row]) -> Bucket {
    Bucket {
        key,
        count: rows.len() as u64,
        aggregations: aggregate(children, rows, all),
    }
}

fn measure(metric: &Metric, rows: &[&Row]) -> MetricResult {
    let mut values = Vec::new();
    for row in rows {
        let mut own = match &metric.field {
            None => Vec::new(),
            // Only the number of texts matters.
            Some(field) if field.field_type.column_kind() == storage::model::ColumnKind::Text => {
                let distinct: BTreeSet<_> = row.texts(&field.column).into_iter().collect();
                distinct.iter().map(|_| Decimal::default()).collect()
            }
            Some(field) => numbers(row, field),
        };
        if own.is_empty() {
            own.extend(metric.missing);
        }
        values.extend(own);
    }
    measure_values(metric.kind, &values)
}

/// A metric of what scripts of the generator give.
fn scripted(by: &ScriptMetric, rows: &[&Row]) -> MetricResult {
    let least = |row: &Row, field: &Option<FieldRef>| {
        let values = field
            .as_ref()
            .map_or_else(Vec::new, |field| numbers(row, field));
        values
            .iter()
            .map(|value| value.to_f64())
            .min_by(f64::total_cmp)
    };
    let given = |row: &&Row| {
        let [left, right] = by.script.fields.as_slice() else {
            panic!("scripts of the generator read two fields");
        };
        let product = least(row, left)? * least(row, right)?;
        Decimal::from_f64(product + SCRIPT_ADDEND as f64)
    };
    let values: Vec<Decimal> = rows.iter().filter_map(given).collect();
    measure_values(by.kind, &values)
}

fn measure_values(kind: MetricKind, values: &[Decimal]) -> MetricResult {
    let mut sum = ExactSum::default();
    for value in values {
        sum.add(*value);
    }
    let count = values.len() as u64;
    let min = values
        .iter()
        .copied()
        .min_by(|a, b| a.compare(*b))
        .map(plain);
    let max = values
        .iter()
        .copied()
        .max_by(|a, b| a.compare(*b))
        .map(plain);
    let avg = (count > 0).then(|| sum.to_f64() / count as f64);
    match kind {
        MetricKind::Sum => MetricResult::Sum(sum),
        MetricKind::Avg => MetricResult::Avg(avg),
        MetricKind::Min => MetricResult::Min(min),
        MetricKind::Max => MetricResult::Max(max),
        MetricKind::ValueCount => MetricResult::ValueCount(count),
        MetricKind::Stats => MetricResult::Stats {
            count,
            min,
            max,
            sum,
            avg,
        },
        MetricKind::ExtendedStats => {
            let variance = |divisor: u64| (divisor > 0).then(|| variance(values, divisor));
            MetricResult::ExtendedStats(Box::new(ExtendedStats {
                count,
                min,
                max,
                avg,
                sum_of_squares: sum_of_squares(values),
                variance_population: variance(count),
                variance_sampling: variance(count.saturating_sub(1)),
                sum,
            }))
        }
        MetricKind::Distribution => {
            let mut distribution = Distribution::default();
            for value in values {
                distribution.add(value.to_f64());
            }
            MetricResult::Distribution(distribution.sorted())
        }
    }
}

/// The values as whole numbers, all divided by one power of ten.
fn whole(values: &[Decimal]) -> (Vec<BigInt>, i32) {
    let exponents = values.iter().map(|value| i32::from(value.exponent));
    let lowest = exponents.min().unwrap_or(0);
    let scaled = |value: &Decimal| {
        let power = (i32::from(value.exponent) - lowest).unsigned_abs();
        BigInt::from(value.mantissa) * BigInt::from(10).pow(power)
    };
    (values.iter().map(scaled).collect(), lowest)
}

/// `numerator × 10^exponent / denominator`, rounded twice.
fn ratio(numerator: &BigInt, exponent: i32, denominator: &BigInt) -> f64 {
    let number = |text: String| text.parse::<f64>().expect("digits");
    number(format!("{numerator}e{exponent}")) / number(denominator.to_string())
}

fn sum_of_squares(values: &[Decimal]) -> f64 {
    let (whole, exponent) = whole(values);
    let squares: BigInt = whole.iter().map(|value| value * value).sum();
    ratio(&squares, 2 * exponent, &BigInt::from(1))
}

fn variance(values: &[Decimal], divisor: u64) -> f64 {
    let (whole, exponent) = whole(values);
    let count = BigInt::from(values.len());
    let total: BigInt = whole.iter().sum();
    let squares: BigInt = whole.iter().map(|value| value * value).sum();
    let difference = squares * &count - &total * &total;
    ratio(&difference, 2 * exponent, &(count * divisor))
}

fn weighted(by: &WeightedAvg, rows: &[&Row]) -> MetricResult {
    let read = |input: &Input, row: &Row| {
        let field = input.field.as_ref();
        let mut values = field.map_or_else(Vec::new, |field| numbers(row, field));
        if values.is_empty() {
            values.extend(input.missing);
        }
        values
    };
    let (mut products, mut weights) = (BigInt::ZERO, ExactSum::default());
    // Doubles of the topic have no digits below.
    let lowest = -800;
    for row in rows {
        for weight in read(&by.weight, row) {
            for value in read(&by.value, row) {
                let exponent = i32::from(value.exponent) + i32::from(weight.exponent);
                let power = BigInt::from(10).pow((exponent - lowest).unsigned_abs());
                products += BigInt::from(value.mantissa) * weight.mantissa * power;
                weights.add(weight);
            }
        }
    }
    let weights = weights.to_f64();
    let products: f64 = format!("{products}e{lowest}").parse().expect("digits");
    MetricResult::Avg((weights != 0.0).then(|| products / weights))
}

fn top_rows(by: &TopRows, rows: &[&Row]) -> RowsResult {
    let request = HitsRequest {
        size: by.size,
        from: by.from,
        sort: by.sort.clone(),
        ..HitsRequest::default()
    };
    let shown = hits(&request, rows);
    let row_of = |id: &str| rows.iter().find(|row| row.name() == id).expect("a row");
    let value =
        |row: &Row, field: &Option<FieldRef>| sort_value(row, &SortBy::Field(field.clone()), false);
    RowsResult {
        matched: rows.len() as u64,
        fields: shown
            .iter()
            .map(|(id, ..)| {
                by.fields
                    .iter()
                    .map(|field| value(row_of(id), field))
                    .collect()
            })
            .collect(),
        hits: shown
            .into_iter()
            .map(|(id, partition, offset, source, sort)| Hit {
                part: 0,
                id,
                partition,
                offset,
                version: 1,
                routing: None,
                ignored: Vec::new(),
                source: if by.documents { source } else { Vec::new() },
                sort,
                score: None,
                group: None,
                named: Vec::new(),
            })
            .collect(),
    }
}

/// What a row has of one value of tuples.
fn tuple_keys(source: &TupleSource, row: &Row) -> Vec<BucketKey> {
    match &source.by {
        TupleBy::Terms(by) if source.missing.is_some() => {
            let field = by.field.as_ref();
            let has_value = field.is_some_and(|field| !row.values(&field.column).is_empty());
            match has_value {
                true => row_terms(by, row, None),
                false => vec![BucketKey::None],
            }
        }
        TupleBy::Terms(by) => row_terms(by, row, by.missing.as_ref()),
        TupleBy::DateHistogram(by) => {
            let round = |time_ms: i64| {
                let moved_ms = time_ms - by.offset_ms;
                oracle::round(by.interval, &by.time_zone, moved_ms) + by.offset_ms
            };
            let keys: BTreeSet<i64> = instants(by, row).into_iter().map(round).collect();
            keys.into_iter().map(BucketKey::Time).collect()
        }
        TupleBy::NumberHistogram(by) => {
            let field = by.field.as_ref();
            let values = field.map_or_else(Vec::new, |field| numbers(row, field));
            let keys: BTreeSet<i64> = values.iter().map(|value| by.steps.index(*value)).collect();
            let start = |key| BucketKey::Decimal(plain(by.steps.start(key)));
            keys.into_iter().map(start).collect()
        }
    }
}

fn tuples(
    by: &Tuples,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let mut found: Vec<(BucketKey, Vec<&Row>)> = Vec::new();
    for row in rows {
        let mut keys = vec![Vec::new()];
        for source in &by.sources {
            let own = tuple_keys(source, row);
            let longer = |key: &Vec<BucketKey>| {
                let key = key.clone();
                own.iter()
                    .map(move |last| [key.clone(), vec![last.clone()]].concat())
                    .collect::<Vec<_>>()
            };
            keys = keys.iter().flat_map(longer).collect();
        }
        for key in keys {
            rows_of(&mut found, BucketKey::Tuple(key)).push(row);
        }
    }
    let compare = |a: &BucketKey, b: &BucketKey| match (a, b) {
        (BucketKey::Tuple(a), BucketKey::Tuple(b)) => {
            for ((a, b), source) in a.iter().zip(b).zip(&by.sources) {
                let is_last = source.missing == Some(MissingPlace::Last);
                match (a, b) {
                    (BucketKey::None, BucketKey::None) => continue,
                    (BucketKey::None, _) if is_last => return Ordering::Greater,
                    (BucketKey::None, _) => return Ordering::Less,
                    (_, BucketKey::None) if is_last => return Ordering::Less,
                    (_, BucketKey::None) => return Ordering::Greater,
                    _both => {}
                }
                match compare_keys(a, b) {
                    Ordering::Equal => {}
                    ordering if source.descending => return ordering.reverse(),
                    ordering => return ordering,
                }
            }
            Ordering::Equal
        }
        _ => panic!("tuples have tuples as keys"),
    };
    found.retain(|(_, rows)| rows.len() as u64 >= by.doc_count_min);
    if let Some(after) = &by.after {
        let after = BucketKey::Tuple(after.clone());
        found.retain(|(key, _)| compare(key, &after).is_gt());
    }
    found.sort_by(|(a, _), (b, _)| compare(a, b));
    let term_count = found.len();
    let buckets: Vec<Bucket> = found
        .into_iter()
        .map(|(key, rows)| bucket(key, &rows, children, all))
        .collect();
    let mut buckets = ordered_with(buckets, &by.order, &compare);
    let cut = buckets.split_off(by.size.min(buckets.len()));
    AggregationResult::Buckets {
        buckets,
        other_count: cut.iter().map(|bucket| bucket.count).sum(),
        term_count,
        note: BucketsNote::None,
    }
}

fn cardinality(by: &Cardinality, rows: &[&Row]) -> MetricResult {
    let terms = Terms {
        field: by.field.clone(),
        size: usize::MAX,
        doc_count_min: 1,
        doc_count_max: u64::MAX,
        cells: None,
        words: None,
        missing: by.missing.clone(),
        include: None,
        exclude: None,
        order: Vec::new(),
    };
    let mut found: Vec<BucketKey> = Vec::new();
    for row in rows {
        found.extend(row_terms(&terms, row, by.missing.as_ref()));
    }
    found.sort_by(compare_keys);
    found.dedup();
    MetricResult::Cardinality(found.len() as u64)
}

/// Integers that fit with exponent 0, others without trailing zeros.
fn plain(value: Decimal) -> Decimal {
    let mut value = value.normalized();
    while value.exponent > 0 {
        match value.mantissa.checked_mul(10) {
            Some(mantissa) => {
                value.mantissa = mantissa;
                value.exponent -= 1;
            }
            None => return value.normalized(),
        }
    }
    value
}

/// Instants of a row, in milliseconds.
fn instants(by: &DateHistogram, row: &Row) -> Vec<i64> {
    let mut instants = Vec::new();
    if let Some(field) = &by.field {
        for value in numbers(row, field) {
            instants.push(match field.field_type {
                FieldType::DateNanos => value.mantissa.div_euclid(1_000_000),
                _ => value.mantissa,
            });
        }
    }
    if instants.is_empty() {
        instants.extend(by.missing_ms);
    }
    instants
}

fn histogram(
    by: &DateHistogram,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let round = |time_ms: i64| {
        oracle::round(by.interval, &by.time_zone, time_ms - by.offset_ms) + by.offset_ms
    };
    let (lower, upper) = by.hard_bounds_ms.unwrap_or((None, None));
    let unmoved = |time_ms: i64| oracle::round(by.interval, &by.time_zone, time_ms);
    let (lower, upper) = (lower.map(unmoved), upper.map(unmoved));
    let mut found: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let keys: BTreeSet<i64> = instants(by, row).into_iter().map(round).collect();
        for key in keys {
            let is_inside =
                lower.is_none_or(|lower| key >= lower) && upper.is_none_or(|upper| key < upper);
            if is_inside {
                found.entry(key).or_default().push(row);
            }
        }
    }
    if by.doc_count_min == 0 {
        let (lower, upper) = by.extended_bounds_ms.unwrap_or((None, None));
        let (lower, upper) = (lower.map(round), upper.map(round));
        let first = found.keys().copied().next();
        let last = found.keys().copied().next_back();
        let ends = match (first, last) {
            (Some(first), Some(last)) => Some((
                lower.unwrap_or(first).min(first),
                upper.unwrap_or(last).max(last),
            )),
            _ => lower.zip(upper),
        };
        if let Some((first, last)) = ends {
            let rounding = Rounding::new(by.interval, &by.time_zone, by.offset_ms, first, last);
            let mut key = first;
            while key <= last {
                found.entry(key).or_default();
                key = rounding.next(key).expect("time goes on");
            }
        }
    }
    let buckets = found
        .into_iter()
        .filter(|(_, rows)| rows.len() as u64 >= by.doc_count_min)
        .map(|(key, rows)| bucket(BucketKey::Time(key), &rows, children, all))
        .collect();
    AggregationResult::Buckets {
        buckets: ordered(buckets, &by.order),
        other_count: 0,
        term_count: 0,
        note: BucketsNote::None,
    }
}

fn number_histogram(
    by: &NumberHistogram,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let mut found: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    let (lower, upper) = by.hard_bounds.unwrap_or((None, None));
    let (first, last) = by.steps.indexes_between(lower, upper);
    for row in rows {
        let mut values = match &by.field {
            None => Vec::new(),
            Some(field) => numbers(row, field),
        };
        if values.is_empty() {
            values.extend(by.missing);
        }
        let keys: BTreeSet<i64> = values.iter().map(|value| by.steps.index(*value)).collect();
        for key in keys {
            if first <= key && key <= last {
                found.entry(key).or_default().push(row);
            }
        }
    }
    if by.doc_count_min == 0 {
        let (lower, upper) = by.extended_bounds.unwrap_or((None, None));
        let lower = lower.map(|bound| by.steps.index(bound));
        let upper = upper.map(|bound| by.steps.index(bound));
        let all_ends = |ends: [Option<i64>; 2]| ends.into_iter().flatten();
        let first = found.keys().next().copied();
        let last = found.keys().next_back().copied();
        let ends = match first {
            Some(_) => all_ends([first, lower])
                .min()
                .zip(all_ends([last, upper]).max()),
            None => lower.zip(upper),
        };
        if let Some((first, last)) = ends {
            // More than any answer may have; the search refuses before.
            let many = last.saturating_sub(first) > 100_000;
            for key in first..=if many { first } else { last } {
                found.entry(key).or_default();
            }
        }
    }
    let buckets = found
        .into_iter()
        .filter(|(_, rows)| rows.len() as u64 >= by.doc_count_min)
        .map(|(key, rows)| {
            let key = BucketKey::Decimal(plain(by.steps.start(key)));
            bucket(key, &rows, children, all)
        })
        .collect();
    AggregationResult::Buckets {
        buckets: ordered(buckets, &by.order),
        other_count: 0,
        term_count: 0,
        note: BucketsNote::None,
    }
}

fn filters(
    by: &Filters,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let name = |name: &str| BucketKey::Name(name.into());
    let mut buckets = Vec::new();
    for (key, filter) in &by.filters {
        let inside: Vec<_> = rows
            .iter()
            .copied()
            .filter(|row| matches(filter, row))
            .collect();
        let key = key.as_deref().map_or(BucketKey::None, name);
        buckets.push(bucket(key, &inside, children, all));
    }
    if let Some(other) = &by.other {
        let is_other = |row: &&Row| !by.filters.iter().any(|(_, filter)| matches(filter, row));
        let inside: Vec<_> = rows.iter().copied().filter(is_other).collect();
        buckets.push(bucket(name(other), &inside, children, all));
    }
    AggregationResult::Buckets {
        buckets,
        other_count: 0,
        term_count: 0,
        note: BucketsNote::None,
    }
}

/// The distinct terms of a row, those that may make a bucket.
fn row_terms(by: &Terms, row: &Row, missing: Option<&TermValue>) -> Vec<BucketKey> {
    let mut keys = Vec::new();
    let mut has_value = false;
    if let Some(field) = &by.field {
        for value in row.values(&field.column) {
            has_value = true;
            keys.push(match value {
                Value::Text(text) => BucketKey::Text(Arc::from(text.as_bytes())),
                Value::Number(number) => number_key(field, *number),
            });
        }
    }
    if let (false, Some(missing)) = (has_value, missing) {
        keys.push(match missing {
            TermValue::Text(text) => BucketKey::Text(text.clone()),
            TermValue::Integer(integer) => BucketKey::Integer(*integer),
            TermValue::Decimal(decimal) => BucketKey::Decimal(plain(*decimal)),
        });
    }
    keys.sort_by(compare_keys);
    keys.dedup();
    keys.retain(|key| is_allowed(by, key));
    keys
}

fn number_key(field: &FieldRef, number: Decimal) -> BucketKey {
    match field.field_type {
        FieldType::Double => {
            let number = Decimal::from_f64(number.to_f64()).expect("a finite number");
            BucketKey::Decimal(plain(number))
        }
        _ => BucketKey::Integer(number.mantissa),
    }
}

fn is_allowed(by: &Terms, key: &BucketKey) -> bool {
    let fits = |selection: &TermSelection| match selection {
        TermSelection::Pattern(pattern) => {
            matches!(key, BucketKey::Text(text) if fits(pattern, text))
        }
        TermSelection::Values(values) => values.iter().any(|value| match (value, key) {
            (TermValue::Text(a), BucketKey::Text(b)) => a == b,
            (TermValue::Integer(a), BucketKey::Integer(b)) => a == b,
            (TermValue::Decimal(a), BucketKey::Decimal(b)) => a.compare(*b).is_eq(),
            _ => false,
        }),
        TermSelection::Partition(_) => panic!("parts are those of Elasticsearch"),
    };
    by.include.as_ref().is_none_or(fits) && !by.exclude.as_ref().is_some_and(fits)
}

fn terms(
    by: &Terms,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let mut found: Vec<(BucketKey, Vec<&Row>)> = Vec::new();
    if by.doc_count_min == 0 {
        if let (Some(TermValue::Text(text)), false) = (&by.missing, all.is_empty()) {
            let key = BucketKey::Text(text.clone());
            if is_allowed(by, &key) {
                rows_of(&mut found, key);
            }
        }
        for row in all {
            for key in row_terms(by, row, by.missing.as_ref()) {
                rows_of(&mut found, key);
            }
        }
    }
    for row in rows {
        for key in row_terms(by, row, by.missing.as_ref()) {
            rows_of(&mut found, key).push(row);
        }
    }
    let term_count = found.len();
    found.retain(|(_, rows)| rows.len() as u64 >= by.doc_count_min);
    let buckets = found
        .into_iter()
        .map(|(key, rows)| bucket(key, &rows, children, all))
        .collect();
    let mut buckets = ordered(buckets, &by.order);
    let cut = buckets.split_off(by.size.min(buckets.len()));
    AggregationResult::Buckets {
        buckets,
        other_count: cut.iter().map(|bucket| bucket.count).sum(),
        term_count,
        note: BucketsNote::None,
    }
}

fn rows_of<'f, 'a>(
    found: &'f mut Vec<(BucketKey, Vec<&'a Row>)>,
    key: BucketKey,
) -> &'f mut Vec<&'a Row> {
    let place = found.iter().position(|(other, _)| *other == key);
    let place = place.unwrap_or_else(|| {
        found.push((key, Vec::new()));
        found.len() - 1
    });
    &mut found[place].1
}

fn compare_keys(a: &BucketKey, b: &BucketKey) -> Ordering {
    match (a, b) {
        (BucketKey::Time(a), BucketKey::Time(b)) => a.cmp(b),
        (BucketKey::Integer(a), BucketKey::Integer(b)) => a.cmp(b),
        (BucketKey::Decimal(a), BucketKey::Decimal(b)) => a.compare(*b),
        (BucketKey::Text(a), BucketKey::Text(b)) => a.cmp(b),
        _ => panic!("keys of one aggregation are of one kind"),
    }
}

fn ordered(buckets: Vec<Bucket>, orders: &[Order]) -> Vec<Bucket> {
    ordered_with(buckets, orders, &compare_keys)
}

fn ordered_with(
    mut buckets: Vec<Bucket>,
    orders: &[Order],
    compare_keys: &dyn Fn(&BucketKey, &BucketKey) -> Ordering,
) -> Vec<Bucket> {
    buckets.sort_by(|a, b| {
        for order in orders {
            let turn = |ordering: Ordering| match order.descending {
                true => ordering.reverse(),
                false => ordering,
            };
            let ordering = match &order.by {
                OrderBy::Count => turn(a.count.cmp(&b.count)),
                OrderBy::Key => turn(compare_keys(&a.key, &b.key)),
                OrderBy::Metric { path, value } => {
                    let (a, b) = (metric_at(a, path, *value), metric_at(b, path, *value));
                    match (a, b) {
                        (Some(a), Some(b)) => turn(a.partial_cmp(&b).expect("numbers")),
                        (Some(_), None) => Ordering::Less,
                        (None, Some(_)) => Ordering::Greater,
                        (None, None) => Ordering::Equal,
                    }
                }
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        compare_keys(&a.key, &b.key)
    });
    buckets
}

fn metric_at(bucket: &Bucket, path: &[usize], value: MetricValue) -> Option<f64> {
    match &bucket.aggregations[path[0]] {
        AggregationResult::Single(inner) => metric_at(inner, &path[1..], value),
        AggregationResult::Buckets { .. } => panic!("orders go through single buckets"),
        AggregationResult::Rows(_) | AggregationResult::Pipeline(_) => None,
        AggregationResult::Metric(metric) => metric.value(value),
    }
}

// Hits.

fn sort_value(row: &Row, by: &SortBy, descending: bool) -> Option<SortValue> {
    let field = match by {
        SortBy::Row => return Some(SortValue::Row),
        SortBy::Score | SortBy::Distance { .. } => panic!("they have tests of their own"),
        SortBy::Field(None) => return None,
        SortBy::Field(Some(field)) => field,
    };
    let mut texts = row.texts(&field.column);
    if !texts.is_empty() {
        texts.sort_unstable();
        let text = if descending {
            texts[texts.len() - 1]
        } else {
            texts[0]
        };
        return Some(SortValue::Text(Arc::from(text.as_bytes())));
    }
    let mut values = numbers(row, field);
    values.sort_by(|a, b| a.compare(*b));
    let value = if descending {
        values.last()
    } else {
        values.first()
    };
    value.map(|value| match field.field_type {
        FieldType::Double => SortValue::Decimal(value.normalized()),
        _ => SortValue::Integer(value.mantissa),
    })
}

fn hits(request: &HitsRequest, rows: &[&Row]) -> Vec<ShownHit> {
    let mut sorted: Vec<(Vec<Option<SortValue>>, &Row)> = rows
        .iter()
        .map(|row| {
            let values = request
                .sort
                .iter()
                .map(|key| sort_value(row, &key.by, key.descending));
            (values.collect(), *row)
        })
        .collect();
    sorted.sort_by(|(a_values, a), (b_values, b)| {
        let place = |row: &Row| (row.partition, row.offset);
        for (index, key) in request.sort.iter().enumerate() {
            let turn = |ordering: Ordering| match key.descending {
                true => ordering.reverse(),
                false => ordering,
            };
            let ordering = match (&a_values[index], &b_values[index]) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) if key.missing_first => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) if key.missing_first => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a_value), Some(b_value)) => turn(match (a_value, b_value) {
                    (SortValue::Integer(a), SortValue::Integer(b)) => a.cmp(b),
                    (SortValue::Decimal(a), SortValue::Decimal(b)) => a.compare(*b),
                    (SortValue::Text(a), SortValue::Text(b)) => a.cmp(b),
                    (SortValue::Row, SortValue::Row) => place(a).cmp(&place(b)),
                    _ => panic!("values of one field are of one kind"),
                }),
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        place(a).cmp(&place(b))
    });
    sorted
        .into_iter()
        .skip(request.from)
        .take(request.size)
        .map(|(values, row)| {
            let source = row.name().into_bytes();
            (row.name(), row.partition, row.offset, source, values)
        })
        .collect()
}
