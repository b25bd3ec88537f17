//! What a person would ask, with the answer written down.

use std::collections::BTreeMap;
use std::ops::Bound;

use jiff::tz::TimeZone;
use storage::model::{Decimal, FieldType, HOUR_MS};
use storage::segment::RowSource;

use super::answer;
use super::rows::{Row, TIME_FIELD, Value, active, segment};
use crate::QueryError;
use crate::ScanPool;
use crate::Stop;
use crate::request::{
    Aggregation, BucketBy, CalendarUnit, Cardinality, DateHistogram, FieldRef, Filter, HitsRequest,
    Interval, Limits, Metric, MetricKind, NamedAggregation, Order, OrderBy, Pattern, RollupUse,
    SearchRequest, SortBy, SortKey, TermValue, Terms, TextPredicate,
};
use crate::response::{AggregationResult, BucketKey, MetricResult, SearchResponse};
use crate::scan::Part;
use crate::search::{run, run_until};

/// 2024-01-01T00:00:00Z.
const START_MS: i64 = 1_704_067_200_000;

fn row(offset: u64, time_ms: i64, values: &[(&'static str, Value)]) -> Row {
    let mut all: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    all.insert(TIME_FIELD, vec![integer(time_ms)]);
    for (path, value) in values {
        all.entry(path).or_default().push(value.clone());
    }
    Row {
        time_ms,
        partition: 0,
        offset,
        id: None,
        values: all,
    }
}

fn integer(value: i64) -> Value {
    Value::Number(Decimal::from_i64(value))
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// Four rows an hour for two days: sizes 0 to 191, coins in turn.
fn two_days() -> Vec<Row> {
    (0..192)
        .map(|index| {
            let coin = ["btc", "eth"][index as usize % 2];
            let values = [("size", integer(index)), ("coin", text(coin))];
            row(index as u64, START_MS + index * HOUR_MS / 4, &values)
        })
        .collect()
}

fn field(path: &str, field_type: FieldType) -> FieldRef {
    FieldRef {
        column: path.into(),
        field_type,
    }
}

fn request(aggregation: Aggregation) -> SearchRequest {
    SearchRequest {
        filter: Filter::All,
        aggregations: vec![named(aggregation)],
        hits: HitsRequest::default(),
        rollup: RollupUse::WhereExact,
        limits: Limits::default(),
    }
}

fn named(aggregation: Aggregation) -> NamedAggregation {
    NamedAggregation {
        name: "a".into(),
        aggregation,
    }
}

fn sum_of(path: &str, field_type: FieldType) -> Aggregation {
    Aggregation::Metric(Metric {
        kind: MetricKind::Sum,
        field: Some(field(path, field_type)),
        missing: None,
        linear: None,
    })
}

fn histogram(interval: Interval, zone: &str) -> Aggregation {
    Aggregation::Bucket {
        by: BucketBy::DateHistogram(DateHistogram {
            field: Some(field(TIME_FIELD, FieldType::Date)),
            interval,
            time_zone: TimeZone::get(zone).expect("a zone of the database"),
            offset_ms: 0,
            doc_count_min: 0,
            extended_bounds_ms: None,
            hard_bounds_ms: None,
            missing_ms: None,
            order: Vec::new(),
        }),
        children: vec![named(sum_of("size", FieldType::Long))],
    }
}

fn terms(path: &str, field_type: FieldType) -> Terms {
    Terms {
        field: Some(field(path, field_type)),
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
    }
}

fn by_terms(terms: Terms) -> Aggregation {
    Aggregation::Bucket {
        by: BucketBy::Terms(terms),
        children: Vec::new(),
    }
}

fn from_ms(time_ms: i64) -> Filter {
    Filter::NumberRange {
        field: field(TIME_FIELD, FieldType::Date),
        lower: Bound::Included(Decimal::from_i64(time_ms)),
        upper: Bound::Unbounded,
    }
}

/// Keys, counts and first sums of the buckets of the first aggregation.
fn buckets(response: &SearchResponse) -> Vec<(String, u64, Option<f64>)> {
    let Some(AggregationResult::Buckets { buckets, .. }) = response.aggregations.first() else {
        panic!("buckets were asked for");
    };
    let shown = buckets.iter().map(|bucket| {
        let key = match &bucket.key {
            BucketKey::Text(text) => String::from_utf8_lossy(text).into_owned(),
            BucketKey::Integer(integer) => integer.to_string(),
            BucketKey::Decimal(decimal) => decimal.to_f64().to_string(),
            BucketKey::Time(time_ms) => ((time_ms - START_MS) / HOUR_MS).to_string(),
            BucketKey::Name(name) => name.to_string(),
            BucketKey::None | BucketKey::Tuple(_) => String::new(),
            BucketKey::Cluster { mean, .. } => mean.to_string(),
            BucketKey::Significant { score, .. } => score.to_string(),
        };
        let sum = match bucket.aggregations.first() {
            Some(AggregationResult::Metric(MetricResult::Sum(sum))) => Some(sum.to_f64()),
            _ => None,
        };
        (key, bucket.count, sum)
    });
    shown.collect()
}

fn found(request: &SearchRequest, sources: &[RowSource]) -> SearchResponse {
    answer(request, sources).expect("an answer")
}

#[test]
fn whole_hours_come_from_cells_and_cut_hours_from_their_rows() {
    let sources = [segment(&two_days())];
    let mut request = request(histogram(Interval::Calendar(CalendarUnit::Day), "UTC"));
    let response = found(&request, &sources);
    let sums = [
        ("0".into(), 96, Some(4560.0)),
        ("24".into(), 96, Some(13776.0)),
    ];
    assert_eq!(buckets(&response), sums);
    assert_eq!(
        (response.profile.cells_used, response.profile.rows_scanned),
        (48, 0)
    );
    assert!(response.profile.cells_unused_because.is_empty());

    // Half an hour in: the first hour is cut, its four rows are read.
    request.filter = from_ms(START_MS + HOUR_MS / 2);
    let response = found(&request, &sources);
    assert_eq!(response.matched, 190);
    assert_eq!(
        (response.profile.cells_used, response.profile.rows_scanned),
        (47, 4)
    );
    let because = "a bucket edge or a range edge lies inside an hour";
    assert_eq!(response.profile.cells_unused_because, [because]);
}

#[test]
fn midnights_between_hours_are_read_from_rows() {
    // Kathmandu's midnight is at 18:15 UTC.
    let sources = [segment(&two_days())];
    let day = Interval::Calendar(CalendarUnit::Day);
    let response = found(&request(histogram(day, "Asia/Kathmandu")), &sources);
    assert_eq!(response.profile.cells_used, 46);
    assert_eq!(response.profile.rows_scanned, 8);

    // All of its hours are cut.
    let hour = Interval::Calendar(CalendarUnit::Hour);
    let response = found(&request(histogram(hour, "Asia/Kathmandu")), &sources);
    assert_eq!(response.profile.cells_used, 0);
    let because = "a bucket edge or a range edge lies inside every hour";
    assert_eq!(response.profile.cells_unused_because, [because]);
}

#[test]
fn the_profile_says_why_cells_are_not_used() {
    let sources = [segment(&two_days()), active(&two_days()[..7])];
    let check = |filter: Filter, rollup: RollupUse, expected: &[&str]| {
        let request = SearchRequest {
            filter,
            rollup,
            ..request(sum_of("size", FieldType::Long))
        };
        let profile = found(&request, &sources).profile;
        assert_eq!(profile.cells_used, 0);
        assert_eq!((profile.segments, profile.active_chunks), (1, 1));
        assert_eq!(profile.cells_unused_because, expected);
    };
    let size = field("size", FieldType::Long);
    let range = Filter::NumberRange {
        field: size,
        lower: Bound::Unbounded,
        upper: Bound::Excluded(Decimal::from_i64(100)),
    };
    check(
        range,
        RollupUse::WhereExact,
        &["single values of the number field 'size' are read"],
    );
    check(
        Filter::All,
        RollupUse::Never,
        &["the request asks for rows alone"],
    );
}

#[test]
fn vectors_outside_of_the_range_are_not_read() {
    let rows: Vec<Row> = (0..10_000)
        .map(|index| {
            row(
                index as u64,
                START_MS + index * 1_000,
                &[("size", integer(1))],
            )
        })
        .collect();
    let mut request = request(sum_of("size", FieldType::Long));
    request.rollup = RollupUse::Never;
    request.filter = from_ms(START_MS + 9_999_000);
    let response = found(&request, &[segment(&rows)]);
    assert_eq!(response.matched, 1);
    // 10,000 rows end with a vector of 784.
    assert_eq!(response.profile.rows_scanned, 784);
    // Whole vectors are answered from their headers.
    request.filter = Filter::All;
    let response = found(&request, &[segment(&rows)]);
    assert_eq!(response.profile.rows_scanned, 0);
}

#[test]
fn too_many_buckets_end_the_search() {
    let sources = [active(&two_days())];
    let mut request = request(histogram(Interval::Fixed(1), "UTC"));
    let error = answer(&request, &sources).expect_err("two days have more milliseconds");
    assert!(matches!(
        error,
        QueryError::TooManyBuckets {
            buckets_max: 65_535
        }
    ));
    request.limits.buckets_max = 10;
    let error = answer(&request, &sources).expect_err("192 rows in 192 buckets");
    assert!(matches!(
        error,
        QueryError::TooManyBuckets { buckets_max: 10 }
    ));
}

#[test]
fn too_much_state_ends_the_search() {
    let mut request = request(by_terms(terms("size", FieldType::Long)));
    request.limits.state_bytes_max = 4_096;
    let error = answer(&request, &[active(&two_days())]).expect_err("192 groups");
    assert!(matches!(
        error,
        QueryError::StateTooLarge {
            state_bytes_max: 4_096,
            ..
        }
    ));
}

#[test]
fn a_search_ends_when_nobody_waits_for_it() {
    let rows = two_days();
    let sources: Vec<RowSource> = rows.chunks(24).map(active).collect();
    let mut request = request(sum_of("size", FieldType::Long));
    request.hits.size = 1000;
    let check = |stop: &Stop| {
        let part = Part {
            request: &request,
            time_field: Some(TIME_FIELD),
            sources: &sources,
        };
        run_until(&[part], &ScanPool::single(), stop)
    };
    let patient = Stop::after(usize::MAX);
    check(&patient).expect("an answer");
    // Each of the eight sources is a piece of work for the sum, and one for the hits.
    assert_eq!(patient.checks(), 16);
    for checks in [0, 3, 8, 15] {
        let stop = Stop::after(checks);
        let error = check(&stop).expect_err("nobody waits");
        assert!(matches!(error, QueryError::Stopped), "{error}");
        assert_eq!(stop.checks(), checks + 1, "it went on");
    }
}

#[test]
fn terms_are_cut_after_all_sources_are_counted() {
    let coins = |names: &[&str]| {
        let row =
            |(index, name): (usize, &&str)| row(index as u64, START_MS, &[("coin", text(name))]);
        names.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let sources = [
        active(&coins(&["a", "a", "b", "b", "c"])),
        segment(&coins(&["c", "c", "c", "d"])),
    ];
    let mut by = terms("coin", FieldType::Keyword);
    by.size = 2;
    let response = found(&request(by_terms(by)), &sources);
    assert_eq!(
        buckets(&response),
        [("c".into(), 4, None), ("a".into(), 2, None)]
    );
    let AggregationResult::Buckets { other_count, .. } = &response.aggregations[0] else {
        panic!("buckets were asked for");
    };
    assert_eq!(*other_count, 3);
}

#[test]
fn a_pattern_cannot_choose_numbers() {
    let mut by = terms("size", FieldType::Long);
    by.include = Some(crate::request::TermSelection::Pattern(Pattern::Wildcard(
        "*".into(),
    )));
    let error = answer(&request(by_terms(by)), &[active(&two_days())]);
    assert!(matches!(error, Err(QueryError::PatternOverNumbers { .. })));
}

#[test]
fn a_bad_pattern_is_named() {
    let filter = Filter::Text {
        field: field("coin", FieldType::Keyword),
        predicate: TextPredicate::Pattern {
            pattern: Pattern::Regex("a)|(b".into()),
            tokens: false,
        },
    };
    let request = SearchRequest {
        filter,
        ..request(sum_of("size", FieldType::Long))
    };
    let error = answer(&request, &[active(&two_days())]);
    assert!(matches!(error, Err(QueryError::Pattern { pattern, .. }) if pattern == "a)|(b"));
}

#[test]
fn texts_cannot_be_summed() {
    let error = answer(
        &request(sum_of("coin", FieldType::Keyword)),
        &[active(&two_days())],
    );
    assert!(matches!(error, Err(QueryError::WrongKind { column }) if column.as_ref() == "coin"));
    let error = answer(
        &request(sum_of("coin", FieldType::Long)),
        &[active(&two_days())],
    );
    assert!(matches!(error, Err(QueryError::WrongKind { .. })));
}

#[test]
fn several_topics_answer_as_one() {
    let longs = [active(&two_days())];
    let half = Value::Number(Decimal {
        mantissa: 15,
        exponent: -1,
    });
    let doubles = [active(&[
        row(0, START_MS, &[("amount", half)]),
        row(1, START_MS, &[("amount", integer(7))]),
    ])];
    let by = |path: &str, field_type| {
        let mut by = terms(path, field_type);
        by.size = 2;
        let mut request = request(by_terms(by));
        request.hits = HitsRequest {
            size: 3,
            from: 0,
            sort: vec![SortKey {
                by: SortBy::Field(Some(field(path, field_type))),
                descending: false,
                ..SortKey::default()
            }],
            ..HitsRequest::default()
        };
        request
    };
    let long = by("size", FieldType::Long);
    let double = by("amount", FieldType::Double);
    let part = |request, sources| Part {
        request,
        time_field: Some(TIME_FIELD),
        sources,
    };
    let response = run(
        &[part(&long, &longs), part(&double, &doubles)],
        &ScanPool::single(),
    )
    .expect("an answer");
    assert_eq!(response.matched, 194);
    // 7 is in both; 0 is the first of those in one.
    assert_eq!(
        buckets(&response),
        [("7".into(), 2, None), ("0".into(), 1, None)]
    );
    let hits: Vec<_> = response
        .hits
        .iter()
        .map(|hit| (hit.part, hit.id.as_str()))
        .collect();
    assert_eq!(hits, [(0, "0-0"), (0, "0-1"), (1, "0-0")]);

    let texts = request(by_terms(terms("coin", FieldType::Keyword)));
    let error = run(
        &[part(&long, &longs), part(&texts, &longs)],
        &ScanPool::single(),
    );
    assert!(matches!(error, Err(QueryError::DifferentShapes { .. })));
    let metric = request(sum_of("size", FieldType::Long));
    let error = run(
        &[part(&long, &longs), part(&metric, &longs)],
        &ScanPool::single(),
    );
    assert!(matches!(error, Err(QueryError::DifferentShapes { .. })));
}

#[test]
fn no_topic_no_rows() {
    let response = run(&[], &ScanPool::single()).expect("an answer");
    assert_eq!((response.matched, response.aggregations.len()), (0, 0));
    let response = found(&request(by_terms(terms("coin", FieldType::Keyword))), &[]);
    assert_eq!(buckets(&response), []);
}

#[test]
fn newest_rows_first() {
    let rows = two_days();
    let (old, new) = rows.split_at(100);
    let sources = [segment(new), active(old), active(&[])];
    let mut request = request(sum_of("size", FieldType::Long));
    request.hits = HitsRequest {
        size: 3,
        from: 1,
        sort: vec![SortKey {
            by: SortBy::Field(Some(field(TIME_FIELD, FieldType::Date))),
            descending: true,
            ..SortKey::default()
        }],
        ..HitsRequest::default()
    };
    let ids: Vec<_> = found(&request, &sources)
        .hits
        .into_iter()
        .map(|hit| hit.id)
        .collect();
    assert_eq!(ids, ["0-190", "0-189", "0-188"]);
}

#[test]
fn rows_are_counted_as_far_as_asked() {
    let sources = [segment(&two_days()), active(&two_days()[..10])];
    let mut request = request(sum_of("size", FieldType::Long));
    request.limits.counted_rows_max = 0;
    // Aggregations read all rows, whatever is counted.
    assert_eq!(found(&request, &sources).matched, 202);
    request.aggregations.clear();
    assert_eq!(found(&request, &sources).matched, 0);
    request.limits.counted_rows_max = 5;
    assert!(found(&request, &sources).matched > 5);
    request.limits.counted_rows_max = 202;
    assert_eq!(found(&request, &sources).matched, 202);
    request.hits.size = 3;
    request.limits.counted_rows_max = 0;
    assert_eq!(found(&request, &sources).hits.len(), 3);
}

#[test]
fn dictionaries_answer_how_many_terms_there_are() {
    let distinct = |path: &str, missing: Option<TermValue>| {
        Aggregation::Cardinality(Cardinality {
            field: Some(field(path, FieldType::Keyword)),
            missing,
            counting: Default::default(),
        })
    };
    let check = |request: &SearchRequest, sources: &[RowSource], count: u64, rows: u64| {
        let response = found(request, sources);
        let expected = AggregationResult::Metric(MetricResult::Cardinality(count));
        assert_eq!(response.aggregations, [expected]);
        assert_eq!(response.profile.rows_scanned, rows);
    };
    let rows = two_days();
    let mut one = request(distinct("coin", None));
    one.rollup = RollupUse::Never;
    check(&one, &[segment(&rows)], 2, 0);
    check(&one, &[segment(&rows), active(&rows[..10])], 2, 10);
    one.filter = from_ms(START_MS + HOUR_MS);
    check(&one, &[segment(&rows)], 2, 192);
    // A row without a coin.
    let mut rows = rows;
    rows[3].values.remove("coin");
    let other = TermValue::Text(b"none"[..].into());
    let mut with_missing = request(distinct("coin", Some(other)));
    with_missing.rollup = RollupUse::Never;
    check(&with_missing, &[segment(&rows)], 3, 192);
}
