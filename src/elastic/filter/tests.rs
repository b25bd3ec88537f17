//! Queries in, filters out, in a short notation.

use std::ops::Bound;

use query::request::{FieldRef, Intervals, Pattern, TextPredicate, TokenMatch, WordMatch};
use serde_json::json;
use storage::model::{Decimal, Field, FieldType, Mapping, WHOLE_TEXT_ATTRIBUTE};

use super::*;

/// 2024-03-31T12:00:00Z
const NOW_MS: i64 = 1_711_886_400_000;

fn mapping() -> Mapping {
    let mut mapping = Mapping::default();
    let mut message = Field::new(FieldType::Text);
    message
        .subfields
        .insert("keyword".into(), Field::new(FieldType::Keyword));
    for (path, field) in [
        ("host", Field::new(FieldType::Keyword)),
        ("message", message),
        ("n", Field::new(FieldType::Long)),
        ("ok", Field::new(FieldType::Boolean)),
        ("ts", Field::new(FieldType::Date)),
        ("tn", Field::new(FieldType::DateNanos)),
        ("ip", Field::new(FieldType::Ip)),
        ("o.a", Field::new(FieldType::Double)),
    ] {
        mapping.fields.insert(path.into(), field);
    }
    mapping
}

fn parse(query: &Value) -> Result<Filter, ElasticError> {
    parse_with(&mapping(), query)
}

fn parse_with(mapping: &Mapping, query: &Value) -> Result<Filter, ElasticError> {
    parse_filter(
        &Context {
            index: "logs",
            mapping,
            now_ms: NOW_MS,
            facts: crate::elastic::IndexFacts::default(),
        },
        query,
    )
}

fn check(query: &Value, expected: &str) {
    let shown = parse(query).map_or_else(|error| error.to_string(), |filter| show(&filter));
    assert_eq!(shown, expected, "{query}");
}

/// A query string without fields or options.
fn check_text(text: &str, expected: &str) {
    check(&json!({"query_string": {"query": text}}), expected);
}

fn show(filter: &Filter) -> String {
    let list = |filters: &[Filter]| filters.iter().map(show).collect::<Vec<_>>().join(" ");
    match filter {
        Filter::All => "all".into(),
        Filter::None => "none".into(),
        Filter::And(filters) => format!("(and {})", list(filters)),
        Filter::AtLeast { count: 1, of } => format!("(or {})", list(of)),
        Filter::AtLeast { count, of } => format!("({count} of {})", list(of)),
        Filter::Not(inner) => format!("!{}", show(inner)),
        Filter::Exists(field) => format!("{}?", name(field)),
        Filter::NumberRange {
            field,
            lower,
            upper,
        } => {
            format!(
                "{}:{}",
                name(field),
                range(lower, upper, |value| number(*value))
            )
        }
        Filter::NumberIn { field, values } => {
            let values: Vec<_> = values.iter().map(|value| number(*value)).collect();
            format!("{}={}", name(field), values.join("|"))
        }
        Filter::Text { field, predicate } => format!("{}{}", name(field), text(predicate)),
        Filter::Distance { metres, .. } => format!("distance {metres:?}"),
        Filter::Script(script) => format!("script of {} fields", script.fields.len()),
        Filter::Place { area, .. } => format!("{area:?}"),
        Filter::Slice(slice) => format!("{slice:?}"),
        Filter::Ids(ids) => format!("id={}", ids.iter().cloned().collect::<Vec<_>>().join("|")),
    }
}

fn name(field: &FieldRef) -> String {
    match field.field_type {
        FieldType::Keyword if &*field.column == "message" => "message.keyword".into(),
        _ => field.column.to_string(),
    }
}

fn number(value: Decimal) -> String {
    value.to_f64().to_string()
}

fn text(predicate: &TextPredicate) -> String {
    let utf8 = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    match predicate {
        TextPredicate::In(texts) => {
            format!("={}", texts.iter().map(utf8).collect::<Vec<_>>().join("|"))
        }
        TextPredicate::Range { lower, upper } => format!(":{}", range(lower, upper, utf8)),
        TextPredicate::Pattern { pattern, tokens } => {
            let on = if *tokens { "words " } else { "" };
            match pattern {
                Pattern::Wildcard(pattern) => format!("~{on}{pattern}"),
                Pattern::Regex(pattern) => format!("~{on}/{pattern}/"),
                Pattern::Near {
                    word, edits_max, ..
                } => format!("~{on}{word}~{edits_max}"),
            }
        }
        TextPredicate::Tokens { tokens, how } => {
            let how = match how {
                TokenMatch::Any => "any".into(),
                TokenMatch::All => "all".into(),
                TokenMatch::Phrase { slop } => format!("phrase{slop}"),
            };
            format!(" {how}({})", tokens.join(" "))
        }
        TextPredicate::Intervals(intervals) => format!(" {}", places(intervals)),
        TextPredicate::Analyzed {
            analyzer,
            predicate,
        } => format!(" {analyzer:?}{}", text(predicate)),
        TextPredicate::Span { span, relation } => {
            format!(" {relation:?}({},{})", span.first, span.last)
        }
        TextPredicate::Address { first, last } => {
            let address = |bits: &u128| core::net::Ipv6Addr::from_bits(*bits).to_canonical();
            format!(":[{},{}]", address(first), address(last))
        }
    }
}

fn places(intervals: &Intervals) -> String {
    let list = |of: &[Intervals]| of.iter().map(places).collect::<Vec<_>>().join(" ");
    match intervals {
        Intervals::Word(WordMatch::Is(word)) => word.clone(),
        Intervals::Word(WordMatch::Fits(pattern)) => format!("{pattern:?}"),
        Intervals::All {
            of,
            order,
            gaps_max,
        } => format!("{order:?}({}; {gaps_max:?})", list(of)),
        Intervals::Any(of) => format!("Any({})", list(of)),
        Intervals::Filtered { of, filter, by } => {
            format!("{} {filter:?} {}", places(of), places(by))
        }
    }
}

#[test]
fn words_that_are_near_or_begin() {
    check(
        &json!({"match": {"message": {"query": "quick brownish", "fuzziness": "AUTO"}}}),
        "(or message~words quick~1 message~words brownish~2)",
    );
    check(
        &json!({"match_bool_prefix": {"message": "quick br"}}),
        "(or message any(quick) message~words br*)",
    );
    check(
        &json!({"match_phrase_prefix": {"message": {"query": "a b c", "slop": 2}}}),
        "message Ordered(a b Wildcard(\"c*\"); Some(2))",
    );
    check(&json!({"fuzzy": {"host": "web"}}), "host~web~1");
    let near = |query: &str, expected: &str| {
        check(&json!({"query_string": {"query": query}}), expected);
    };
    near("host:web~", "host~web~1");
    near("host:server~", "host~server~2");
    near("host:server~1", "host~server~1");
    near("host:server~9", "host~server~2");
    near("host:server~0.9", "host~server~0");
    check(
        &json!({"query_string": {"query": "host:server~", "fuzziness": 1}}),
        "host~server~1",
    );
    check(
        &json!({"multi_match": {"query": "a", "fields": ["message"], "type": "bool_prefix", "slop": 1}}),
        "parsing_exception: [slop] not allowed for type [bool_prefix]",
    );
    check(
        &json!({"fuzzy": {"host": {"value": "web", "fuzziness": 3}}}),
        "illegal_argument_exception: Invalid max edits [3]: it must be 0, 1 or 2",
    );
}

#[test]
fn rules_of_intervals() {
    check(
        &json!({"intervals": {"message": {"all_of": {
            "mode": "ordered",
            "max_gaps": 1,
            "intervals": [
                {"match": {"query": "Cold Outside", "mode": "unordered_no_overlap"}},
                {"any_of": {"intervals": [{"match": {"query": "a"}}]}},
            ],
            "filter": {"not_containing": {"match": {"query": "x"}}},
        }}}}),
        "message Ordered(Apart(cold outside; None) Any(Unordered(a; None)); Some(1)) NotContaining \
         Unordered(x; None)",
    );
    let mut deep = json!({"match": {"query": "x"}});
    for _ in 0..100 {
        deep = json!({"any_of": {"intervals": [deep]}});
    }
    parse(&json!({"intervals": {"message": deep}})).expect_err("too deep");
    parse(&json!({"intervals": {"message": {"nonsense": {}}}})).expect_err("no rule");
}

fn range<T>(lower: &Bound<T>, upper: &Bound<T>, show: impl Fn(&T) -> String) -> String {
    let lower = match lower {
        Bound::Included(value) => format!("[{}", show(value)),
        Bound::Excluded(value) => format!("({}", show(value)),
        Bound::Unbounded => "(".into(),
    };
    let upper = match upper {
        Bound::Included(value) => format!("{}]", show(value)),
        Bound::Excluded(value) => format!("{})", show(value)),
        Bound::Unbounded => ")".into(),
    };
    format!("{lower},{upper}")
}

#[test]
fn boolean_queries() {
    check(&json!({"bool": {}}), "all");
    check(&json!({"bool": {"filter": {"term": {"n": 1}}}}), "n=1");
    check(
        &json!({"bool": {"must": [{"term": {"n": 1}}], "should": [{"term": {"n": 2}}], "must_not": {"term": {"n": "3"}}}}),
        "(and n=1 !n=3)",
    );
    check(
        &json!({"bool": {"should": [{"term": {"n": 1}}, {"term": {"n": 2}}, {"term": {"n": 3}}], "minimum_should_match": "67%"}}),
        "(2 of n=1 n=2 n=3)",
    );
    check(
        &json!({"bool": {"should": [{"term": {"n": 1}}, {"term": {"n": 2}}], "minimum_should_match": -1}}),
        "(or n=1 n=2)",
    );
    // Half of one is none; where nothing else is required, one choice is all the same.
    check(
        &json!({"bool": {"should": [{"term": {"n": 1}}], "minimum_should_match": "50%"}}),
        "n=1",
    );
    check(
        &json!({"bool": {"shall": []}}),
        "x_content_parse_exception: [bool] unknown field [shall]",
    );
    check(
        &json!({"constant_score": {"filter": {"exists": {"field": "o"}}}}),
        "o.a?",
    );
    check(
        &json!({"nonsense": {}}),
        "parsing_exception: unknown query [nonsense]",
    );
    check(
        &json!({"term": {"n": 1}, "terms": {"n": [1]}}),
        "parsing_exception: [term] malformed query, expected [END_OBJECT] but found [FIELD_NAME]",
    );
}

#[test]
fn ranges() {
    check(
        &json!({"range": {"n": {"gt": "1", "lte": 2.5}}}),
        "n:(1,2.5]",
    );
    check(
        &json!({"range": {"n": {"from": 1, "to": 5, "include_lower": true, "include_upper": false}}}),
        "n:[1,5)",
    );
    check(
        &json!({"range": {"ts": {"gte": 1, "lte": "2", "format": "epoch_millis"}}}),
        "ts:[1,2]",
    );
    check(
        &json!({"range": {"ts": {"gte": "2024-03", "lte": "2024-03"}}}),
        "ts:[1709251200000,1709337599999]",
    );
    check(
        &json!({"range": {"ts": {"gt": "2024-03", "lt": "2024-03"}}}),
        "ts:(1709337599999,1709251200000)",
    );
    check(
        &json!({"range": {"ts": {"gte": "2024-03-31", "lt": "now/d", "time_zone": "+01:00"}}}),
        "ts:[1711839600000,1711839600000)",
    );
    check(
        &json!({"range": {"tn": {"lte": "1970-01-01T00:00:00.000001Z"}}}),
        "tn:(,1000]",
    );
    check(
        &json!({"range": {"host": {"gte": "a", "lt": "b"}}}),
        "host:[a,b)",
    );
    check(&json!({"range": {"n": {}}}), "n?");
    check(&json!({"range": {"nothing": {"gte": 1}}}), "none");
    check(
        &json!({"range": {"ts": {"gte": "now-1x"}}}),
        "parse_exception: unit [x] not supported for date math [-1x]",
    );
}

#[test]
fn exact_values() {
    check(&json!({"term": {"host": "a"}}), "host=a");
    check(&json!({"term": {"host.keyword": {"value": "a"}}}), "host=a");
    check(
        &json!({"term": {"message.keyword": "a b"}}),
        "message.keyword=a b",
    );
    check(
        &json!({"term": {"host": {"value": "a.b", "case_insensitive": true}}}),
        r"host~/(?i)a\.b/",
    );
    check(&json!({"term": {"ok": true}}), "ok=1");
    check(&json!({"terms": {"n": [1, "2", 3.0]}}), "n=1|2|3");
    check(&json!({"terms": {"_id": ["x", 1]}}), "id=1|x");
    check(&json!({"term": {"_index": "lo*"}}), "all");
    check(
        &json!({"term": {"ts": "2024"}}),
        "ts:[1704067200000,1704153599999]",
    );
    check(
        &json!({"term": {"ip": "10.1.0.0/16"}}),
        "ip:[10.1.0.0,10.1.255.255]",
    );
    check(&json!({"ids": {"values": ["b", "a"]}}), "id=a|b");
    check(&json!({"exists": {"field": "nothing"}}), "none");
    check(
        &json!({"term": {"n": "abc"}}),
        "query_shard_exception: failed to create query: For input string: \"abc\"",
    );
    check(
        &json!({"terms": {"n": 1}}),
        "parsing_exception: [terms] query requires a list of values",
    );
}

#[test]
fn whole_texts_are_terms_and_words() {
    let mut message = Field::new(FieldType::Text);
    message
        .attributes
        .insert(WHOLE_TEXT_ATTRIBUTE.into(), true.into());
    let mut mapping = Mapping::default();
    mapping.fields.insert("message".into(), message);
    for (query, expected) in [
        (json!({"term": {"message": "A-1"}}), "message.keyword=A-1"),
        (
            json!({"terms": {"message": ["A-1", "b"]}}),
            "message.keyword=A-1|b",
        ),
        (json!({"prefix": {"message": "A-"}}), "message.keyword~A-*"),
        (
            json!({"range": {"message": {"gte": "A"}}}),
            "message.keyword:[A,)",
        ),
        (json!({"match": {"message": "A-1"}}), "message any(a 1)"),
    ] {
        let filter = parse_with(&mapping, &query).expect("well formed");
        assert_eq!(show(&filter), expected, "{query}");
    }
}

#[test]
fn patterns_and_words() {
    check(&json!({"prefix": {"host": "a*"}}), r"host~a\**");
    check(
        &json!({"wildcard": {"host": {"value": "a?b*"}}}),
        "host~a?b*",
    );
    check(&json!({"wildcard": {"message": "a*"}}), "message~words a*");
    check(
        &json!({"regexp": {"host": "[A-C].{3,5}"}}),
        "host~/(?s)[A-C].{3,5}/",
    );
    check(
        &json!({"match": {"message": "Quick fox"}}),
        "message any(quick fox)",
    );
    check(
        &json!({"match": {"message": {"query": "Quick fox", "operator": "and"}}}),
        "message all(quick fox)",
    );
    check(&json!({"match": {"host": "Quick fox"}}), "host=Quick fox");
    check(
        &json!({"match_phrase": {"message": {"query": "a b", "slop": 2}}}),
        "message phrase2(a b)",
    );
    check(
        &json!({"multi_match": {"query": "x", "fields": ["host", "message^2"]}}),
        "(or host=x message any(x))",
    );
    check(
        &json!({"prefix": {"n": "1"}}),
        "query_shard_exception: Can only use prefix queries on keyword, text and wildcard fields - not on [n] which is of type [long]",
    );
}

#[test]
fn query_strings() {
    check_text("*", "all");
    check_text("*:*", "all");
    check_text("", "none");
    check_text("  ", "none");
    check_text("host:a", "host=a");
    check_text("host: a", "host=a");
    check_text("host:*", "host?");
    check_text("_exists_:host", "host?");
    check_text("NOT _exists_:host", "!host?");
    check_text(r#"host:"a b" AND n:1"#, "(and host=a b n=1)");
    check_text("host:a OR host:b AND n:1", "(and host=b n=1)");
    check_text("host:a host:b", "(or host=a host=b)");
    check_text("host:a && !n:1", "(and host=a !n=1)");
    check_text("+host:a -n:1", "(and host=a !n=1)");
    check_text("!host:a", "!host=a");
    check_text(r#"-host:"a" AND -n:1"#, "(and !host=a !n=1)");
    check_text("host:(a OR b)", "(or host=a host=b)");
    check_text("host:(a AND NOT b)", "(and host=a !host=b)");
    check_text("(host:a OR host:b) AND n:1", "(and (or host=a host=b) n=1)");
    check_text("n:[1 TO 5}", "n:[1,5)");
    check_text("n:{* TO 5]", "n:(,5]");
    check_text("n:>=10", "n:[10,)");
    check_text("n:(>=10 AND <20)", "(and n:[10,) n:(,20))");
    check_text("n:>10 AND n:<20", "(and n:(10,) n:(,20))");
    check_text("ts:[2024-01-01 TO now]", "ts:[1704067200000,1711886400000]");
    check_text("host:web*", "host~web*");
    check_text(r"host:web\ 01", "host=web 01");
    check_text(r#"host:a\:b\/c\ \"d\""#, r#"host=a:b/c "d""#);
    check_text("host:/a.b/", "host~/(?s)a.b/");
    check_text("message:foo-bar", "message any(foo bar)");
    check_text(r#"message:"windows nt"~2"#, "message phrase2(windows nt)");
    check_text("n:abc", "none");
    check_text("nofield:5", "none");
    check_text(r"ho\*:a", "host=a");
    check_text("host:a^2.5", "host=a");
    check_text(
        "host:a AND (",
        "query_shard_exception: Failed to parse query [host:a AND (]",
    );
    check_text(
        "host:\"a",
        "query_shard_exception: Failed to parse query [host:\"a]",
    );
    check_text("AND", "query_shard_exception: Failed to parse query [AND]");
    check_text(
        "host:",
        "query_shard_exception: Failed to parse query [host:]",
    );
    check_text(
        "n:[1 TO",
        "query_shard_exception: Failed to parse query [n:[1 TO]",
    );
}

#[test]
fn words_without_a_field_are_looked_for_everywhere() {
    check_text(
        "7",
        "(or host=7 message any(7) message.keyword=7 n=7 o.a=7 tn:[7000000,7999999] ts:[7,7])",
    );
    check_text(
        "\"a b\"",
        "(or host=a b message phrase0(a b) message.keyword=a b)",
    );
    check(
        &json!({"query_string": {"query": "a b", "default_field": "message", "default_operator": "AND"}}),
        "(and message all(a) message all(b))",
    );
}

#[test]
fn hostile_query_strings_end() {
    for text in [
        "(".repeat(100_000),
        "\\".into(),
        "a ".repeat(10_000),
        "[[[[".into(),
        "é:\"ü".into(),
    ] {
        let query = json!({"query_string": {"query": text}});
        parse(&query).expect_err("refused");
    }
}
