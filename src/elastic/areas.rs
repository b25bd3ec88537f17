//! Boxes that places lie in, and orders by distance.

use query::request::{Area, Filter, SortBy, SortKey};
use serde_json::{Map, Value};
use storage::model::GeoPoint;

use super::context::{Context, NamedField};
use super::geo::{point, unit_metres};
use super::shape::{SortKind, SortShape};
use super::{ElasticError, read, sort};

/// Most places that an order measures distances from.
const ORIGINS_MAX: usize = 64;

/// Options of queries that name a field of places.
const OPTIONS: &[&str] = &[
    "_name",
    "boost",
    "distance",
    "distance_type",
    "ignore_unmapped",
    "type",
    "unit",
    "validation_method",
];

/// `geo_bounding_box`: places between two corners.
pub(super) fn parse_box(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let entries = read::object(body, "geo_bounding_box")?;
    let (path, corners) = field_of(entries, "geo_bounding_box")?;
    let sides = Sides::read(corners)?;
    let [Some(top), Some(left), Some(bottom), Some(right)] = sides.0 else {
        return Err(
            ElasticError::parsing("failed to parse bounding box: a side is missing").at_value(path),
        );
    };
    if top < bottom {
        return Err(ElasticError::illegal_argument(format!(
            "top is below bottom corner: {top:?} vs. {bottom:?}"
        )));
    }
    let area = Area::Box {
        north_west: GeoPoint::new(top, left).map_err(ElasticError::illegal_argument)?,
        south_east: GeoPoint::new(bottom, right).map_err(ElasticError::illegal_argument)?,
    };
    filter(context, entries, path, area)
}

/// Top, left, bottom and right of a box, as far as they are said.
#[derive(Default)]
struct Sides([Option<f64>; 4]);

impl Sides {
    fn read(corners: &Value) -> Result<Self, ElasticError> {
        let mut sides = Self::default();
        for (key, value) in read::object(corners, "geo_bounding_box")? {
            match key.as_str() {
                "top" => sides.0[0] = Some(read::float(value, key)?),
                "left" => sides.0[1] = Some(read::float(value, key)?),
                "bottom" => sides.0[2] = Some(read::float(value, key)?),
                "right" => sides.0[3] = Some(read::float(value, key)?),
                "top_left" | "topLeft" => sides.corner(0, 1, value)?,
                "bottom_right" | "bottomRight" => sides.corner(2, 3, value)?,
                "top_right" | "topRight" => sides.corner(0, 3, value)?,
                "bottom_left" | "bottomLeft" => sides.corner(2, 1, value)?,
                "wkt" => sides.wkt(&read::text(value, key)?)?,
                unknown => {
                    return Err(ElasticError::parsing(format!(
                        "failed to parse bounding box. unexpected field [{unknown}]"
                    ))
                    .at_key(unknown));
                }
            }
        }
        Ok(sides)
    }

    fn corner(
        &mut self,
        latitude: usize,
        longitude: usize,
        value: &Value,
    ) -> Result<(), ElasticError> {
        let corner = point(value)?;
        self.0[latitude] = Some(corner.latitude);
        self.0[longitude] = Some(corner.longitude);
        Ok(())
    }

    /// `BBOX (left, right, top, bottom)`.
    fn wkt(&mut self, text: &str) -> Result<(), ElasticError> {
        let wrong = || ElasticError::parsing(format!("failed to parse WKT bounding box [{text}]"));
        let upper = text.trim().to_ascii_uppercase();
        let inner = upper
            .strip_prefix("BBOX")
            .or(upper.strip_prefix("ENVELOPE"));
        let inner = inner.and_then(|inner| inner.trim().strip_prefix('('));
        let inner = inner.and_then(|inner| inner.strip_suffix(')'));
        let numbers = inner.ok_or_else(wrong)?.split(',').map(str::trim);
        let numbers = numbers.map(str::parse).collect::<Result<Vec<f64>, _>>();
        match numbers.map_err(|_| wrong())?.as_slice() {
            [left, right, top, bottom] => {
                self.0 = [Some(*top), Some(*left), Some(*bottom), Some(*right)];
                Ok(())
            }
            _other => Err(wrong()),
        }
    }
}

fn field_of<'v>(
    entries: &'v Map<String, Value>,
    name: &str,
) -> Result<(&'v str, &'v Value), ElasticError> {
    let mut fields = entries
        .iter()
        .filter(|(key, _)| !OPTIONS.contains(&key.as_str()));
    match (fields.next(), fields.next()) {
        (Some((path, value)), None) => Ok((path, value)),
        (Some((path, _)), Some((second, _))) => Err(ElasticError::parsing(format!(
            "[{name}] query doesn't support multiple fields, found [{path}] and [{second}]"
        ))
        .at_value(second)),
        (None, _) => Err(ElasticError::illegal_argument(
            "fieldName must not be null or empty",
        )),
    }
}

fn filter(
    context: &Context<'_>,
    entries: &Map<String, Value>,
    path: &str,
    area: Area,
) -> Result<Filter, ElasticError> {
    let ignores = entries.get("ignore_unmapped");
    let ignores = ignores.map_or(Ok(false), |flag| read::flag(flag, "ignore_unmapped"))?;
    match place_field(context, path)? {
        Some(field) => Ok(Filter::Place {
            field: field.place,
            area,
        }),
        None if ignores || context.index.is_empty() => Ok(Filter::None),
        None => Err(context.query_error(format!("failed to find geo field [{path}]"))),
    }
}

fn place_field<'a>(
    context: &Context<'a>,
    path: &str,
) -> Result<Option<NamedField<'a>>, ElasticError> {
    match context.field(path) {
        Some(field) if field.type_name() != "geo_point" => Err(context.query_error(format!(
            "field [{path}] is of type [{}] but only geo_point fields are supported",
            field.type_name()
        ))),
        field => Ok(field),
    }
}

/// `_geo_distance` of a sort.
pub(super) fn distance_sort(
    context: &Context<'_>,
    options: Option<&Value>,
) -> Result<(SortKey, SortShape), ElasticError> {
    let entries = options.and_then(Value::as_object).ok_or_else(|| {
        ElasticError::parsing("[_geo_distance] needs a field and places").at_key("_geo_distance")
    })?;
    let mut key = SortKey::default();
    let mut shape = SortShape {
        kind: SortKind::Distance,
        descending: false,
        missing_first: false,
        text: None,
        unit_m: 1.0,
    };
    let mut ignores_unmapped = false;
    let mut asked = None;
    for (name, value) in entries {
        match name.as_str() {
            "order" => key.descending = sort::is_descending(value)?,
            "mode" => key.mode = sort::mode(&read::text(value, name)?)?,
            "unit" => shape.unit_m = unit_metres(&read::text(value, name)?)?,
            "ignore_unmapped" => ignores_unmapped = read::flag(value, name)?,
            "distance_type" | "validation_method" => {}
            path => asked = Some((path, value)),
        }
    }
    shape.descending = key.descending;
    let (path, places) = asked
        .ok_or_else(|| ElasticError::illegal_argument("Field name must not be null or empty."))?;
    let from = match places {
        Value::Array(all) if !all.first().is_some_and(Value::is_number) => {
            all.iter().map(point).collect::<Result<Vec<_>, _>>()?
        }
        one => vec![point(one)?],
    };
    if from.len() > ORIGINS_MAX {
        return Err(ElasticError::illegal_argument(format!(
            "an order measures distances from at most [{ORIGINS_MAX}] places"
        )));
    }
    key.by = match place_field(context, path)? {
        Some(field) => SortBy::Distance {
            field: field.place,
            from,
        },
        None if ignores_unmapped || context.index.is_empty() => SortBy::Field(None),
        None => {
            return Err(context.fail(ElasticError::illegal_argument(format!(
                "failed to find mapper for [{path}] for geo distance based sort"
            ))));
        }
    };
    Ok((key, shape))
}
