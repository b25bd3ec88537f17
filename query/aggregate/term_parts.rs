//! Parts of all terms: hashes as Elasticsearch computes them, so that a part holds the same terms.

use storage::model::Decimal;

use super::metric::plain;
use crate::request::TermPartition;

/// The seed of Elasticsearch's text hashes.
const SEED: u32 = 31;

impl TermPartition {
    /// Whether a term of this hash is in the part.
    pub(super) fn holds(self, hash: i64) -> bool {
        hash.rem_euclid(i64::from(self.count)) == i64::from(self.number)
    }
}

/// MurmurHash3 of 32 bits, as a signed number.
pub(super) fn text_hash(text: &[u8]) -> i32 {
    let mix = |block: u32| {
        let mixed = block.wrapping_mul(0xcc9e_2d51).rotate_left(15);
        mixed.wrapping_mul(0x1b87_3593)
    };
    let (blocks, rest) = text.as_chunks::<4>();
    let mut hash = SEED;
    for block in blocks {
        hash ^= mix(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13);
        hash = hash.wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        let mut block = [0; 4];
        block[..rest.len()].copy_from_slice(rest);
        hash ^= mix(u32::from_le_bytes(block));
    }
    hash ^= text.len() as u32;
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^= hash >> 16;
    hash.cast_signed()
}

/// The mixed bits of a number: of an integer itself, else of the double.
pub(super) fn number_hash(number: Decimal) -> i64 {
    let whole = plain(number);
    let bits = match whole.exponent {
        0 => whole.mantissa.cast_unsigned(),
        _fraction => number.to_f64().to_bits(),
    };
    let bits = (bits ^ (bits >> 32)).wrapping_mul(0x4cd6_944c_5cc2_0b6d);
    let bits = (bits ^ (bits >> 29)).wrapping_mul(0xfc12_c5b1_9d32_59e9);
    (bits ^ (bits >> 32)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_where_elasticsearch_has_them() {
        let part = |number| TermPartition { number, count: 2 };
        // Of OpenSearch's REST tests.
        assert!(part(0).holds(text_hash(b"bcd").into()));
        assert!(part(1).holds(text_hash(b"abc").into()));
        assert!(part(0).holds(number_hash(Decimal::from_i64(5678))));
        assert!(part(1).holds(number_hash(Decimal::from_i64(1234))));
        assert_eq!(text_hash(b"abcde"), text_hash(b"abcde"));
        assert_ne!(text_hash(b"abcd"), text_hash(b"abcde"));
    }
}
