//! Aggregations: JSON to what is computed and how it is printed.

mod adaptive;
mod date_histogram;
mod distribution;
mod filters;
mod geo_grid;
mod histogram;
mod interval;
mod metric;
mod order;
mod paths;
mod pipeline;
mod places;
mod ranges;
mod rate;
mod script;
mod terms;
mod top_rows;
mod tuples;
mod weighted;

use query::pipeline::{BucketPath, GapPolicy, PathValue, Pipeline, PipelineKind};
use query::request::{Aggregation, Interval, NamedAggregation};
use serde_json::{Map, Value};

use super::ElasticError;
use super::context::{Context, NamedField};
use super::date_math::parse_format;
use super::read::{self, token_name};
use super::render::DecimalPattern;
use super::shape::{AggregationKind, AggregationShape, PipelineForm, PipelineShape, ValueText};

use jiff::tz::TimeZone;
use storage::model::FieldType;

/// Aggregations side by side: what is computed and how it is printed, in the same order.
#[derive(Debug, Clone, Default)]
pub(super) struct ParsedAggregations {
    pub(super) requests: Vec<NamedAggregation>,
    pub(super) shapes: Vec<AggregationShape>,
}

/// What one aggregation computes, its kind of printing and the type in its typed key.
struct Parsed {
    aggregation: Aggregation,
    kind: AggregationKind,
    typed: &'static str,
}

/// An aggregation's definition, before its type is looked at.
struct Definition<'v> {
    name: &'v str,
    type_name: &'v str,
    body: &'v Map<String, Value>,
    children: ParsedAggregations,
    /// What stands beside a pipeline.
    siblings: Option<&'v ParsedAggregations>,
    /// The width of the time buckets that it stands in.
    interval: Option<Interval>,
}

/// Reads the object under `aggs`. With `typed_keys` names carry their type.
///
/// # Errors
/// On an unknown type or parameter, and on a field that cannot serve.
pub(super) fn parse_aggregations(
    context: &Context<'_>,
    value: &Value,
    typed_keys: bool,
) -> Result<ParsedAggregations, ElasticError> {
    let top = Level {
        typed_keys,
        is_top: true,
        interval: None,
        many_above: None,
    };
    parse_level(context, value, top)
}

/// Something that must not stand below others.
fn check_parent(
    context: &Context<'_>,
    type_name: &str,
    level: Level<'_>,
) -> Result<(), ElasticError> {
    match (level.many_above, type_name) {
        (Some(parent), "composite") => Err(context.fail(ElasticError::illegal_argument(format!(
            "[composite] aggregation cannot be used with a parent aggregation of type: [{}]",
            factory_name(parent)
        )))),
        (Some(_) | None, _) => Ok(()),
    }
}

/// What Elasticsearch calls the factory of an aggregation in errors.
fn factory_name(type_name: &str) -> String {
    let words = type_name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    words.collect::<String>() + "AggregatorFactory"
}

fn parse_level(
    context: &Context<'_>,
    value: &Value,
    level: Level<'_>,
) -> Result<ParsedAggregations, ElasticError> {
    let entries = value.as_object().ok_or_else(|| {
        ElasticError::parsing("Expected [START_OBJECT] under [aggs]").at_value("aggs")
    })?;
    let mut parsed = ParsedAggregations::default();
    for (name, definition) in entries {
        let (request, shape) = if pipeline::is_pipeline(definition) {
            // Read when all that it may name are known.
            placeholder(name)
        } else {
            parse_one(context, name, definition, level, None)?
        };
        parsed.requests.push(request);
        parsed.shapes.push(shape);
    }
    for (index, (name, definition)) in entries.iter().enumerate() {
        if pipeline::is_pipeline(definition) {
            let siblings = Some(&parsed);
            let (request, shape) = parse_one(context, name, definition, level, siblings)?;
            parsed.requests[index] = request;
            parsed.shapes[index] = shape;
        }
    }
    Ok(parsed)
}

/// Where an aggregation stands.
#[derive(Debug, Clone, Copy)]
struct Level<'v> {
    typed_keys: bool,
    /// The nearest aggregation above, filters aside.
    many_above: Option<&'v str>,
    is_top: bool,
    /// The width of the time buckets that it stands in.
    interval: Option<Interval>,
}

/// Stands for a pipeline until it is read.
fn placeholder(name: &str) -> (NamedAggregation, AggregationShape) {
    let path = BucketPath {
        through: Vec::new(),
        keys: Vec::new(),
        value: PathValue::Count,
    };
    let pipeline = Pipeline {
        kind: PipelineKind::CumulativeSum { path },
        gaps: GapPolicy::Skip,
    };
    let request = NamedAggregation {
        name: name.into(),
        aggregation: Aggregation::Pipeline(pipeline),
    };
    let shape = AggregationShape {
        key: name.into(),
        meta: None,
        kind: AggregationKind::Pipeline(Box::new(PipelineShape {
            text: None,
            form: PipelineForm::Plain,
        })),
        children: Vec::new(),
    };
    (request, shape)
}

fn parse_one(
    context: &Context<'_>,
    name: &str,
    value: &Value,
    level: Level<'_>,
    siblings: Option<&ParsedAggregations>,
) -> Result<(NamedAggregation, AggregationShape), ElasticError> {
    if name.is_empty() || name.contains(['[', ']', '>']) {
        return Err(ElasticError::parsing(format!(
            "Invalid aggregation name [{name}]. Aggregation names can contain any character except \
             '[', ']', and '>'"
        ))
        .at_key(name));
    }
    let parts = Parts::read(name, value)?;
    check_type(parts.type_name)?;
    let body = parts.body.as_object().ok_or_else(|| {
        ElasticError::parsing(format!(
            "Expected [START_OBJECT] under [{}], but got a [{}] in [{name}]",
            parts.type_name,
            token_name(parts.body)
        ))
        .at_value(parts.type_name)
    })?;
    pipeline::check_level(name, parts.type_name, level.is_top, body)?;
    check_parent(context, parts.type_name, level)?;
    let children = match parts.children {
        Some(value) => {
            let below = Level {
                is_top: false,
                interval: rate::interval_of(parts.type_name, body).or(level.interval),
                many_above: match parts.type_name {
                    "filter" | "nested" | "reverse_nested" => level.many_above,
                    other => Some(other),
                },
                ..level
            };
            parse_level(context, value, below)?
        }
        None => ParsedAggregations::default(),
    };
    let child_shapes = children.shapes.clone();
    let type_name = parts.type_name;
    let definition = Definition {
        name,
        type_name,
        body,
        children,
        siblings,
        interval: level.interval,
    };
    let parsed = parse_typed(context, definition)?;
    let key = if level.typed_keys {
        format!("{}#{name}", parsed.typed)
    } else {
        name.into()
    };
    let shape = AggregationShape {
        key,
        meta: parts.meta.cloned(),
        kind: parsed.kind,
        children: child_shapes,
    };
    let request = NamedAggregation {
        name: name.into(),
        aggregation: parsed.aggregation,
    };
    Ok((request, shape))
}

/// The entries of one aggregation: its only type and what stands beside it.
struct Parts<'v> {
    type_name: &'v str,
    body: &'v Value,
    children: Option<&'v Value>,
    meta: Option<&'v Value>,
}

impl<'v> Parts<'v> {
    fn read(name: &str, value: &'v Value) -> Result<Self, ElasticError> {
        let entries = value.as_object().ok_or_else(|| {
            ElasticError::parsing(format!(
                "Aggregation definition for [{name} starts with a [{}], expected a [START_OBJECT].",
                token_name(value)
            ))
            .at_value(name)
        })?;
        let (mut meta, mut children) = (None, None);
        let mut typed: Option<(&str, &Value)> = None;
        for (key, value) in entries {
            match key.as_str() {
                "meta" => meta = Some(value),
                "aggs" | "aggregations" => children = Some(value),
                key => {
                    if let Some((first, _)) = typed.replace((key, value)) {
                        return Err(ElasticError::parsing(format!(
                            "Found two aggregation type definitions in [{name}]: [{first}] and \
                             [{key}]"
                        ))
                        .at_value(key));
                    }
                }
            }
        }
        let (type_name, body) = typed.ok_or_else(|| {
            ElasticError::parsing(format!("Missing definition for aggregation [{name}]"))
                .at_value(name)
        })?;
        Ok(Self {
            type_name,
            body,
            children,
            meta,
        })
    }
}

/// Types that Elasticsearch has and this server does not have yet.
pub(super) const KNOWN_TYPES: &[&str] = &[
    "boxplot",
    "children",
    "cumulative_cardinality",
    "diversified_sampler",
    "moving_percentiles",
    "nested",
    "parent",
    "reverse_nested",
    "scripted_metric",
    "string_stats",
    "t_test",
    "time_series",
];

/// Types that work.
pub(super) const WORKING_TYPES: &[&str] = &[
    "adjacency_matrix",
    "auto_date_histogram",
    "avg",
    "avg_bucket",
    "bucket_script",
    "bucket_selector",
    "bucket_sort",
    "cardinality",
    "composite",
    "cumulative_sum",
    "date_histogram",
    "date_range",
    "derivative",
    "extended_stats",
    "extended_stats_bucket",
    "filter",
    "filters",
    "geo_bounds",
    "geo_centroid",
    "geo_distance",
    "geohash_grid",
    "geotile_grid",
    "global",
    "histogram",
    "ip_range",
    "matrix_stats",
    "max",
    "max_bucket",
    "median_absolute_deviation",
    "min",
    "min_bucket",
    "missing",
    "moving_avg",
    "moving_fn",
    "multi_terms",
    "normalize",
    "percentile_ranks",
    "percentiles",
    "percentiles_bucket",
    "range",
    "rare_terms",
    "rate",
    "sampler",
    "serial_diff",
    "significant_terms",
    "significant_text",
    "stats",
    "stats_bucket",
    "sum",
    "sum_bucket",
    "terms",
    "top_hits",
    "top_metrics",
    "value_count",
    "variable_width_histogram",
    "weighted_avg",
];

fn check_type(type_name: &str) -> Result<(), ElasticError> {
    if WORKING_TYPES.contains(&type_name) {
        return Ok(());
    }
    if KNOWN_TYPES.contains(&type_name) {
        return Err(ElasticError::unsupported(format!(
            "aggregation [{type_name}]"
        )));
    }
    let known: Vec<&str> = WORKING_TYPES.iter().chain(KNOWN_TYPES).copied().collect();
    let hint = read::alike(type_name, &known);
    let cause = ElasticError::new(
        400,
        "named_object_not_found_exception",
        format!("unknown field [{type_name}]"),
    );
    Err(
        ElasticError::parsing(format!("Unknown aggregation type [{type_name}]{hint}"))
            .at_value(type_name)
            .caused_by(cause),
    )
}

fn parse_typed(context: &Context<'_>, definition: Definition<'_>) -> Result<Parsed, ElasticError> {
    if let Some(siblings) = definition.siblings {
        return pipeline::parse(&definition, siblings);
    }
    match definition.type_name {
        "auto_date_histogram" => adaptive::parse_dates(context, definition),
        "date_histogram" => date_histogram::parse(context, definition),
        "significant_terms" | "significant_text" => {
            adaptive::parse_significant(context, definition)
        }
        "variable_width_histogram" => adaptive::parse_clusters(context, definition),
        "terms" | "rare_terms" => terms::parse(context, definition),
        "geohash_grid" | "geotile_grid" => geo_grid::parse(context, definition),
        "top_hits" => top_rows::parse_hits(context, &definition),
        "top_metrics" => top_rows::parse_metrics(context, &definition),
        "weighted_avg" => weighted::parse(context, &definition),
        "composite" => tuples::parse_composite(context, definition),
        "multi_terms" => tuples::parse_multi_terms(context, definition),
        "histogram" => histogram::parse(context, definition),
        "geo_bounds" | "geo_centroid" => places::parse(context, &definition),
        "matrix_stats" => places::parse_moments(context, &definition),
        "range" | "date_range" | "ip_range" | "geo_distance" => ranges::parse(context, definition),
        "global" => filters::parse_global(&definition),
        "sampler" => filters::parse_sampler(definition),
        "adjacency_matrix" => filters::parse_matrix(context, definition),
        "filter" => filters::parse_filter_aggregation(context, definition),
        "filters" => filters::parse(context, definition),
        "missing" => filters::parse_missing(context, definition),
        "rate" => rate::parse(context, &definition),
        "cardinality" => metric::parse_cardinality(context, &definition),
        _metric => metric::parse(context, &definition),
    }
}

impl Definition<'_> {
    /// A parameter that this type does not have.
    fn unknown(&self, key: &str) -> ElasticError {
        ElasticError::content(format!("[{}] unknown field [{key}]", self.type_name)).at_key(key)
    }

    /// A parameter whose value is of the wrong kind.
    fn wrong_kind(&self, key: &str, value: &Value) -> ElasticError {
        ElasticError::content(format!(
            "[{}] {key} doesn't support values of type: {}",
            self.type_name,
            token_name(value)
        ))
        .at_value(key)
    }

    /// A parameter whose value does not fit.
    fn wrong(&self, key: &str, cause: ElasticError) -> ElasticError {
        ElasticError::content(format!(
            "[{}] failed to parse field [{key}]",
            self.type_name
        ))
        .at_value(key)
        .caused_by(cause)
    }

    /// A parameter whose value cannot be read at all: its own error is the root.
    fn misread(&self, key: &str, cause: ElasticError) -> ElasticError {
        ElasticError::content(format!(
            "[{}] failed to parse field [{key}]",
            self.type_name
        ))
        .at_value(key)
        .rooted_in(cause)
    }

    /// The field named by the definition. The outer `None` is no name at all.
    fn field<'a>(&self, context: &Context<'a>) -> Result<Option<NamedField<'a>>, ElasticError> {
        match self.body.get("field") {
            Some(path) => {
                let field = context.whole_field(&read::text(path, "field")?);
                match field {
                    Some(field) if !is_readable(&field, self.type_name) => {
                        Err(unsupported_field(context, &field, self.type_name))
                    }
                    field => Ok(field),
                }
            }
            None if self.body.contains_key("script") => Err(ElasticError::unsupported(format!(
                "[script] of [{}]",
                self.type_name
            ))),
            None => Err(ElasticError::illegal_argument(format!(
                "Required one of fields [field, script], but none were specified for [{}]",
                self.name
            ))),
        }
    }
}

/// Whether an aggregation of this type makes sense of the field's values: not of places, ranges
/// and others that are kept in a form of their own, except to count them.
fn is_readable(field: &NamedField<'_>, type_name: &str) -> bool {
    let is_grid = matches!(
        type_name,
        "geohash_grid" | "geotile_grid" | "geo_bounds" | "geo_centroid" | "geo_distance"
    );
    if is_grid {
        return field.type_name() == "geo_point";
    }
    if matches!(type_name, "value_count" | "missing") {
        return true;
    }
    // Words of full texts are found in the texts.
    if type_name == "significant_text" && field.field_type() == FieldType::Text {
        return true;
    }
    let overlaps = match type_name {
        "date_histogram" => field.type_name() == "date_range",
        "histogram" => histogram::span_numbers(field.type_name()).is_some(),
        _other => false,
    };
    if overlaps {
        return true;
    }
    let is_own = matches!(
        field.type_name(),
        "geo_point" | "nested" | "completion" | "binary"
    );
    !is_own && !field.ignores_case() && !field.type_name().ends_with("_range")
}

/// A field that an aggregation of this type cannot use.
fn unsupported_field(
    context: &Context<'_>,
    field: &NamedField<'_>,
    type_name: &str,
) -> ElasticError {
    if field.field_type() == FieldType::Text {
        return text_field(context, &field.path);
    }
    context.fail(ElasticError::illegal_argument(format!(
        "Field [{}] of type [{}] is not supported for aggregation [{type_name}]",
        field.path,
        field.type_name()
    )))
}

/// A full text has no single value to group or sort by.
pub(super) fn text_field(context: &Context<'_>, path: &str) -> ElasticError {
    context.fail(ElasticError::illegal_argument(format!(
        "Text fields are not optimised for operations that require per-document field data like \
         aggregations and sorting, so these operations are disabled by default. Please use a \
         keyword field instead. Alternatively, set fielddata=true on [{path}] in order to load \
         field data by uninverting the inverted index. Note that this can use significant memory."
    )))
}

/// How values of `field` are printed as texts, in the request's format or the field's own.
pub(super) fn value_text(
    context: &Context<'_>,
    field: &NamedField<'_>,
    format: Option<&str>,
    zone: &TimeZone,
) -> Result<Option<ValueText>, ElasticError> {
    match field.field_type() {
        FieldType::Date | FieldType::DateNanos => {
            let format = parse_format(format.or(field.field.format.as_deref()))
                .map_err(|error| context.fail(error))?;
            let is_nanos = field.field_type() == FieldType::DateNanos;
            Ok(Some(ValueText::Date {
                format,
                zone: zone.clone(),
                is_nanos,
            }))
        }
        FieldType::Boolean | FieldType::Keyword | FieldType::Text | FieldType::Ip
            if format.is_some() =>
        {
            Err(context.fail(ElasticError::illegal_argument(format!(
                "Field [{}] of type [{}] does not support custom formats",
                field.path,
                field.type_name()
            ))))
        }
        FieldType::Boolean => Ok(Some(ValueText::Boolean)),
        FieldType::Keyword | FieldType::Text | FieldType::Ip => Ok(None),
        FieldType::Long
        | FieldType::Integer
        | FieldType::Short
        | FieldType::Byte
        | FieldType::Double
        | FieldType::Float
        | FieldType::HalfFloat => match format {
            Some(pattern) => Ok(Some(ValueText::Number(
                DecimalPattern::parse(pattern).map_err(|error| context.fail(error))?,
            ))),
            None => Ok(None),
        },
    }
}

pub(super) use ranges::{network, number_of};

#[cfg(test)]
mod tests;
