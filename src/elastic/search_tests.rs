//! Searches in, requests and errors out.

use query::request::SortBy;
use storage::model::{Field, FieldType};

use super::*;

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
