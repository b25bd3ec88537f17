//! One vector of one column: a header of fixed size and a run of bytes in a page.

use super::bytes::{ByteReader, ByteWriter, Flaw};
use super::choose::{encode, encode_with_code};
use super::integers::{
    Encoding, IntegerCode, Lanes, decode_codes, decode_integers, decode_with_code,
};
use super::occurrences::{OccurrenceCode, decode_occurrence, encode_occurrence};
use crate::model::{CodeVector, Decimal, Exponents, NumberVector, VECTOR_ROWS};

/// Bytes of a vector header.
pub(in crate::segment) const HEADER_BYTES: usize = 64;

/// Most values of one vector. Rows have one each as a rule; this bounds what a file can make a
/// reader allocate.
pub(in crate::segment) const VECTOR_VALUES_MAX: usize = 1 << 24;

/// Flag: the vector has numbers whose smallest, largest and sum are in the header.
const FLAG_STATISTICS: u8 = 1;
/// Flag: each value has an exponent of its own.
const FLAG_EACH_EXPONENT: u8 = 2;

/// What is known about a vector without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) struct VectorHeader {
    pub(in crate::segment) code: IntegerCode,
    pub(in crate::segment) occurrence: OccurrenceCode,
    /// Whether each value has an exponent of its own.
    pub(in crate::segment) has_each_exponent: bool,
    /// The exponent of all values, or the lowest of them.
    pub(in crate::segment) exponent: i16,
    pub(in crate::segment) value_count: u32,
    /// Where its bytes are in the page.
    pub(in crate::segment) data_offset: u32,
    pub(in crate::segment) data_bytes: u32,
    pub(in crate::segment) statistics: Option<NumberStatistics>,
}

/// Smallest, largest and sum of the numbers of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) struct NumberStatistics {
    pub(in crate::segment) min: Decimal,
    pub(in crate::segment) max: Decimal,
    /// At the exponent of the vector.
    pub(in crate::segment) sum: i128,
}

impl VectorHeader {
    /// What the encoding of its integers is called, and their width: `packed 7`.
    pub(in crate::segment) fn encoding_name(&self) -> String {
        let name = format!("{:?}", self.code.encoding).to_lowercase();
        match self.code.width {
            0 => name,
            width => format!("{name} {width}"),
        }
    }

    /// Appends the header.
    pub(in crate::segment) fn encode(&self, out: &mut Vec<u8>) {
        let statistics = self.statistics.unwrap_or(NumberStatistics {
            min: Decimal::default(),
            max: Decimal::default(),
            sum: 0,
        });
        let has_statistics = if self.statistics.is_some() {
            FLAG_STATISTICS
        } else {
            0
        };
        let has_each = if self.has_each_exponent {
            FLAG_EACH_EXPONENT
        } else {
            0
        };
        out.push(self.code.encoding.code());
        out.push(self.code.width);
        out.push(self.occurrence.code());
        out.push(has_statistics | has_each);
        out.put(&self.exponent.to_le_bytes());
        out.put(&[0; 2]);
        out.put(&self.value_count.to_le_bytes());
        out.put(&self.data_offset.to_le_bytes());
        out.put(&self.data_bytes.to_le_bytes());
        out.put(&statistics.min.exponent.to_le_bytes());
        out.put(&statistics.max.exponent.to_le_bytes());
        out.put(&self.code.base.to_le_bytes());
        out.put(&statistics.min.mantissa.to_le_bytes());
        out.put(&statistics.max.mantissa.to_le_bytes());
        out.put(&statistics.sum.to_le_bytes());
    }

    /// Reads a header of a vector of `row_count` rows.
    pub(in crate::segment) fn decode(
        bytes: &mut ByteReader<'_>,
        row_count: usize,
    ) -> Result<Self, Flaw> {
        let encoding = Encoding::from_code(bytes.u8()?)?;
        let width = bytes.u8()?;
        let occurrence = OccurrenceCode::from_code(bytes.u8()?)?;
        let flags = bytes.u8()?;
        if flags & !(FLAG_STATISTICS | FLAG_EACH_EXPONENT) != 0 {
            return Err(Flaw("a vector header has unknown flags"));
        }
        let exponent = bytes.i16()?;
        if bytes.u16()? != 0 {
            return Err(Flaw("a vector header has unknown fields"));
        }
        let value_count = bytes.u32()?;
        let data_offset = bytes.u32()?;
        let data_bytes = bytes.u32()?;
        let (min_exponent, max_exponent) = (bytes.i16()?, bytes.i16()?);
        let base = bytes.i64()?;
        let (min_mantissa, max_mantissa) = (bytes.i64()?, bytes.i64()?);
        let sum = bytes.i128()?;
        let values_max = match occurrence {
            OccurrenceCode::One | OccurrenceCode::Optional => row_count,
            OccurrenceCode::Many => VECTOR_VALUES_MAX,
        };
        if value_count as usize > values_max {
            return Err(Flaw("a vector has too many values"));
        }
        Ok(Self {
            code: IntegerCode {
                encoding,
                width,
                base,
            },
            occurrence,
            has_each_exponent: flags & FLAG_EACH_EXPONENT != 0,
            exponent,
            value_count,
            data_offset,
            data_bytes,
            statistics: (flags & FLAG_STATISTICS != 0).then_some(NumberStatistics {
                min: Decimal {
                    mantissa: min_mantissa,
                    exponent: min_exponent,
                },
                max: Decimal {
                    mantissa: max_mantissa,
                    exponent: max_exponent,
                },
                sum,
            }),
        })
    }

    /// The vector's bytes in its page.
    pub(super) fn data<'a>(&self, page: &'a [u8]) -> Result<ByteReader<'a>, Flaw> {
        let start = self.data_offset as usize;
        let data = start
            .checked_add(self.data_bytes as usize)
            .and_then(|end| page.get(start..end))
            .ok_or(Flaw("a vector lies outside its page"))?;
        Ok(ByteReader::new(data))
    }
}

/// Where the bytes of a vector of `page` began, as its header says it.
pub(super) fn page_offset(page: &[u8]) -> u32 {
    u32::try_from(page.len()).expect("the writer bounds pages")
}

/// Begins a vector of `page` where words of 64 bits may lie: packed ones are then unpacked without
/// being copied first.
pub(super) fn begin_vector(page: &mut Vec<u8>) -> u32 {
    page.resize(page.len().next_multiple_of(size_of::<u64>()), 0);
    page_offset(page)
}

/// Appends a vector of numbers in canonical form to `page`.
pub(in crate::segment) fn encode_number_vector(
    vector: &NumberVector,
    page: &mut Vec<u8>,
) -> VectorHeader {
    let data_offset = begin_vector(page);
    let value_count = vector.mantissas.len();
    encode_occurrence(&vector.occurrence, vector.row_count, value_count, page);
    let code = encode(&vector.mantissas, Lanes::Bits64, page);
    let (exponent, has_each_exponent) = match &vector.exponents {
        Exponents::Uniform(exponent) => (*exponent, false),
        Exponents::Each(each) => {
            let exponents: Vec<i64> = each.iter().map(|exponent| i64::from(*exponent)).collect();
            encode_with_code(&exponents, page);
            (each.iter().copied().min().unwrap_or(0), true)
        }
    };
    VectorHeader {
        code,
        occurrence: OccurrenceCode::of(&vector.occurrence),
        has_each_exponent,
        exponent,
        value_count: u32::try_from(vector.mantissas.len()).expect("the writer bounds vectors"),
        data_offset,
        data_bytes: page_offset(page) - data_offset,
        statistics: number_statistics(vector, exponent),
    }
}

/// Statistics of `vector` with the sum at `exponent`, the lowest; `None` without values or when
/// the sum does not fit 128 bits there.
pub(in crate::segment) fn number_statistics(
    vector: &NumberVector,
    exponent: i16,
) -> Option<NumberStatistics> {
    if vector.exponents == Exponents::Uniform(exponent) {
        return uniform_statistics(&vector.mantissas, exponent);
    }
    let mut values = vector
        .mantissas
        .iter()
        .enumerate()
        .map(|(index, mantissa)| Decimal {
            mantissa: *mantissa,
            exponent: vector.exponents.get(index),
        });
    let first = values.next()?;
    let mut statistics = NumberStatistics {
        min: first,
        max: first,
        sum: scaled_to(first, exponent)?,
    };
    for value in values {
        if value.compare(statistics.min).is_lt() {
            statistics.min = value;
        }
        if value.compare(statistics.max).is_gt() {
            statistics.max = value;
        }
        statistics.sum = statistics.sum.checked_add(scaled_to(value, exponent)?)?;
    }
    Some(statistics)
}

/// Statistics of values of one power of ten.
fn uniform_statistics(mantissas: &[i64], exponent: i16) -> Option<NumberStatistics> {
    let first = *mantissas.first()?;
    let (mut min, mut max) = (first, first);
    for mantissa in mantissas {
        min = min.min(*mantissa);
        max = max.max(*mantissa);
    }
    let decimal = |mantissa| Decimal { mantissa, exponent };
    Some(NumberStatistics {
        min: decimal(min),
        max: decimal(max),
        sum: mantissas.iter().map(|mantissa| i128::from(*mantissa)).sum(),
    })
}

/// The mantissa of `value` at the lower `exponent`.
fn scaled_to(value: Decimal, exponent: i16) -> Option<i128> {
    let up = u32::try_from(i32::from(value.exponent) - i32::from(exponent)).ok()?;
    10_i128
        .checked_pow(up)?
        .checked_mul(i128::from(value.mantissa))
}

/// Replaces `out` by the numbers of a vector of `row_count` rows.
pub(in crate::segment) fn decode_number_vector(
    header: &VectorHeader,
    row_count: usize,
    page: &[u8],
    out: &mut NumberVector,
) -> Result<(), Flaw> {
    let mut bytes = header.data(page)?;
    let count = header.value_count as usize;
    out.row_count = row_count;
    decode_occurrence(
        header.occurrence,
        row_count,
        count,
        &mut bytes,
        &mut out.occurrence,
    )?;
    decode_integers(header.code, count, &mut bytes, &mut out.mantissas)?;
    if header.has_each_exponent {
        let mut wide = Vec::new();
        decode_with_code(count, &mut bytes, &mut wide)?;
        let each = out.exponents.make_each();
        for exponent in wide {
            let exponent = i16::try_from(exponent);
            each.push(exponent.map_err(|_| Flaw("an exponent is larger than 16 bits"))?);
        }
    } else {
        out.exponents = Exponents::Uniform(header.exponent);
    }
    bytes.finish()
}

/// Appends a vector of codes to `page`.
pub(in crate::segment) fn encode_code_vector(
    vector: &CodeVector,
    page: &mut Vec<u8>,
) -> VectorHeader {
    let data_offset = begin_vector(page);
    let value_count = vector.codes.len();
    encode_occurrence(&vector.occurrence, vector.row_count, value_count, page);
    let codes: Vec<i64> = vector.codes.iter().map(|code| i64::from(*code)).collect();
    let code = encode(&codes, Lanes::Bits32, page);
    VectorHeader {
        code,
        occurrence: OccurrenceCode::of(&vector.occurrence),
        has_each_exponent: false,
        exponent: 0,
        value_count: u32::try_from(codes.len()).expect("the writer bounds vectors"),
        data_offset,
        data_bytes: page_offset(page) - data_offset,
        statistics: None,
    }
}

/// What codes must be below: the number of terms.
#[derive(Debug, Clone, Copy)]
pub(in crate::segment) struct CodeCheck {
    pub(in crate::segment) term_count: u32,
}

/// Replaces `out` by the codes of a vector of `row_count` rows.
pub(in crate::segment) fn decode_code_vector(
    header: &VectorHeader,
    row_count: usize,
    page: &[u8],
    check: CodeCheck,
    out: &mut CodeVector,
) -> Result<(), Flaw> {
    let mut bytes = header.data(page)?;
    let count = header.value_count as usize;
    out.row_count = row_count;
    decode_occurrence(
        header.occurrence,
        row_count,
        count,
        &mut bytes,
        &mut out.occurrence,
    )?;
    decode_codes(header.code, count, &mut bytes, &mut out.codes)?;
    // One pass that compilers turn into vector code; cheaper than a check at every use, and than
    // the largest code, for which the plain instruction set has no instruction.
    let has_terms = out
        .codes
        .iter()
        .fold(true, |all, code| all & (*code < check.term_count));
    if !has_terms {
        return Err(Flaw("a code has no term"));
    }
    bytes.finish()
}

// A vector of a column that has one value a row must fit the bound on values.
const _: () = assert!(VECTOR_ROWS <= VECTOR_VALUES_MAX);
