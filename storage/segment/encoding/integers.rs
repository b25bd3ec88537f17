//! Lists of integers in the smallest of five encodings.
//!
//! Every encoding is relative to a base (the smallest value), so what is stored is unsigned:
//! 1. constant: the base alone;
//! 2. sequence: the base and a step;
//! 3. packed: blocks of 1,024 values of `width` bits, the last one padded with zeros;
//! 4. plain: `width` whole bytes a value, for short lists;
//! 5. runs: the end and the value of each run of equal values.

use super::bits::{block_bytes, pack_32, pack_64, unpack_32, unpack_64};
use super::bytes::{ByteReader, ByteWriter, Flaw};
use crate::model::VECTOR_ROWS;

/// How a list is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) enum Encoding {
    Constant,
    Sequence,
    Packed,
    Plain,
    Runs,
}

impl Encoding {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Constant => 0,
            Self::Sequence => 1,
            Self::Packed => 2,
            Self::Plain => 3,
            Self::Runs => 4,
        }
    }

    pub(super) fn from_code(code: u8) -> Result<Self, Flaw> {
        Ok(match code {
            0 => Self::Constant,
            1 => Self::Sequence,
            2 => Self::Packed,
            3 => Self::Plain,
            4 => Self::Runs,
            _ => return Err(Flaw("an encoding is unknown")),
        })
    }
}

/// What a decoder must know besides the bytes and the number of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) struct IntegerCode {
    pub(super) encoding: Encoding,
    /// Bits a value when packed, bytes a value when plain or in runs, else 0.
    pub(super) width: u8,
    pub(super) base: i64,
}

/// Which lanes packed blocks have: it decides the order of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lanes {
    /// Codes of terms.
    Bits32,
    /// Numbers.
    Bits64,
}

/// Most values in runs: ends have 16 bits.
const RUN_VALUES_MAX: usize = u16::MAX as usize;

/// Appends `values` in the smallest encoding.
pub(super) fn encode(values: &[i64], lanes: Lanes, out: &mut Vec<u8>) -> IntegerCode {
    let base = values.iter().copied().min().unwrap_or(0);
    let largest = values
        .iter()
        .map(|value| distance(base, *value))
        .max()
        .unwrap_or(0);
    let mut code = IntegerCode {
        encoding: Encoding::Constant,
        width: 0,
        base,
    };
    if largest == 0 {
        return code;
    }
    if let Some(step) = common_step(values) {
        code.encoding = Encoding::Sequence;
        code.base = values[0];
        out.put(&step.to_le_bytes());
        return code;
    }
    let bits = (u64::BITS - largest.leading_zeros()) as u8;
    let bytes = whole_bytes(bits);
    let packed_bytes = values.len().div_ceil(VECTOR_ROWS) * block_bytes(bits);
    let plain_bytes = values.len() * usize::from(bytes);
    let runs = values.chunk_by(|a, b| a == b).count();
    let run_bytes = 2 + runs * (2 + usize::from(bytes));
    let others_bytes = packed_bytes.min(plain_bytes);
    if values.len() <= RUN_VALUES_MAX && run_bytes < others_bytes {
        code.encoding = Encoding::Runs;
        code.width = bytes;
        encode_runs(values, base, bytes, out);
    } else if plain_bytes < packed_bytes {
        code.encoding = Encoding::Plain;
        code.width = bytes;
        for value in values {
            put_plain(distance(base, *value), bytes, out);
        }
    } else {
        code.encoding = Encoding::Packed;
        code.width = bits;
        encode_packed(values, base, bits, lanes, out);
    }
    code
}

/// How far `value` lies above `base`, which is not larger.
fn distance(base: i64, value: i64) -> u64 {
    value.wrapping_sub(base).cast_unsigned()
}

/// The smallest of 1, 2, 4 and 8 bytes that hold `bits`.
fn whole_bytes(bits: u8) -> u8 {
    bits.div_ceil(8).next_power_of_two()
}

/// The difference of all neighbours, when it is the same.
fn common_step(values: &[i64]) -> Option<i64> {
    let step = values.get(1)?.wrapping_sub(values[0]);
    // Two values always have a common step; plain bytes are not larger for them.
    let is_common = values.len() > 2
        && values
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    is_common.then_some(step)
}

fn put_plain(value: u64, bytes: u8, out: &mut Vec<u8>) {
    out.put(&value.to_le_bytes()[..usize::from(bytes)]);
}

fn encode_runs(values: &[i64], base: i64, bytes: u8, out: &mut Vec<u8>) {
    let runs = || values.chunk_by(|a, b| a == b);
    let count = u16::try_from(runs().count()).expect("no more runs than values");
    out.put(&count.to_le_bytes());
    let mut end = 0;
    for run in runs() {
        end += u16::try_from(run.len()).expect("runs are used for few values");
        out.put(&end.to_le_bytes());
    }
    for run in runs() {
        put_plain(distance(base, run[0]), bytes, out);
    }
}

fn encode_packed(values: &[i64], base: i64, bits: u8, lanes: Lanes, out: &mut Vec<u8>) {
    for block in values.chunks(VECTOR_ROWS) {
        let packed = match lanes {
            Lanes::Bits64 => {
                let mut padded = [0; VECTOR_ROWS];
                for (slot, value) in padded.iter_mut().zip(block) {
                    *slot = distance(base, *value);
                }
                pack_64(bits, &padded, out)
            }
            Lanes::Bits32 => {
                let mut padded = [0; VECTOR_ROWS];
                for (slot, value) in padded.iter_mut().zip(block) {
                    *slot = u32::try_from(distance(base, *value)).expect("codes have 32 bits");
                }
                pack_32(bits, &padded, out)
            }
        };
        packed.expect("a width is at most that of its lane");
    }
}

/// Replaces `out` by `count` integers; the caller bounds `count`.
pub(in crate::segment) fn decode_integers(
    code: IntegerCode,
    count: usize,
    bytes: &mut ByteReader<'_>,
    out: &mut Vec<i64>,
) -> Result<(), Flaw> {
    out.clear();
    out.reserve(count);
    let base = code.base;
    match code.encoding {
        Encoding::Constant => out.resize(count, base),
        Encoding::Sequence => {
            let step = bytes.i64()?;
            out.extend(
                (0..count as u64)
                    .map(|index| base.wrapping_add(step.wrapping_mul(index.cast_signed()))),
            );
        }
        Encoding::Packed => {
            let mut block = [0; VECTOR_ROWS];
            while out.len() < count {
                let packed = bytes.take(block_bytes(code.width))?;
                unpack_64(code.width, packed, base.cast_unsigned(), &mut block)?;
                let wanted = (count - out.len()).min(VECTOR_ROWS);
                out.extend(block[..wanted].iter().map(|value| value.cast_signed()));
            }
        }
        Encoding::Plain => decode_plain(code, count, bytes, |value| {
            out.push(base.wrapping_add(value.cast_signed()));
        })?,
        Encoding::Runs => decode_runs(code, count, bytes, |value, length| {
            out.resize(out.len() + length, base.wrapping_add(value.cast_signed()));
        })?,
    }
    Ok(())
}

/// Replaces `out` by `count` codes; the caller bounds `count`.
pub(in crate::segment) fn decode_codes(
    code: IntegerCode,
    count: usize,
    bytes: &mut ByteReader<'_>,
    out: &mut Vec<u32>,
) -> Result<(), Flaw> {
    let large = Flaw("a code is larger than 32 bits");
    let base = u32::try_from(code.base).map_err(|_| large)?;
    out.clear();
    out.reserve(count);
    match code.encoding {
        Encoding::Constant => out.resize(count, base),
        Encoding::Sequence => {
            let step = bytes.i64()?;
            for index in 0..count as u64 {
                let value = code
                    .base
                    .wrapping_add(step.wrapping_mul(index.cast_signed()));
                out.push(u32::try_from(value).map_err(|_| large)?);
            }
        }
        Encoding::Packed => {
            let mut block = [0; VECTOR_ROWS];
            while out.len() < count {
                let packed = bytes.take(block_bytes(code.width))?;
                unpack_32(code.width, packed, base, &mut block)?;
                let wanted = (count - out.len()).min(VECTOR_ROWS);
                out.extend_from_slice(&block[..wanted]);
            }
        }
        // Values above 32 bits wrap here; the caller compares all codes with the dictionary.
        Encoding::Plain => decode_plain(code, count, bytes, |value| {
            out.push(base.wrapping_add(value as u32));
        })?,
        Encoding::Runs => decode_runs(code, count, bytes, |value, length| {
            out.resize(out.len() + length, base.wrapping_add(value as u32));
        })?,
    }
    Ok(())
}

fn decode_plain(
    code: IntegerCode,
    count: usize,
    bytes: &mut ByteReader<'_>,
    mut push: impl FnMut(u64),
) -> Result<(), Flaw> {
    let width = plain_width(code)?;
    let values = bytes.take(
        count
            .checked_mul(width)
            .ok_or(Flaw("a count is too large"))?,
    )?;
    match width {
        1 => values.iter().for_each(|byte| push(u64::from(*byte))),
        2 => each_chunk(values, |chunk| push(u64::from(u16::from_le_bytes(*chunk)))),
        4 => each_chunk(values, |chunk| push(u64::from(u32::from_le_bytes(*chunk)))),
        _ => each_chunk(values, |chunk| push(u64::from_le_bytes(*chunk))),
    }
    Ok(())
}

fn each_chunk<const N: usize>(bytes: &[u8], each: impl FnMut(&[u8; N])) {
    bytes.as_chunks().0.iter().for_each(each);
}

fn plain_width(code: IntegerCode) -> Result<usize, Flaw> {
    match code.width {
        1 | 2 | 4 | 8 => Ok(usize::from(code.width)),
        _ => Err(Flaw("a byte width is none of 1, 2, 4 and 8")),
    }
}

fn decode_runs(
    code: IntegerCode,
    count: usize,
    bytes: &mut ByteReader<'_>,
    mut push: impl FnMut(u64, usize),
) -> Result<(), Flaw> {
    let runs = usize::from(bytes.u16()?);
    let ends = bytes.take(runs * size_of::<u16>())?;
    let mut ends = ends
        .as_chunks()
        .0
        .iter()
        .map(|end| usize::from(u16::from_le_bytes(*end)));
    let mut start = 0;
    let mut flaw = None;
    decode_plain(code, runs, bytes, |value| {
        let end = ends.next().unwrap_or(0);
        if end <= start || end > count {
            flaw = Some(Flaw("runs do not ascend"));
            return;
        }
        push(value, end - start);
        start = end;
    })?;
    match flaw {
        Some(flaw) => Err(flaw),
        None if start == count => Ok(()),
        None => Err(Flaw("runs do not cover their values")),
    }
}

/// Appends a list with its code in front, for lists that have no vector header.
pub(super) fn encode_with_code(values: &[i64], out: &mut Vec<u8>) {
    let mut body = Vec::new();
    let code = encode(values, Lanes::Bits64, &mut body);
    out.push(code.encoding.code());
    out.push(code.width);
    out.put_signed(i128::from(code.base));
    out.put(&body);
}

/// Reads what [`encode_with_code`] wrote.
pub(super) fn decode_with_code(
    count: usize,
    bytes: &mut ByteReader<'_>,
    out: &mut Vec<i64>,
) -> Result<(), Flaw> {
    let code = IntegerCode {
        encoding: Encoding::from_code(bytes.u8()?)?,
        width: bytes.u8()?,
        base: bytes.signed()?,
    };
    decode_integers(code, count, bytes, out)
}
