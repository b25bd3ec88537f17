//! `geo_distance`: places near another one.

use std::ops::Bound;

use query::request::Filter;
use serde_json::Value;

use super::WITHOUT_EFFECT;
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::geo;
use crate::elastic::read;

/// Reads the query.
pub(super) fn parse_distance(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let mut unit = 1.0;
    let (mut distance, mut place) = (None, None);
    let mut ignores_unmapped = false;
    for (key, value) in read::object(body, "geo_distance")? {
        match key.as_str() {
            "distance" => distance = Some(value),
            "unit" => unit = geo::unit_metres(&read::text(value, key)?)?,
            "distance_type" | "validation_method" => {}
            "ignore_unmapped" => ignores_unmapped = read::flag(value, key)?,
            known if WITHOUT_EFFECT.contains(&known) => {}
            path => place = Some((path, geo::point(value)?)),
        }
    }
    let (path, from) =
        place.ok_or_else(|| ElasticError::parsing("geo_distance requires 'field' and a point"))?;
    let distance = distance
        .ok_or_else(|| ElasticError::illegal_argument("geo_distance requires 'distance'"))?;
    let metres = geo::distance_metres(distance, unit)?;
    let Some(field) = context.field(path) else {
        return match ignores_unmapped {
            true => Ok(Filter::None),
            false => Err(context.query_error(format!("failed to find geo field [{path}]"))),
        };
    };
    if field.type_name() != "geo_point" {
        return Err(context.query_error(format!("field [{path}] is not a geo_point field")));
    }
    Ok(Filter::Distance {
        field: field.place,
        from,
        metres: (Bound::Unbounded, Bound::Included(metres)),
    })
}
