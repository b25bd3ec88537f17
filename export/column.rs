//! One Arrow column while its batch is filled.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array,
    ListArray, StringArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, TimeUnit};
use storage::model::{Decimal, FieldType};

use crate::ExportError;
use crate::decimal_text::decimal_text;

/// The zone of all instants.
const UTC: &str = "UTC";

/// What an Arrow column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Integer,
    Double,
    /// The exact decimal, as text.
    Decimal,
    Boolean,
    Milliseconds,
    Nanoseconds,
    /// Few distinct texts.
    Terms,
    /// Texts, each its own.
    Text,
}

impl ColumnType {
    /// The column of a field.
    pub(crate) fn of(field_type: FieldType) -> Self {
        match field_type {
            FieldType::Long | FieldType::Integer | FieldType::Short | FieldType::Byte => {
                Self::Integer
            }
            FieldType::Double | FieldType::Float | FieldType::HalfFloat => Self::Double,
            FieldType::Boolean => Self::Boolean,
            FieldType::Date => Self::Milliseconds,
            FieldType::DateNanos => Self::Nanoseconds,
            FieldType::Keyword | FieldType::Text | FieldType::Ip => Self::Terms,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Milliseconds => DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())),
            Self::Nanoseconds => DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into())),
            Self::Terms => DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into()),
            Self::Decimal | Self::Text => DataType::Utf8,
        }
    }
}

/// Values of one column, and how they are dealt out to rows.
#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    field: Arc<Field>,
    column_type: ColumnType,
    is_list: bool,
    values: Values,
    /// Behind the values of each row of a list.
    ends: Vec<usize>,
    /// Whether each row has a value.
    present: Vec<bool>,
}

#[derive(Debug)]
enum Values {
    Integers(Vec<i64>),
    Doubles(Vec<f64>),
    Flags(Vec<bool>),
    Texts(Vec<String>),
    /// Codes into terms that are kept in order of arrival.
    Codes {
        codes: Vec<i32>,
        terms: Vec<String>,
    },
}

impl ColumnBuilder {
    /// A column called `name`; `is_list` when rows may have several values.
    pub(crate) fn new(name: &str, column_type: ColumnType, is_list: bool, nullable: bool) -> Self {
        let data_type = column_type.data_type();
        let field = match is_list {
            true => Field::new_list(name, Field::new_list_field(data_type, false), nullable),
            false => Field::new(name, data_type, nullable),
        };
        Self {
            field: Arc::new(field),
            column_type,
            is_list,
            values: Values::empty(column_type),
            ends: Vec::new(),
            present: Vec::new(),
        }
    }

    pub(crate) fn field(&self) -> &Arc<Field> {
        &self.field
    }

    /// A row with the integers, instants or flags `values`.
    pub(crate) fn push_integers(&mut self, values: impl IntoIterator<Item = i64>) {
        let before = self.values.len();
        match &mut self.values {
            Values::Integers(all) => all.extend(values),
            Values::Flags(all) => all.extend(values.into_iter().map(|value| value != 0)),
            Values::Doubles(_) | Values::Texts(_) | Values::Codes { .. } => {
                unreachable!("the caller knows the column's type")
            }
        }
        self.end_row(before);
    }

    /// A row with the numbers `values`, in a column of doubles or of their texts.
    pub(crate) fn push_decimals(&mut self, values: impl IntoIterator<Item = Decimal>) {
        let before = self.values.len();
        match &mut self.values {
            Values::Doubles(all) => all.extend(values.into_iter().map(Decimal::to_f64)),
            Values::Texts(all) => all.extend(values.into_iter().map(decimal_text)),
            Values::Integers(_) | Values::Flags(_) | Values::Codes { .. } => {
                unreachable!("the caller knows the column's type")
            }
        }
        self.end_row(before);
    }

    /// A row with a double, or none.
    pub(crate) fn push_double(&mut self, value: Option<f64>) {
        let before = self.values.len();
        if let Values::Doubles(all) = &mut self.values {
            all.extend(value);
        }
        self.end_row(before);
    }

    /// A row with a text of its own, or none.
    pub(crate) fn push_text(&mut self, value: Option<String>) {
        let before = self.values.len();
        if let Values::Texts(all) = &mut self.values {
            all.extend(value);
        }
        self.end_row(before);
    }

    /// A row with the terms of `codes`, as [`ColumnBuilder::add_term`] gave them.
    pub(crate) fn push_codes(&mut self, codes: impl IntoIterator<Item = i32>) {
        let before = self.values.len();
        if let Values::Codes { codes: all, .. } = &mut self.values {
            all.extend(codes);
        }
        self.end_row(before);
    }

    /// The code of a term that is new in this batch.
    pub(crate) fn add_term(&mut self, term: &[u8]) -> i32 {
        let Values::Codes { terms, .. } = &mut self.values else {
            unreachable!("the caller knows the column's type")
        };
        terms.push(String::from_utf8_lossy(term).into_owned());
        i32::try_from(terms.len() - 1).expect("a batch has fewer terms than 2^31")
    }

    /// A row without a value.
    pub(crate) fn push_missing(&mut self) {
        self.end_row(self.values.len());
    }

    fn end_row(&mut self, before: usize) {
        let has_value = self.values.len() > before;
        self.present.push(has_value);
        match self.is_list {
            true => self.ends.push(self.values.len()),
            false if !has_value => self.values.push_nothing(),
            false => {}
        }
    }

    /// The rows since the last call as an array.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ExportError> {
        let empty = Values::empty(self.column_type);
        let values = std::mem::replace(&mut self.values, empty);
        let present = std::mem::take(&mut self.present);
        let nulls = match present.iter().all(|present| *present) {
            true => None,
            false => Some(NullBuffer::from(present)),
        };
        if !self.is_list {
            return values.into_array(self.column_type, nulls);
        }
        let too_many = || ExportError::TooManyValues {
            column: self.field.name().clone(),
        };
        let ends = std::mem::take(&mut self.ends);
        let ends = std::iter::once(0).chain(ends);
        let offsets = ends
            .map(|end| i32::try_from(end).map_err(|_| too_many()))
            .collect::<Result<Vec<_>, _>>()?;
        let item = Arc::new(Field::new_list_field(self.column_type.data_type(), false));
        let values = values.into_array(self.column_type, None)?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(item, offsets, values, nulls)?))
    }
}

impl Values {
    fn empty(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Integer | ColumnType::Milliseconds | ColumnType::Nanoseconds => {
                Self::Integers(Vec::new())
            }
            ColumnType::Double => Self::Doubles(Vec::new()),
            ColumnType::Boolean => Self::Flags(Vec::new()),
            ColumnType::Decimal | ColumnType::Text => Self::Texts(Vec::new()),
            ColumnType::Terms => Self::Codes {
                codes: Vec::new(),
                terms: Vec::new(),
            },
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Doubles(values) => values.len(),
            Self::Flags(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Codes { codes, .. } => codes.len(),
        }
    }

    /// Something in the place of a value that is not there.
    fn push_nothing(&mut self) {
        match self {
            Self::Integers(values) => values.push(0),
            Self::Doubles(values) => values.push(0.0),
            Self::Flags(values) => values.push(false),
            Self::Texts(values) => values.push(String::new()),
            Self::Codes { codes, .. } => codes.push(0),
        }
    }

    fn into_array(
        self,
        column_type: ColumnType,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, ExportError> {
        Ok(match self {
            Self::Integers(values) => {
                let values = ScalarBuffer::from(values);
                match column_type {
                    ColumnType::Milliseconds => Arc::new(
                        TimestampMillisecondArray::try_new(values, nulls)?.with_timezone(UTC),
                    ),
                    ColumnType::Nanoseconds => Arc::new(
                        TimestampNanosecondArray::try_new(values, nulls)?.with_timezone(UTC),
                    ),
                    _ => Arc::new(Int64Array::try_new(values, nulls)?),
                }
            }
            Self::Doubles(values) => {
                Arc::new(Float64Array::try_new(ScalarBuffer::from(values), nulls)?)
            }
            Self::Flags(values) => Arc::new(BooleanArray::new(values.into(), nulls)),
            Self::Texts(values) => {
                let plain = StringArray::from_iter_values(values);
                let (offsets, bytes, _) = plain.into_parts();
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Codes { codes, mut terms } => {
                // The codes of rows without a value must still lead somewhere.
                if terms.is_empty() && !codes.is_empty() {
                    terms.push(String::new());
                }
                let keys = Int32Array::try_new(ScalarBuffer::from(codes), nulls)?;
                let terms: Arc<dyn Array> = Arc::new(StringArray::from_iter_values(terms));
                Arc::new(DictionaryArray::<Int32Type>::try_new(keys, terms)?)
            }
        })
    }
}
