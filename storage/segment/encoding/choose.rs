//! Which encoding a list of integers gets, and how it becomes bytes.
//!
//! One pass finds bounds, runs and steps; the size of every encoding follows from these and from
//! how many values need how many bits. Those that decode faster win where sizes are close.

use super::bits::{block_bytes, pack_32, pack_64};
use super::bytes::ByteWriter;
use super::integers::{Encoding, IntegerCode, Lanes};
use crate::model::VECTOR_ROWS;

/// Most values in runs or with patches: places have 16 bits.
const PLACES_MAX: usize = u16::MAX as usize;

/// At most one value in so many is a patch, so that packed lists stay as fast as they are.
const VALUES_PER_PATCH_MIN: usize = 16;

/// Patches must save at least one part in so many.
const PATCH_SAVING_MIN: usize = 32;

/// Steps must save at least one part in so many: of values that ascend, of others.
const ASCENDING_SAVING_MIN: usize = 8;
const STEPS_SAVING_MIN: usize = 3;

/// Values looked at to find where most of them begin.
const SAMPLE_VALUES: usize = 32;

/// Of a sample in ascending order, the value below which patches may lie.
const SAMPLE_LOW: usize = 2;

/// Appends `values` in the smallest encoding.
pub(super) fn encode(values: &[i64], lanes: Lanes, out: &mut Vec<u8>) -> IntegerCode {
    let survey = Survey::of(values);
    let flat = Flat::choose(values, &survey);
    if lanes == Lanes::Bits64
        && let Some(code) = try_steps(values, &survey, &flat, out)
    {
        return code;
    }
    flat.write(values, lanes, out)
}

/// Appends a list with its code in front, for lists that have no vector header.
pub(in crate::segment) fn encode_with_code(values: &[i64], out: &mut Vec<u8>) {
    let mut body = Vec::new();
    let code = encode(values, Lanes::Bits64, &mut body);
    put_code(code, out);
    out.put(&body);
}

fn put_code(code: IntegerCode, out: &mut Vec<u8>) {
    out.push(code.encoding.code());
    out.push(code.width);
    out.put_signed(i128::from(code.base));
}

/// What one pass over a list finds.
struct Survey {
    min: i64,
    max: i64,
    runs: usize,
    step_min: i64,
    step_max: i64,
}

impl Survey {
    fn of(values: &[i64]) -> Self {
        let first = values.first().copied().unwrap_or(0);
        let mut survey = Self {
            min: first,
            max: first,
            runs: usize::from(!values.is_empty()),
            step_min: i64::MAX,
            step_max: i64::MIN,
        };
        for value in values {
            survey.min = survey.min.min(*value);
            survey.max = survey.max.max(*value);
        }
        for (before, value) in values.iter().zip(values.iter().skip(1)) {
            let step = value.wrapping_sub(*before);
            survey.step_min = survey.step_min.min(step);
            survey.step_max = survey.step_max.max(step);
            survey.runs += usize::from(step != 0);
        }
        survey
    }

    /// How far the largest value lies above the smallest.
    fn span(&self) -> u64 {
        distance(self.min, self.max)
    }
}

/// An encoding that is no list of steps, and its size.
struct Flat {
    code: IntegerCode,
    size_bytes: usize,
}

impl Flat {
    fn choose(values: &[i64], survey: &Survey) -> Self {
        let flat = |encoding, width, base, size_bytes| Self {
            code: IntegerCode {
                encoding,
                width,
                base,
            },
            size_bytes,
        };
        let base = survey.min;
        if survey.span() == 0 {
            return flat(Encoding::Constant, 0, base, 0);
        }
        // Two values always have a common step; plain bytes are not larger for them.
        if values.len() > 2 && survey.step_min == survey.step_max {
            return flat(Encoding::Sequence, 0, values[0], size_of::<i64>());
        }
        let bits = bits_of(survey.span());
        let bytes = whole_bytes(bits);
        let blocks = values.len().div_ceil(VECTOR_ROWS);
        let packed_bytes = blocks * block_bytes(bits);
        let plain_bytes = values.len() * usize::from(bytes);
        let run_bytes = 2 + survey.runs * (2 + usize::from(bytes));
        let others_bytes = packed_bytes.min(plain_bytes);
        if values.len() <= PLACES_MAX && run_bytes < others_bytes {
            return flat(Encoding::Runs, bytes, base, run_bytes);
        }
        if plain_bytes < packed_bytes {
            return flat(Encoding::Plain, bytes, base, plain_bytes);
        }
        match Patching::choose(values, survey, blocks) {
            Some(patching)
                if patching.size_bytes < packed_bytes - packed_bytes / PATCH_SAVING_MIN =>
            {
                flat(
                    Encoding::Patched,
                    patching.width,
                    patching.base,
                    patching.size_bytes,
                )
            }
            Some(_) | None => flat(Encoding::Packed, bits, base, packed_bytes),
        }
    }

    fn write(self, values: &[i64], lanes: Lanes, out: &mut Vec<u8>) -> IntegerCode {
        let code = self.code;
        match code.encoding {
            Encoding::Constant => {}
            Encoding::Sequence => out.put(&values[1].wrapping_sub(values[0]).to_le_bytes()),
            Encoding::Packed => put_packed(values, code, lanes, out),
            Encoding::Plain => {
                for value in values {
                    put_plain(distance(code.base, *value), code.width, out);
                }
            }
            Encoding::Runs => put_runs(values, code, out),
            Encoding::Patched => {
                put_packed(values, code, lanes, out);
                put_patches(values, code, out);
            }
            Encoding::Steps | Encoding::ByPartition => {
                unreachable!("these are no flat encodings")
            }
        }
        code
    }
}

/// A width that most values fit, counted from a base that few are below.
struct Patching {
    width: u8,
    base: i64,
    size_bytes: usize,
}

impl Patching {
    /// The best one: from the smallest value, or from where most values begin.
    fn choose(values: &[i64], survey: &Survey, blocks: usize) -> Option<Self> {
        if values.len() < VECTOR_ROWS / 2 || values.len() > PLACES_MAX {
            return None;
        }
        let low = low_mark(values);
        let from_low = (low != survey.min).then(|| Self::from_base(low, values, survey, blocks));
        let from_min = Self::from_base(survey.min, values, survey, blocks);
        [Some(from_min), from_low]
            .into_iter()
            .flatten()
            .flatten()
            .min_by_key(|patching| patching.size_bytes)
    }

    fn from_base(base: i64, values: &[i64], survey: &Survey, blocks: usize) -> Option<Self> {
        // How many values need so many bits; the last place counts those below the base.
        let mut counts = [0_usize; 66];
        for value in values {
            let bits = usize::from(bits_of(distance(base, *value)));
            counts[if *value < base { 65 } else { bits }] += 1;
        }
        let bytes = patch_bytes(base, survey);
        let mut patches = counts[65];
        let mut best: Option<Self> = None;
        for width in (0..=64_u8).rev() {
            if patches > values.len() / VALUES_PER_PATCH_MIN {
                break;
            }
            let patched_bytes = 3 + patches * (2 + usize::from(bytes));
            let size_bytes = blocks * block_bytes(width) + patched_bytes;
            if best
                .as_ref()
                .is_none_or(|best| size_bytes < best.size_bytes)
            {
                best = Some(Self {
                    width,
                    base,
                    size_bytes,
                });
            }
            patches += counts[usize::from(width)];
        }
        best
    }
}

/// A value that nearly all others lie above.
fn low_mark(values: &[i64]) -> i64 {
    let mut sample = [0; SAMPLE_VALUES];
    for (place, slot) in sample.iter_mut().enumerate() {
        *slot = values[place * values.len() / SAMPLE_VALUES];
    }
    sample.sort_unstable();
    sample[SAMPLE_LOW]
}

/// The smallest of 1, 2, 4 and 8 bytes that hold any distance from `base` with its sign.
fn patch_bytes(base: i64, survey: &Survey) -> u8 {
    let furthest = distance(survey.min, base).max(distance(base, survey.max));
    match bits_of(furthest) {
        64 => 8,
        bits => whole_bytes(bits + 1),
    }
}

/// Appends differences of neighbours, when they take much less than `flat`.
fn try_steps(
    values: &[i64],
    survey: &Survey,
    flat: &Flat,
    out: &mut Vec<u8>,
) -> Option<IntegerCode> {
    let is_ascending = survey.step_min >= 0;
    let saving_min = match is_ascending {
        true => ASCENDING_SAVING_MIN,
        false => STEPS_SAVING_MIN,
    };
    let size_max = flat.size_bytes - flat.size_bytes / saving_min;
    // Steps that wrap around are decoded rightly, but never small.
    let is_large = survey.span() > i64::MAX.cast_unsigned();
    let step_bits = usize::from(bits_of(distance(survey.step_min, survey.step_max)));
    // Patches and runs may take less than bits say, but hardly less than a half.
    let size_min = values.len() * step_bits / 16;
    if values.len() < 3 || is_large || flat.code.encoding == Encoding::Sequence {
        return None;
    }
    if flat.size_bytes == 0 || size_min >= size_max {
        return None;
    }
    let steps: Vec<i64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let inner = Flat::choose(&steps, &Survey::of(&steps));
    // The code in front takes at most 12 bytes.
    if inner.size_bytes + 12 > size_max {
        return None;
    }
    let mut body = Vec::with_capacity(inner.size_bytes);
    let inner = inner.write(&steps, Lanes::Bits64, &mut body);
    put_code(inner, out);
    out.put(&body);
    Some(IntegerCode {
        encoding: Encoding::Steps,
        width: 0,
        base: values[0],
    })
}

/// How far `value` lies above `base`, modulo 2^64.
fn distance(base: i64, value: i64) -> u64 {
    value.wrapping_sub(base).cast_unsigned()
}

fn bits_of(value: u64) -> u8 {
    (u64::BITS - value.leading_zeros()) as u8
}

/// The smallest of 1, 2, 4 and 8 bytes that hold `bits`.
fn whole_bytes(bits: u8) -> u8 {
    bits.div_ceil(8).next_power_of_two()
}

fn put_plain(value: u64, bytes: u8, out: &mut Vec<u8>) {
    out.put(&value.to_le_bytes()[..usize::from(bytes)]);
}

fn put_runs(values: &[i64], code: IntegerCode, out: &mut Vec<u8>) {
    let runs = || values.chunk_by(|a, b| a == b);
    let count = u16::try_from(runs().count()).expect("no more runs than values");
    out.put(&count.to_le_bytes());
    let mut end = 0;
    for run in runs() {
        end += u16::try_from(run.len()).expect("runs are used for few values");
        out.put(&end.to_le_bytes());
    }
    for run in runs() {
        put_plain(distance(code.base, run[0]), code.width, out);
    }
}

/// Whether a value is stored as a patch, as its base and width say.
fn is_patch(value: i64, code: IntegerCode) -> bool {
    value < code.base || bits_of(distance(code.base, value)) > code.width
}

fn put_packed(values: &[i64], code: IntegerCode, lanes: Lanes, out: &mut Vec<u8>) {
    let stored = |value: i64| match code.encoding == Encoding::Patched && is_patch(value, code) {
        true => 0,
        false => distance(code.base, value),
    };
    for block in values.chunks(VECTOR_ROWS) {
        let packed = match lanes {
            Lanes::Bits64 => {
                let mut padded = [0; VECTOR_ROWS];
                for (slot, value) in padded.iter_mut().zip(block) {
                    *slot = stored(*value);
                }
                pack_64(code.width, &padded, out)
            }
            Lanes::Bits32 => {
                let mut padded = [0; VECTOR_ROWS];
                for (slot, value) in padded.iter_mut().zip(block) {
                    *slot = u32::try_from(stored(*value)).expect("codes have 32 bits");
                }
                pack_32(code.width, &padded, out)
            }
        };
        packed.expect("a width is at most that of its lane");
    }
}

fn put_patches(values: &[i64], code: IntegerCode, out: &mut Vec<u8>) {
    let bytes = patch_bytes(code.base, &Survey::of(values));
    let patches = || {
        let numbered = (0_u16..).zip(values);
        numbered.filter(|(_, value)| is_patch(**value, code))
    };
    let count = u16::try_from(patches().count()).expect("patches are few");
    out.put(&count.to_le_bytes());
    out.push(bytes);
    for (place, _) in patches() {
        out.put(&place.to_le_bytes());
    }
    for (_, value) in patches() {
        put_plain(distance(code.base, *value), bytes, out);
    }
}
