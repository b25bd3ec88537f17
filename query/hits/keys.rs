//! Values that hits are ordered by.

use std::cmp::Ordering;
use std::sync::Arc;

use storage::model::{ColumnKind, Decimal, Dictionary, FieldType, GeoPoint};

use crate::QueryError;
use crate::filter::{Binder, BoundField};
use crate::frame::{Frame, NumberSlot, TextSlot};
use crate::pattern::address;
use crate::request::{FieldRef, SortBy, SortCast, SortKey, SortMode};
use crate::response::SortValue;

/// A criterion over one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundKey {
    values: KeyValues,
    choice: Choice,
    cast: SortCast,
    missing: Option<SortValue>,
}

/// Where the values of a criterion are.
#[derive(Debug, Clone)]
enum KeyValues {
    /// No row has one.
    Absent,
    /// The sort key of the rows.
    Time,
    Numbers {
        slot: NumberSlot,
        kind: ColumnKind,
    },
    Texts {
        slot: TextSlot,
        dictionary: Arc<Dictionary>,
        order: TextOrder,
    },
    /// Partition and offset.
    Row,
    /// Not a value of the row: it is handed in.
    Score,
    Distance {
        slot: NumberSlot,
        from: Vec<GeoPoint>,
    },
}

/// What is made of several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Least,
    Greatest,
    Sum,
    Avg,
    Median,
}

impl Choice {
    fn of(key: &SortKey) -> Self {
        match key.mode {
            SortMode::First if key.descending => Self::Greatest,
            SortMode::First | SortMode::Min => Self::Least,
            SortMode::Max => Self::Greatest,
            SortMode::Sum => Self::Sum,
            SortMode::Avg => Self::Avg,
            SortMode::Median => Self::Median,
        }
    }
}

/// A value, borrowed from where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyValue<'a> {
    Integer(i64),
    Decimal(Decimal),
    Text(&'a [u8]),
    Float(f64),
    Row,
}

impl BoundKey {
    pub(crate) fn bind(key: &SortKey, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let values = match &key.by {
            SortBy::Row => KeyValues::Row,
            SortBy::Field(None) => KeyValues::Absent,
            SortBy::Field(Some(field)) => Self::values_of(field, binder)?,
            SortBy::Score => KeyValues::Score,
            SortBy::Distance { field, from } => match binder.numbers(field)? {
                Some(slot) => KeyValues::Distance {
                    slot,
                    from: from.clone(),
                },
                None => KeyValues::Absent,
            },
        };
        Ok(Self {
            values,
            choice: Choice::of(key),
            cast: key.cast,
            missing: key.missing.clone(),
        })
    }

    fn values_of(field: &FieldRef, binder: &mut Binder<'_>) -> Result<KeyValues, QueryError> {
        if binder.is_sort_key(field) {
            return Ok(KeyValues::Time);
        }
        Ok(match binder.field(field)? {
            BoundField::Absent => KeyValues::Absent,
            BoundField::Numbers(slot) => KeyValues::Numbers {
                slot,
                kind: field.field_type.column_kind(),
            },
            BoundField::Texts(slot) => KeyValues::Texts {
                slot,
                dictionary: binder.dictionary(slot)?,
                order: TextOrder::of(field),
            },
        })
    }

    /// Whether values are the times of the rows, unchanged.
    pub(crate) fn is_time(&self) -> bool {
        matches!(self.values, KeyValues::Time) && self.cast == SortCast::None
    }

    /// What `entry` counts as in the order, if it scores `score`.
    pub(crate) fn scored_value<F: Frame>(
        &self,
        frame: &mut F,
        entry: usize,
        score: f32,
    ) -> Result<Option<KeyValue<'_>>, QueryError> {
        match &self.values {
            KeyValues::Score => Ok(Some(KeyValue::Float(f64::from(score)))),
            _others => self.value(frame, entry),
        }
    }

    /// What `entry` counts as in the order.
    pub(crate) fn value<F: Frame>(
        &self,
        frame: &mut F,
        entry: usize,
    ) -> Result<Option<KeyValue<'_>>, QueryError> {
        let value = self.own_value(frame, entry)?;
        let value = value.map(|value| cast(value, self.cast));
        Ok(value.or_else(|| self.missing.as_ref().map(kept)))
    }

    fn own_value<F: Frame>(
        &self,
        frame: &mut F,
        entry: usize,
    ) -> Result<Option<KeyValue<'_>>, QueryError> {
        Ok(match &self.values {
            KeyValues::Absent => None,
            KeyValues::Time => Some(KeyValue::Integer(frame.times_ms()?[entry])),
            KeyValues::Numbers { slot, kind } => {
                let numbers = frame.numbers(*slot)?;
                let values = numbers
                    .index
                    .values(entry)
                    .map(|value| numbers.value(value));
                choose_number(values, *kind, self.choice)
            }
            KeyValues::Texts {
                slot,
                dictionary,
                order,
            } => {
                let codes = frame.codes(*slot)?;
                let codes = &codes.codes[codes.index.values(entry)];
                let terms = codes.iter().map(|code| dictionary.term(*code));
                let term = match self.choice {
                    Choice::Greatest => terms.max_by(|a, b| order.compare(a, b)),
                    Choice::Least | Choice::Sum | Choice::Avg | Choice::Median => {
                        terms.min_by(|a, b| order.compare(a, b))
                    }
                };
                term.map(KeyValue::Text)
            }
            KeyValues::Row => Some(KeyValue::Row),
            KeyValues::Score => Some(KeyValue::Float(1.0)),
            KeyValues::Distance { slot, from } => {
                let numbers = frame.numbers(*slot)?;
                let places = numbers.index.values(entry).map(|value| {
                    let place = GeoPoint::of_code(numbers.mantissas[value]);
                    let distances = from.iter().map(|from| from.distance_m(place));
                    distances.fold(f64::INFINITY, f64::min)
                });
                choose_distance(places.collect(), self.choice).map(KeyValue::Float)
            }
        })
    }
}

/// How texts order.
#[derive(Debug, Clone, Copy)]
enum TextOrder {
    Bytes,
    /// By the numbers that they are as addresses.
    Addresses,
}

impl TextOrder {
    fn of(field: &FieldRef) -> Self {
        match field.field_type {
            FieldType::Ip => Self::Addresses,
            _others => Self::Bytes,
        }
    }

    fn by(criterion: &SortBy) -> Self {
        match criterion {
            SortBy::Field(Some(field)) => Self::of(field),
            SortBy::Field(None) | SortBy::Row | SortBy::Score | SortBy::Distance { .. } => {
                Self::Bytes
            }
        }
    }

    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Bytes => a.cmp(b),
            Self::Addresses => address(a).cmp(&address(b)),
        }
    }
}

fn choose_distance(mut distances: Vec<f64>, choice: Choice) -> Option<f64> {
    distances.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*distances.first()?, *distances.last()?);
    Some(match choice {
        Choice::Least => first,
        Choice::Greatest => last,
        Choice::Sum => distances.iter().sum(),
        Choice::Avg => distances.iter().sum::<f64>() / distances.len() as f64,
        Choice::Median => {
            let count = distances.len();
            (distances[(count - 1) / 2] + distances[count / 2]) / 2.0
        }
    })
}

fn choose_number<'a>(
    values: impl Iterator<Item = Decimal>,
    kind: ColumnKind,
    choice: Choice,
) -> Option<KeyValue<'a>> {
    let of_kind = |value: Decimal| match kind {
        ColumnKind::Integer => KeyValue::Integer(value.mantissa),
        ColumnKind::Decimal | ColumnKind::Text => KeyValue::Decimal(value),
    };
    match choice {
        Choice::Least => values.min_by(|a, b| a.compare(*b)).map(of_kind),
        Choice::Greatest => values.max_by(|a, b| a.compare(*b)).map(of_kind),
        Choice::Sum | Choice::Avg | Choice::Median => {
            let mut values: Vec<Decimal> = values.collect();
            match values.as_slice() {
                [] => None,
                [single] => Some(of_kind(*single)),
                _several => {
                    values.sort_unstable_by(|a, b| a.compare(*b));
                    let number = combine(&values, choice);
                    Some(match kind {
                        ColumnKind::Integer => KeyValue::Integer(nearest(number)),
                        ColumnKind::Decimal | ColumnKind::Text => {
                            KeyValue::Decimal(Decimal::from_f64(number)?)
                        }
                    })
                }
            }
        }
    }
}

/// One number made of several ascending ones.
fn combine(values: &[Decimal], choice: Choice) -> f64 {
    let count = values.len();
    let sum = |values: &[Decimal]| values.iter().map(|value| value.to_f64()).sum::<f64>();
    match choice {
        Choice::Median if count % 2 == 1 => values[count / 2].to_f64(),
        Choice::Median => sum(&values[count / 2 - 1..=count / 2]) / 2.0,
        Choice::Avg => sum(values) / count as f64,
        Choice::Least | Choice::Greatest | Choice::Sum => sum(values),
    }
}

/// The nearest integer, as far as 64 bits go.
#[expect(clippy::cast_possible_truncation, reason = "it ends where 64 bits end")]
fn nearest(number: f64) -> i64 {
    number.round() as i64
}

/// The whole part of a number, as far as 64 bits go.
fn whole(value: Decimal) -> i64 {
    let digits = u32::from(value.exponent.unsigned_abs());
    let power = 10_i64.checked_pow(digits);
    match (value.exponent < 0, power) {
        (true, Some(power)) => value.mantissa / power,
        (true, None) => 0,
        (false, Some(power)) => value.mantissa.saturating_mul(power),
        (false, None) => value.mantissa.signum().saturating_mul(i64::MAX),
    }
}

const NANOS_PER_MILLI: i64 = 1_000_000;

fn cast(value: KeyValue<'_>, to: SortCast) -> KeyValue<'_> {
    match (value, to) {
        (KeyValue::Integer(value), SortCast::Decimal) => {
            KeyValue::Decimal(Decimal::from_i64(value))
        }
        (KeyValue::Decimal(value), SortCast::Integer) => KeyValue::Integer(whole(value)),
        (KeyValue::Integer(ms), SortCast::Nanos) => {
            KeyValue::Integer(ms.saturating_mul(NANOS_PER_MILLI))
        }
        (KeyValue::Integer(nanos), SortCast::Millis) => {
            KeyValue::Integer(nanos.div_euclid(NANOS_PER_MILLI))
        }
        (
            value,
            SortCast::None
            | SortCast::Decimal
            | SortCast::Integer
            | SortCast::Nanos
            | SortCast::Millis,
        ) => value,
    }
}

/// The value as it is kept and answered.
pub(crate) fn keep(value: KeyValue<'_>) -> SortValue {
    match value {
        KeyValue::Integer(integer) => SortValue::Integer(integer),
        KeyValue::Decimal(decimal) => SortValue::Decimal(decimal.normalized()),
        KeyValue::Text(text) => SortValue::Text(Arc::from(text)),
        KeyValue::Float(number) => SortValue::Float(number),
        KeyValue::Row => SortValue::Row,
    }
}

/// A kept value, seen as a value again.
pub(crate) fn kept(value: &SortValue) -> KeyValue<'_> {
    match value {
        SortValue::Integer(integer) => KeyValue::Integer(*integer),
        SortValue::Decimal(decimal) => KeyValue::Decimal(*decimal),
        SortValue::Text(text) => KeyValue::Text(text),
        SortValue::Float(number) => KeyValue::Float(*number),
        SortValue::Row | SortValue::Place(_) => KeyValue::Row,
    }
}

/// The criteria of an order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a> {
    sort: &'a [SortKey],
}

impl<'a> Keys<'a> {
    pub(crate) fn new(sort: &'a [SortKey]) -> Self {
        Self { sort }
    }

    /// Compares values of criterion `index`; equal where places decide.
    pub(crate) fn compare(
        &self,
        index: usize,
        a: Option<KeyValue<'_>>,
        b: Option<KeyValue<'_>>,
    ) -> Ordering {
        let key = &self.sort[index];
        match (a, b) {
            (Some(a), Some(b)) => {
                directed(compare_values(a, b, TextOrder::by(&key.by)), key.descending)
            }
            (None, None) => Ordering::Equal,
            (None, Some(_)) if key.missing_first => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) if key.missing_first => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        }
    }

    /// The direction of criterion `index` if it is the row's place.
    pub(crate) fn row_direction(&self, index: usize) -> Option<bool> {
        match self.sort[index].by {
            SortBy::Row => Some(self.sort[index].descending),
            SortBy::Field(_) | SortBy::Score | SortBy::Distance { .. } => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sort.len()
    }
}

pub(crate) fn directed(ordering: Ordering, descending: bool) -> Ordering {
    if descending {
        ordering.reverse()
    } else {
        ordering
    }
}

/// Numbers by value, texts by `order`, numbers before texts.
fn compare_values(a: KeyValue<'_>, b: KeyValue<'_>, order: TextOrder) -> Ordering {
    if let (Some(a), Some(b)) = (float(a), float(b)) {
        return a.total_cmp(&b);
    }
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.compare(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => match (a, b) {
            (KeyValue::Text(a), KeyValue::Text(b)) => order.compare(a, b),
            _ => Ordering::Equal,
        },
    }
}

fn number(value: KeyValue<'_>) -> Option<Decimal> {
    match value {
        KeyValue::Integer(integer) => Some(Decimal::from_i64(integer)),
        KeyValue::Decimal(decimal) => Some(decimal),
        KeyValue::Text(_) | KeyValue::Float(_) | KeyValue::Row => None,
    }
}

fn float(value: KeyValue<'_>) -> Option<f64> {
    match value {
        KeyValue::Float(number) => Some(number),
        KeyValue::Integer(_) | KeyValue::Decimal(_) | KeyValue::Text(_) | KeyValue::Row => None,
    }
}
