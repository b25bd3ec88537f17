//! `geo_bounds`, `geo_centroid` and `matrix_stats`: metrics with values of several kinds.

use jiff::tz::TimeZone;
use query::request::{Aggregation, Input, Moments, Several};
use storage::model::ColumnKind;

use super::metric::check_no_children;
use super::{Definition, Parsed, unsupported_field};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;
use crate::elastic::shape::AggregationKind;
use crate::elastic::values::number_value;

/// Most fields of one `matrix_stats`.
const FIELDS_MAX: usize = 64;

/// `geo_bounds` and `geo_centroid`.
pub(super) fn parse(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    check_no_children(definition)?;
    let is_bounds = definition.type_name == "geo_bounds";
    let mut wraps = true;
    for (key, value) in definition.body {
        match key.as_str() {
            "field" => {}
            "wrap_longitude" if is_bounds => wraps = read::flag(value, key)?,
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let field = definition.field(context)?;
    let (kind, typed) = match is_bounds {
        true => (AggregationKind::GeoBounds { wraps }, "geo_bounds"),
        false => (AggregationKind::GeoCentroid, "geo_centroid"),
    };
    Ok(Parsed {
        aggregation: Aggregation::Places(field.map(|field| field.place)),
        kind,
        typed,
    })
}

/// `matrix_stats`.
pub(super) fn parse_moments(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    check_no_children(definition)?;
    let mut several = Several::Avg;
    let (mut paths, mut missing) = (Vec::new(), None);
    for (key, value) in definition.body {
        match key.as_str() {
            "fields" => {
                for path in read::one_or_many(value) {
                    paths.push(read::text(path, key)?);
                }
            }
            "missing" => missing = value.as_object(),
            "mode" => {
                several = match read::text(value, key)?.to_lowercase().as_str() {
                    "avg" => Several::Avg,
                    "min" => Several::Min,
                    "max" => Several::Max,
                    "sum" => Several::Sum,
                    "median" => Several::Median,
                    other => {
                        return Err(ElasticError::illegal_argument(format!(
                            "Illegal value for mode: [{other}]"
                        )));
                    }
                };
            }
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    paths.sort();
    paths.dedup();
    if paths.is_empty() || paths.len() > FIELDS_MAX {
        return Err(ElasticError::illegal_argument(format!(
            "[fields] of [{}] must have from 1 to {FIELDS_MAX} entries",
            definition.name
        )));
    }
    let (mut fields, mut names) = (Vec::new(), Vec::new());
    for path in paths {
        // A field that there is not has no values, and says nothing of the others.
        let Some(field) = context.whole_field(&path) else {
            continue;
        };
        if field.field_type().column_kind() == ColumnKind::Text {
            return Err(unsupported_field(context, &field, definition.type_name));
        }
        let missing = missing.and_then(|missing| missing.get(&path));
        let missing = missing
            .map(|value| number_value(context, &field, value, None, &TimeZone::UTC))
            .transpose()?;
        fields.push(Input {
            field: Some(field.place),
            missing,
        });
        names.push(path);
    }
    Ok(Parsed {
        aggregation: Aggregation::Moments(Moments { fields, several }),
        kind: AggregationKind::Moments { names },
        typed: "matrix_stats",
    })
}
