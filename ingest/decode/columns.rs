//! Columns while rows are added to them.

use std::sync::Arc;

use storage::model::{
    Column, Decimal, DictionaryBuilder, Exponents, NumberColumn, Occurrence, TextColumn,
};

use super::number::decimal_of_integer;

/// The values of one field so far.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    Integer {
        values: Vec<i64>,
        occurrence: OccurrenceBuilder,
    },
    Decimal {
        mantissas: Vec<i64>,
        exponents: Vec<i16>,
        occurrence: OccurrenceBuilder,
    },
    Text {
        terms: DictionaryBuilder,
        codes: Vec<u32>,
        occurrence: OccurrenceBuilder,
    },
}

impl ColumnBuilder {
    pub(super) fn integer() -> Self {
        Self::Integer {
            values: Vec::new(),
            occurrence: OccurrenceBuilder::default(),
        }
    }

    pub(super) fn text() -> Self {
        Self::Text {
            terms: DictionaryBuilder::default(),
            codes: Vec::new(),
            occurrence: OccurrenceBuilder::default(),
        }
    }

    pub(super) fn decimal() -> Self {
        Self::Decimal {
            mantissas: Vec::new(),
            exponents: Vec::new(),
            occurrence: OccurrenceBuilder::default(),
        }
    }

    /// Adds an integer; a decimal column takes it as a decimal.
    pub(super) fn push_integer(&mut self, row: u32, value: i64) {
        match self {
            Self::Integer { values, occurrence } => {
                values.push(value);
                occurrence.push(row);
            }
            Self::Decimal { .. } => self.push_decimal(row, decimal_of_integer(value)),
            Self::Text { .. } => unreachable!("a field's values are converted to its kind"),
        }
    }

    /// Adds a decimal; an integer column becomes one of decimals.
    pub(super) fn push_decimal(&mut self, row: u32, value: Decimal) {
        if matches!(self, Self::Integer { .. }) {
            self.widen();
        }
        match self {
            Self::Decimal {
                mantissas,
                exponents,
                occurrence,
            } => {
                mantissas.push(value.mantissa);
                exponents.push(value.exponent);
                occurrence.push(row);
            }
            Self::Integer { .. } | Self::Text { .. } => {
                unreachable!("a field's values are converted to its kind")
            }
        }
    }

    pub(super) fn push_text(&mut self, row: u32, value: &[u8]) {
        match self {
            Self::Text {
                terms,
                codes,
                occurrence,
            } => {
                codes.push(terms.code(value));
                occurrence.push(row);
            }
            Self::Integer { .. } | Self::Decimal { .. } => {
                unreachable!("a field's values are converted to its kind")
            }
        }
    }

    /// Turns a column of integers into one of decimals.
    pub(super) fn widen(&mut self) {
        let Self::Integer { values, occurrence } = self else {
            return;
        };
        let decimals: Vec<Decimal> = values.iter().copied().map(decimal_of_integer).collect();
        *self = Self::Decimal {
            mantissas: decimals.iter().map(|value| value.mantissa).collect(),
            exponents: decimals.iter().map(|value| value.exponent).collect(),
            occurrence: std::mem::take(occurrence),
        };
    }

    /// The column for `row_count` rows; `None` when no row has a value.
    pub(super) fn finish(self, row_count: u32) -> Option<Column> {
        let column = match self {
            Self::Integer { values, .. } if values.is_empty() => return None,
            Self::Integer { values, occurrence } => Column::Integer(NumberColumn {
                mantissas: values,
                exponents: Exponents::Uniform(0),
                occurrence: occurrence.finish(row_count),
            }),
            Self::Decimal { mantissas, .. } if mantissas.is_empty() => return None,
            Self::Decimal {
                mantissas,
                exponents,
                occurrence,
            } => {
                let first = exponents[0];
                let uniform = exponents.iter().all(|exponent| *exponent == first);
                Column::Decimal(NumberColumn {
                    mantissas,
                    exponents: match uniform {
                        true => Exponents::Uniform(first),
                        false => Exponents::Each(exponents),
                    },
                    occurrence: occurrence.finish(row_count),
                })
            }
            Self::Text { codes, .. } if codes.is_empty() => return None,
            Self::Text {
                terms,
                codes,
                occurrence,
            } => Column::Text(TextColumn {
                dictionary: Arc::new(terms.finish()),
                codes,
                occurrence: occurrence.finish(row_count),
            }),
        };
        Some(column)
    }
}

/// How values are dealt out to rows, while rows are added: as simple as the values allow.
#[derive(Debug, Default)]
pub(super) enum OccurrenceBuilder {
    /// Rows `0..n` have one value each.
    #[default]
    Empty,
    One {
        rows: u32,
    },
    /// As [`Occurrence::Optional`]; `rows` is one behind the last that has a value.
    Optional {
        bits: Vec<u64>,
        rows: u32,
    },
    /// As [`Occurrence::Many`] up to the last row that has a value; that row's end is `values`.
    Many {
        starts: Vec<u32>,
        values: u32,
    },
}

impl OccurrenceBuilder {
    /// Gives `row` one more value. Rows never go back.
    pub(super) fn push(&mut self, row: u32) {
        match self {
            Self::Empty if row == 0 => *self = Self::One { rows: 1 },
            Self::Empty => {
                *self = Self::Optional {
                    bits: Vec::new(),
                    rows: 0,
                };
                self.push(row);
            }
            Self::One { rows } if row == *rows => *rows += 1,
            Self::One { rows } if row > *rows => {
                let mut bits = vec![u64::MAX; (*rows / 64) as usize];
                if *rows % 64 != 0 {
                    bits.push((1 << (*rows % 64)) - 1);
                }
                *self = Self::Optional { bits, rows: *rows };
                self.push(row);
            }
            Self::Optional { bits, rows } if row >= *rows => {
                let word = (row / 64) as usize;
                if bits.len() <= word {
                    bits.resize(word + 1, 0);
                }
                bits[word] |= 1 << (row % 64);
                *rows = row + 1;
            }
            Self::One { .. } | Self::Optional { .. } => {
                *self = std::mem::take(self).into_many();
                self.push(row);
            }
            Self::Many { starts, values } => {
                // Rows without values between the last and this one start where this one does.
                starts.resize(starts.len().max(row as usize + 1), *values);
                *values += 1;
            }
        }
    }

    /// The same with a start for each row up to the last that has a value.
    fn into_many(self) -> Self {
        match self {
            Self::Empty => Self::Many {
                starts: Vec::new(),
                values: 0,
            },
            Self::One { rows } => Self::Many {
                starts: (0..rows).collect(),
                values: rows,
            },
            Self::Optional { bits, rows } => {
                let mut starts = Vec::with_capacity(rows as usize);
                let mut values = 0;
                for row in 0..rows {
                    starts.push(values);
                    values += u32::from(bits[(row / 64) as usize] >> (row % 64) & 1 == 1);
                }
                Self::Many { starts, values }
            }
            Self::Many { .. } => self,
        }
    }

    /// The occurrence over `row_count` rows.
    fn finish(self, row_count: u32) -> Occurrence {
        match self {
            Self::One { rows } if rows == row_count => Occurrence::One,
            Self::Empty if row_count == 0 => Occurrence::One,
            Self::Empty => Occurrence::Optional(vec![0; row_count.div_ceil(64) as usize]),
            Self::One { rows } => {
                let mut bits = vec![0; row_count.div_ceil(64) as usize];
                for row in 0..rows {
                    bits[(row / 64) as usize] |= 1 << (row % 64);
                }
                Occurrence::Optional(bits)
            }
            Self::Optional { mut bits, .. } => {
                bits.resize(row_count.div_ceil(64) as usize, 0);
                Occurrence::Optional(bits)
            }
            Self::Many { mut starts, values } => {
                starts.resize(row_count as usize + 1, values);
                Occurrence::Many(starts)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(occurrence: &Occurrence, row_count: usize) -> Vec<u32> {
        match occurrence {
            Occurrence::One => vec![1; row_count],
            Occurrence::Optional(bits) => (0..row_count)
                .map(|row| u32::from(bits[row / 64] >> (row % 64) & 1 == 1))
                .collect(),
            Occurrence::Many(starts) => starts.windows(2).map(|pair| pair[1] - pair[0]).collect(),
        }
    }

    proptest! {
        #[test]
        fn values_stay_with_their_rows(expected in proptest::collection::vec(
            prop_oneof![8 => Just(1u32), 1 => Just(0), 1 => 0u32..4], 0..200)
        ) {
            let mut builder = OccurrenceBuilder::default();
            for (row, count) in expected.iter().enumerate() {
                for _ in 0..*count {
                    builder.push(u32::try_from(row).expect("few rows"));
                }
            }
            let occurrence = builder.finish(u32::try_from(expected.len()).expect("few rows"));
            let simplest = match expected.iter().max() {
                Some(0) => matches!(occurrence, Occurrence::Optional(_)),
                Some(1) => matches!(occurrence, Occurrence::One | Occurrence::Optional(_)),
                Some(_) => matches!(occurrence, Occurrence::Many(_)),
                None => matches!(occurrence, Occurrence::One),
            };
            prop_assert!(simplest);
            prop_assert_eq!(counts(&occurrence, expected.len()), expected);
        }
    }
}
