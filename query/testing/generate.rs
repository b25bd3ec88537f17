//! Random rows and random searches over them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::tz::TimeZone;
use storage::model::{Decimal, FieldType, HOUR_MS};

use super::random::Random;
use super::rows::{FIELDS, Row, TIME_FIELD, Value};
use crate::Steps;
use crate::pipeline::{Binary, Expression};
use crate::request::{
    Aggregation, BucketBy, CalendarUnit, Cardinality, Counting, DateHistogram, FieldRef, Filter,
    Filters, HitsRequest, Input, Interval, Limits, Metric, MetricKind, MetricValue, MissingPlace,
    NamedAggregation, NumberHistogram, Order, OrderBy, Pattern, RollupUse, ScriptMetric,
    SearchRequest, Slice, SortBy, SortKey, TermSelection, TermValue, Terms, TextPredicate,
    TokenMatch, TopRows, TupleBy, TupleSource, Tuples, WeightedAvg,
};
use crate::response::BucketKey;
use crate::row_script::RowScript;

const DAY_MS: i64 = 24 * HOUR_MS;

const ZONES: &[&str] = &[
    "UTC",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kolkata",
];

/// Around these instants something happens to a clock of `ZONES`, or to the epoch.
const INSTANTS_MS: &[i64] = &[
    0,
    -400 * DAY_MS,
    1_711_846_800_000, // Berlin springs forward, 2024-03-31.
    1_729_990_800_000, // Berlin falls back, 2024-10-27.
    1_712_415_600_000, // Lord Howe falls back, 2024-04-07.
    1_541_300_400_000, // São Paulo skips a midnight, 2018-11-04.
    1_162_089_060_000, // St John's repeats a midnight, 2006-10-29.
    504_901_800_000,   // Kathmandu moves by 15 minutes, 1986-01-01.
];

#[derive(Debug)]
pub(super) struct TopicRows {
    pub(super) rows: Vec<Row>,
    first_ms: i64,
    last_ms: i64,
}

pub(super) fn topic_rows(random: &mut Random) -> TopicRows {
    let widths = [
        HOUR_MS / 2,
        5 * HOUR_MS,
        DAY_MS,
        3 * DAY_MS,
        40 * DAY_MS,
        900 * DAY_MS,
    ];
    let width_ms = random.choose(&widths);
    let middle_ms = random.choose(INSTANTS_MS) + random.between(-2 * HOUR_MS, 2 * HOUR_MS);
    let (first_ms, last_ms) = (middle_ms - width_ms / 2, middle_ms + width_ms / 2);
    let count = match random.below(10) {
        0 => 0,
        1 => 1,
        2..8 => random.below(400),
        _ => 1_000 + random.below(3_000),
    };
    // Plain topics have what cells need; wild ones have everything.
    let is_plain = random.once_in(2);
    let mut rows: Vec<Row> = (0..count)
        .map(|index| row(index, (first_ms, last_ms), is_plain, random))
        .collect();
    if random.once_in(2) {
        rows.sort_by_key(|row| row.time_ms);
    }
    TopicRows {
        rows,
        first_ms,
        last_ms,
    }
}

fn row(index: usize, times_ms: (i64, i64), is_plain: bool, random: &mut Random) -> Row {
    let mut time_ms = random.between(times_ms.0, times_ms.1);
    if random.once_in(5) {
        time_ms -= time_ms.rem_euclid(HOUR_MS);
    }
    let mut values = BTreeMap::new();
    if is_plain || !random.once_in(40) {
        values.insert(TIME_FIELD, vec![integer(time_ms)]);
    }
    let sparse = if is_plain { 12 } else { 4 };
    let several = if is_plain { 1 } else { 3 };
    for (path, field_type) in &FIELDS[1..] {
        if random.once_in(sparse) {
            continue;
        }
        let count_max = match *path {
            "coin" | "weight" => 1,
            _ => several,
        };
        let count = 1 + random.below(count_max);
        let value = |random: &mut Random| value(path, *field_type, times_ms, random);
        let mut all: Vec<Value> = (0..count).map(|_| value(random)).collect();
        if matches!(field_type, FieldType::Keyword | FieldType::Text) {
            // A text occurs once in a row.
            let distinct: BTreeSet<String> = all.iter().filter_map(text_of).collect();
            all = distinct.into_iter().map(Value::Text).collect();
        }
        values.insert(*path, all);
    }
    Row {
        time_ms,
        partition: (index % 3) as u32,
        offset: index as u64,
        id: random.some(6, |_| format!("id-{index}")),
        values,
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Number(_) => None,
        Value::Text(text) => Some(text.clone()),
    }
}

fn integer(value: i64) -> Value {
    Value::Number(Decimal::from_i64(value))
}

fn value(path: &str, field_type: FieldType, times_ms: (i64, i64), random: &mut Random) -> Value {
    match (path, field_type) {
        ("note", _) => Value::Text(random.choose(NOTES).into()),
        (_, FieldType::Keyword) => Value::Text(coin(random)),
        (_, FieldType::Date) => integer(random.between(times_ms.0, times_ms.1)),
        (_, FieldType::DateNanos) => {
            let time_ms = random.between(times_ms.0, times_ms.1);
            integer(time_ms * 1_000_000 + random.between(0, 999_999))
        }
        (_, FieldType::Boolean) => integer(random.between(0, 1)),
        ("grown", _) => match random.below(8) {
            0 => integer(random.bits() as i64),
            1 => Value::Number(decimal(random)),
            _ => integer(random.between(-20, 20)),
        },
        (_, FieldType::Double) => Value::Number(decimal(random)),
        _ => match random.below(6) {
            0 => integer(random.bits() as i64),
            1 => integer(random.choose(&[i64::MIN, i64::MAX, 0, 1 << 53, (1 << 53) + 1])),
            _ => integer(random.between(-5, 30)),
        },
    }
}

const NOTES: &[&str] = &[
    "",
    "The quick brown fox",
    "quick FOX",
    "brown fox; lazy dog",
    "dog",
];

fn coin(random: &mut Random) -> String {
    let coins = ["ada", "btc", "doge", "eth", "ltc", "xmr", "Ünicode", ""];
    random.choose(&coins).into()
}

/// Decimals of all magnitudes: few digits and seventeen, tiny and huge.
fn decimal(random: &mut Random) -> Decimal {
    let sign = if random.once_in(2) { 1.0 } else { -1.0 };
    let value = match random.below(6) {
        0 => random.between(-1_000, 1_000) as f64 / 100.0,
        1 => random.between(0, 100_000_000) as f64 / 1e8,
        2 => sign * (random.bits() >> 11) as f64 / 2_f64.powi(50),
        3 => sign * random.between(1, 999) as f64 * 1e-12,
        4 => sign * random.between(1, 999_999) as f64 * 1e9,
        _ => random.between(0, 5) as f64,
    };
    Decimal::from_f64(value).expect("a finite number")
}

fn field(path: &str) -> FieldRef {
    let found = FIELDS.iter().find(|(name, _)| *name == path);
    FieldRef {
        column: path.into(),
        field_type: found.map_or(FieldType::Keyword, |(_, field_type)| *field_type),
    }
}

fn number_field(random: &mut Random) -> FieldRef {
    field(random.choose(&[
        TIME_FIELD, "when", "amount", "size", "grown", "flag", "nanos",
    ]))
}

fn text_field(random: &mut Random) -> FieldRef {
    field(random.choose(&["coin", "coin", "coin", "tags", "note", "nowhere"]))
}

pub(super) fn request(random: &mut Random, topic: &TopicRows) -> SearchRequest {
    let filter = if random.once_in(2) {
        cell_filter(random, topic)
    } else {
        filter(random, topic, 2)
    };
    // Half of the searches ask what cells may answer.
    let for_cells = random.once_in(2);
    SearchRequest {
        filter,
        aggregations: with_global(random, topic, for_cells),
        hits: HitsRequest {
            size: random.below(20),
            from: random.below(4),
            sort: random.many(3, sort_key),
            ..HitsRequest::default()
        },
        rollup: RollupUse::WhereExact,
        limits: Limits::default(),
    }
}

fn sort_key(random: &mut Random) -> SortKey {
    let by = match random.below(6) {
        0 => SortBy::Row,
        1 => SortBy::Field(None),
        2 => SortBy::Field(Some(text_field(random))),
        3 => SortBy::Field(Some(field(TIME_FIELD))),
        _ => SortBy::Field(Some(number_field(random))),
    };
    SortKey {
        by,
        descending: random.once_in(2),
        missing_first: random.once_in(2),
        ..SortKey::default()
    }
}

fn slice(random: &mut Random) -> Slice {
    let count = 1 + random.below(5) as u32;
    Slice {
        number: random.below(count as usize) as u32,
        count,
        piles: 1 + random.below(4) as u32,
    }
}

fn instant(random: &mut Random, topic: &TopicRows) -> i64 {
    let time_ms = random.between(topic.first_ms - HOUR_MS, topic.last_ms + HOUR_MS);
    match random.below(3) {
        0 => time_ms,
        1 => time_ms - time_ms.rem_euclid(HOUR_MS),
        _ => time_ms - time_ms.rem_euclid(HOUR_MS) - 1,
    }
}

/// A filter that cells may answer: times and one dimension.
fn cell_filter(random: &mut Random, topic: &TopicRows) -> Filter {
    let mut all = random.many(2, |random| time_range(random, topic));
    if random.once_in(2) {
        all.push(text_filter(field("coin"), random));
    }
    if random.once_in(4) {
        return Filter::Not(Box::new(Filter::And(all)));
    }
    Filter::And(all)
}

fn time_range(random: &mut Random, topic: &TopicRows) -> Filter {
    let bound = |random: &mut Random| {
        let time = Decimal::from_i64(instant(random, topic));
        match random.below(3) {
            0 => Bound::Unbounded,
            1 => Bound::Included(time),
            _ => Bound::Excluded(time),
        }
    };
    Filter::NumberRange {
        field: field(TIME_FIELD),
        lower: bound(random),
        upper: bound(random),
    }
}

fn text_filter(field: FieldRef, random: &mut Random) -> Filter {
    let predicate = match random.below(5) {
        0 => TextPredicate::Range {
            lower: Bound::Excluded(coin(random).into_bytes()),
            upper: Bound::Unbounded,
        },
        1 => TextPredicate::Pattern {
            pattern: pattern(random),
            tokens: random.once_in(2),
        },
        2 => TextPredicate::Tokens {
            tokens: crate::text::tokens(random.choose(&["quick fox", "brown fox", "dog", "btc"])),
            how: random.choose(&[
                TokenMatch::Any,
                TokenMatch::All,
                TokenMatch::Phrase { slop: 0 },
            ]),
        },
        _ => {
            let terms = random.many(4, |random| coin(random).into_bytes());
            TextPredicate::In(terms.into_iter().collect())
        }
    };
    Filter::Text { field, predicate }
}

fn pattern(random: &mut Random) -> Pattern {
    match random.below(2) {
        0 => Pattern::Wildcard(random.choose(&["*t*", "?tc", "d*", "*"]).into()),
        _ => Pattern::Regex((random.choose(&["(btc|eth)", "[a-l].*", ".*x.*"])).into()),
    }
}

fn filter(random: &mut Random, topic: &TopicRows, depth: usize) -> Filter {
    let kinds = if depth == 0 { 8 } else { 12 };
    match random.below(kinds) {
        0 => Filter::All,
        1 => time_range(random, topic),
        2 => Filter::Exists(if random.once_in(2) {
            number_field(random)
        } else {
            text_field(random)
        }),
        3 => {
            let field = number_field(random);
            let bound = |random: &mut Random| match random.below(4) {
                0 => Bound::Unbounded,
                1 => Bound::Included(number(&field, topic, random)),
                2 => Bound::Excluded(number(&field, topic, random)),
                _ => Bound::Included(decimal(random)),
            };
            Filter::NumberRange {
                lower: bound(random),
                upper: bound(random),
                field: field.clone(),
            }
        }
        4 => {
            let field = number_field(random);
            let values = random.many(4, |random| number(&field, topic, random));
            Filter::NumberIn { field, values }
        }
        5 | 6 => text_filter(text_field(random), random),
        7 if random.once_in(2) => Filter::Slice(slice(random)),
        7 => Filter::Ids(ids(random, topic)),
        8 => Filter::And(random.many(3, |random| filter(random, topic, depth - 1))),
        9 => Filter::AtLeast {
            count: random.below(3),
            of: random.many(3, |random| filter(random, topic, depth - 1)),
        },
        10 => Filter::Not(Box::new(filter(random, topic, depth - 1))),
        _ => Filter::None,
    }
}

fn ids(random: &mut Random, topic: &TopicRows) -> BTreeSet<String> {
    let ids = random.many(5, |random| match random.below(3) {
        0 => "nobody".to_owned(),
        _ if topic.rows.is_empty() => "0-0".to_owned(),
        1 => random.pick(&topic.rows).name(),
        _ => {
            let row = random.pick(&topic.rows);
            format!("{}-{}", row.partition, row.offset)
        }
    });
    ids.into_iter().collect()
}

/// A number that some row may have.
fn number(field: &FieldRef, topic: &TopicRows, random: &mut Random) -> Decimal {
    let times_ms = (topic.first_ms, topic.last_ms);
    match value(&field.column, field.field_type, times_ms, random) {
        Value::Number(number) => number,
        Value::Text(_) => Decimal::default(),
    }
}

fn aggregations(
    random: &mut Random,
    topic: &TopicRows,
    depth: usize,
    for_cells: bool,
) -> Vec<NamedAggregation> {
    if depth == 0 {
        return random
            .many(2, |random| metric(random, topic, for_cells))
            .into_iter()
            .enumerate()
            .map(named)
            .collect();
    }
    random
        .many(3, |random| match random.below(3) {
            0 => metric(random, topic, for_cells),
            _ => bucket(random, topic, depth, for_cells),
        })
        .into_iter()
        .enumerate()
        .map(named)
        .collect()
}

/// Aggregations, one of them over all rows now and then.
fn with_global(random: &mut Random, topic: &TopicRows, for_cells: bool) -> Vec<NamedAggregation> {
    let mut all = aggregations(random, topic, 3, for_cells);
    if random.once_in(6) {
        let index = random.below(all.len() + 1);
        let by = BucketBy::Global;
        let children = aggregations(random, topic, 2, for_cells);
        let name = "global".into();
        let aggregation = Aggregation::Bucket { by, children };
        all.insert(index, NamedAggregation { name, aggregation });
    }
    all
}

fn named((index, aggregation): (usize, Aggregation)) -> NamedAggregation {
    NamedAggregation {
        name: index.to_string(),
        aggregation,
    }
}

/// What scripts add to the product of two fields.
pub(super) const SCRIPT_ADDEND: i64 = 7;

/// A metric of the product of two fields, where a row has both, and something more.
fn script_metric(random: &mut Random) -> Aggregation {
    let lacks = |index: usize| {
        let (count, zero) = (Expression::FieldCount(index), Expression::Whole(0));
        Expression::Binary(Binary::Equal, Box::new(count), Box::new(zero))
    };
    let both =
        |operator, left, right| Expression::Binary(operator, Box::new(left), Box::new(right));
    let product = both(Binary::Multiply, Expression::Field(0), Expression::Field(1));
    let sum = both(Binary::Add, product, Expression::Whole(SCRIPT_ADDEND));
    let lacks_any = both(Binary::Or, lacks(0), lacks(1));
    let expression = Expression::If(
        Box::new(lacks_any),
        Box::new(Expression::Null),
        Box::new(sum),
    );
    let fields = vec![Some(number_field(random)), Some(number_field(random))];
    Aggregation::Script(ScriptMetric {
        kind: random.choose(&[MetricKind::Sum, MetricKind::Avg, MetricKind::ExtendedStats]),
        script: RowScript {
            expression,
            fields,
            each: None,
        },
    })
}

fn metric(random: &mut Random, topic: &TopicRows, for_cells: bool) -> Aggregation {
    if random.once_in(6) {
        let Terms { field, missing, .. } = terms(random, topic, &[], for_cells);
        return Aggregation::Cardinality(Cardinality {
            field,
            missing,
            counting: Counting::Exact,
        });
    }
    if !for_cells && random.once_in(6) {
        return leaf(random);
    }
    if !for_cells && random.once_in(6) {
        return script_metric(random);
    }
    let kinds = [
        MetricKind::Sum,
        MetricKind::Avg,
        MetricKind::Min,
        MetricKind::Max,
        MetricKind::ValueCount,
        MetricKind::Stats,
        MetricKind::ExtendedStats,
        MetricKind::Distribution,
    ];
    if for_cells {
        // Single values, which the last two read, are in no cell.
        let kind = random.choose(&kinds[..6]);
        let path = random.choose(&["amount", "size", "grown", "nowhere"]);
        let field = FieldRef {
            column: path.into(),
            field_type: field(path).field_type,
        };
        return Aggregation::Metric(Metric {
            kind,
            field: (path != "nowhere").then_some(field),
            missing: None,
            linear: None,
        });
    }
    let kind = random.choose(&kinds);
    let field = match kind {
        MetricKind::ValueCount if random.once_in(2) => text_field(random),
        _ => number_field(random),
    };
    Aggregation::Metric(Metric {
        kind,
        field: (!random.once_in(12)).then_some(field),
        missing: random.some(4, decimal),
        linear: None,
    })
}

/// What reads several columns.
fn leaf(random: &mut Random) -> Aggregation {
    if random.once_in(2) {
        let input = |field: Option<FieldRef>, random: &mut Random| Input {
            field,
            missing: random.some(3, decimal),
        };
        let value = (!random.once_in(8)).then(|| number_field(random));
        // A row has one weight.
        let weight = random.some(8, |_| field("weight"));
        return Aggregation::WeightedAvg(WeightedAvg {
            value: input(value, random),
            weight: input(weight, random),
        });
    }
    Aggregation::TopRows(TopRows {
        size: random.below(5),
        from: random.below(3),
        sort: random.many(2, sort_key),
        fields: random.many(2, |random| {
            (!random.once_in(8)).then(|| number_field(random))
        }),
        documents: random.once_in(2),
    })
}

fn tuples(
    random: &mut Random,
    topic: &TopicRows,
    children: &[NamedAggregation],
    for_cells: bool,
) -> Tuples {
    let source = |random: &mut Random| {
        let by = match random.below(3) {
            0 if !for_cells => {
                let mut by = number_histogram(random, &[]);
                by.hard_bounds = None;
                by.missing = None;
                TupleBy::NumberHistogram(by)
            }
            0 | 1 => {
                let mut by = histogram(random, topic, &[], for_cells);
                by.hard_bounds_ms = None;
                TupleBy::DateHistogram(by)
            }
            _ => {
                let mut by = terms(random, topic, &[], for_cells);
                by.doc_count_min = 1;
                TupleBy::Terms(by)
            }
        };
        let takes_empty = matches!(&by, TupleBy::Terms(_)) && random.once_in(4);
        TupleSource {
            by,
            descending: random.once_in(3),
            missing: takes_empty.then(|| random.choose(&[MissingPlace::First, MissingPlace::Last])),
        }
    };
    let sources: Vec<_> = (0..1 + random.below(3)).map(|_| source(random)).collect();
    let key = |source: &TupleSource, random: &mut Random| match &source.by {
        TupleBy::DateHistogram(_) => BucketKey::Time(instant(random, topic)),
        TupleBy::NumberHistogram(_) => BucketKey::Decimal(Decimal::from_i64(random.between(-9, 9))),
        TupleBy::Terms(by) => match by.field.as_ref().map(|field| field.field_type) {
            Some(FieldType::Keyword | FieldType::Text) | None => {
                BucketKey::Text(Arc::from(coin(random).as_bytes()))
            }
            Some(FieldType::Double) => BucketKey::Decimal(Decimal::from_i64(random.between(-9, 9))),
            Some(_) => BucketKey::Integer(random.between(-9, 9)),
        },
    };
    let has_missing_kind = |source: &TupleSource| match &source.by {
        TupleBy::Terms(by) => by.field.is_none(),
        TupleBy::DateHistogram(_) | TupleBy::NumberHistogram(_) => false,
    };
    let after = if sources.iter().any(has_missing_kind) {
        None
    } else {
        random.some(3, |random| {
            sources.iter().map(|source| key(source, random)).collect()
        })
    };
    Tuples {
        size: 1 + random.below(30),
        doc_count_min: random.choose(&[1, 1, 2]),
        after,
        order: random
            .some(2, |random| order(random, children))
            .unwrap_or_default(),
        sources,
    }
}

fn bucket(random: &mut Random, topic: &TopicRows, depth: usize, for_cells: bool) -> Aggregation {
    let children = aggregations(random, topic, depth - 1, for_cells);
    let some_filter = |random: &mut Random| {
        if for_cells {
            cell_filter(random, topic)
        } else {
            filter(random, topic, 1)
        }
    };
    let by = match random.below(8) {
        7 => BucketBy::Tuples(tuples(random, topic, &children, for_cells)),
        6 if !for_cells => BucketBy::NumberHistogram(number_histogram(random, &children)),
        0 | 1 => BucketBy::DateHistogram(histogram(random, topic, &children, for_cells)),
        2 | 3 => BucketBy::Terms(terms(random, topic, &children, for_cells)),
        4 => BucketBy::Filter(some_filter(random)),
        _ => BucketBy::Filters(Filters {
            filters: random
                .many(3, some_filter)
                .into_iter()
                .enumerate()
                .map(|(index, filter)| (Some(format!("f{index}")), filter))
                .collect(),
            other: random.some(2, |_| "_other_".into()),
        }),
    };
    Aggregation::Bucket { by, children }
}

fn interval(random: &mut Random, topic: &TopicRows) -> Interval {
    let width_ms = topic.last_ms - topic.first_ms;
    if random.once_in(2) {
        let mut units = vec![CalendarUnit::Week, CalendarUnit::Month];
        units.extend([CalendarUnit::Quarter, CalendarUnit::Year]);
        if width_ms <= 100 * DAY_MS {
            units.push(CalendarUnit::Day);
        }
        if width_ms <= 4 * DAY_MS {
            units.extend([CalendarUnit::Hour, CalendarUnit::Hour]);
        }
        if width_ms <= HOUR_MS {
            units.push(CalendarUnit::Minute);
        }
        return Interval::Calendar(random.choose(&units));
    }
    let widths = [
        977,
        60_000,
        900_000,
        1_800_000,
        HOUR_MS,
        5_400_000,
        3 * HOUR_MS,
        DAY_MS,
        7 * DAY_MS,
    ];
    let fitting: Vec<i64> = widths
        .into_iter()
        .filter(|bucket_ms| width_ms / bucket_ms <= 100)
        .collect();
    Interval::Fixed(random.choose(if fitting.is_empty() {
        &[30 * DAY_MS]
    } else {
        &fitting
    }))
}

fn histogram(
    random: &mut Random,
    topic: &TopicRows,
    children: &[NamedAggregation],
    for_cells: bool,
) -> DateHistogram {
    let path = match random.below(8) {
        0 if !for_cells => "when",
        1 if !for_cells => "nanos",
        _ => TIME_FIELD,
    };
    let bounds = |random: &mut Random| {
        let lower = random.some(2, |random| instant(random, topic));
        let upper = random.some(2, |random| instant(random, topic));
        (lower, upper)
    };
    let zone = random.choose(ZONES);
    DateHistogram {
        field: (!random.once_in(20)).then(|| field(path)),
        interval: interval(random, topic),
        time_zone: TimeZone::get(zone).expect("a zone of the database"),
        offset_ms: random.choose(&[0, 0, 0, HOUR_MS, -DAY_MS, 1_234_567]),
        doc_count_min: random.choose(&[0, 0, 1, 2]),
        extended_bounds_ms: random.some(4, bounds),
        hard_bounds_ms: random.some(4, bounds),
        missing_ms: random.some(8, |random| instant(random, topic)),
        order: order(random, children),
    }
}

fn number_histogram(random: &mut Random, children: &[NamedAggregation]) -> NumberHistogram {
    let of = |mantissa: i64, exponent: i16| Decimal { mantissa, exponent };
    let interval = random.choose(&[of(1, 0), of(5, 0), of(25, -2), of(7, 17), of(3, 2)]);
    let offset = random.choose(&[of(0, 0), of(0, 0), of(5, -1), of(-2, 0)]);
    let number = |random: &mut Random| of(random.between(-300, 300), -1);
    let bounds = |random: &mut Random| (random.some(2, number), random.some(2, number));
    NumberHistogram {
        field: (!random.once_in(20)).then(|| field(random.choose(&["size", "amount", "grown"]))),
        spans: None,
        steps: Steps::new(interval, offset)
            .or(Steps::new(interval, Decimal::default()))
            .expect("positive intervals"),
        doc_count_min: random.choose(&[0, 1, 1, 2]),
        extended_bounds: random.some(4, bounds),
        hard_bounds: random.some(3, bounds),
        missing: random.some(4, number),
        order: order(random, children),
    }
}

fn order(random: &mut Random, children: &[NamedAggregation]) -> Vec<Order> {
    random.many(2, |random| {
        let metrics = metric_paths(children);
        let by = match random.below(3) {
            0 => OrderBy::Count,
            1 if !metrics.is_empty() => OrderBy::Metric {
                path: random.pick(&metrics).clone(),
                value: random.choose(&[
                    MetricValue::Single,
                    MetricValue::Count,
                    MetricValue::Min,
                    MetricValue::Max,
                    MetricValue::Avg,
                    MetricValue::Sum,
                    MetricValue::DeviationSampling,
                    MetricValue::Percentile(50.0),
                ]),
            },
            _ => OrderBy::Key,
        };
        Order {
            by,
            descending: random.once_in(2),
        }
    })
}

/// Paths to metrics through single-bucket aggregations.
fn metric_paths(children: &[NamedAggregation]) -> Vec<Vec<usize>> {
    let mut paths = Vec::new();
    for (index, child) in children.iter().enumerate() {
        match &child.aggregation {
            Aggregation::Metric(_) | Aggregation::Cardinality(_) | Aggregation::WeightedAvg(_) => {
                paths.push(vec![index]);
            }
            Aggregation::TopRows(_) | Aggregation::Pipeline(_) => {}
            Aggregation::Places(_) | Aggregation::Moments(_) | Aggregation::Script(_) => {}
            Aggregation::Bucket {
                by: BucketBy::Filter(_),
                children,
            } => {
                for below in metric_paths(children) {
                    paths.push([vec![index], below].concat());
                }
            }
            Aggregation::Bucket { .. } => {}
        }
    }
    paths
}

fn terms(
    random: &mut Random,
    topic: &TopicRows,
    children: &[NamedAggregation],
    for_cells: bool,
) -> Terms {
    let field = match random.below(3) {
        _ if for_cells => field("coin"),
        0 => text_field(random),
        1 => field(random.choose(&["size", "flag", "amount", "grown"])),
        _ => field("coin"),
    };
    let is_text = matches!(field.field_type, FieldType::Keyword | FieldType::Text);
    let term = |random: &mut Random| match field.field_type {
        FieldType::Keyword | FieldType::Text => TermValue::Text(Arc::from(coin(random).as_bytes())),
        FieldType::Double => {
            // Values of such a field are doubles.
            let number = number(&field, topic, random).to_f64();
            TermValue::Decimal(Decimal::from_f64(number).expect("a finite number"))
        }
        _ => TermValue::Integer(number(&field, topic, random).mantissa),
    };
    let selection = |random: &mut Random| {
        if is_text && random.once_in(2) {
            TermSelection::Pattern(pattern(random))
        } else {
            TermSelection::Values(random.many(6, term))
        }
    };
    Terms {
        size: 1 + random.below(12),
        doc_count_min: random.choose(&[1, 1, 0, 2]),
        doc_count_max: u64::MAX,
        cells: None,
        words: None,
        missing: random.some(4, |random| match random.below(2) {
            0 if is_text => TermValue::Text(Arc::from("N/A".as_bytes())),
            _ => term(random),
        }),
        include: random.some(5, selection),
        exclude: random.some(5, selection),
        order: order(random, children),
        field: (!random.once_in(20)).then(|| field.clone()),
    }
}
