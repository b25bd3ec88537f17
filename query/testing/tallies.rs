//! Rows that all have one term and one number: these are counted and summed by term before their
//! groups are looked up. Sums near the bounds of 64 bits, powers of ten that change, and buckets
//! that end inside a vector make that begin again or step aside; nothing of it may show.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use storage::model::{Decimal, FieldType, HOUR_MS};

use super::random::Random;
use super::rows::{Row, TIME_FIELD, Value};
use super::sources::split_into_sources;
use super::{POOLS, check, naive};
use crate::request::{
    Aggregation, BucketBy, DateHistogram, FieldRef, Filter, HitsRequest, Interval, Limits, Metric,
    MetricKind, NamedAggregation, Order, OrderBy, RollupUse, SearchRequest, TermValue, Terms,
};

const SEEDS: u64 = 24;

fn rows(random: &mut Random) -> Vec<Row> {
    let spacing_ms = random.choose(&[1, 2_000, HOUR_MS / 300, HOUR_MS]);
    let term_count = random.choose(&[1, 3, 40]);
    // Small numbers, such that few fill 64 bits, and such that each may.
    let digits = random.choose(&[2, 5, 15, 18]);
    let wild = random.choose(&[8, 2_000, 1 << 20, 1 << 20]);
    (0..random.between(1, 3_000))
        .map(|index| {
            let time_ms = index * spacing_ms;
            let size = match random.once_in(wild) {
                true => random.choose(&[i64::MIN, i64::MAX, i64::MAX / 3, 0]),
                false => random.between(-5, 10_i64.pow(digits)),
            };
            // Whole vectors of cents, and now and then one of finer digits.
            let places = if (index / 1024) % 3 == 2 { 1e5 } else { 1e2 };
            let amount = random.between(0, 99_999) as f64 / places;
            let amount = Decimal::from_f64(amount).expect("a finite number");
            let coin = format!("coin-{}", random.below(term_count));
            let values = [
                (TIME_FIELD, Value::Number(Decimal::from_i64(time_ms))),
                ("coin", Value::Text(coin)),
                ("size", Value::Number(Decimal::from_i64(size))),
                ("amount", Value::Number(amount)),
            ];
            Row {
                time_ms,
                partition: 0,
                offset: index as u64,
                id: None,
                values: BTreeMap::from(values.map(|(path, value)| (path, vec![value]))),
            }
        })
        .collect()
}

fn field(path: &str, field_type: FieldType) -> FieldRef {
    FieldRef {
        column: path.into(),
        field_type,
    }
}

fn named(aggregations: impl IntoIterator<Item = Aggregation>) -> Vec<NamedAggregation> {
    let all = aggregations.into_iter().enumerate();
    all.map(|(index, aggregation)| NamedAggregation {
        name: format!("a{index}"),
        aggregation,
    })
    .collect()
}

fn metric(kind: MetricKind, path: &str) -> Aggregation {
    let field_type = match path {
        "amount" => FieldType::Double,
        _ => FieldType::Long,
    };
    Aggregation::Metric(Metric {
        kind,
        field: Some(field(path, field_type)),
        missing: None,
        linear: None,
    })
}

/// Totals of one, two or three columns, and sometimes what totals do not say.
fn metrics(random: &mut Random) -> Vec<Aggregation> {
    let mut all = vec![metric(MetricKind::Sum, "size")];
    if random.once_in(3) {
        all.push(metric(MetricKind::Avg, "amount"));
        all.push(metric(MetricKind::ValueCount, "size"));
    }
    if random.once_in(3) {
        all.push(metric(MetricKind::Sum, TIME_FIELD));
    }
    if random.once_in(12) {
        all.push(metric(MetricKind::Max, "amount"));
    }
    all
}

fn histogram(random: &mut Random, children: Vec<Aggregation>) -> Aggregation {
    Aggregation::Bucket {
        by: BucketBy::DateHistogram(DateHistogram {
            field: Some(field(TIME_FIELD, FieldType::Date)),
            interval: Interval::Fixed(random.choose(&[HOUR_MS, 24 * HOUR_MS, 700_000])),
            time_zone: TimeZone::UTC,
            offset_ms: 0,
            doc_count_min: 1,
            extended_bounds_ms: None,
            hard_bounds_ms: None,
            missing_ms: None,
            order: Vec::new(),
        }),
        children: named(children),
    }
}

fn terms(random: &mut Random, children: Vec<Aggregation>) -> Aggregation {
    Aggregation::Bucket {
        by: BucketBy::Terms(Terms {
            field: Some(field("coin", FieldType::Keyword)),
            size: 100,
            doc_count_min: 1,
            doc_count_max: u64::MAX,
            cells: None,
            words: None,
            missing: random.some(4, |_| TermValue::Text(b"none".as_slice().into())),
            include: None,
            exclude: None,
            order: vec![Order {
                by: OrderBy::Count,
                descending: true,
            }],
        }),
        children: named(children),
    }
}

fn aggregation(random: &mut Random) -> Aggregation {
    let below = metrics(random);
    match random.below(3) {
        0 => terms(random, below),
        1 => {
            let inner = histogram(random, below);
            let mut children = metrics(random);
            children.push(inner);
            terms(random, children)
        }
        _ => {
            let inner = terms(random, below);
            histogram(random, vec![inner])
        }
    }
}

#[test]
fn rows_of_one_term_are_summed_by_term_as_one_by_one() {
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let rows = rows(&mut random);
        let request = SearchRequest {
            filter: Filter::All,
            aggregations: named([aggregation(&mut random)]),
            hits: HitsRequest::default(),
            rollup: RollupUse::Never,
            limits: Limits::default(),
        };
        let expected = naive::answer(&request, &rows);
        for pool in POOLS.iter() {
            let sources = split_into_sources(&rows, &mut random);
            let label = format!("seed {seed}");
            check(&request, &expected, &sources, pool, &label);
        }
    }
}
