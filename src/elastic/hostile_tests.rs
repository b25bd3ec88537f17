//! Whatever bytes come: an answer or an error, never a panic.

use proptest::prelude::*;
use storage::model::{Field, FieldType, Mapping};

use super::*;

fn mapping() -> Mapping {
    let mut mapping = Mapping::default();
    for (path, field_type) in [
        ("ts", FieldType::Date),
        ("tn", FieldType::DateNanos),
        ("k", FieldType::Keyword),
        ("t", FieldType::Text),
        ("n", FieldType::Long),
        ("b", FieldType::Boolean),
        ("ip", FieldType::Ip),
    ] {
        mapping.fields.insert(path.into(), Field::new(field_type));
    }
    mapping
}

fn search(body: &[u8]) {
    let mapping = mapping();
    let targets = [SearchTarget {
        index: "i",
        mapping: &mapping,
        filters: &[],
        facts: IndexFacts::default(),
    }];
    let parsed = parse_search(body, &SearchParams::default(), &targets, 1_700_000_000_000);
    if let Err(error) = parsed {
        assert!(error.status() >= 400);
        assert!(!error.to_bytes().is_empty());
    }
}

/// Words of the query language, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "AND",
        "OR",
        "NOT",
        "&&",
        "||",
        "!",
        "+",
        "-",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "TO",
        "*",
        "?",
        ":",
        "\"",
        "/",
        "\\",
        "~",
        "^",
        "1",
        "n",
        "ts",
        "k",
        "_exists_",
        ">",
        ">=",
        "<",
        " ",
        "now-1d/d",
        "é",
        "ip",
        "10.0.0.0/8",
        "2024",
        "\u{3000}",
        "tn",
        "b",
        "true",
    ]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

/// Texts that mean something as some parameter's value.
const TEXTS: &[&str] = &[
    "ts",
    "k",
    "n",
    "1d",
    "-1h",
    "day",
    "now||/d",
    "2024-01-01||+1M/M",
    "+14:00",
    "Europe/Berlin",
    "*",
    "",
    "_key",
    "a>b.c",
    "epoch_millis",
    "#,##0.0",
    "75%",
    "3<-1 5<50%",
    "yyyy-MM-dd",
    "desc",
];

/// Keys that mean something somewhere in a search.
const KEYS: &[&str] = &[
    "field",
    "fixed_interval",
    "calendar_interval",
    "interval",
    "offset",
    "time_zone",
    "format",
    "missing",
    "extended_bounds",
    "hard_bounds",
    "min",
    "max",
    "order",
    "size",
    "include",
    "exclude",
    "filters",
    "aggs",
    "terms",
    "date_histogram",
    "avg",
    "stats",
    "filter",
    "bool",
    "must",
    "should",
    "minimum_should_match",
    "range",
    "gte",
    "lt",
    "term",
    "match",
    "query",
    "query_string",
    "wildcard",
    "value",
    "sort",
    "_source",
    "fields",
    "ts",
    "k",
    "n",
    "t",
    "ip",
    "a",
    "b",
    "_doc",
    "meta",
    "keyed",
    "from",
    "track_total_hits",
];

/// Values that a parameter may be given.
fn values() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        prop::sample::select(TEXTS).prop_map(Into::into),
    ];
    scalar.prop_recursive(3, 24, 4, |inner| {
        let key = prop::sample::select(KEYS);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((key.prop_map(str::to_owned), inner), 0..4)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        search(&bytes);
        let _ = parse_bulk(&bytes, Some("i"), &SearchParams::default());
        let _ = parse_msearch(&bytes, None);
        let _ = parse_create_index("i", &bytes, &Templates::new());
        for kind in [TemplateKind::Index, TemplateKind::Component, TemplateKind::Legacy] {
            let _ = parse_template(kind, "t", &bytes, &Templates::new());
        }
        let _ = parse_alias_actions(&bytes);
        let _ = parse_put_alias(Some("i"), Some("a"), &bytes);
        let _ = parse_settings_change("i", "u", &bytes);
        let _ = pretty(&bytes);
        if let Some(filter) = FilterPath::parse(&String::from_utf8_lossy(&bytes)) {
            let _ = filter.apply(&bytes);
        }
    }

    #[test]
    fn any_query_string(text in words()) {
        search(serde_json::json!({"query": {"query_string": {"query": text}}}).to_string().as_bytes());
    }

    #[test]
    fn any_search(query in values(), aggregation in values(), rest in values()) {
        let body = serde_json::json!({
            "query": query, "aggs": {"a": aggregation}, "sort": rest.clone(), "_source": rest.clone(),
            "fields": rest,
        });
        search(body.to_string().as_bytes());
    }

    #[test]
    fn any_aggregation(body in values(), order in values()) {
        for name in ["date_histogram", "terms", "filters", "avg"] {
            let mut body = body.clone();
            if let Some(body) = body.as_object_mut() {
                body.insert("field".into(), "ts".into());
                body.insert("order".into(), order.clone());
            }
            search(serde_json::json!({"aggs": {"a": {name: body}}}).to_string().as_bytes());
        }
    }

    #[test]
    fn any_range(bound in values(), format in values()) {
        for field in ["ts", "tn", "k", "n", "b"] {
            let query = serde_json::json!({"range": {field: {"gte": bound, "lt": bound, "format": format}}});
            search(serde_json::json!({"query": query}).to_string().as_bytes());
        }
    }

    #[test]
    fn any_mapping(mapping in values()) {
        let body = serde_json::json!({"mappings": {"properties": mapping}, "settings": mapping});
        let _ = parse_create_index("i", body.to_string().as_bytes(), &Templates::new());
    }
}
