//! The compatibility page says what the code says.

use std::path::Path;

use super::{aggregation, field_types, filter};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility/elasticsearch.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// Names between backticks in the paragraph that starts with `title`.
fn listed(page: &str, title: &str) -> Vec<String> {
    let paragraph = page
        .split("\n\n")
        .find(|paragraph| paragraph.starts_with(title))
        .unwrap_or_else(|| panic!("a paragraph starts with '{title}'"));
    paragraph
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn check(title: &str, names: &[&str]) {
    assert_eq!(listed(&page(), title), names, "{title}");
}

#[test]
fn the_page_lists_what_works_and_what_does_not() {
    check("Aggregations that work:", aggregation::WORKING_TYPES);
    check(
        "Aggregations that do not work yet:",
        aggregation::KNOWN_TYPES,
    );
    check("Queries that work:", filter::WORKING);
    check("Queries that do not work yet:", filter::UNSUPPORTED);
    check(
        "Field types that do not work yet:",
        field_types::UNSUPPORTED,
    );
}
