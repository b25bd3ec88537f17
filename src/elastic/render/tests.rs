//! Answers as clients see them, byte for byte.

use std::sync::Arc;

use query::response::{
    AggregationResult, Bucket, BucketKey, BucketsNote, Hit, MetricResult, Profile, SortValue,
};
use storage::model::{Decimal, ExactSum, Field, FieldType, Mapping};

use super::*;
use crate::elastic::{SearchParams, SearchTarget, parse_search};

fn mapping() -> Mapping {
    let mut mapping = Mapping::default();
    let mut logged = Field::new(FieldType::Date);
    logged.format = Some("dd/MMM/yyyy:HH:mm:ss Z".into());
    for (path, field) in [
        ("ts", Field::new(FieldType::Date)),
        ("logged", logged),
        ("host", Field::new(FieldType::Keyword)),
        ("n", Field::new(FieldType::Long)),
        ("x", Field::new(FieldType::Double)),
        ("ok", Field::new(FieldType::Boolean)),
    ] {
        mapping.fields.insert(path.into(), field);
    }
    mapping
}

fn shape(body: &str, url: &[(&str, &str)]) -> ResponseShape {
    let mapping = mapping();
    let params = SearchParams::parse("/logs/_search", url.iter().copied()).expect("known");
    let targets = [SearchTarget {
        index: "logs",
        mapping: &mapping,
        filters: &[],
        facts: crate::elastic::IndexFacts::default(),
    }];
    parse_search(body.as_bytes(), &params, &targets, 0)
        .expect(body)
        .shape
}

fn response() -> SearchResponse {
    SearchResponse {
        matched: 2,
        hits: Vec::new(),
        score_max: None,
        aggregations: Vec::new(),
        profile: Profile::default(),
        failures: Vec::new(),
    }
}

fn hit(source: &str, sort: Vec<Option<SortValue>>) -> Hit {
    Hit {
        part: 0,
        id: "0-7".into(),
        partition: 0,
        offset: 7,
        version: 1,
        routing: None,
        ignored: Vec::new(),
        source: source.into(),
        sort,
        score: None,
        group: None,
        named: Vec::new(),
    }
}

fn check(body: &str, response: &SearchResponse, expected: &str) {
    let text = render_search(&shape(body, &[]), Some(response), 3);
    assert_eq!(String::from_utf8(text).expect("text"), expected);
}

/// The part of an answer under `aggregations`.
fn check_aggregation(body: &str, result: AggregationResult, expected: &str) {
    let response = SearchResponse {
        aggregations: vec![result],
        ..response()
    };
    let body = format!(r#"{{"size":0,"aggs":{{"a":{body}}}}}"#);
    let text = render_search(&shape(&body, &[]), Some(&response), 3);
    let text = String::from_utf8(text).expect("text");
    let (_, aggregations) = text
        .split_once(r#""aggregations":{"a":"#)
        .expect("there are some");
    assert_eq!(aggregations.strip_suffix("}}").expect("closed"), expected);
}

fn bucket(key: BucketKey, count: u64, aggregations: Vec<AggregationResult>) -> Bucket {
    Bucket {
        key,
        count,
        aggregations,
    }
}

fn buckets(buckets: Vec<Bucket>) -> AggregationResult {
    AggregationResult::Buckets {
        buckets,
        other_count: 5,
        term_count: 7,
        note: BucketsNote::None,
    }
}

fn metric(result: MetricResult) -> AggregationResult {
    AggregationResult::Metric(result)
}

fn sum(values: &[f64]) -> ExactSum {
    let mut sum = ExactSum::default();
    for value in values {
        sum.add(Decimal::from_f64(*value).expect("finite"));
    }
    sum
}

#[test]
fn the_envelope() {
    check(
        r#"{"size":0}"#,
        &response(),
        r#"{"took":3,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":{"value":2,"relation":"eq"},"max_score":null,"hits":[]}}"#,
    );
    let text = render_search(&shape("{}", &[]), None, 0);
    assert_eq!(
        String::from_utf8(text).expect("text"),
        r#"{"took":0,"timed_out":false,"_shards":{"total":0,"successful":0,"skipped":0,"failed":0},"hits":{"total":{"value":0,"relation":"eq"},"max_score":0.0,"hits":[]}}"#
    );
}

#[test]
fn totals_are_cut_where_the_request_says() {
    let total = |body: &str, url: &[(&str, &str)]| {
        let many = SearchResponse {
            matched: 146_148,
            ..response()
        };
        let text = render_search(&shape(body, url), Some(&many), 0);
        let value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        value["hits"]
            .get("total")
            .map_or("-".into(), ToString::to_string)
    };
    assert_eq!(total("", &[]), r#"{"value":10000,"relation":"gte"}"#);
    assert_eq!(
        total(r#"{"track_total_hits":true}"#, &[]),
        r#"{"value":146148,"relation":"eq"}"#
    );
    assert_eq!(
        total(r#"{"track_total_hits":500}"#, &[]),
        r#"{"value":500,"relation":"gte"}"#
    );
    assert_eq!(total(r#"{"track_total_hits":false}"#, &[]), "-");
    let url = [
        ("track_total_hits", "true"),
        ("rest_total_hits_as_int", "true"),
    ];
    assert_eq!(total("", &url), "146148");
}

/// The list of hits alone.
fn check_hits(body: &str, hits: Vec<Hit>, expected: &str) {
    let text = render_search(
        &shape(body, &[]),
        Some(&SearchResponse { hits, ..response() }),
        0,
    );
    let text = String::from_utf8(text).expect("text");
    let (_, hits) = text.split_once(r#""hits":["#).expect("there are some");
    assert_eq!(hits.strip_suffix("]}}").expect("closed"), expected);
}

#[test]
fn documents_stay_what_they_were() {
    let source = r#"{"n": 18446744073709551616, "x":1.10,"o":{"a":1,"b":[{"c":1,"d":2}]}}"#;
    check_hits(
        "{}",
        vec![hit(source, vec![])],
        &format!(r#"{{"_index":"logs","_id":"0-7","_score":1.0,"_source":{source}}}"#),
    );
    check_hits(
        r#"{"_source":{"exclude_vectors":false}}"#,
        vec![hit(source, vec![])],
        &format!(r#"{{"_index":"logs","_id":"0-7","_score":1.0,"_source":{source}}}"#),
    );
    check_hits(
        r#"{"_source":{"includes":["x","o.*"],"excludes":["o.b.d"]},"query":{"bool":{"filter":[]}}}"#,
        vec![hit(source, vec![])],
        r#"{"_index":"logs","_id":"0-7","_score":0.0,"_source":{"x":1.10,"o":{"a":1,"b":[{"c":1}]}}}"#,
    );
    check_hits(
        r#"{"_source":["nothing"],"version":true,"seq_no_primary_term":true}"#,
        vec![hit(source, vec![])],
        r#"{"_index":"logs","_id":"0-7","_version":1,"_seq_no":7,"_primary_term":1,"_score":1.0,"_source":{}}"#,
    );
}

#[test]
fn hits_of_a_log_panel() {
    let source = r#"{"logged":"17/May/2015:10:05:03 +0000","host":"a","n":"7"}"#;
    let sort = vec![
        Some(SortValue::Integer(1_431_857_103_000)),
        Some(SortValue::Row),
    ];
    check_hits(
        r#"{"_source":false,"sort":{"logged":{"order":"desc","unmapped_type":"boolean"},"_doc":{"order":"desc"}},
            "docvalue_fields":["logged",{"field":"n","format":"0.0"}],"script_fields":{},
            "fields":[{"field":"logged","format":"strict_date_optional_time_nanos"},"h*"]}"#,
        vec![hit(source, sort)],
        r#"{"_index":"logs","_id":"0-7","_score":null,"fields":{"logged":["2015-05-17T10:05:03.000Z"],"n":["7.0"],"host":["a"]},"sort":[1431857103000,7]}"#,
    );
}

#[test]
fn rows_without_a_sort_value_show_where_they_stand() {
    let absent = vec![None, None, None];
    check_hits(
        r#"{"_source":false,"sort":["n",{"x":{"order":"asc","missing":"_first"}},{"host":"desc"}]}"#,
        vec![hit("{}", absent)],
        r#"{"_index":"logs","_id":"0-7","_score":null,"sort":[9223372036854775807,"-Infinity",null]}"#,
    );
}

#[test]
fn date_histograms() {
    let result = || {
        buckets(vec![bucket(
            BucketKey::Time(1_420_066_800_000),
            2,
            vec![metric(MetricResult::Sum(sum(&[0.1, 0.2])))],
        )])
    };
    let children = r#""aggs":{"s":{"sum":{"field":"x"}}}"#;
    check_aggregation(
        &format!(
            r#"{{"date_histogram":{{"field":"ts","calendar_interval":"day","time_zone":"Europe/Berlin"}},{children}}}"#
        ),
        result(),
        r#"{"buckets":[{"key_as_string":"2015-01-01T00:00:00.000+01:00","key":1420066800000,"doc_count":2,"s":{"value":0.3}}]}"#,
    );
    check_aggregation(
        &format!(
            r#"{{"meta":{{"m":1}},"date_histogram":{{"field":"ts","calendar_interval":"day","keyed":true,"format":"epoch_millis"}},{children}}}"#
        ),
        result(),
        r#"{"meta":{"m":1},"buckets":{"1420066800000":{"key_as_string":"1420066800000","key":1420066800000,"doc_count":2,"s":{"value":0.3}}}}"#,
    );
}

#[test]
fn the_error_of_terms_is_unknown_where_a_shard_would_cut_them() {
    let found = || buckets(vec![bucket(BucketKey::Integer(1), 1, vec![])]);
    let check_error = |order: &str, size: &str, error: i64| {
        check_aggregation(
            &format!(
                r#"{{"terms":{{"field":"n",{size},"order":{order},"show_term_doc_count_error":true}}}}"#
            ),
            found(),
            &format!(
                r#"{{"doc_count_error_upper_bound":{error},"sum_other_doc_count":5,"buckets":[{{"key":1,"doc_count":1,"doc_count_error_upper_bound":{error}}}]}}"#
            ),
        );
    };
    // Seven terms were found.
    check_error(r#"{"_count":"asc"}"#, r#""size":1,"shard_size":7"#, -1);
    check_error(r#"{"_count":"asc"}"#, r#""size":1,"shard_size":8"#, 0);
    check_error(r#"{"_count":"asc"}"#, r#""size":1"#, 0);
    check_error(r#"{"_count":"desc"}"#, r#""size":1,"shard_size":7"#, 0);
    check_error(r#"{"_key":"asc"}"#, r#""size":1,"shard_size":7"#, 0);
}

#[test]
fn terms_of_every_kind() {
    let check_terms = |field: &str, key: BucketKey, expected: &str| {
        check_aggregation(
            &format!(r#"{{"terms":{{"field":"{field}","show_term_doc_count_error":true}}}}"#),
            buckets(vec![bucket(key, 1, vec![])]),
            &format!(
                r#"{{"doc_count_error_upper_bound":0,"sum_other_doc_count":5,"buckets":[{{{expected},"doc_count":1,"doc_count_error_upper_bound":0}}]}}"#
            ),
        );
    };
    check_terms(
        "host",
        BucketKey::Text(Arc::from(&b"a\"b"[..])),
        r#""key":"a\"b""#,
    );
    check_terms(
        "n",
        BucketKey::Integer(9_007_199_254_740_993),
        r#""key":9007199254740993"#,
    );
    check_terms(
        "x",
        BucketKey::Decimal(Decimal::from_i64(10)),
        r#""key":10.0"#,
    );
    check_terms(
        "ok",
        BucketKey::Integer(1),
        r#""key":1,"key_as_string":"true""#,
    );
    check_terms(
        "ts",
        BucketKey::Integer(883_699_200_000),
        r#""key":883699200000,"key_as_string":"1998-01-02T00:00:00.000Z""#,
    );
}

#[test]
fn metrics_with_and_without_values() {
    let check = |body: &str, result: MetricResult, expected: &str| {
        check_aggregation(body, metric(result), expected);
    };
    check(
        r#"{"avg":{"field":"x"}}"#,
        MetricResult::Avg(None),
        r#"{"value":null}"#,
    );
    check(
        r#"{"sum":{"field":"x"}}"#,
        MetricResult::Sum(sum(&[])),
        r#"{"value":0.0}"#,
    );
    check(
        r#"{"value_count":{"field":"host"}}"#,
        MetricResult::ValueCount(3),
        r#"{"value":3}"#,
    );
    check(
        r#"{"max":{"field":"ts"}}"#,
        MetricResult::Max(Some(Decimal::from_i64(883_699_200_000))),
        r#"{"value":883699200000.0,"value_as_string":"1998-01-02T00:00:00.000Z"}"#,
    );
    check(
        r##"{"max":{"field":"n","format":"#,##0"}}"##,
        MetricResult::Max(Some(Decimal::from_i64(4502))),
        r#"{"value":4502.0,"value_as_string":"4,502"}"#,
    );
    check(
        r#"{"avg":{"field":"ok"}}"#,
        MetricResult::Avg(Some(0.5)),
        r#"{"value":0.5,"value_as_string":"true"}"#,
    );
    let nothing = MetricResult::Stats {
        count: 0,
        min: None,
        max: None,
        sum: sum(&[]),
        avg: None,
    };
    check(
        r#"{"stats":{"field":"n"}}"#,
        nothing,
        r#"{"count":0,"min":null,"max":null,"avg":null,"sum":0.0}"#,
    );
}

#[test]
fn filters_by_name_and_in_order() {
    let named = |name: &str, count| bucket(BucketKey::Name(name.into()), count, vec![]);
    check_aggregation(
        r#"{"filters":{"other_bucket":true,"filters":{"get":{"term":{"host":"a"}}}}}"#,
        buckets(vec![named("get", 9_951), named("_other_", 49)]),
        r#"{"buckets":{"get":{"doc_count":9951},"_other_":{"doc_count":49}}}"#,
    );
    check_aggregation(
        r#"{"filters":{"filters":[{"match_all":{}}]}}"#,
        buckets(vec![bucket(BucketKey::None, 2, vec![])]),
        r#"{"buckets":[{"doc_count":2}]}"#,
    );
    check_aggregation(
        r#"{"filter":{"match_all":{}},"aggs":{"m":{"min":{"field":"n"}}}}"#,
        AggregationResult::Single(bucket(
            BucketKey::None,
            2,
            vec![metric(MetricResult::Min(Some(Decimal::from_i64(-5))))],
        )),
        r#"{"doc_count":2,"m":{"value":-5.0}}"#,
    );
}

#[test]
fn a_profile_says_how_the_answer_was_made() {
    let profile = Profile {
        segments: 1,
        cells_used: 4,
        ..Profile::default()
    };
    let text = render_search(
        &shape(r#"{"size":0,"profile":true}"#, &[]),
        Some(&SearchResponse {
            profile,
            ..response()
        }),
        3,
    );
    let value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(
        value["profile"]["siltstone"].to_string(),
        r#"{"exact":true,"rollup_cells":4,"rows_scanned":0,"segments":1,"active_chunks":0,"milliseconds":3,"cells_unused_because":[]}"#
    );
}

#[test]
fn an_unmapped_field_takes_the_format_of_the_index_that_has_it() {
    let (with, without) = (mapping(), Mapping::default());
    let targets = [
        SearchTarget {
            index: "a",
            mapping: &without,
            filters: &[],
            facts: crate::elastic::IndexFacts::default(),
        },
        SearchTarget {
            index: "b",
            mapping: &with,
            filters: &[],
            facts: crate::elastic::IndexFacts::default(),
        },
    ];
    let body = br#"{"size":0,"aggs":{"a":{"max":{"field":"ts"}}}}"#;
    let parsed = parse_search(body, &SearchParams::default(), &targets, 0).expect("both fit");
    assert_eq!(parsed.requests.len(), 2);
    let result = metric(MetricResult::Max(Some(Decimal::from_i64(0))));
    let response = SearchResponse {
        aggregations: vec![result],
        ..response()
    };
    let text = String::from_utf8(render_search(&parsed.shape, Some(&response), 0)).expect("text");
    assert!(
        text.contains(r#""value_as_string":"1970-01-01T00:00:00.000Z""#),
        "{text}"
    );
    assert!(text.contains(r#""total":2"#), "{text}");
}
