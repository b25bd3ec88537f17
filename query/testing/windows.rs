//! Windows that move over sealed rows, as dashboards have them: little is read, nothing is missed.

use std::ops::Bound;

use jiff::tz::TimeZone;
use storage::model::{Decimal, FieldType, HOUR_MS};
use storage::segment::RowSource;

use super::answer;
use super::rows::{Row, TIME_FIELD, Value, segment};
use crate::request::{
    Aggregation, BucketBy, DateHistogram, FieldRef, Filter, HitsRequest, Interval, Limits, Metric,
    MetricKind, NamedAggregation, Order, OrderBy, RollupUse, SearchRequest, Terms,
};

/// 2024-01-01T00:00:00Z.
const START_MS: i64 = 1_704_067_200_000;

const MINUTE_MS: i64 = 60_000;

/// `count` rows, so many milliseconds apart, of forty coins in turn.
fn rows(count: usize, step_ms: i64) -> Vec<Row> {
    let row = |index: usize| {
        let number = i64::try_from(index).expect("rows are few");
        let time_ms = START_MS + number * step_ms;
        let integer = |value| vec![Value::Number(Decimal::from_i64(value))];
        let coin = vec![Value::Text(format!("coin-{:02}", index % 40))];
        Row {
            time_ms,
            partition: 0,
            offset: index as u64,
            id: None,
            values: [
                (TIME_FIELD, integer(time_ms)),
                ("size", integer(number * number % 997)),
                ("coin", coin),
            ]
            .into(),
        }
    };
    (0..count).map(row).collect()
}

fn field(path: &str, field_type: FieldType) -> FieldRef {
    FieldRef {
        column: path.into(),
        field_type,
    }
}

fn metric(kind: MetricKind) -> Vec<NamedAggregation> {
    named(Aggregation::Metric(Metric {
        kind,
        field: Some(field("size", FieldType::Long)),
        missing: None,
        linear: None,
    }))
}

fn named(aggregation: Aggregation) -> Vec<NamedAggregation> {
    vec![NamedAggregation {
        name: "a".into(),
        aggregation,
    }]
}

fn by_time(width_ms: i64, (from_ms, to_ms): (i64, i64), kind: MetricKind) -> Vec<NamedAggregation> {
    named(Aggregation::Bucket {
        by: BucketBy::DateHistogram(DateHistogram {
            field: Some(field(TIME_FIELD, FieldType::Date)),
            interval: Interval::Fixed(width_ms),
            time_zone: TimeZone::UTC,
            offset_ms: 0,
            doc_count_min: 0,
            // A dashboard draws its whole window.
            extended_bounds_ms: Some((Some(from_ms), Some(to_ms))),
            hard_bounds_ms: None,
            missing_ms: None,
            order: Vec::new(),
        }),
        children: metric(kind),
    })
}

fn by_coin(children: Vec<NamedAggregation>) -> Vec<NamedAggregation> {
    named(Aggregation::Bucket {
        by: BucketBy::Terms(Terms {
            field: Some(field("coin", FieldType::Keyword)),
            size: 10,
            doc_count_min: 1,
            doc_count_max: u64::MAX,
            cells: None,
            words: None,
            missing: None,
            include: None,
            exclude: None,
            order: vec![Order {
                by: OrderBy::Count,
                descending: true,
            }],
        }),
        children,
    })
}

/// Asks for `aggregations` of the rows in the window, which must be what rows alone answer. Cells
/// used and rows read.
fn check(
    source: &RowSource,
    (from_ms, to_ms): (i64, i64),
    aggregations: Vec<NamedAggregation>,
) -> (u64, u64) {
    let mut request = SearchRequest {
        filter: Filter::And(vec![
            Filter::NumberRange {
                field: field(TIME_FIELD, FieldType::Date),
                lower: Bound::Included(Decimal::from_i64(from_ms)),
                upper: Bound::Included(Decimal::from_i64(to_ms)),
            },
            Filter::All,
        ]),
        aggregations,
        hits: HitsRequest::default(),
        rollup: RollupUse::WhereExact,
        limits: Limits::default(),
    };
    let sources = std::slice::from_ref(source);
    let found = answer(&request, sources).expect("an answer");
    request.rollup = RollupUse::Never;
    let by_rows = answer(&request, sources).expect("an answer");
    assert_eq!(by_rows.profile.cells_used, 0);
    assert_eq!(found.matched, by_rows.matched);
    assert_eq!(found.aggregations, by_rows.aggregations);
    (found.profile.cells_used, found.profile.rows_scanned)
}

#[test]
fn sealed_rows_are_read_once_for_a_question_that_repeats() {
    let source = segment(&rows(5_000, 1_000));
    let ask = |window| {
        let aggregations = by_time(10 * MINUTE_MS, window, MetricKind::Distribution);
        check(&source, window, aggregations).1
    };
    let end_ms = START_MS + 10_000_000;
    // The first is not kept yet, the second is.
    assert_eq!(ask((START_MS - 3, end_ms)), 5_000);
    assert_eq!(ask((START_MS - 2, end_ms + 1)), 5_000);
    assert_eq!(ask((START_MS - 1, end_ms + 2)), 0);
    assert_eq!(ask((START_MS, end_ms + 3)), 0);
    // A window that ends among the rows reads those that it holds, by vectors.
    let inside = ask((START_MS + 1, end_ms));
    assert_eq!(inside, 5_000);
    let half = ask((START_MS, START_MS + 2_500_000));
    assert_eq!(half, 3 * 1024);
    // Another question is another matter.
    let window = (START_MS, end_ms);
    let other = by_time(20 * MINUTE_MS, window, MetricKind::Distribution);
    assert_eq!(check(&source, window, other).1, 5_000);
}

#[test]
fn an_edge_beside_all_rows_of_an_hour_cuts_nothing() {
    // Twenty minutes of rows, ten minutes into the hour.
    let early = rows(1_200, 1_000).into_iter();
    let source = segment(&early.skip(600).collect::<Vec<_>>());
    let ask = |from, to| {
        let window = (START_MS + from * MINUTE_MS, START_MS + to * MINUTE_MS);
        check(&source, window, by_time(HOUR_MS, window, MetricKind::Sum))
    };
    assert_eq!(ask(-5, 70), (1, 0));
    assert_eq!(ask(5, 30), (1, 0));
    assert_eq!(ask(10, 25), (1, 0));
    let (cells, read) = ask(11, 25);
    assert_eq!(cells, 0);
    assert!(read > 0);
    let (cells, read) = ask(5, 19);
    assert_eq!(cells, 0);
    assert!(read > 0);
}

#[test]
fn days_answer_where_no_edge_cuts_them() {
    // Ten days of forty coins an hour, at least.
    let source = segment(&rows(240 * 80, HOUR_MS / 80));
    let ask = |from_hour: i64, to_hour: i64, width_ms| {
        let window = (
            START_MS + from_hour * HOUR_MS,
            START_MS + to_hour * HOUR_MS - 1,
        );
        let inner = by_time(width_ms, window, MetricKind::Sum);
        check(&source, window, by_coin(inner))
    };
    const DAY_MS: i64 = 24 * HOUR_MS;
    assert_eq!(ask(24, 96, DAY_MS), (3 * 40, 0));
    // Hours before and behind whole days.
    assert_eq!(ask(22, 97, DAY_MS), (3 * 40 + 3 * 40, 0));
    // Buckets of hours take hours.
    assert_eq!(ask(24, 48, HOUR_MS), (24 * 40, 0));
    // To the end of the rows and beyond it.
    assert_eq!(ask(192, 1_000, DAY_MS), (2 * 40, 0));
}
