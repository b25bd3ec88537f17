//! What Elasticsearch clients send: bodies, query strings, dates.

use jiff::tz::TimeZone;
use serde_json::json;
use siltstone::elastic::{
    FilterPath, IndexFacts, SearchParams, SearchTarget, TemplateKind, Templates,
    parse_alias_actions, parse_bulk, parse_create_index, parse_msearch, parse_put_alias,
    parse_search, parse_settings_change, parse_template, pretty,
};
use storage::model::{DateFormat, Field, FieldType, Mapping};

/// When searches are read.
const NOW_MS: i64 = 1_700_000_000_000;

/// The body of a search, and of a search among many.
pub fn search_body(input: &[u8]) {
    let mut mapping = Mapping::default();
    for (path, field_type) in [
        ("ts", FieldType::Date),
        ("k", FieldType::Keyword),
        ("t", FieldType::Text),
        ("n", FieldType::Double),
        ("ip", FieldType::Ip),
    ] {
        mapping.fields.insert(path.into(), Field::new(field_type));
    }
    let targets = [SearchTarget {
        index: "i",
        mapping: &mapping,
        filters: &[],
        facts: IndexFacts::default(),
    }];
    let _ = parse_search(input, &SearchParams::default(), &targets, NOW_MS);
    let _ = parse_msearch(input, Some("i"));
    let _ = pretty(input);
}

/// The words of a `query_string`.
pub fn query_string(input: &str) {
    search_body(
        json!({"query": {"query_string": {"query": input}}})
            .to_string()
            .as_bytes(),
    );
}

/// The lines of a `_bulk`.
pub fn bulk(input: &[u8]) {
    let _ = parse_bulk(input, None, &SearchParams::default());
    let _ = parse_bulk(input, Some("i"), &SearchParams::default());
}

/// The definition of an index, and of a template.
pub fn index_body(input: &[u8]) {
    let _ = parse_create_index("i", input, &Templates::new());
    for kind in [
        TemplateKind::Index,
        TemplateKind::Component,
        TemplateKind::Legacy,
    ] {
        let _ = parse_template(kind, "t", input, &Templates::new());
    }
    let _ = parse_alias_actions(input);
    let _ = parse_put_alias(Some("i"), Some("a"), input);
    let _ = parse_settings_change("i", "u", input);
    if let Some(filter) = FilterPath::parse(&String::from_utf8_lossy(input)) {
        let _ = filter.apply(input);
    }
}

/// A date's format, a text that may be in it, and an instant printed with it.
pub fn dates(format: &str, text: &str, ms: i64) {
    let Ok(format) = DateFormat::parse(format) else {
        return;
    };
    let zone = TimeZone::get("America/St_Johns").unwrap_or(TimeZone::UTC);
    let _ = format.read(text, &zone);
    let _ = format.read_last(text, &zone);
    let printed = format.print(ms, &zone);
    let _ = format.read(&printed, &zone);
}
