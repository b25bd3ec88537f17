//! Hits as JSON.

use query::request::HitPlace;
use query::response::{Hit, SortValue};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::Fields;
use super::highlight::Highlights;
use super::number::Number;
use crate::elastic::filter_path::{Selection, project};
use crate::elastic::hits::number_of_place;
use crate::elastic::shape::{HitShape, SortKind, SortShape, SourceShape};

/// One hit and how it is shown.
pub(super) struct ShownHit<'a> {
    /// Names of the searched indices.
    pub(super) indices: &'a [String],
    pub(super) shape: &'a HitShape,
    pub(super) score: Option<f64>,
    pub(super) hit: &'a Hit,
}

impl Serialize for ShownHit<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, hit, .. } = self;
        let mut map = serializer.serialize_map(None)?;
        let index = self.indices.get(hit.part).map_or("", String::as_str);
        map.serialize_entry("_index", index)?;
        if !shape.without_id {
            map.serialize_entry("_id", &hit.id)?;
        }
        if shape.version {
            map.serialize_entry("_version", &hit.version)?;
        }
        if shape.sequence_number {
            map.serialize_entry("_seq_no", &hit.offset)?;
            map.serialize_entry("_primary_term", &1)?;
        }
        map.serialize_entry("_score", &self.score)?;
        self.source_entry(&mut map)?;
        let fields = Fields::read(&shape.fields, &hit.source);
        if !fields.is_empty() {
            map.serialize_entry("fields", &fields)?;
        }
        if let Some(highlight) = &shape.highlight {
            let found = Highlights::find(highlight, &hit.source);
            if !found.is_empty() {
                map.serialize_entry("highlight", &found)?;
            }
        }
        if !shape.sort.is_empty() {
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
        match &self.shape.source {
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
        sort_values(&self.shape.sort, self.hit)
    }
}

/// What `hit` was sorted by.
pub(super) fn sort_values(shapes: &[SortShape], hit: &Hit) -> Vec<SortShown> {
    let mut values = hit.sort.iter();
    let shapes = shapes.iter();
    shapes
        .map(|shape| match shape.kind {
            SortKind::Score => SortShown::Json(Value::from(1.0)),
            SortKind::Row
            | SortKind::Integer
            | SortKind::Nanos
            | SortKind::Decimal
            | SortKind::Text => match values.next() {
                Some(Some(value)) => shown(hit, shape, value),
                Some(None) | None => SortShown::Json(missing(shape)),
            },
        })
        .collect()
}

/// A value of the order.
pub(super) enum SortShown {
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
        SortValue::Row | SortValue::Place(_) => {
            let place = HitPlace {
                part: hit.part,
                partition: hit.partition,
                offset: hit.offset,
            };
            SortShown::Json(number_of_place(place).into())
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
