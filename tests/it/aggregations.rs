//! Aggregations whose buckets depend on the rows, scripts, places and spans: answers of a real
//! OpenSearch, from its REST tests and from recorded requests.

use serde_json::{Value, json};
use siltstone::Db;

/// A store with `documents`, half of them sealed.
fn store(mapping: &Value, documents: &[Value]) -> Db {
    let db = Db::builder().in_memory().open().expect("a store");
    let mapping = json!({"mappings": {"properties": mapping}}).to_string();
    db.create_topic("t", &mapping).expect("a sound mapping");
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    db.append("t", first.iter().map(String::as_str))
        .expect("durable");
    db.flush("t").expect("sealed");
    db.append("t", second.iter().map(String::as_str))
        .expect("durable");
    db.refresh("t").expect("visible");
    db
}

fn search(db: &Db, body: &Value) -> Value {
    let answer = db.search("t", &body.to_string()).expect("an answer");
    serde_json::from_str(&answer).expect("JSON")
}

/// What the aggregation answers.
fn answer(db: &Db, aggregation: &Value) -> Value {
    let body = json!({"size": 0, "aggs": {"a": aggregation}});
    search(db, &body)["aggregations"]["a"].take()
}

/// Keys and counts of buckets.
fn counts(answer: &Value) -> Vec<(String, u64)> {
    let buckets = answer["buckets"].as_array().expect("buckets");
    let counted = buckets.iter().map(|bucket| {
        let key = bucket.get("key_as_string").unwrap_or(&bucket["key"]);
        let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        (key, bucket["doc_count"].as_u64().expect("a count"))
    });
    counted.collect()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    let pairs = expected.iter();
    pairs
        .map(|(key, count)| ((*key).to_owned(), *count))
        .collect()
}

#[test]
fn widths_of_time_follow_the_rows() {
    let days = ["01", "02", "08", "09"];
    let documents: Vec<Value> = (1..)
        .zip(days)
        .map(|(v, day)| json!({"date": format!("2020-03-{day}"), "v": v}))
        .collect();
    let db = store(&json!({"date": {"type": "date"}}), &documents);
    let by = json!({"auto_date_histogram": {"field": "date", "buckets": 2},
        "aggs": {"v": {"sum": {"field": "v"}}}});
    let body = json!({"size": 0, "aggs": {"a": by, "m": {"avg_bucket": {"buckets_path": "a.v"}}}});
    let answer = search(&db, &body)["aggregations"].take();
    assert_eq!(answer["a"]["interval"], "7d");
    let expected = pairs(&[
        ("2020-03-01T00:00:00.000Z", 2),
        ("2020-03-08T00:00:00.000Z", 2),
    ]);
    assert_eq!(counts(&answer["a"]), expected);
    assert_eq!(answer["m"]["value"], 5.0);
}

#[test]
fn near_numbers_stand_together() {
    let documents = [10, 20, 30, 40].map(|i| json!({"i": i}));
    let db = store(&json!({"i": {"type": "integer"}}), &documents);
    let found = answer(
        &db,
        &json!({"variable_width_histogram": {"field": "i", "buckets": 2}}),
    );
    let expected = json!({"buckets": [
        {"min": 10.0, "key": 15.0, "max": 20.0, "doc_count": 2},
        {"min": 30.0, "key": 35.0, "max": 40.0, "doc_count": 2},
    ]});
    assert_eq!(found, expected);
}

#[test]
fn words_that_stand_out_below_terms() {
    let documents = [
        ("good", "good"),
        ("good", "good"),
        ("bad", "bad"),
        ("bad", "bad"),
        ("good bad", "good"),
        ("good bad", "bad"),
        ("bad", "bad"),
    ]
    .map(|(text, class)| json!({"text": text, "class": class}));
    let mapping = json!({"text": {"type": "text"}, "class": {"type": "keyword"}});
    let db = store(&mapping, &documents);
    let found = answer(
        &db,
        &json!({"terms": {"field": "class"},
            "aggs": {"words": {"significant_text": {"field": "text"}}}}),
    );
    for (place, word) in ["bad", "good"].iter().enumerate() {
        let words = &found["buckets"][place]["words"];
        assert_eq!(words["bg_count"], 7);
        assert_eq!(words["buckets"][0]["key"], *word, "{found}");
    }
}

#[test]
fn places_by_distance_and_together() {
    let documents = [
        (40.7128, -74.0060),
        (34.0522, -118.2437),
        (41.8781, -87.6298),
    ]
    .map(|(lat, lon)| json!({"at": {"lat": lat, "lon": lon}}));
    let db = store(&json!({"at": {"type": "geo_point"}}), &documents);
    let ranges = json!([{"to": 1_000_000}, {"from": 1_000_000, "to": 5_000_000},
        {"from": 5_000_000}]);
    let found = answer(
        &db,
        &json!({"geo_distance": {"field": "at", "origin": "35.7796, -78.6382", "ranges": ranges}}),
    );
    let expected = pairs(&[
        ("*-1000000.0", 1),
        ("1000000.0-5000000.0", 2),
        ("5000000.0-*", 0),
    ]);
    assert_eq!(counts(&found), expected);
    let near = json!({"size": 0, "query": {"geo_distance":
        {"distance": "900km", "at": [-78.6382, 35.7796]}}});
    assert_eq!(search(&db, &near)["hits"]["total"]["value"], 1);
    let bounds = answer(&db, &json!({"geo_bounds": {"field": "at"}}));
    let corner = |corner: &str, axis: &str| bounds["bounds"][corner][axis].as_f64();
    let is_near = |found: Option<f64>, wanted: f64| {
        assert!(
            found.is_some_and(|found| (found - wanted).abs() < 1e-6),
            "{bounds}"
        );
    };
    is_near(corner("top_left", "lat"), 41.8781);
    is_near(corner("top_left", "lon"), -118.2437);
    is_near(corner("bottom_right", "lat"), 34.0522);
    is_near(corner("bottom_right", "lon"), -74.0060);
    let middle = answer(&db, &json!({"geo_centroid": {"field": "at"}}));
    assert_eq!(middle["count"], 3);
    is_near(middle["location"]["lat"].as_f64(), 38.881_033);
}

#[test]
fn rows_are_in_all_buckets_that_their_ranges_overlap() {
    let spans = [
        ("2016-01-01", "2016-01-02"),
        ("2016-01-02", "2016-01-03"),
        ("2016-02-01", "2016-02-02"),
        ("2016-03-01", "2016-03-02"),
    ];
    let documents = spans.map(|(from, to)| json!({"range": {"gte": from, "lt": to}}));
    let db = store(&json!({"range": {"type": "date_range"}}), &documents);
    let check = |offset: &str, expected: &[(&str, u64)]| {
        let by = json!({"field": "range", "calendar_interval": "month", "offset": offset,
            "format": "yyyy-MM-dd"});
        assert_eq!(
            counts(&answer(&db, &json!({"date_histogram": by}))),
            pairs(expected)
        );
    };
    check(
        "+0d",
        &[("2016-01-01", 2), ("2016-02-01", 1), ("2016-03-01", 1)],
    );
    check(
        "+1d",
        &[("2015-12-02", 1), ("2016-01-02", 2), ("2016-02-02", 1)],
    );
}

#[test]
fn scripts_run_over_rows() {
    let documents = [
        json!({"price": 2.5, "count": 7}),
        json!({"price": 4.0, "count": 3}),
        json!({"price": 1.0}),
    ];
    let mapping = json!({"price": {"type": "double"}, "count": {"type": "long"}});
    let db = store(&mapping, &documents);
    let check = |script: &str, expected: f64| {
        let found = answer(&db, &json!({"sum": {"script": script}}));
        assert_eq!(found["value"], expected, "{script}");
    };
    let guarded = "doc['count'].size() == 0 ? 0 : doc['price'].value * doc['count'].value";
    check(guarded, 29.5);
    // Whole numbers divide without a rest.
    check("doc['count'].empty ? 0 : doc['count'].value / 2", 4.0);
    check("doc['count'].empty ? 0 : doc['count'].value / 2.0", 5.0);
    let local = "def p = doc['price'].value; if (p > 2) { return Math.max(p, 3); } return p;";
    check(local, 8.0);
    let rows = json!({"query": {"script": {"script": {
        "source": "doc['price'].value >= params.least", "params": {"least": 2.5}}}}});
    assert_eq!(search(&db, &rows)["hits"]["total"]["value"], 2);
    let refused = |script: &str, part: &str| {
        let body = json!({"size": 0, "aggs": {"a": {"sum": {"script": script}}}}).to_string();
        let error = db.search("t", &body).expect_err(script).to_string();
        assert!(error.contains(part), "{error}");
    };
    refused("doc['price'].value * doc['count'].value", "runtime error");
    refused(
        "doc['price'].value / (1 / 2) + (1 / (1 / 2))",
        "runtime error",
    );
    refused("doc['price'].value +* 2", "compile error");
    refused("for (int i = 0; i < 9; i++) { }", "compile error");
}
