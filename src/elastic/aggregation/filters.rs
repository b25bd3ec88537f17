//! `filter`, `filters` and `missing`: buckets by query.

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
        if key != "field" {
            return Err(definition.unknown(key));
        }
    }
    let filter = match definition.field(context)? {
        Some(field) => Filter::Not(Box::new(Filter::Exists(field.place))),
        None => Filter::All,
    };
    Ok(single(filter, definition, "missing"))
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
