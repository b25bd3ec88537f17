//! Places and moments as JSON.

use query::response::{FieldMoments, PlacesResult};
use serde::ser::{Serialize, SerializeMap, Serializer};
use storage::model::GeoPoint;

/// `{"lat": .., "lon": ..}`.
struct Corner {
    lat: f64,
    lon: f64,
}

impl Serialize for Corner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("lat", &self.lat)?;
        map.serialize_entry("lon", &self.lon)?;
        map.end()
    }
}

struct Bounds {
    top_left: Corner,
    bottom_right: Corner,
}

impl Serialize for Bounds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("top_left", &self.top_left)?;
        map.serialize_entry("bottom_right", &self.bottom_right)?;
        map.end()
    }
}

/// The bounds of places; nothing when there are none.
pub(super) fn bounds_entries<M: SerializeMap>(
    map: &mut M,
    wraps: bool,
    places: &PlacesResult,
) -> Result<(), M::Error> {
    let Some((south, north)) = places.south_north else {
        return Ok(());
    };
    let (left, right) = match (places.west, places.east) {
        (Some(west), Some(east)) => {
            let around = (180.0 - east.0) + (180.0 + west.1);
            match wraps && around < east.1 - west.0 {
                true => (east.0, west.1),
                false => (west.0, east.1),
            }
        }
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => return Ok(()),
    };
    let bounds = Bounds {
        top_left: Corner {
            lat: north,
            lon: left,
        },
        bottom_right: Corner {
            lat: south,
            lon: right,
        },
    };
    map.serialize_entry("bounds", &bounds)
}

/// The middle of places and their number.
pub(super) fn centroid_entries<M: SerializeMap>(
    map: &mut M,
    places: &PlacesResult,
) -> Result<(), M::Error> {
    if let Some(GeoPoint {
        latitude,
        longitude,
    }) = places.middle
    {
        let location = Corner {
            lat: latitude,
            lon: longitude,
        };
        map.serialize_entry("location", &location)?;
    }
    map.serialize_entry("count", &places.count)
}

/// What fields say together.
pub(super) fn moments_entries<M: SerializeMap>(
    map: &mut M,
    names: &[String],
    fields: &[FieldMoments],
) -> Result<(), M::Error> {
    let count = fields.first().map_or(0, |field| field.count);
    map.serialize_entry("doc_count", &count)?;
    if fields.is_empty() {
        return Ok(());
    }
    let shown = names.iter().zip(fields);
    let shown: Vec<_> = shown
        .map(|(name, field)| ShownField { name, names, field })
        .collect();
    map.serialize_entry("fields", &shown)
}

struct ShownField<'a> {
    name: &'a str,
    names: &'a [String],
    field: &'a FieldMoments,
}

impl Serialize for ShownField<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let field = self.field;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name)?;
        map.serialize_entry("count", &field.count)?;
        map.serialize_entry("mean", &field.mean)?;
        map.serialize_entry("variance", &finite(field.variance))?;
        map.serialize_entry("skewness", &finite(field.skewness))?;
        map.serialize_entry("kurtosis", &finite(field.kurtosis))?;
        let with = |values: &[f64]| {
            let pairs = self.names.iter().zip(values);
            let pairs = pairs.map(|(name, value)| (name.clone(), finite(*value)));
            pairs.collect::<serde_json::Map<_, _>>()
        };
        map.serialize_entry("covariance", &with(&field.covariance))?;
        map.serialize_entry("correlation", &with(&field.correlation))?;
        map.end()
    }
}

/// What is no number is a text, as in Elasticsearch.
fn finite(value: f64) -> serde_json::Value {
    match value.is_finite() {
        true => value.into(),
        false if value.is_nan() => "NaN".into(),
        false if value > 0.0 => "Infinity".into(),
        false => "-Infinity".into(),
    }
}
