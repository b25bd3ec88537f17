//! Hits as JSON.

use query::response::{Hit, SortValue};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::Fields;
use super::number::Number;
use crate::elastic::filter_path::{Selection, project};
use crate::elastic::shape::{ResponseShape, SortKind, SortShape, SourceShape};

/// Offsets stay below 2^40 in a row's place, so that partition and offset fit one number.
const PLACE_OFFSET_BITS: u32 = 40;

/// One hit and how it is shown.
pub(super) struct ShownHit<'a> {
    pub(super) shape: &'a ResponseShape,
    pub(super) hit: &'a Hit,
}

impl Serialize for ShownHit<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, hit } = self;
        let mut map = serializer.serialize_map(None)?;
        let index = shape.indices.get(hit.part).map_or("", String::as_str);
        map.serialize_entry("_index", index)?;
        if !shape.hits.without_id {
            map.serialize_entry("_id", &hit.id)?;
        }
        if shape.hits.version {
            map.serialize_entry("_version", &1)?;
        }
        if shape.hits.sequence_number {
            map.serialize_entry("_seq_no", &hit.offset)?;
            map.serialize_entry("_primary_term", &1)?;
        }
        map.serialize_entry("_score", &shape.score)?;
        self.source_entry(&mut map)?;
        let fields = Fields::read(&shape.hits.fields, &hit.source);
        if !fields.is_empty() {
            map.serialize_entry("fields", &fields)?;
        }
        if !shape.hits.sort.is_empty() {
            map.serialize_entry("sort", &self.sort_values())?;
        }
        map.end()
    }
}

impl ShownHit<'_> {
    fn source_entry<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Ok(source) = serde_json::from_slice::<&RawValue>(&self.hit.source) else {
            // Records are checked before they become rows; what is no JSON has no source.
            return Ok(());
        };
        match &self.shape.hits.source {
            SourceShape::None => Ok(()),
            SourceShape::Whole => map.serialize_entry("_source", source),
            SourceShape::Parts { includes, excludes } => {
                let kept = project(source.get(), &Selection::new(includes, excludes), 0);
                let kept = RawValue::from_string(kept.unwrap_or_else(|| "{}".into()));
                map.serialize_entry("_source", &kept.expect("parts of JSON are JSON"))
            }
        }
    }

    fn sort_values(&self) -> Vec<SortShown> {
        let mut values = self.hit.sort.iter();
        let shapes = self.shape.hits.sort.iter();
        shapes
            .map(|shape| match shape.kind {
                SortKind::Score => SortShown::Json(Value::from(1.0)),
                SortKind::Row
                | SortKind::Integer
                | SortKind::Nanos
                | SortKind::Decimal
                | SortKind::Text => match values.next() {
                    Some(Some(value)) => shown(self.hit, shape, value),
                    Some(None) | None => SortShown::Json(missing(shape)),
                },
            })
            .collect()
    }
}

enum SortShown {
    Json(Value),
    Number(Number),
}

impl Serialize for SortShown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(value) => value.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
        }
    }
}

fn shown(hit: &Hit, shape: &SortShape, value: &SortValue) -> SortShown {
    match value {
        SortValue::Integer(number) => SortShown::Json(match &shape.text {
            Some(text) => text.of_integer(*number).into(),
            None => (*number).into(),
        }),
        SortValue::Decimal(number) => SortShown::Number(Number::of_decimal(*number)),
        SortValue::Text(text) => SortShown::Json(String::from_utf8_lossy(text).into()),
        SortValue::Row => {
            let place = (u64::from(hit.partition) << PLACE_OFFSET_BITS) | hit.offset;
            SortShown::Json(place.into())
        }
    }
}

/// What a row without a value shows: the number that sorts where it stands.
fn missing(shape: &SortShape) -> Value {
    let is_least = shape.missing_first != shape.descending;
    match shape.kind {
        SortKind::Decimal if is_least => "-Infinity".into(),
        SortKind::Decimal => "Infinity".into(),
        SortKind::Text => Value::Null,
        SortKind::Integer | SortKind::Nanos | SortKind::Row | SortKind::Score => {
            if is_least {
                i64::MIN.into()
            } else {
                i64::MAX.into()
            }
        }
    }
}
