//! Which rows are returned: scores, groups, shares and places, with the answers written down.

use std::collections::BTreeSet;

use storage::model::{Decimal, FieldType, GeoPoint};
use storage::segment::RowSource;

use super::answer;
use super::rows::{Row, TIME_FIELD, Value, active, segment};
use crate::request::{
    Area, Collapse, FieldRef, Filter, HitsRequest, Limits, NamedFilter, RollupUse, Scoring,
    SearchRequest, Slice, SortBy, SortKey, SortMode, TextPredicate, TokenMatch, WordScoring,
};
use crate::response::{SearchResponse, SortValue};
use crate::text::Analyzer;

fn number(value: i64) -> Value {
    Value::Number(Decimal::from_i64(value))
}

fn row(offset: u64, text: &str, numbers: &[i64]) -> Row {
    let values = [
        (TIME_FIELD, vec![number(0)]),
        ("note", vec![Value::Text(text.into())]),
        ("size", numbers.iter().copied().map(number).collect()),
    ];
    Row {
        time_ms: 0,
        partition: 0,
        offset,
        id: None,
        values: values.into_iter().collect(),
    }
}

fn field(path: &str, field_type: FieldType) -> FieldRef {
    FieldRef {
        column: path.into(),
        field_type,
    }
}

fn search(filter: Filter, hits: HitsRequest) -> SearchRequest {
    SearchRequest {
        filter,
        aggregations: Vec::new(),
        hits: HitsRequest { size: 10, ..hits },
        rollup: RollupUse::WhereExact,
        limits: Limits::default(),
    }
}

fn found(request: &SearchRequest, sources: &[RowSource]) -> SearchResponse {
    answer(request, sources).expect("an answer")
}

fn offsets(response: &SearchResponse) -> Vec<u64> {
    response.hits.iter().map(|hit| hit.offset).collect()
}

fn by_number(descending: bool, mode: SortMode) -> SortKey {
    SortKey {
        by: SortBy::Field(Some(field("size", FieldType::Long))),
        descending,
        mode,
        ..SortKey::default()
    }
}

/// In two sources, so that what is counted is counted over both.
fn foxes() -> Vec<RowSource> {
    let rows = [
        row(0, "The quick brown fox jumps", &[1]),
        row(1, "over the lazy dog", &[2]),
        row(2, "quick silver and quick sand", &[1]),
        row(3, "brown bread, brown bear", &[3]),
        row(4, "", &[]),
        row(5, "field:value AND (x OR y) foo-bar", &[2]),
        row(6, "Foxes, FOX'S and fox", &[]),
    ];
    vec![segment(&rows[..3]), active(&rows[3..])]
}

fn words(words: &[&str]) -> (Filter, Scoring) {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let scoring = WordScoring {
        field: field("note", FieldType::Text),
        analyzer: Some(Analyzer::Standard),
        words: words.clone(),
        is_phrase: false,
        boost: 1.0,
    };
    let filter = Filter::Text {
        field: field("note", FieldType::Text),
        predicate: TextPredicate::Tokens {
            tokens: words,
            how: TokenMatch::Any,
        },
    };
    (filter, Scoring::Words(scoring))
}

/// The scores are those that an OpenSearch 3.8 gave for these texts.
#[test]
fn the_rarer_and_the_denser_words_are_the_more_they_score() {
    let (filter, scoring) = words(&["brown"]);
    let hits = HitsRequest {
        score: Some(scoring),
        ..HitsRequest::default()
    };
    let response = found(&search(filter, hits), &foxes());
    assert_eq!(offsets(&response), [3, 0]);
    let scores: Vec<f32> = response.hits.iter().filter_map(|hit| hit.score).collect();
    let expected = [0.676_307_2, 0.461_498_68];
    for (score, expected) in scores.iter().zip(expected) {
        assert!((score - expected).abs() < 1e-6, "{scores:?}");
    }
    assert_eq!(response.score_max, Some(scores[0]));
}

#[test]
fn rows_that_score_too_little_are_no_hits() {
    let (filter, scoring) = words(&["brown"]);
    let hits = HitsRequest {
        score: Some(scoring),
        score_min: Some(0.5),
        ..HitsRequest::default()
    };
    let response = found(&search(filter, hits), &foxes());
    assert_eq!((offsets(&response), response.matched), (vec![3], 1));
}

#[test]
fn only_the_first_row_of_each_value_is_returned() {
    let check = |descending, size, expected: &[u64]| {
        let hits = HitsRequest {
            sort: vec![by_number(descending, SortMode::First)],
            collapse: Some(Collapse {
                field: Some(field("size", FieldType::Long)),
            }),
            ..HitsRequest::default()
        };
        let mut request = search(Filter::All, hits);
        request.hits.size = size;
        let response = found(&request, &foxes());
        assert_eq!(offsets(&response), expected);
        assert_eq!(response.matched, 7);
        let groups: Vec<_> = response.hits.iter().map(|hit| hit.group.clone()).collect();
        let sorts: Vec<_> = response
            .hits
            .iter()
            .map(|hit| hit.sort[0].clone())
            .collect();
        assert_eq!(groups, sorts);
    };
    check(false, 10, &[0, 1, 3, 4]);
    check(true, 10, &[3, 1, 0, 4]);
    check(true, 1, &[3]);
}

#[test]
fn several_values_count_as_one() {
    let rows = [
        row(0, "a", &[1, 9]),
        row(1, "a", &[4, 5, 6]),
        row(2, "a", &[3]),
    ];
    let sources = [segment(&rows)];
    let check = |mode, expected: [i64; 3]| {
        let hits = HitsRequest {
            sort: vec![by_number(false, mode), SortKey::default()],
            ..HitsRequest::default()
        };
        let response = found(&search(Filter::All, hits), &sources);
        let mut values: Vec<_> = response.hits.iter().collect();
        values.sort_by_key(|hit| hit.offset);
        let values: Vec<_> = values.iter().map(|hit| hit.sort[0].clone()).collect();
        assert_eq!(
            values,
            expected.map(|value| Some(SortValue::Integer(value)))
        );
    };
    check(SortMode::Min, [1, 4, 3]);
    check(SortMode::Max, [9, 6, 3]);
    check(SortMode::Sum, [10, 15, 3]);
    check(SortMode::Avg, [5, 5, 3]);
    check(SortMode::Median, [5, 5, 3]);
}

#[test]
fn hits_say_which_named_filters_they_match() {
    let (filter, scoring) = words(&["quick"]);
    let hits = HitsRequest {
        named: vec![NamedFilter {
            name: "quick".into(),
            filter,
            score: scoring,
        }],
        ..HitsRequest::default()
    };
    let response = found(&search(Filter::All, hits), &foxes());
    let named = response.hits.iter().filter(|hit| !hit.named.is_empty());
    let named: Vec<_> = named.map(|hit| (hit.offset, hit.named[0].0)).collect();
    assert_eq!(named, [(0, 0), (2, 0)]);
}

#[test]
fn shares_are_apart_and_together_all() {
    for (count, piles) in [(2, 5), (3, 1), (7, 2), (4, 4)] {
        let mut seen = BTreeSet::new();
        for number in 0..count {
            let slice = Slice {
                number,
                count,
                piles,
            };
            let request = search(Filter::Slice(slice), HitsRequest::default());
            for offset in offsets(&found(&request, &foxes())) {
                assert!(seen.insert(offset), "{offset} is in two shares");
            }
        }
        assert_eq!(seen.len(), 7, "{count} shares of {piles} piles");
    }
}

#[test]
fn places_lie_in_areas_and_so_far_away() {
    let place = |latitude, longitude| GeoPoint::new(latitude, longitude).expect("a place");
    let (berlin, paris, suva) = (
        place(52.52, 13.405),
        place(48.857, 2.352),
        place(-18.1, 178.4),
    );
    let cities = [berlin, paris, suva];
    let rows: Vec<Row> = (0..)
        .zip(cities)
        .map(|(offset, city)| row(offset, "", &[city.code()]))
        .collect();
    let sources = [segment(&rows)];
    let of = field("size", FieldType::Long);
    let check = |area, expected: &[u64]| {
        let filter = Filter::Place {
            field: of.clone(),
            area,
        };
        let response = found(&search(filter, HitsRequest::default()), &sources);
        assert_eq!(offsets(&response), expected);
    };
    let around = |center, radius_m| Area::Circle { center, radius_m };
    check(around(berlin, 900_000.0), &[0, 1]);
    check(around(berlin, 800_000.0), &[0]);
    let between = |north_west, south_east| Area::Box {
        north_west,
        south_east,
    };
    check(between(place(60.0, 0.0), place(40.0, 5.0)), &[1]);
    check(between(place(0.0, 170.0), place(-30.0, -170.0)), &[2]);
    let hits = HitsRequest {
        sort: vec![SortKey {
            by: SortBy::Distance {
                field: of.clone(),
                from: vec![paris],
            },
            descending: true,
            ..SortKey::default()
        }],
        ..HitsRequest::default()
    };
    let response = found(&search(Filter::All, hits), &sources);
    assert_eq!(offsets(&response), [2, 0, 1]);
    let Some(SortValue::Float(distance_m)) = response.hits[1].sort[0] else {
        panic!("a distance");
    };
    assert!((distance_m - 877_500.0).abs() < 2_000.0, "{distance_m}");
}
