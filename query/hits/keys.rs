//! Values that hits are ordered by.

use std::cmp::Ordering;
use std::sync::Arc;

use storage::model::{ColumnKind, Decimal, Dictionary};

use crate::QueryError;
use crate::filter::{Binder, BoundField};
use crate::frame::{Frame, NumberSlot, TextSlot};
use crate::request::{SortBy, SortKey};
use crate::response::SortValue;

/// A sort key over one source.
#[derive(Debug, Clone)]
pub(crate) enum BoundKey {
    /// No row has a value.
    Absent,
    /// The sort key of the rows.
    Time,
    Numbers {
        slot: NumberSlot,
        kind: ColumnKind,
        descending: bool,
    },
    Texts {
        slot: TextSlot,
        dictionary: Arc<Dictionary>,
        descending: bool,
    },
    /// Partition and offset.
    Row,
}

/// A value, borrowed from where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyValue<'a> {
    Integer(i64),
    Decimal(Decimal),
    Text(&'a [u8]),
    Row,
}

impl BoundKey {
    pub(crate) fn bind(key: &SortKey, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let field = match &key.by {
            SortBy::Row => return Ok(Self::Row),
            SortBy::Field(None) => return Ok(Self::Absent),
            SortBy::Field(Some(field)) => field,
        };
        if binder.is_sort_key(field) {
            return Ok(Self::Time);
        }
        let descending = key.descending;
        Ok(match binder.field(field)? {
            BoundField::Absent => Self::Absent,
            BoundField::Numbers(slot) => Self::Numbers {
                slot,
                kind: field.field_type.column_kind(),
                descending,
            },
            BoundField::Texts(slot) => Self::Texts {
                slot,
                dictionary: binder.dictionary(slot)?,
                descending,
            },
        })
    }

    /// The value of `entry`: of several the one that comes first in the order.
    pub(crate) fn value<F: Frame>(
        &self,
        frame: &mut F,
        entry: usize,
    ) -> Result<Option<KeyValue<'_>>, QueryError> {
        Ok(match self {
            Self::Absent => None,
            Self::Time => Some(KeyValue::Integer(frame.times_ms()?[entry])),
            Self::Numbers {
                slot,
                kind,
                descending,
            } => {
                let numbers = frame.numbers(*slot)?;
                let values = numbers
                    .index
                    .values(entry)
                    .map(|value| numbers.value(value));
                let first = first(values, *descending, |a, b| a.compare(*b));
                first.map(|value| match kind {
                    ColumnKind::Integer => KeyValue::Integer(value.mantissa),
                    ColumnKind::Decimal | ColumnKind::Text => KeyValue::Decimal(value),
                })
            }
            Self::Texts {
                slot,
                dictionary,
                descending,
            } => {
                let codes = frame.codes(*slot)?;
                let codes = &codes.codes[codes.index.values(entry)];
                let terms = codes.iter().map(|code| dictionary.term(*code));
                first(terms, *descending, Ord::cmp).map(KeyValue::Text)
            }
            Self::Row => Some(KeyValue::Row),
        })
    }
}

fn first<T>(
    values: impl Iterator<Item = T>,
    descending: bool,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Option<T> {
    if descending {
        values.max_by(compare)
    } else {
        values.min_by(compare)
    }
}

/// The value as it is kept and answered.
pub(crate) fn keep(value: KeyValue<'_>) -> SortValue {
    match value {
        KeyValue::Integer(integer) => SortValue::Integer(integer),
        KeyValue::Decimal(decimal) => SortValue::Decimal(decimal.normalized()),
        KeyValue::Text(text) => SortValue::Text(Arc::from(text)),
        KeyValue::Row => SortValue::Row,
    }
}

/// A kept value, seen as a value again.
pub(crate) fn kept(value: &SortValue) -> KeyValue<'_> {
    match value {
        SortValue::Integer(integer) => KeyValue::Integer(*integer),
        SortValue::Decimal(decimal) => KeyValue::Decimal(*decimal),
        SortValue::Text(text) => KeyValue::Text(text),
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
            (Some(a), Some(b)) => directed(compare_values(a, b), key.descending),
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
            SortBy::Field(_) => None,
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

/// Numbers by value, texts by bytes, numbers before texts.
fn compare_values(a: KeyValue<'_>, b: KeyValue<'_>) -> Ordering {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.compare(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => match (a, b) {
            (KeyValue::Text(a), KeyValue::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        },
    }
}

fn number(value: KeyValue<'_>) -> Option<Decimal> {
    match value {
        KeyValue::Integer(integer) => Some(Decimal::from_i64(integer)),
        KeyValue::Decimal(decimal) => Some(decimal),
        KeyValue::Text(_) | KeyValue::Row => None,
    }
}
