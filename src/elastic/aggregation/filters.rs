//! `filter`, `filters`, `missing` and their kin: buckets by query.

use query::request::{Aggregation, BucketBy, Filter, Filters};
use serde_json::{Map, Value};

use super::{Definition, Parsed};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::filter::parse_filter;
use crate::elastic::read;
use crate::elastic::shape::AggregationKind;

/// Name of the bucket of rows that fit none.
const OTHER_DEFAULT: &str = "_other_";

/// `filter`: the rows of one query.
pub(super) fn parse_filter_aggregation(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let filter = if definition.body.is_empty() {
        Filter::All
    } else {
        parse_filter(context, &Value::Object(definition.body.clone()))?
    };
    Ok(single(filter, definition, "filter"))
}

/// `missing`: the rows without a field.
pub(super) fn parse_missing(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    for key in definition.body.keys() {
        if !matches!(key.as_str(), "field" | "missing" | "value_type") {
            return Err(definition.unknown(key));
        }
    }
    let substitute = definition.body.get("missing");
    let filter = match definition.field(context)? {
        // With a value for rows without one, no row is without.
        _any if substitute.is_some_and(|value| !value.is_null()) => Filter::None,
        Some(field) => Filter::Not(Box::new(Filter::Exists(field.place))),
        None => Filter::All,
    };
    Ok(single(filter, definition, "missing"))
}

/// `global`: all rows, whatever the query says.
pub(super) fn parse_global(definition: &Definition<'_>) -> Result<Parsed, ElasticError> {
    if let Some(unknown) = definition.body.keys().next() {
        return Err(definition.unknown(unknown));
    }
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Global,
            children: definition.children.requests.clone(),
        },
        kind: AggregationKind::Single,
        typed: "global",
    })
}

/// `sampler`: the best rows. Nothing is scored, so it takes all of them.
pub(super) fn parse_sampler(definition: Definition<'_>) -> Result<Parsed, ElasticError> {
    for (key, value) in definition.body {
        match key.as_str() {
            "shard_size" => {
                read::count(value, key)?;
            }
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    Ok(single(Filter::All, definition, "sampler"))
}

/// Most filters of a matrix; their pairs are as many squared.
const MATRIX_FILTERS_MAX: usize = 100;

/// `adjacency_matrix`: a bucket for each filter and for each pair of them.
pub(super) fn parse_matrix(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let mut named = Vec::new();
    let mut separator = "&".to_owned();
    let mut pairs_only = false;
    for (key, value) in definition.body {
        match key.as_str() {
            "filters" => {
                let filters = value.as_object().ok_or_else(|| read::wrong(value, key))?;
                named = named_filters(context, filters)?;
            }
            "separator" => separator = read::text(value, key)?,
            "show_only_intersecting" => pairs_only = read::flag(value, key)?,
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    if named.len() > MATRIX_FILTERS_MAX {
        return Err(context.fail(ElasticError::illegal_argument(format!(
            "Number of filters is too large, must be less than or equal to: [{MATRIX_FILTERS_MAX}] \
             but was [{}]. This limit can be set by changing the \
             [index.max_adjacency_matrix_filters] index level setting.",
            named.len()
        ))));
    }
    let mut filters = Vec::new();
    for (index, (name, filter)) in named.iter().enumerate() {
        let name = name.clone().unwrap_or_default();
        for (other, with) in &named[index + 1..] {
            let key = format!("{name}{separator}{}", other.as_deref().unwrap_or_default());
            filters.push((Some(key), Filter::And(vec![filter.clone(), with.clone()])));
        }
        if !pairs_only {
            filters.push((Some(name), filter.clone()));
        }
    }
    filters.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Filters(Filters {
                filters,
                other: None,
            }),
            children: definition.children.requests,
        },
        kind: AggregationKind::Matrix,
        typed: "adjacency_matrix",
    })
}

fn single(filter: Filter, definition: Definition<'_>, typed: &'static str) -> Parsed {
    Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Filter(filter),
            children: definition.children.requests,
        },
        kind: AggregationKind::Single,
        typed,
    }
}

/// `filters`: a bucket a query, by name or in order.
pub(super) fn parse(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let mut filters = None;
    let mut other_key: Option<String> = None;
    let mut has_other = None;
    let mut keyed_wanted = true;
    let mut keyed = true;
    for (key, value) in definition.body {
        match key.as_str() {
            "filters" => {
                keyed = value.is_object();
                filters = Some(match value {
                    Value::Object(named) => named_filters(context, named)?,
                    list => anonymous_filters(context, list)?,
                });
            }
            "other_bucket" => has_other = Some(read::flag(value, key)?),
            "other_bucket_key" => other_key = Some(read::text(value, key)?),
            "keyed" => keyed_wanted = read::flag(value, key)?,
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
    let filters = filters.unwrap_or_default();
    if filters.is_empty() {
        return Err(ElasticError::illegal_argument("[filters] cannot be empty."));
    }
    let has_other = has_other.unwrap_or(other_key.is_some());
    let other = has_other.then(|| other_key.unwrap_or_else(|| OTHER_DEFAULT.into()));
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Filters(Filters { filters, other }),
            children: definition.children.requests,
        },
        kind: AggregationKind::Filters {
            keyed: keyed && keyed_wanted,
        },
        typed: "filters",
    })
}

/// Filters with their keys.
type KeyedFilters = Vec<(Option<String>, Filter)>;

/// Named filters stand in the order of their names, as Elasticsearch sorts them.
fn named_filters(
    context: &Context<'_>,
    named: &Map<String, Value>,
) -> Result<KeyedFilters, ElasticError> {
    let mut filters = named
        .iter()
        .map(|(name, query)| Ok((Some(name.clone()), parse_filter(context, query)?)))
        .collect::<Result<KeyedFilters, ElasticError>>()?;
    filters.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(filters)
}

fn anonymous_filters(context: &Context<'_>, list: &Value) -> Result<KeyedFilters, ElasticError> {
    let list = list
        .as_array()
        .ok_or_else(|| read::wrong(list, "filters"))?;
    list.iter()
        .map(|query| Ok((None, parse_filter(context, query)?)))
        .collect()
}
