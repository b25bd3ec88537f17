//! Siltstone inside a program: no port, no runtime.
//!
//! `cargo run --example embed`

use siltstone::Db;
use siltstone::model::FieldType;
use siltstone::request::{
    Aggregation, BucketBy, DateHistogram, FieldRef, Filter, HitsRequest, Interval, Limits, Metric,
    MetricKind, NamedAggregation, RollupUse, SearchRequest,
};

const HOUR_MS: i64 = 3_600_000;

fn main() -> Result<(), siltstone::Error> {
    let folder = std::env::temp_dir().join(format!("siltstone-embed-{}", std::process::id()));
    let db = Db::open(&folder)?;

    // A field's type is found by its first value, or said beforehand as in Elasticsearch.
    db.create_topic(
        "trades",
        r#"{"mappings": {"properties": {"time": {"type": "date"}, "symbol": {"type": "keyword"}}}}"#,
    )?;

    // On disk when this returns.
    db.append(
        "trades",
        [
            r#"{"time": "2026-01-02T03:04:05Z", "symbol": "BTC", "price": 0.1}"#,
            r#"{"time": "2026-01-02T03:59:59Z", "symbol": "BTC", "price": 0.2}"#,
            r#"{"time": "2026-01-02T04:00:00Z", "symbol": "ETH", "price": 3}"#,
        ],
    )?;
    db.refresh("trades")?;

    // Elasticsearch's JSON in and out.
    let question = r#"{"size": 0, "aggs": {"total": {"sum": {"field": "price"}}}}"#;
    println!("{}", db.search("trades", question)?);

    // The same engine with types.
    let answer = db.aggregate("trades", &sum_by_hour("time", "price"))?;
    println!("{} rows: {:#?}", answer.matched, answer.aggregations);

    // Rows sealed into a segment are answered from its hourly cells.
    db.flush("trades")?;
    let answer = db.aggregate("trades", &sum_by_hour("time", "price"))?;
    println!("{:?}", answer.profile);

    db.close()?;
    std::fs::remove_dir_all(&folder).ok();
    Ok(())
}

/// The sum of `field` in each hour of `time_field`, over all rows.
fn sum_by_hour(time_field: &str, field: &str) -> SearchRequest {
    let field_ref = |path: &str, field_type| FieldRef {
        column: path.into(),
        field_type,
    };
    let sum = Metric {
        kind: MetricKind::Sum,
        field: Some(field_ref(field, FieldType::Double)),
        missing: None,
        linear: None,
    };
    let hours = DateHistogram {
        field: Some(field_ref(time_field, FieldType::Date)),
        interval: Interval::Fixed(HOUR_MS),
        time_zone: jiff::tz::TimeZone::UTC,
        offset_ms: 0,
        doc_count_min: 1,
        extended_bounds_ms: None,
        hard_bounds_ms: None,
        missing_ms: None,
        order: Vec::new(),
    };
    SearchRequest {
        filter: Filter::All,
        aggregations: vec![NamedAggregation {
            name: "hours".into(),
            aggregation: Aggregation::Bucket {
                by: BucketBy::DateHistogram(hours),
                children: vec![NamedAggregation {
                    name: "sum".into(),
                    aggregation: Aggregation::Metric(sum),
                }],
            },
        }],
        hits: HitsRequest::default(),
        rollup: RollupUse::WhereExact,
        limits: Limits::default(),
    }
}
