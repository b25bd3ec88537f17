//! Lists of integers in seven encodings; `choose` finds the smallest.
//!
//! Every encoding is relative to a base:
//! 1. constant: the base alone;
//! 2. sequence: the base and a step;
//! 3. packed: blocks of 1,024 values of `width` bits, the last one padded with zeros;
//! 4. plain: `width` whole bytes a value, for short lists;
//! 5. runs: the end and the value of each run of equal values;
//! 6. patched: packed, and a list of the few values that do not fit `width` bits;
//! 7. steps: the base is the first value, and the differences of neighbours are a list.

use super::bits::{block_bytes, unpack_32, unpack_64};
use super::bytes::{ByteReader, Flaw};
use crate::model::VECTOR_ROWS;

/// How a list is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) enum Encoding {
    Constant,
    Sequence,
    Packed,
    Plain,
    Runs,
    Patched,
    Steps,
    /// Only offsets have it, and only these know the partitions that it needs.
    ByPartition,
}

impl Encoding {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Constant => 0,
            Self::Sequence => 1,
            Self::Packed => 2,
            Self::Plain => 3,
            Self::Runs => 4,
            Self::Patched => 5,
            Self::Steps => 6,
            Self::ByPartition => 7,
        }
    }

    pub(super) fn from_code(code: u8) -> Result<Self, Flaw> {
        Ok(match code {
            0 => Self::Constant,
            1 => Self::Sequence,
            2 => Self::Packed,
            3 => Self::Plain,
            4 => Self::Runs,
            5 => Self::Patched,
            6 => Self::Steps,
            7 => Self::ByPartition,
            _ => return Err(Flaw("an encoding is unknown")),
        })
    }
}

/// What a decoder must know besides the bytes and the number of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) struct IntegerCode {
    pub(super) encoding: Encoding,
    /// Bits a value when packed or patched, bytes a value when plain or in runs, else 0.
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

/// Replaces `out` by `count` integers; the caller bounds `count`.
pub(in crate::segment) fn decode_integers(
    code: IntegerCode,
    count: usize,
    bytes: &mut ByteReader<'_>,
    out: &mut Vec<i64>,
) -> Result<(), Flaw> {
    if code.encoding == Encoding::Steps {
        return decode_steps(code.base, count, bytes, out);
    }
    decode_flat(code, count, bytes, out)
}

/// Replaces `out` by `count` integers of which neighbours differ by what a list says.
fn decode_steps(
    first: i64,
    count: usize,
    bytes: &mut ByteReader<'_>,
    out: &mut Vec<i64>,
) -> Result<(), Flaw> {
    let steps = count
        .checked_sub(1)
        .ok_or(Flaw("an empty list has no first value"))?;
    let code = decode_code(bytes)?;
    if code.encoding == Encoding::Steps {
        return Err(Flaw("steps of steps are not used"));
    }
    decode_flat(code, steps, bytes, out)?;
    let mut value = first;
    for slot in out.iter_mut() {
        let step = *slot;
        *slot = value;
        value = value.wrapping_add(step);
    }
    out.push(value);
    Ok(())
}

fn decode_flat(
    code: IntegerCode,
    count: usize,
    bytes: &mut ByteReader<'_>,
    out: &mut Vec<i64>,
) -> Result<(), Flaw> {
    let base = code.base;
    // Packed numbers are unpacked where they are wanted, over those of the vector before.
    if !matches!(code.encoding, Encoding::Packed | Encoding::Patched) {
        out.clear();
        out.reserve(count);
    }
    match code.encoding {
        Encoding::Constant => out.resize(count, base),
        Encoding::Sequence => {
            let step = bytes.i64()?;
            out.extend(
                (0..count as u64)
                    .map(|index| base.wrapping_add(step.wrapping_mul(index.cast_signed()))),
            );
        }
        Encoding::Packed | Encoding::Patched => {
            out.resize(count, 0);
            let (blocks, tail) = bytemuck::cast_slice_mut(out).as_chunks_mut();
            for block in blocks {
                let packed = bytes.take(block_bytes(code.width))?;
                unpack_64(code.width, packed, base.cast_unsigned(), block)?;
            }
            if !tail.is_empty() {
                let mut block = [0; VECTOR_ROWS];
                let packed = bytes.take(block_bytes(code.width))?;
                unpack_64(code.width, packed, base.cast_unsigned(), &mut block)?;
                tail.copy_from_slice(&block[..tail.len()]);
            }
            if code.encoding == Encoding::Patched {
                patch(count, bytes, |place, distance| {
                    out[place] = base.wrapping_add(distance);
                })?;
            }
        }
        Encoding::Steps | Encoding::ByPartition => {
            return Err(Flaw("an encoding is not used here"));
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
    // Packed codes are unpacked where they are wanted, over those of the vector before.
    if !matches!(code.encoding, Encoding::Packed | Encoding::Patched) {
        out.clear();
    }
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
        Encoding::Packed | Encoding::Patched => {
            out.resize(count, 0);
            let (blocks, tail) = out.as_chunks_mut();
            for block in blocks {
                unpack_32(
                    code.width,
                    bytes.take(block_bytes(code.width))?,
                    base,
                    block,
                )?;
            }
            if !tail.is_empty() {
                let mut block = [0; VECTOR_ROWS];
                unpack_32(
                    code.width,
                    bytes.take(block_bytes(code.width))?,
                    base,
                    &mut block,
                )?;
                tail.copy_from_slice(&block[..tail.len()]);
            }
            if code.encoding == Encoding::Patched {
                patch(count, bytes, |place, distance| {
                    out[place] = base.wrapping_add(distance as u32);
                })?;
            }
        }
        Encoding::Steps | Encoding::ByPartition => {
            return Err(Flaw("an encoding is not used for codes"));
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

/// Shows the place of each value that does not fit its bits, and its distance from the base.
fn patch(
    count: usize,
    bytes: &mut ByteReader<'_>,
    mut put: impl FnMut(usize, i64),
) -> Result<(), Flaw> {
    let patches = usize::from(bytes.u16()?);
    let width = bytes.u8()?;
    let places = bytes.take(patches * size_of::<u16>())?;
    let places = places.as_chunks().0.iter();
    let mut places = places.map(|place| usize::from(u16::from_le_bytes(*place)));
    let mut is_outside = false;
    let code = IntegerCode {
        encoding: Encoding::Plain,
        width,
        base: 0,
    };
    // The sign of a narrow distance moves up to where that of a wide one is.
    let shift = 64_u32.saturating_sub(8 * u32::from(width));
    decode_plain(code, patches, bytes, |distance| {
        let distance = (distance << shift).cast_signed() >> shift;
        match places.next().filter(|place| *place < count) {
            Some(place) => put(place, distance),
            None => is_outside = true,
        }
    })?;
    match is_outside {
        true => Err(Flaw("a patch lies outside its list")),
        false => Ok(()),
    }
}

/// Reads a list that has its code in front.
pub(in crate::segment) fn decode_with_code(
    count: usize,
    bytes: &mut ByteReader<'_>,
    out: &mut Vec<i64>,
) -> Result<(), Flaw> {
    let code = decode_code(bytes)?;
    decode_integers(code, count, bytes, out)
}

fn decode_code(bytes: &mut ByteReader<'_>) -> Result<IntegerCode, Flaw> {
    Ok(IntegerCode {
        encoding: Encoding::from_code(bytes.u8()?)?,
        width: bytes.u8()?,
        base: bytes.signed()?,
    })
}
