//! Bit-packing of blocks of 1,024 integers, by `fastlanes`, for widths known at run time.
//!
//! The order of values inside a block is the transposed one of FastLanes, so that packing and
//! unpacking are plain loops over lanes that compilers turn into vector code.

use fastlanes::{BitPacking, FoR};

use super::bytes::Flaw;
use crate::model::VECTOR_ROWS;

/// Calls `$body` with the constants of the width that `$width` has.
macro_rules! for_width {
    ($width:expr, $bits:literal, [$($known:literal)*], |$w:ident, $words:ident| $body:expr) => {
        match $width {
            $($known => {
                const $w: usize = $known;
                const $words: usize = VECTOR_ROWS * $known / $bits;
                $body
            })*
            _ => Err(Flaw("a bit width is too large")),
        }
    };
}

macro_rules! bit_packing {
    ($word:ty, $bits:literal, $pack:ident, $unpack:ident, $widths:tt) => {
        /// Appends one block, `width` bits each; bits above are dropped.
        pub(super) fn $pack(
            width: u8,
            values: &[$word; VECTOR_ROWS],
            out: &mut Vec<u8>,
        ) -> Result<(), Flaw> {
            for_width!(width, $bits, $widths, |W, WORDS| {
                let mut words = [0; WORDS];
                <$word>::pack::<W, WORDS>(values, &mut words);
                out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
                Ok(())
            })
        }

        /// One block of `block_bytes(width)` bytes; `base` is added to each value.
        pub(super) fn $unpack(
            width: u8,
            bytes: &[u8],
            base: $word,
            out: &mut [$word; VECTOR_ROWS],
        ) -> Result<(), Flaw> {
            for_width!(width, $bits, $widths, |W, WORDS| {
                if bytes.len() != WORDS * size_of::<$word>() {
                    return Err(Flaw("a packed block has the wrong length"));
                }
                if let Some(words) = words_in_place::<_, WORDS>(bytes) {
                    <$word>::unfor_pack::<W, WORDS>(words, base, out);
                    return Ok(());
                }
                let mut words = [0; WORDS];
                for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                    *word = <$word>::from_le_bytes(*bytes);
                }
                <$word>::unfor_pack::<W, WORDS>(&words, base, out);
                Ok(())
            })
        }
    };
}

bit_packing!(u32, 32, pack_32, unpack_32, [
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
]);
bit_packing!(u64, 64, pack_64, unpack_64, [
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
    33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64
]);

/// `bytes` as words without a copy, where they lie as the machine wants them.
fn words_in_place<W: bytemuck::AnyBitPattern, const WORDS: usize>(
    bytes: &[u8],
) -> Option<&[W; WORDS]> {
    if cfg!(target_endian = "big") {
        return None;
    }
    bytemuck::try_cast_slice(bytes).ok()?.try_into().ok()
}

/// Bytes of one packed block.
pub(super) fn block_bytes(width: u8) -> usize {
    VECTOR_ROWS / 8 * usize::from(width)
}
