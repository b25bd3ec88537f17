//! The questions of a dashboard over the rows of a chain.

use jiff::tz::TimeZone;
use siltstone_query::request::{
    Aggregation, BucketBy, CalendarUnit, Cardinality, DateHistogram, FieldRef, Filter, HitsRequest,
    Interval, Limits, Metric, MetricKind, MetricValue, NamedAggregation, Order, OrderBy, RollupUse,
    SearchRequest, SortBy, SortKey, Terms, TextPredicate,
};
use storage::model::FieldType;

use crate::chain::{HOUR_MS, MINERS, address_name};

/// All questions and their names; those that begin with `cells_` may use cells, the others read
/// rows.
pub(crate) fn questions() -> Vec<(&'static str, SearchRequest)> {
    let sum = || metric(MetricKind::Sum, "value", FieldType::Long);
    let hour = Interval::Fixed(HOUR_MS);
    let day = Interval::Fixed(24 * HOUR_MS);
    let calendar = Interval::Calendar;
    let stats = || {
        vec![
            metric(MetricKind::Stats, "price", FieldType::Double),
            metric(MetricKind::Sum, "fee", FieldType::Long),
        ]
    };
    let of_all = |aggregation| ask(Filter::All, vec![aggregation]);
    let by_sum = OrderBy::Metric {
        path: vec![0],
        value: MetricValue::Single,
    };
    let distribution = || vec![metric(MetricKind::Distribution, "fee", FieldType::Long)];
    let distinct = Aggregation::Cardinality(Cardinality {
        field: field("addr", FieldType::Keyword),
        missing: None,
        counting: Default::default(),
    });
    let days_by_miner = terms(
        "miner",
        MINERS,
        OrderBy::Count,
        vec![histogram(day, "UTC", vec![sum()])],
    );
    let one_miner = ask(
        term("miner", "miner-042"),
        vec![histogram(hour, "UTC", vec![sum()])],
    );
    vec![
        ("hour_sum", of_all(histogram(hour, "UTC", vec![sum()]))),
        (
            "day_utc_sum",
            of_all(histogram(calendar(CalendarUnit::Day), "UTC", vec![sum()])),
        ),
        (
            "day_tz_sum",
            of_all(histogram(
                calendar(CalendarUnit::Day),
                "Europe/Berlin",
                vec![sum()],
            )),
        ),
        (
            "month_sum",
            of_all(histogram(calendar(CalendarUnit::Month), "UTC", vec![sum()])),
        ),
        ("miner_day_sum", of_all(days_by_miner)),
        ("hour_stats", of_all(histogram(hour, "UTC", stats()))),
        (
            "top10_addr_sum",
            of_all(terms("addr", 10, by_sum, vec![sum()])),
        ),
        (
            "top10_addr_count",
            of_all(terms("addr", 10, OrderBy::Count, Vec::new())),
        ),
        ("fee_pct_day", of_all(histogram(day, "UTC", distribution()))),
        ("distinct_addr", of_all(distinct)),
        (
            "count_one_addr",
            ask(term("addr", &address_name(777)), Vec::new()),
        ),
        ("one_miner_hour_sum", one_miner),
        ("last100_miner", last_of_one_miner()),
    ]
    .into_iter()
    .chain(questions_of_cells())
    .collect()
}

fn questions_of_cells() -> [(&'static str, SearchRequest); 3] {
    let sum = || metric(MetricKind::Sum, "value", FieldType::Long);
    let by_cells = |aggregation| SearchRequest {
        rollup: RollupUse::WhereExact,
        ..ask(Filter::All, vec![aggregation])
    };
    let month = Interval::Calendar(CalendarUnit::Month);
    let day = Interval::Calendar(CalendarUnit::Day);
    [
        (
            "cells_month",
            by_cells(histogram(month, "UTC", vec![sum()])),
        ),
        (
            "cells_day_tz",
            by_cells(histogram(day, "Europe/Berlin", vec![sum()])),
        ),
        (
            "cells_top_miners",
            by_cells(terms("miner", 10, OrderBy::Count, vec![sum()])),
        ),
    ]
}

fn last_of_one_miner() -> SearchRequest {
    let mut last = ask(term("miner", "miner-042"), Vec::new());
    last.hits.size = 100;
    last.limits.counted_rows_max = 0;
    last.hits.sort = vec![SortKey {
        by: SortBy::Field(field("ts", FieldType::Date)),
        descending: true,
        ..SortKey::default()
    }];
    last
}

fn field(path: &str, field_type: FieldType) -> Option<FieldRef> {
    Some(FieldRef {
        column: path.into(),
        field_type,
    })
}

fn metric(kind: MetricKind, path: &str, field_type: FieldType) -> Aggregation {
    Aggregation::Metric(Metric {
        kind,
        field: field(path, field_type),
        missing: None,
        linear: None,
    })
}

fn named(aggregations: Vec<Aggregation>) -> Vec<NamedAggregation> {
    let name = |(index, aggregation)| NamedAggregation {
        name: format!("a{index}"),
        aggregation,
    };
    aggregations.into_iter().enumerate().map(name).collect()
}

fn histogram(interval: Interval, zone: &str, children: Vec<Aggregation>) -> Aggregation {
    Aggregation::Bucket {
        by: BucketBy::DateHistogram(DateHistogram {
            field: field("ts", FieldType::Date),
            interval,
            time_zone: TimeZone::get(zone).expect("a zone of the database"),
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

fn terms(path: &str, size: usize, by: OrderBy, children: Vec<Aggregation>) -> Aggregation {
    Aggregation::Bucket {
        by: BucketBy::Terms(Terms {
            field: field(path, FieldType::Keyword),
            size,
            doc_count_min: 1,
            doc_count_max: u64::MAX,
            cells: None,
            words: None,
            missing: None,
            include: None,
            exclude: None,
            order: vec![Order {
                by,
                descending: true,
            }],
        }),
        children: named(children),
    }
}

fn term(path: &str, text: &str) -> Filter {
    Filter::Text {
        field: field(path, FieldType::Keyword).expect("it is a field"),
        predicate: TextPredicate::In([text.as_bytes().to_vec()].into()),
    }
}

fn ask(filter: Filter, aggregations: Vec<Aggregation>) -> SearchRequest {
    SearchRequest {
        filter,
        aggregations: named(aggregations),
        hits: HitsRequest::default(),
        rollup: RollupUse::Never,
        limits: Limits::default(),
    }
}
