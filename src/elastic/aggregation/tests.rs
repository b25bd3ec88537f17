//! Aggregations in, requests and errors out.

use query::request::{
    Aggregation, BucketBy, CalendarUnit, Interval, MetricKind, MetricValue, Order, OrderBy,
    TermSelection, TermValue,
};
use serde_json::json;
use storage::model::{Decimal, Field, FieldType, Mapping, WHOLE_TEXT_ATTRIBUTE};

use super::*;

fn mapping() -> Mapping {
    let mut mapping = Mapping::default();
    for (path, field_type) in [
        ("ts", FieldType::Date),
        ("host", FieldType::Keyword),
        ("n", FieldType::Long),
        ("x", FieldType::Double),
        ("text", FieldType::Text),
    ] {
        mapping.fields.insert(path.into(), Field::new(field_type));
    }
    let mut whole = Field::new(FieldType::Text);
    let attribute = (WHOLE_TEXT_ATTRIBUTE.into(), true.into());
    whole.attributes.extend([attribute]);
    mapping.fields.insert("whole".into(), whole);
    mapping
}

fn parse(aggregations: &Value) -> Result<ParsedAggregations, ElasticError> {
    let mapping = mapping();
    let context = Context {
        index: "logs",
        mapping: &mapping,
        now_ms: 0,
        facts: crate::elastic::IndexFacts::default(),
    };
    parse_aggregations(&context, aggregations, true)
}

fn one(aggregation: &Value) -> Aggregation {
    let mut parsed = parse(&json!({"a": aggregation})).expect("well formed");
    parsed.requests.remove(0).aggregation
}

fn refused(aggregation: &Value) -> String {
    parse(&json!({"a": aggregation}))
        .expect_err("refused")
        .to_string()
}

/// The whole error.
fn envelope(aggregation: &Value) -> String {
    let error = parse(&json!({"a": aggregation})).expect_err("refused");
    serde_json::to_string(&error).expect("JSON")
}

fn histogram(aggregation: &Value) -> query::request::DateHistogram {
    match one(aggregation) {
        Aggregation::Bucket {
            by: BucketBy::DateHistogram(histogram),
            ..
        } => histogram,
        other => panic!("{other:?} is no histogram"),
    }
}

fn terms(aggregation: &Value) -> query::request::Terms {
    match one(aggregation) {
        Aggregation::Bucket {
            by: BucketBy::Terms(terms),
            ..
        } => terms,
        other => panic!("{other:?} is no terms aggregation"),
    }
}

#[test]
fn a_histogram_as_dashboards_send_it() {
    let histogram = histogram(&json!({"date_histogram": {
        "field": "ts", "fixed_interval": "20000ms", "min_doc_count": "0", "format": "epoch_millis",
        "extended_bounds": {"min": 1_668_422_437_218_i64, "max": " 1668422625668"}, "offset": "-8h",
        "time_zone": "Europe/Berlin",
    }}));
    assert_eq!(histogram.interval, Interval::Fixed(20_000));
    assert_eq!(histogram.doc_count_min, 0);
    assert_eq!(histogram.offset_ms, -28_800_000);
    // Rounded to 20 s and moved by the offset, as all buckets are.
    let bounds = Some((Some(1_668_393_620_000), Some(1_668_393_820_000)));
    assert_eq!(histogram.extended_bounds_ms, bounds);
    assert_eq!(histogram.time_zone.iana_name(), Some("Europe/Berlin"));
}

#[test]
fn bounds_are_dates_in_the_zone() {
    let histogram = histogram(&json!({"date_histogram": {
        "field": "ts", "calendar_interval": "day", "time_zone": "Europe/Berlin",
        "extended_bounds": {"min": "2017-03-18"}, "hard_bounds": {"min": "2017-03-15||/M"},
        "missing": "2017-03-18",
    }}));
    assert_eq!(histogram.interval, Interval::Calendar(CalendarUnit::Day));
    assert_eq!(
        histogram.extended_bounds_ms,
        Some((Some(1_489_791_600_000), None))
    );
    assert_eq!(
        histogram.hard_bounds_ms,
        Some((Some(1_488_322_800_000), None))
    );
    assert_eq!(histogram.missing_ms, Some(1_489_791_600_000));
}

#[test]
fn an_offset_moves_extended_bounds_with_the_buckets() {
    let bounds = |min: i64, max: i64| {
        histogram(&json!({"date_histogram": {
            "field": "ts", "fixed_interval": "1d", "offset": "8h", "extended_bounds": {"min": min, "max": max},
        }}))
        .extended_bounds_ms
    };
    // From midnight and from noon: the day is the same.
    let moved = Some((Some(1_514_793_600_000), Some(1_517_472_000_000)));
    assert_eq!(bounds(1_514_764_800_000, 1_517_443_200_000), moved);
    assert_eq!(bounds(1_514_808_000_000, 1_517_486_400_000), moved);
}

#[test]
fn the_name_of_the_index_is_a_term() {
    let terms = terms(&json!({"terms": {"field": "_index"}}));
    assert_eq!(terms.missing, Some(TermValue::Text(b"logs"[..].into())));
    assert!(terms.field.is_none());
}

#[test]
fn a_histogram_that_makes_no_sense_says_why() {
    let refused = |body: Value| refused(&json!({"date_histogram": body}));
    assert!(refused(json!({"field": "ts"})).contains("Invalid interval specified"));
    assert!(
        refused(json!({"field": "ts", "fixed_interval": "1d", "calendar_interval": "1d"}))
            .ends_with("[date_histogram] failed to parse field [calendar_interval]")
    );
    assert!(
        refused(json!({"field": "ts", "calendar_interval": "2d"}))
            .starts_with("x_content_parse_exception: ")
    );
    assert!(
        refused(json!({"field": "host", "calendar_interval": "1d"})).contains(
            "Field [host] of type [keyword] is not supported for aggregation [date_histogram]"
        )
    );
    assert!(
        refused(json!({"field": "ts", "calendar_interval": "1d", "extended_bounds": {"min": 2, "max": 1}}))
            .contains("cannot be greater than")
    );
    assert!(
        refused(json!({"field": "ts", "calendar_interval": "1d", "format": "bbbbbb"}))
            .contains("Unknown pattern letter")
    );
    assert!(
        refused(json!({"field": "ts", "calendar_interval": "1d", "x": 1}))
            .contains("unknown field [x]")
    );
    assert!(refused(json!({"calendar_interval": "1d"})).contains("Required one of fields"));
}

#[test]
fn errors_name_the_parameter_and_what_led_to_it() {
    let interval = envelope(&json!({"date_histogram": {"field": "ts", "calendar_interval": "2d"}}));
    assert!(interval.contains("The supplied interval [2d] could not be parsed as a calendar"));
    for interval in ["0s", "-1d"] {
        let error =
            envelope(&json!({"date_histogram": {"field": "ts", "fixed_interval": interval}}));
        assert!(
            error.contains("search_phase_execution_exception"),
            "{error}"
        );
        assert!(error.contains("Zero or negative time interval not supported"));
    }
    let order = |order: Value| refused(&json!({"terms": {"field": "host", "order": order}}));
    assert!(order(json!({})).ends_with("[terms] failed to parse field [order]"));
    assert!(order(json!({"_key": "up"})).ends_with("[terms] failed to parse field [order]"));
    assert!(order(json!("x")).ends_with("order doesn't support values of type: VALUE_STRING"));
    assert_eq!(
        refused(&json!({"sum": {}}))
            .split_once(':')
            .map(|(error_type, _)| error_type),
        Some("illegal_argument_exception")
    );
    assert!(
        refused(&json!({"terms": {"field": "host", "format": "0.0"}}))
            .ends_with("Field [host] of type [keyword] does not support custom formats")
    );
    assert!(
        refused(&json!({"terms": {"field": "host", "include": 5}}))
            .ends_with("[terms] include doesn't support values of type: VALUE_NUMBER")
    );
}

#[test]
fn of_several_keys_of_an_order_the_last_is_meant() {
    let terms =
        terms(&json!({"terms": {"field": "host", "order": {"_key": "asc", "_count": "asc"}}}));
    assert_eq!(
        terms.order,
        [Order {
            by: OrderBy::Count,
            descending: false
        }]
    );
}

#[test]
fn an_empty_list_of_numbers_includes_all() {
    assert!(
        terms(&json!({"terms": {"field": "n", "include": []}}))
            .include
            .is_none()
    );
    assert!(
        terms(&json!({"terms": {"field": "host", "include": []}}))
            .include
            .is_some()
    );
}

#[test]
fn a_missing_date_is_read_by_the_format_even_as_a_number() {
    let missing_ms = |missing: Value| {
        histogram(&json!({"date_histogram": {
            "field": "ts", "fixed_interval": "1d", "format": "epoch_second", "missing": missing,
        }}))
        .missing_ms
    };
    assert_eq!(missing_ms(json!(5)), Some(5_000));
    assert_eq!(missing_ms(json!("5")), Some(5_000));
}

#[test]
fn terms_in_every_form() {
    let default = terms(&json!({"terms": {"field": "host"}}));
    assert_eq!((default.size, default.doc_count_min), (10, 1));
    assert_eq!(
        default.order,
        [Order {
            by: OrderBy::Count,
            descending: true
        }]
    );
    let numbers = terms(&json!({"terms": {
        "field": "n", "missing": "-1", "include": [1, "2"], "order": [{"_count": "asc"}, {"_key": "desc"}],
    }}));
    assert_eq!(numbers.missing, Some(TermValue::Integer(-1)));
    let Some(TermSelection::Values(values)) = numbers.include else {
        panic!("values");
    };
    assert_eq!(values, [TermValue::Integer(1), TermValue::Integer(2)]);
    assert_eq!(numbers.order.len(), 2);
    let decimals = terms(&json!({"terms": {"field": "x", "missing": 1.50}}));
    let missing = TermValue::Decimal(Decimal {
        mantissa: 15,
        exponent: -1,
    });
    assert_eq!(decimals.missing, Some(missing));
    assert!(
        terms(&json!({"terms": {"field": "nothing"}}))
            .field
            .is_none()
    );
    let part =
        json!({"terms": {"field": "host", "include": {"partition": 0, "num_partitions": 1}}});
    assert!(terms(&part).include.is_none());
}

#[test]
fn orders_follow_paths_to_metrics() {
    let order = |order: Value| {
        let body = json!({
            "terms": {"field": "host", "order": order},
            "aggs": {
                "s": {"stats": {"field": "n"}},
                "f": {"filter": {"term": {"n": 1}}, "aggs": {"m": {"avg": {"field": "n"}}}},
                "1": {"max": {"field": "n"}},
            },
        });
        parse(&json!({"a": body})).map(|mut parsed| match parsed.requests.remove(0).aggregation {
            Aggregation::Bucket {
                by: BucketBy::Terms(terms),
                ..
            } => terms.order[0].by.clone(),
            other => panic!("{other:?}"),
        })
    };
    let metric = |path: &[usize], value| OrderBy::Metric {
        path: path.into(),
        value,
    };
    assert_eq!(
        order(json!({"1": "desc"})),
        Ok(metric(&[2], MetricValue::Single))
    );
    assert_eq!(
        order(json!({"s.max": "desc"})),
        Ok(metric(&[0], MetricValue::Max))
    );
    assert_eq!(
        order(json!({"s[avg]": "desc"})),
        Ok(metric(&[0], MetricValue::Avg))
    );
    assert_eq!(
        order(json!({"f>m": "asc"})),
        Ok(metric(&[1, 0], MetricValue::Single))
    );
    assert_eq!(order(json!({"_term": "asc"})), Ok(OrderBy::Key));
    for wrong in ["s", "f>x", "nope", "1.max", "s.p50"] {
        order(json!({wrong: "asc"})).expect_err(wrong);
    }
    order(json!({"1": "sideways"})).expect_err("no direction");
}

#[test]
fn definitions_that_make_no_sense_say_why() {
    for (body, reason) in [
        (
            json!({"avg": {"field": "n"}, "sum": {"field": "n"}}),
            "parsing_exception: Found two aggregation type definitions in [a]: [avg] and [sum]",
        ),
        (
            json!({"nonsense": {}}),
            "parsing_exception: Unknown aggregation type [nonsense]",
        ),
        (
            json!({"term": {}}),
            "parsing_exception: Unknown aggregation type [term] did you mean [terms]?",
        ),
        (
            json!({"boxplot": {"field": "n"}}),
            "illegal_argument_exception: aggregation [boxplot] is not supported yet",
        ),
        (
            json!({}),
            "parsing_exception: Missing definition for aggregation [a]",
        ),
        (
            json!({"sum": {"field": "host"}}),
            "illegal_argument_exception: Field [host] of type [keyword] is not supported for aggregation [sum]",
        ),
        (
            json!({"filters": {"filters": {}}}),
            "illegal_argument_exception: [filters] cannot be empty.",
        ),
        (
            json!({"terms": {"field": "host", "size": 0}}),
            "illegal_argument_exception: [size] must be greater than 0. Found [0] in [a]",
        ),
        (
            json!({"terms": {"field": "host", "include": "B.*", "exclude": ["x"]}}),
            "x_content_parse_exception: [terms] failed to parse field [exclude]",
        ),
    ] {
        assert_eq!(refused(&body), reason);
    }
    assert!(
        refused(&json!({"terms": {"field": "text"}})).contains("Text fields are not optimised")
    );
    one(&json!({"terms": {"field": "whole"}}));
    assert!(
        refused(&json!({"max": {"field": "n"}, "aggs": {"b": {"max": {"field": "n"}}}}))
            .contains("cannot accept sub-aggregations")
    );
    parse(&json!({"a>b": {"max": {"field": "n"}}})).expect_err("a name for paths");
}

#[test]
fn keys_carry_their_type_when_asked() {
    let parsed = parse(&json!({
        "t": {"terms": {"field": "host"}}, "l": {"terms": {"field": "n"}}, "u": {"terms": {"field": "nope"}},
        "h": {"date_histogram": {"field": "ts", "interval": "1d"}}, "c": {"value_count": {"field": "host"}},
        "m": {"missing": {"field": "n"}, "meta": {"a": 1}},
    }))
    .expect("well formed");
    let keys: Vec<_> = parsed
        .shapes
        .iter()
        .map(|shape| shape.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "sterms#t",
            "lterms#l",
            "umterms#u",
            "date_histogram#h",
            "value_count#c",
            "missing#m"
        ]
    );
    assert_eq!(parsed.shapes[5].meta, Some(json!({"a": 1})));
}

#[test]
fn metrics_take_a_value_for_rows_without_one() {
    let Aggregation::Metric(metric) = one(&json!({"avg": {"field": "n", "missing": "0"}})) else {
        panic!("a metric");
    };
    assert_eq!(metric.kind, MetricKind::Avg);
    assert_eq!(metric.missing, Some(Decimal::from_i64(0)));
}
