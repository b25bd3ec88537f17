//! Searches in, requests and errors out.

use query::request::SortBy;
use storage::model::{Field, FieldType};

use super::*;
use crate::elastic::scoring;

fn mapping() -> Mapping {
    let mut mapping = Mapping::default();
    mapping
        .fields
        .insert("n".into(), Field::new(FieldType::Long));
    mapping
        .fields
        .insert("text".into(), Field::new(FieldType::Text));
    mapping
}

fn parse(body: &str, url: &[(&str, &str)]) -> Result<ParsedSearch, ElasticError> {
    let params = SearchParams::parse("/logs/_search", url.iter().copied())?;
    let mapping = mapping();
    parse_search(
        body.as_bytes(),
        &params,
        &[SearchTarget {
            index: "logs",
            mapping: &mapping,
            filters: &[],
            facts: IndexFacts::default(),
        }],
        0,
    )
}

fn refused(body: &str) -> ElasticError {
    parse(body, &[]).expect_err(body)
}

#[test]
fn an_empty_body_asks_for_everything() {
    let parsed = parse("", &[]).expect("fine");
    assert_eq!(
        (parsed.requests[0].hits.size, parsed.requests[0].hits.from),
        (10, 0)
    );
    assert!(matches!(parsed.requests[0].filter, Filter::All));
}

#[test]
fn the_url_wins() {
    let url = [
        ("size", "2"),
        ("sort", "n:desc,_doc"),
        ("rollup", "false"),
        ("q", "n:1"),
    ];
    let parsed = parse(r#"{"size":5,"from":1,"sort":["text"]}"#, &url).expect("fine");
    let request = &parsed.requests[0];
    assert_eq!((request.hits.size, request.hits.from), (2, 1));
    assert_eq!(request.rollup, RollupUse::Never);
    assert!(matches!(request.filter, Filter::NumberIn { .. }));
    assert!(matches!(request.hits.sort[0].by, SortBy::Field(Some(_))));
    assert!(request.hits.sort[0].descending);
    assert!(matches!(request.hits.sort[1].by, SortBy::Row));
    parse("", &[("nonsense", "1")]).expect_err("unknown");
    parse("", &[("typed_keys", "perhaps")]).expect_err("no flag");
}

#[test]
fn errors_have_the_types_that_clients_know() {
    for (body, status, error_type) in [
        (r#"{"nonsense":1}"#, 400, "parsing_exception"),
        (
            r#"{"size": 0, "query": {"#,
            400,
            "unexpected_end_of_input_exception",
        ),
        (r#"{"size": 0} xx"#, 400, "json_parse_exception"),
        ("[]", 400, "parsing_exception"),
        (r#"{"from":-1}"#, 400, "illegal_argument_exception"),
        (r#"{"size":10001}"#, 400, "illegal_argument_exception"),
        (r#"{"sort":["nothing"]}"#, 400, "query_shard_exception"),
        (r#"{"sort":["text"]}"#, 400, "illegal_argument_exception"),
        (
            r#"{"from":5,"sort":["n"],"search_after":[1]}"#,
            500,
            "search_exception",
        ),
    ] {
        let error = refused(body);
        assert_eq!(
            (error.status(), error.error_type()),
            (status, error_type),
            "{body}"
        );
    }
}

#[test]
fn an_unknown_key_is_found_in_the_body() {
    let error = refused(r#"{"nonsense": 1}"#).to_value();
    assert_eq!((&error["line"], &error["col"]), (&1.into(), &14.into()));
    let error = refused("{\n \"query\": {\"bool\": {\"shall\": []}}}");
    assert_eq!(error.reason(), "[2:21] [bool] unknown field [shall]");
}

#[test]
fn a_count_takes_a_query_alone() {
    let mapping = mapping();
    let targets = [SearchTarget {
        index: "logs",
        mapping: &mapping,
        filters: &[],
        facts: IndexFacts::default(),
    }];
    let parse = |body: &str| parse_count(body.as_bytes(), &SearchParams::default(), &targets, 0);
    assert_eq!(
        parse(r#"{"query":{"term":{"n":1}}}"#)
            .expect("fine")
            .requests[0]
            .hits
            .size,
        0
    );
    let error = parse(r#"{"size":1}"#).expect_err("more than a query");
    assert_eq!(error.reason(), "request does not support [size]");
}

#[test]
fn deep_bodies_are_refused() {
    let body = format!("{}{}", r#"{"query":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(refused(&body).status(), 400);
}

#[test]
fn only_words_of_full_texts_are_weighed() {
    let check = |query: &str, expected: Option<f64>| {
        let query: Value = serde_json::from_str(query).expect("JSON");
        let mapping = mapping();
        let context = Context {
            index: "logs",
            mapping: &mapping,
            now_ms: 0,
            facts: IndexFacts::default(),
        };
        let scored = scoring::parse(&context, &query).expect("it is read");
        assert_eq!(scoring::same_for_all(&scored.scoring), expected, "{query}");
    };
    check(r#"{"match_all":{}}"#, Some(1.0));
    check(r#"{"match_all":{"boost":2.5}}"#, Some(2.5));
    check(r#"{"term":{"n":{"value":1,"boost":3}}}"#, Some(3.0));
    check(r#"{"bool":{"filter":[{"term":{"n":1}}]}}"#, Some(0.0));
    check(
        r#"{"bool":{"must":[{"term":{"n":1}},{"range":{"n":{"gte":1}}}]}}"#,
        Some(2.0),
    );
    check(
        r#"{"constant_score":{"filter":{"match":{"text":"a"}},"boost":4}}"#,
        Some(4.0),
    );
    check(
        r#"{"bool":{"should":[{"term":{"n":1}},{"term":{"n":2}}]}}"#,
        None,
    );
    check(r#"{"match":{"text":"fox"}}"#, None);
    check(
        r#"{"dis_max":{"queries":[{"match_all":{}},{"term":{"n":1}}]}}"#,
        None,
    );
}

#[test]
fn what_collapse_does_not_go_with() {
    let check = |body: &str, reason: &str| {
        let error = refused(body);
        assert!(
            error.reason().contains(reason),
            "{body}: {}",
            error.reason()
        );
    };
    check(
        r#"{"collapse":{"field":"x"}}"#,
        "no mapping found for `x` in order to collapse on",
    );
    check(
        r#"{"collapse":{"field":"text"}}"#,
        "only keywords and numbers",
    );
    check(
        r#"{"collapse":{"field":"n"},"sort":["n","_doc"],"search_after":[1,2]}"#,
        "must be the same",
    );
    check(
        r#"{"collapse":{"field":"n","inner_hits":{"collapse":{"field":"n","inner_hits":{}}}}}"#,
        "unknown field [inner_hits]",
    );
    check(
        r#"{"slice":{"id":3,"max":2}}"#,
        "max must be greater than id",
    );
    check(
        r#"{"slice":{"id":0,"max":1}}"#,
        "max must be greater than 1",
    );
    check(
        r#"{"slice":{"id":0,"max":2}}"#,
        "[scroll] or [point-in-time]",
    );
    check(r#"{"sort":[{"text":"asc"}]}"#, "text");
    check(
        r#"{"sort":[{"n":{"mode":"mean"}}]}"#,
        "Unknown SortMode [mean]",
    );
    check(
        r#"{"query":{"match":{"n":{"query":1,"boost":-1}}}}"#,
        "negative [boost]",
    );
}
