//! Fields whose values are more than a scalar: places, ranges, objects that are left to themselves.
//!
//! Such a value is read as a whole from the document; the document keeps it as it was written.

use core::net::IpAddr;

use jiff::tz::TimeZone;
use serde_json::Value;
use storage::model::{DateFormat, Field, GeoPoint, Span};

/// What a field takes whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// A place, as its code.
    Point,
    /// Objects that are kept in the document and not looked into.
    Objects,
    /// From one value to another.
    Range(RangeKind),
}

/// What lies in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RangeKind {
    Integer { max: i64 },
    Double,
    Date,
    Address,
}

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum WholeValue {
    Integer(i64),
    Text(String),
}

/// Lists in lists are not looked into further than this.
const DEPTH_MAX: usize = 8;

impl Whole {
    /// What `field` takes whole, if it does: the mapping's name of its type says so.
    pub(super) fn of(field: &Field) -> Option<Self> {
        Some(match field.attributes.get("type")?.as_str()? {
            "geo_point" => Self::Point,
            "nested" | "completion" => Self::Objects,
            "integer_range" => Self::Range(RangeKind::Integer {
                max: i64::from(i32::MAX),
            }),
            "long_range" => Self::Range(RangeKind::Integer { max: i64::MAX }),
            "float_range" | "double_range" => Self::Range(RangeKind::Double),
            "date_range" => Self::Range(RangeKind::Date),
            "ip_range" => Self::Range(RangeKind::Address),
            _ => return None,
        })
    }

    /// The values of the column that `value` says.
    pub(super) fn values(
        self,
        value: &Value,
        format: Option<&DateFormat>,
    ) -> Result<Vec<WholeValue>, String> {
        let mut values = Vec::new();
        match self {
            Self::Objects => {}
            Self::Point => points(value, 0, &mut values)?,
            Self::Range(kind) => ranges(kind, value, format, &mut values)?,
        }
        Ok(values)
    }
}

/// A place in any of its forms, or a list of them.
fn points(value: &Value, depth: usize, values: &mut Vec<WholeValue>) -> Result<(), String> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let required = || "field must be either lat/lon or geohash".to_owned();
    let place = match value {
        Value::Null => return Ok(()),
        Value::Array(items) => {
            if let Some(Value::Number(_)) = items.first() {
                // Longitude first, as in GeoJSON.
                let pair = (
                    items.first().and_then(number),
                    items.get(1).and_then(number),
                );
                let (Some(longitude), Some(latitude)) = pair else {
                    return Err("a place is a list of longitude and latitude".into());
                };
                GeoPoint::new(latitude, longitude)?
            } else if depth < DEPTH_MAX {
                return items
                    .iter()
                    .try_for_each(|item| points(item, depth + 1, values));
            } else {
                return Err("lists are nested too deeply".into());
            }
        }
        Value::String(text) => of_text(text)?,
        Value::Object(entries) => match (entries.get("lat"), entries.get("lon")) {
            (Some(latitude), Some(longitude)) => {
                let pair = number(latitude).zip(number(longitude));
                let (latitude, longitude) = pair.ok_or_else(required)?;
                GeoPoint::new(latitude, longitude)?
            }
            _ => match (entries.get("geohash"), entries.get("coordinates")) {
                (Some(Value::String(hash)), _) => GeoPoint::of_geohash(hash)?,
                (_, Some(coordinates)) => return points(coordinates, depth + 1, values),
                _ => return Err(required()),
            },
        },
        Value::Bool(_) | Value::Number(_) => return Err("geo_point expected".into()),
    };
    values.push(WholeValue::Integer(place.code()));
    Ok(())
}

/// `lat,lon`, `POINT (lon lat)` or a geohash.
fn of_text(text: &str) -> Result<GeoPoint, String> {
    let text = text.trim();
    let wrong = || format!("failed to parse [{text}] as a place");
    let number = |part: &str| part.trim().parse::<f64>().map_err(|_| wrong());
    if let Some((latitude, longitude)) = text.split_once(',') {
        return GeoPoint::new(number(latitude)?, number(longitude)?);
    }
    let upper = text.to_ascii_uppercase();
    if let Some(inner) = upper.strip_prefix("POINT") {
        let inner = inner
            .trim()
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'));
        let mut parts = inner.ok_or_else(wrong)?.split_ascii_whitespace();
        let (longitude, latitude) = (parts.next(), parts.next());
        let pair = longitude.zip(latitude).ok_or_else(wrong)?;
        return GeoPoint::new(number(pair.1)?, number(pair.0)?);
    }
    GeoPoint::of_geohash(text)
}

/// `{"gte": .., "lt": ..}`, a network, or a list of them.
fn ranges(
    kind: RangeKind,
    value: &Value,
    format: Option<&DateFormat>,
    values: &mut Vec<WholeValue>,
) -> Result<(), String> {
    let span = match value {
        Value::Null => return Ok(()),
        Value::Array(items) => {
            let items = items.iter().filter(|item| !item.is_array());
            for item in items {
                ranges(kind, item, format, values)?;
            }
            return Ok(());
        }
        Value::Object(entries) => {
            let mut span = kind.everything();
            for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                match key.as_str() {
                    "gte" | "from" => span.first = kind.place(value, format, false)?,
                    "gt" => span.first = kind.place(value, format, true)?.saturating_add(1),
                    "lte" | "to" => span.last = kind.place(value, format, true)?,
                    "lt" => span.last = kind.place(value, format, false)?.saturating_sub(1),
                    unknown => return Err(format!("range does not support [{unknown}]")),
                }
            }
            span
        }
        Value::String(network) if kind == RangeKind::Address => of_network(network)?,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err("expected an object that says a range".into());
        }
    };
    if span.first > span.last {
        return Err("the lower end of the range lies above the upper one".into());
    }
    values.push(WholeValue::Text(span.text()));
    Ok(())
}

impl RangeKind {
    fn everything(self) -> Span {
        let (first, last) = match self {
            Self::Integer { max } => (Span::of_integer(-max - 1), Span::of_integer(max)),
            Self::Double => (
                Span::of_double(f64::NEG_INFINITY),
                Span::of_double(f64::INFINITY),
            ),
            Self::Date => (Span::of_integer(i64::MIN), Span::of_integer(i64::MAX)),
            Self::Address => (0, u128::MAX),
        };
        Span { first, last }
    }

    /// The place of `value`. Of a date that leaves out parts, the last instant if `fills_up`.
    fn place(
        self,
        value: &Value,
        format: Option<&DateFormat>,
        fills_up: bool,
    ) -> Result<u128, String> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return Err("the end of a range is a number or a text".into()),
        };
        let wrong = || format!("failed to parse [{text}] as the end of a range");
        match self {
            Self::Integer { max } => {
                let number: i64 = text.parse().map_err(|_| wrong())?;
                match (-max - 1..=max).contains(&number) {
                    true => Ok(Span::of_integer(number)),
                    false => Err(wrong()),
                }
            }
            Self::Double => text.parse().map(Span::of_double).map_err(|_| wrong()),
            Self::Date => {
                let default = DateFormat::default();
                let format = format.unwrap_or(&default);
                let read = match fills_up {
                    true => format.read_last(&text, &TimeZone::UTC),
                    false => format.read(&text, &TimeZone::UTC),
                };
                read.map(|reading| Span::of_integer(reading.ms))
                    .map_err(|error| error.to_string())
            }
            Self::Address => match text.parse().map_err(|_| wrong())? {
                IpAddr::V4(address) => Ok(address.to_ipv6_mapped().to_bits()),
                IpAddr::V6(address) => Ok(address.to_bits()),
            },
        }
    }
}

/// `10.0.0.0/8`
fn of_network(text: &str) -> Result<Span, String> {
    let wrong = || format!("'{text}' is not an IP network");
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let bits: u32 = bits.parse().map_err(|_| wrong())?;
    let (number, width) = match address.parse().map_err(|_| wrong())? {
        IpAddr::V4(address) => (address.to_ipv6_mapped().to_bits(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    if bits > width {
        return Err(wrong());
    }
    let hosts = match width - bits {
        128 => u128::MAX,
        count => (1 << count) - 1,
    };
    Ok(Span {
        first: number & !hosts,
        last: number | hosts,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole(type_name: &str) -> Whole {
        let mut field = Field::new(storage::model::FieldType::Keyword);
        field.attributes.insert("type".into(), type_name.into());
        Whole::of(&field).expect("a type that is taken whole")
    }

    #[test]
    fn places_in_all_forms() {
        let codes = |value: Value| whole("geo_point").values(&value, None);
        let wanted = codes(json!("52.5,13.4")).expect("a place");
        for form in [
            json!({"lat": 52.5, "lon": "13.4"}),
            json!([13.4, 52.5]),
            json!("POINT (13.4 52.5)"),
            json!({"type": "Point", "coordinates": [13.4, 52.5]}),
            json!([[13.4, 52.5]]),
        ] {
            assert_eq!(codes(form.clone()), Ok(wanted.clone()), "{form}");
        }
        assert_eq!(codes(json!(null)), Ok(Vec::new()));
        assert_eq!(codes(json!([[1, 2], "3,4"])).map(|all| all.len()), Ok(2));
        for wrong in [
            json!("91,0"),
            json!("x y"),
            json!({"lat": 1}),
            json!(true),
            json!([1]),
        ] {
            codes(wrong.clone()).expect_err(&wrong.to_string());
        }
    }

    #[test]
    fn ranges_of_all_kinds() {
        let one = |type_name: &str, value: Value| {
            let values = whole(type_name).values(&value, None).expect("a range");
            match values.as_slice() {
                [WholeValue::Text(text)] => Span::parse(text.as_bytes()).expect("a span"),
                other => panic!("{other:?}"),
            }
        };
        let span = one("integer_range", json!({"gt": 1, "lt": 5}));
        assert_eq!(span.first, Span::of_integer(2));
        assert_eq!(span.last, Span::of_integer(4));
        let span = one("date_range", json!({"gte": "2020-01-01"}));
        assert_eq!(span.first, Span::of_integer(1_577_836_800_000));
        let span = one("ip_range", json!("10.0.0.0/8"));
        assert_eq!(span.last - span.first, (1 << 24) - 1);
        let wrong = whole("long_range").values(&json!({"gt": 1, "lt": 2}), None);
        wrong.expect_err("nothing lies between");
    }
}
