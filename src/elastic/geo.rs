//! Places and distances as requests write them.

use serde_json::Value;
use storage::model::GeoPoint;

use super::ElasticError;
use super::read;

/// Metres of each unit of length, with its names.
const UNITS: &[(&[&str], f64)] = &[
    (&["km", "kilometers"], 1_000.0),
    (&["mm", "millimeters"], 0.001),
    (&["cm", "centimeters"], 0.01),
    (&["mi", "miles"], 1_609.344),
    (&["yd", "yards"], 0.914_4),
    (&["ft", "feet"], 0.304_8),
    (&["in", "inch"], 0.025_4),
    (&["NM", "nmi", "nauticalmiles"], 1_852.0),
    (&["m", "meters"], 1.0),
];

/// Metres of a unit of length.
///
/// # Errors
/// When there is no such unit.
pub(super) fn unit_metres(name: &str) -> Result<f64, ElasticError> {
    let found = UNITS.iter().find(|(names, _)| names.contains(&name));
    found
        .map(|(_, metres)| *metres)
        .ok_or_else(|| ElasticError::illegal_argument(format!("No distance unit match [{name}]")))
}

/// A length in metres: `300km`, or a number in `unit`.
///
/// # Errors
/// When it is no length.
pub(super) fn distance_metres(value: &Value, unit: f64) -> Result<f64, ElasticError> {
    let text = read::text(value, "distance")?;
    let text = text.trim();
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let (number, name) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| read::number_format(text))?;
    let unit = match name.trim() {
        "" => unit,
        name => unit_metres(name)?,
    };
    Ok(number * unit)
}

/// A place: an object, a pair of longitude and latitude, a text of both or a geohash.
///
/// # Errors
/// When it is none.
pub(super) fn point(value: &Value) -> Result<GeoPoint, ElasticError> {
    let wrong = |reason: String| ElasticError::new(400, "parse_exception", reason);
    let place = |latitude: &Value, longitude: &Value| {
        let latitude = read::float(latitude, "lat")?;
        let longitude = read::float(longitude, "lon")?;
        GeoPoint::new(latitude, longitude).map_err(&wrong)
    };
    match value {
        Value::Object(entries) => match (entries.get("lat"), entries.get("lon")) {
            (Some(latitude), Some(longitude)) => place(latitude, longitude),
            _incomplete => match entries.get("geohash") {
                Some(hash) => point(hash),
                None => Err(wrong(
                    "field must be either [lat], [lon] or [geohash]".into(),
                )),
            },
        },
        Value::Array(pair) => match pair.as_slice() {
            [longitude, latitude, ..] => place(latitude, longitude),
            _short => Err(wrong("only two values expected".into())),
        },
        Value::String(text) => match text.split_once(',') {
            Some((latitude, longitude)) => {
                let number = |text: &str| Value::String(text.trim().to_owned());
                place(&number(latitude), &number(longitude))
            }
            None => GeoPoint::of_geohash(text).map_err(wrong),
        },
        _other => Err(wrong("geo_point expected".into())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_and_lengths() {
        let berlin = GeoPoint::new(52.5, 13.4).expect("on the globe");
        for value in [
            json!({"lat": 52.5, "lon": 13.4}),
            json!([13.4, 52.5]),
            json!("52.5, 13.4"),
            json!({"lat": "52.5", "lon": "13.4"}),
        ] {
            assert_eq!(point(&value).expect("a place"), berlin, "{value}");
        }
        point(&json!({"lat": 91, "lon": 0})).expect_err("beyond the pole");
        point(&json!(7)).expect_err("a number");
        let length = |value: Value| distance_metres(&value, 1.0).expect("a length");
        assert_eq!(length(json!("300km")), 300_000.0);
        assert_eq!(length(json!(12)), 12.0);
        assert_eq!(length(json!("1 nmi")), 1_852.0);
        distance_metres(&json!("3 parsecs"), 1.0).expect_err("no such unit");
    }
}
