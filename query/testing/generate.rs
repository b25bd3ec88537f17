//! Random rows and random searches over them.

mod aggregations;
mod filters;

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

use aggregations::with_global;
use filters::{cell_filter, filter, instant, number, pattern};

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

/// What scripts add to the product of two fields.
pub(super) const SCRIPT_ADDEND: i64 = 7;
