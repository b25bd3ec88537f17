//! The library without server: typed answers, work by the caller, and disks that fail.

use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use siltstone::disk::{Fault, FaultyDisk};
use siltstone::model::FieldType;
use siltstone::options::Work;
use siltstone::request::{
    Aggregation, BucketBy, DateHistogram, FieldRef, Filter, HitsRequest, Interval, Limits, Metric,
    MetricKind, NamedAggregation, RollupUse, SearchRequest,
};
use siltstone::response::{AggregationResult, BucketKey, MetricResult, SearchResponse};
use siltstone::{Db, ErrorKind, Options, Record};

const SATOSHI: f64 = 1e8;

/// Longer than any failure takes to be told, so that a busy machine does not fail a test.
const TOLD_WAIT_MAX: Duration = Duration::from_secs(20);

#[test]
fn typed_answers_equal_golden_hours_from_rows_and_from_cells() {
    let db = Db::builder().in_memory().open().expect("a store");
    let mapping = r#"{"settings": {"index": {"time_field": "btc_timestamp"}}, "mappings":
        {"properties": {"btc_timestamp": {"type": "date", "format": "epoch_second"}}}}"#;
    db.create_topic("btc_tx", mapping).expect("a sound mapping");
    let messages = messages("btc_tx");
    let (first, second) = messages.split_at(messages.len() / 2);
    db.append("btc_tx", first).expect("durable");
    db.flush("btc_tx").expect("sealed");
    db.append("btc_tx", second).expect("durable");
    db.refresh("btc_tx").expect("visible");

    let golden = golden_hours("2017-08-24");
    assert_eq!(golden.len(), 3);
    let check = |rollup, used_cells: bool| {
        let answer = db.aggregate("btc_tx", &hours(rollup)).expect("an answer");
        assert_eq!(hours_of(&answer), golden, "{rollup:?}");
        assert_eq!(answer.profile.cells_used > 0, used_cells, "{rollup:?}");
        answer.aggregations
    };
    let from_cells = check(RollupUse::WhereExact, true);
    let from_rows = check(RollupUse::Never, false);
    assert_eq!(from_cells, from_rows, "bit for bit");
    db.flush("btc_tx").expect("sealed");
    assert_eq!(check(RollupUse::WhereExact, true), from_rows, "bit for bit");
    let segments = || {
        let answer = db.aggregate("btc_tx", &hours(RollupUse::Never));
        answer.expect("an answer").profile.segments
    };
    assert_eq!(segments(), 2);
    db.merge("btc_tx", Some(1)).expect("merged");
    assert_eq!(segments(), 1);
    assert_eq!(check(RollupUse::WhereExact, true), from_rows, "bit for bit");
    assert_eq!(check(RollupUse::Never, false), from_rows, "bit for bit");
    db.close().expect("closed in good order");
}

#[test]
fn a_post_filter_leaves_aggregations_alone() {
    let db = Db::builder().in_memory().open().expect("a store");
    let lines: Vec<String> = (0..10).map(|n| format!(r#"{{"n": {n}}}"#)).collect();
    db.append("t", lines.iter().map(String::as_str))
        .expect("durable");
    db.refresh("t").expect("visible");
    let check = |body: &str, expected: [&str; 3]| {
        let answer = db.search("t", body).expect("an answer");
        for part in expected {
            assert!(answer.contains(part), "{part} is not in {answer}");
        }
    };
    let aggs = r#""aggs": {"total": {"sum": {"field": "n"}}}"#;
    let filters = r#""query": {"range": {"n": {"gte": 2}}}, "post_filter": {"term": {"n": 7}}"#;
    let hits = r#""total":{"value":1,"relation":"eq"}"#;
    check(
        &format!("{{{filters}, {aggs}}}"),
        [hits, r#""_source":{"n": 7}"#, r#""total":{"value":44.0}"#],
    );
    check(
        &format!("{{{filters}}}"),
        [hits, r#""_source":{"n": 7}"#, ""],
    );
}

#[test]
fn addresses_order_by_their_numbers() {
    let db = Db::builder().in_memory().open().expect("a store");
    let mapping = r#"{"mappings": {"properties": {"ip": {"type": "ip"}}}}"#;
    db.create_topic("t", mapping).expect("a sound mapping");
    let addresses = ["10.0.0.10", "::1", "10.0.0.9", "9.9.9.9", "2001:db8::1"];
    let lines = addresses.map(|ip| format!(r#"{{"ip": "{ip}"}}"#));
    db.append("t", lines.iter().map(String::as_str))
        .expect("durable");
    db.refresh("t").expect("visible");
    let check = |order: &str, size: usize, expected: &[&str]| {
        let body = format!(
            r#"{{"size": 0, "aggs": {{"by": {{"terms":
                {{"field": "ip", "size": {size}, "order": {order}}}}}}}}}"#
        );
        let answer = db.search("t", &body).expect("an answer");
        let keys: Vec<&str> = answer.split(r#""key":""#).skip(1).collect();
        let keys: Vec<&str> = keys
            .iter()
            .map(|rest| &rest[..rest.find('"').expect("a text ends")])
            .collect();
        assert_eq!(keys, expected, "{answer}");
    };
    let ascending = ["::1", "9.9.9.9", "10.0.0.9", "10.0.0.10", "2001:db8::1"];
    check(r#"{"_key": "asc"}"#, 10, &ascending);
    check(r#"{"_key": "asc"}"#, 3, &ascending[..3]);
    check(r#"{"_count": "desc"}"#, 4, &ascending[..4]);
    check(r#"{"_key": "desc"}"#, 2, &["2001:db8::1", "10.0.0.10"]);
    let sorted = db.search("t", r#"{"sort": {"ip": "asc"}, "_source": false}"#);
    let sorted = sorted.expect("an answer");
    let places = ascending.map(|ip| sorted.find(&format!(r#""sort":["{ip}"]"#)));
    assert!(places.is_sorted() && places[0].is_some(), "{sorted}");
}

#[test]
fn without_threads_the_caller_works() {
    let options = Options {
        work: Work::Caller,
        partitions: 3,
        ..Options::default()
    };
    let db = Db::builder()
        .in_memory()
        .options(options)
        .open()
        .expect("a store");
    let record = |key: &str| Record {
        key: Some(key.into()),
        ..Record::from(r#"{"n": 1}"#)
    };
    let places = db
        .append("t", ["a", "b", "c", "a"].map(record))
        .expect("durable");
    assert_eq!(
        places[0].partition, places[3].partition,
        "the same key, the same partition"
    );
    assert!(places[0].offset < places[3].offset, "in order");
    let count = || {
        let answer = db.search("t", r#"{"size": 0}"#).expect("an answer");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        answer["hits"]["total"]["value"].as_u64()
    };
    assert_eq!(count(), Some(0));
    db.refresh("t").expect("visible");
    assert_eq!(count(), Some(4));
    let error = db.create_topic("t", "").expect_err("there is one");
    assert_eq!(error.kind(), ErrorKind::Exists);
    db.delete_topic("t").expect("there is one");
    assert_eq!(
        db.refresh("t").expect_err("gone").kind(),
        ErrorKind::NotFound
    );
    let other = db.clone();
    db.close().expect("closed in good order");
    assert_eq!(
        other.append("t", ["{}"]).expect_err("closed").kind(),
        ErrorKind::Closed
    );
}

#[test]
fn a_failed_sync_stops_the_store_and_says_so() {
    let disk = FaultyDisk::new();
    let open = |disk: &FaultyDisk| Db::builder().disk(Arc::new(disk.clone())).open();
    let db = open(&disk).expect("a store");
    db.append("t", [r#"{"n": 1}"#]).expect("durable");
    db.refresh("t").expect("visible");

    let (failed, on_failure) = channel();
    db.on_failure(move |message| failed.send(message.to_owned()).expect("the test waits"));
    for operation in 0..100 {
        disk.inject(disk.operation_count() + operation, Fault::InputOutput);
    }
    let error = db.append("t", [r#"{"n": 2}"#]).expect_err("the disk fails");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    let message = on_failure
        .recv_timeout(TOLD_WAIT_MAX)
        .expect("the failure is told");
    assert!(message.contains("stopped"), "{message}");
    let error = db
        .append("t", [r#"{"n": 3}"#])
        .expect_err("nothing is acknowledged any more");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    drop(db);

    let db = open(&disk.crash(7)).expect("what is left can be opened");
    db.refresh("t").expect("visible");
    let answer = db
        .search("t", r#"{"query": {"term": {"n": 1}}}"#)
        .expect("an answer");
    assert!(answer.contains(r#""total":{"value":1,"#), "{answer}");
}

/// Values of the sample's messages of `topic`, digit for digit.
fn messages(topic: &str) -> Vec<String> {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/demo/data/replay.ndjson.xz"
    );
    let script = "import lzma, sys; sys.stdout.buffer.write(lzma.open(sys.argv[1]).read())";
    let output = Command::new("python3")
        .args(["-c", script, sample])
        .output();
    let output = output.expect("python3 is there");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let wanted = format!(r#"{{"topic": "{topic}", "value": "#);
    let text = String::from_utf8(output.stdout).expect("the sample is text");
    let values = text
        .lines()
        .filter_map(|line| line.strip_prefix(&wanted)?.strip_suffix('}'));
    values.map(str::to_owned).collect()
}

/// `(hour in seconds, count, volume in satoshi, largest in satoshi)`.
type Hour = (i64, u64, i64, i64);

fn golden_hours(day: &str) -> Vec<Hour> {
    let lines = include_str!("../../examples/demo/data/expected_hourly.csv").lines();
    lines
        .filter(|line| line.starts_with(day))
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let number = |index: usize| -> i64 { cells[index].parse().expect("a whole number") };
            (number(1), number(2).unsigned_abs(), number(3), number(4))
        })
        .collect()
}

fn hours_of(answer: &SearchResponse) -> Vec<Hour> {
    let satoshi = |bitcoin: f64| (bitcoin * SATOSHI).round() as i64;
    let AggregationResult::Buckets { buckets, .. } = &answer.aggregations[0] else {
        panic!("buckets were asked for: {answer:?}");
    };
    let hour = |bucket: &siltstone::response::Bucket| {
        let (BucketKey::Time(ms), [volume, largest]) = (&bucket.key, &bucket.aggregations[..])
        else {
            panic!("two metrics of an hour were asked for: {bucket:?}");
        };
        let AggregationResult::Metric(MetricResult::Sum(volume)) = volume else {
            panic!("a sum was asked for: {volume:?}");
        };
        let AggregationResult::Metric(MetricResult::Max(Some(largest))) = largest else {
            panic!("a maximum was asked for: {largest:?}");
        };
        (
            ms / 1000,
            bucket.count,
            satoshi(volume.to_f64()),
            satoshi(largest.to_f64()),
        )
    };
    buckets.iter().map(hour).collect()
}

/// Sum and maximum of each hour.
fn hours(rollup: RollupUse) -> SearchRequest {
    let field = |column: &str, field_type| {
        Some(FieldRef {
            column: column.into(),
            field_type,
        })
    };
    let metric = |name: &str, kind| NamedAggregation {
        name: name.into(),
        aggregation: Aggregation::Metric(Metric {
            kind,
            field: field("tx_btc_amount", FieldType::Double),
            missing: None,
            linear: None,
        }),
    };
    let hours = DateHistogram {
        field: field("btc_timestamp", FieldType::Date),
        interval: Interval::Fixed(3_600_000),
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
                children: vec![
                    metric("volume", MetricKind::Sum),
                    metric("largest", MetricKind::Max),
                ],
            },
        }],
        hits: HitsRequest::default(),
        rollup,
        limits: Limits::default(),
    }
}
