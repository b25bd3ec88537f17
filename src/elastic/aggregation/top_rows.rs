//! `top_hits` and `top_metrics`: the first rows of each bucket.

use jiff::tz::TimeZone;
use query::request::{Aggregation, SortBy, SortKey, TopRows};
use serde_json::Map;

use super::metric::check_no_children;
use super::{Definition, Parsed, value_text};
use crate::elastic::context::Context;
use crate::elastic::shape::{
    AggregationKind, MetricColumn, SearchedIndex, SortShape, SourceShape, TopHitsShape,
    TopMetricsShape, ValueText,
};
use crate::elastic::{ElasticError, SearchParams, hits, read};

/// Hits of a bucket unless the request says otherwise.
const HITS_DEFAULT: usize = 3;

/// Most hits that `from` and `size` may reach in a bucket.
const HITS_MAX: usize = 100;

/// Most rows of `top_metrics`.
const METRICS_MAX: usize = 10;

/// `top_hits`: documents.
pub(super) fn parse_hits(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    check_no_children(definition)?;
    let (mut size, mut from) = (HITS_DEFAULT, 0);
    for (key, value) in definition.body {
        match key.as_str() {
            "size" => size = read::count(value, key)?,
            "from" => from = read::count(value, key)?,
            // Read with the hits below.
            "sort"
            | "_source"
            | "fields"
            | "docvalue_fields"
            | "stored_fields"
            | "version"
            | "seq_no_primary_term" => {}
            // Nothing is scored, and hits come without highlights.
            "explain" | "track_scores" | "highlight" => {}
            "script_fields" if value.as_object().is_some_and(Map::is_empty) => {}
            "script_fields" => {
                return Err(ElasticError::unsupported("[script_fields] of [top_hits]"));
            }
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "Unknown key for a {} in [{}]: [{unknown}].",
                    read::token_name(value),
                    definition.name
                ))
                .at_value(unknown));
            }
        }
    }
    let window = from.saturating_add(size);
    if window > HITS_MAX {
        return Err(context.fail(ElasticError::illegal_argument(format!(
            "Top hits result window is too large, the top hits aggregator [{}]'s from + size must \
             be less than or equal to: [{HITS_MAX}] but was [{window}]. This limit can be set by \
             changing the [index.max_inner_result_window] index level setting.",
            definition.name
        ))));
    }
    let (shape, sort) = hits::parse(context, definition.body, &SearchParams::default())?;
    let is_scored = shape.sort.is_empty();
    let documents = shape.source != SourceShape::None || !shape.fields.is_empty();
    Ok(Parsed {
        aggregation: Aggregation::TopRows(TopRows {
            size,
            from,
            sort,
            fields: Vec::new(),
            documents,
        }),
        kind: AggregationKind::TopHits(Box::new(TopHitsShape {
            indices: vec![SearchedIndex::of(context)],
            hits: shape,
            score: is_scored.then_some(1.0),
        })),
        typed: "top_hits",
    })
}

/// `top_metrics`: values of the first rows.
pub(super) fn parse_metrics(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    check_no_children(definition)?;
    let mut size = 1;
    let mut metrics = None;
    for (key, value) in definition.body {
        match key.as_str() {
            "size" => size = read::count(value, key)?,
            "metrics" => metrics = Some(value),
            "sort" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    if !(1..=METRICS_MAX).contains(&size) {
        return Err(context.fail(ElasticError::illegal_argument(format!(
            "[top_metrics.size] must not be more than [{METRICS_MAX}] but was [{size}]. This limit \
             can be set by changing the [index.top_metrics_max_size] index level setting."
        ))));
    }
    let metrics = metrics.ok_or_else(|| ElasticError::illegal_argument("Required [metrics]"))?;
    let mut columns = Vec::new();
    let mut fields = Vec::new();
    for metric in read::one_or_many(metrics) {
        let path = metric.get("field").ok_or_else(|| {
            ElasticError::content("[top_metrics] Required [field]").at_key("metrics")
        })?;
        let path = read::text(path, "field")?;
        let field = context.field(&path);
        let text = match &field {
            Some(field) => value_text(context, field, None, &TimeZone::UTC)?,
            None => None,
        };
        let is_date = matches!(text, Some(ValueText::Date { .. }));
        columns.push(MetricColumn {
            path,
            text: text.filter(|_| is_date),
        });
        fields.push(field.map(|field| field.place));
    }
    let mut body = Map::new();
    if let Some(sort) = definition.body.get("sort") {
        body.insert("sort".into(), sort.clone());
    }
    let (shape, sort) = hits::parse(context, &body, &SearchParams::default())?;
    let mut sort_shapes = shape.sort;
    show_dates(context, &mut sort_shapes, &sort)?;
    Ok(Parsed {
        aggregation: Aggregation::TopRows(TopRows {
            size,
            from: 0,
            sort,
            fields,
            documents: false,
        }),
        kind: AggregationKind::TopMetrics(Box::new(TopMetricsShape {
            sort: sort_shapes,
            columns,
        })),
        typed: "top_metrics",
    })
}

/// Dates that rows are sorted by are shown as their fields show them.
fn show_dates(
    context: &Context<'_>,
    shapes: &mut [SortShape],
    keys: &[SortKey],
) -> Result<(), ElasticError> {
    for (shape, key) in shapes.iter_mut().zip(keys) {
        if let SortBy::Field(Some(place)) = &key.by
            && place.field_type.is_date()
            && shape.text.is_none()
            && let Some(field) = context.field(&place.column)
        {
            shape.text = value_text(context, &field, None, &TimeZone::UTC)?;
        }
    }
    Ok(())
}
