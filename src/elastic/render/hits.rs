//! Hits as JSON.

use std::collections::BTreeMap;

use query::request::HitPlace;
use query::response::{Hit, SearchResponse, SortValue};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::Fields;
use super::highlight::Highlights;
use super::number::Number;
use crate::elastic::filter_path::{Selection, project};
use crate::elastic::hits::number_of_place;
use crate::elastic::shape::{
    HitShape, InnerShape, ResponseShape, SearchedIndex, SortKind, SortShape, SourceShape,
};

/// One hit and how it is shown.
pub(super) struct ShownHit<'a> {
    /// The searched indices.
    pub(super) indices: &'a [SearchedIndex],
    pub(super) shape: &'a HitShape,
    /// The score of every hit, unless each has its own.
    pub(super) score: Option<f64>,
    pub(super) hit: &'a Hit,
    /// Hits that it stands for, by name.
    pub(super) inner: Vec<(&'a InnerShape, &'a SearchResponse)>,
}

impl Serialize for ShownHit<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, hit, .. } = self;
        let mut map = serializer.serialize_map(None)?;
        let index = self.indices.get(hit.part);
        map.serialize_entry("_index", index.map_or("", |index| &index.name))?;
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
        if let Some(routing) = &hit.routing {
            map.serialize_entry("_routing", routing)?;
        }
        if !hit.ignored.is_empty() {
            map.serialize_entry("_ignored", &hit.ignored)?;
        }
        match hit.score {
            Some(score) => map.serialize_entry("_score", &score)?,
            None => map.serialize_entry("_score", &self.score)?,
        }
        if index.is_none_or(|index| !index.hides_source) {
            self.source_entry(&mut map)?;
        }
        let mut fields = Fields::read(&shape.fields, &hit.source);
        if let Some(path) = &shape.collapse {
            fields.add(path, group_value(hit.group.as_ref()));
        }
        if !fields.is_empty() {
            map.serialize_entry("fields", &fields)?;
        }
        if let Some(highlight) = &shape.highlight {
            let found = Highlights::find(highlight, &hit.source);
            if !found.is_empty() {
                map.serialize_entry("highlight", &found)?;
            }
        }
        if shape.explain {
            let score = hit.score.map_or(self.score.unwrap_or(1.0), f64::from);
            map.serialize_entry("_explanation", &explanation(score))?;
        }
        if !hit.named.is_empty() {
            self.named_entry(&mut map)?;
        }
        if !self.inner.is_empty() {
            map.serialize_entry("inner_hits", &Inner(&self.inner))?;
        }
        if !shape.sort.is_empty() {
            map.serialize_entry("sort", &self.sort_values())?;
        }
        map.end()
    }
}

/// A score, explained by what it is the sum of: words and boosts, which are not said one by one.
fn explanation(score: f64) -> Value {
    let score = serde_json::json!(narrowed(score));
    serde_json::json!({
        "value": score,
        "description": "score of the query, sum of its matching parts",
        "details": [],
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are answered with fewer digits"
)]
fn narrowed(score: f64) -> f32 {
    score as f32
}

/// Hits below a hit.
struct Inner<'a>(&'a [(&'a InnerShape, &'a SearchResponse)]);

impl Serialize for Inner<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (inner, response) in self.0 {
            map.serialize_entry(&inner.name, &InnerHits(&inner.shape, response))?;
        }
        map.end()
    }
}

struct InnerHits<'a>(&'a ResponseShape, &'a SearchResponse);

impl Serialize for InnerHits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let hits = super::Hits {
            shape: self.0,
            response: self.1,
        };
        map.serialize_entry("hits", &hits)?;
        map.end()
    }
}

/// The value that hits were taken together by.
fn group_value(value: Option<&SortValue>) -> Value {
    match value {
        Some(SortValue::Integer(number)) => (*number).into(),
        Some(SortValue::Decimal(number)) => number.to_f64().into(),
        Some(SortValue::Text(text)) => String::from_utf8_lossy(text).into(),
        Some(SortValue::Float(_) | SortValue::Row | SortValue::Place(_)) | None => Value::Null,
    }
}

impl ShownHit<'_> {
    /// Which named queries it matches.
    fn named_entry<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let names = &self.shape.named;
        let named = self.hit.named.iter();
        let mut named: Vec<_> = named
            .map(|(number, score)| (&names[*number], score))
            .collect();
        named.sort_by_key(|(name, _)| *name);
        if self.shape.named_scores {
            let scores: BTreeMap<_, _> = named.into_iter().collect();
            return map.serialize_entry("matched_queries", &scores);
        }
        let names: Vec<_> = named.into_iter().map(|(name, _)| name).collect();
        map.serialize_entry("matched_queries", &names)
    }

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
            SortKind::Row
            | SortKind::Score
            | SortKind::Distance
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
    /// With as many digits as a score has.
    Score(f64),
}

impl Serialize for SortShown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(value) => value.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::Score(score) => narrowed(*score).serialize(serializer),
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
        SortValue::Float(number) => match shape.kind {
            SortKind::Score => SortShown::Score(*number),
            _distance => SortShown::Json((number / shape.unit_m).into()),
        },
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
        SortKind::Decimal | SortKind::Distance if is_least => "-Infinity".into(),
        SortKind::Decimal | SortKind::Distance => "Infinity".into(),
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
