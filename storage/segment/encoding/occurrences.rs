//! How values are dealt out to the rows of a vector: nothing, a bitmap, or counts.

use super::bytes::{ByteReader, ByteWriter, Flaw};
use super::choose::encode_with_code;
use super::integers::decode_with_code;
use crate::model::VectorOccurrence;
use crate::segment::occurrence::{many_starts, optional_bits};

/// How the occurrence of a vector is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) enum OccurrenceCode {
    One,
    Optional,
    Many,
}

impl OccurrenceCode {
    pub(super) fn of(occurrence: &VectorOccurrence) -> Self {
        match occurrence {
            VectorOccurrence::One => Self::One,
            VectorOccurrence::Optional(_) => Self::Optional,
            VectorOccurrence::Many(_) => Self::Many,
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::One => 0,
            Self::Optional => 1,
            Self::Many => 2,
        }
    }

    pub(super) fn from_code(code: u8) -> Result<Self, Flaw> {
        Ok(match code {
            0 => Self::One,
            1 => Self::Optional,
            2 => Self::Many,
            _ => return Err(Flaw("an occurrence is unknown")),
        })
    }
}

/// Appends what `occurrence` needs; a bitmap without values needs nothing.
pub(super) fn encode_occurrence(
    occurrence: &VectorOccurrence,
    row_count: usize,
    value_count: usize,
    out: &mut Vec<u8>,
) {
    match occurrence {
        VectorOccurrence::One => {}
        VectorOccurrence::Optional(_) if value_count == 0 => {}
        VectorOccurrence::Optional(bits) => {
            let words = &bits[..row_count.div_ceil(64)];
            out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        VectorOccurrence::Many(starts) => {
            let counts: Vec<i64> = starts
                .windows(2)
                .map(|pair| i64::from(pair[1] - pair[0]))
                .collect();
            let mut body = Vec::new();
            encode_with_code(&counts, &mut body);
            out.put(&body);
        }
    }
}

/// Replaces `out`; checks that it deals out exactly `value_count` values.
pub(super) fn decode_occurrence(
    code: OccurrenceCode,
    row_count: usize,
    value_count: usize,
    bytes: &mut ByteReader<'_>,
    out: &mut VectorOccurrence,
) -> Result<(), Flaw> {
    let wrong = Flaw("values and rows do not fit together");
    match code {
        OccurrenceCode::One => {
            *out = VectorOccurrence::One;
            ensure(row_count == value_count, wrong)
        }
        OccurrenceCode::Optional if value_count == 0 => {
            optional_bits(out).fill(0);
            Ok(())
        }
        OccurrenceCode::Optional => {
            let bits = optional_bits(out);
            bits.fill(0);
            let stored = bytes.take(row_count.div_ceil(64) * size_of::<u64>())?;
            for (word, bytes) in bits.iter_mut().zip(stored.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            let present: usize = bits.iter().map(|word| word.count_ones() as usize).sum();
            let tail = row_count % 64;
            let tail_is_clear = tail == 0 || bits[row_count / 64] >> tail == 0;
            ensure(present == value_count && tail_is_clear, wrong)
        }
        OccurrenceCode::Many => {
            let mut counts = Vec::new();
            decode_with_code(row_count, bytes, &mut counts)?;
            let starts = many_starts(out);
            starts.clear();
            starts.push(0);
            let mut end = 0_u32;
            for count in counts {
                let count = u32::try_from(count).map_err(|_| wrong)?;
                end = end.checked_add(count).ok_or(wrong)?;
                starts.push(end);
            }
            ensure(end as usize == value_count, wrong)
        }
    }
}

fn ensure(holds: bool, flaw: Flaw) -> Result<(), Flaw> {
    if holds { Ok(()) } else { Err(flaw) }
}
