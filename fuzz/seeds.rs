//! Valid inputs, damaged: random bytes alone seldom get past a checksum or a length.

use bytes::Bytes;
use storage::log::{BatchBuilder, Codec, NewRecord};

/// Where a batch keeps its checksum, and the first byte that it covers.
const CHECKSUM_AT: usize = 17;
const CHECKED_FROM: usize = 21;

/// `seed` with the edits that `script` spells, three bytes each: a place (as a fraction of the
/// length) and a byte. The byte replaces what is there, inserts a zero before it, or cuts.
#[must_use]
pub fn mutate(seed: &[u8], script: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for edit in script.chunks_exact(3) {
        let fraction = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        let place = bytes.len() * fraction / (usize::from(u16::MAX) + 1);
        match edit[2] {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, 0),
            byte => {
                if let Some(target) = bytes.get_mut(place) {
                    *target = byte.wrapping_sub(2);
                }
            }
        }
    }
    bytes
}

/// A record batch with every part that one can have.
///
/// # Panics
/// Never: the records are small.
#[must_use]
pub fn batch(codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new();
    for number in 0..20_u8 {
        let value =
            format!(r#"{{"@timestamp":{number},"text":"{number}","deep":{{"a":[1,2.5]}}}}"#);
        let key = [number];
        let record = NewRecord {
            timestamp_ms: 1_500_000_000_000 + i64::from(number),
            key: (number % 2 == 0).then_some(&key[..]),
            value: (number != 7).then_some(value.as_bytes()),
            headers: &[("name", Some(b"value")), ("none", None)],
        };
        builder
            .push(record)
            .expect("twenty small records fit a batch");
    }
    builder.finish(codec).bytes().clone()
}

/// Makes the checksum of a damaged batch right again, so that what is behind it is reached.
pub fn reseal_batch(bytes: &mut [u8]) {
    if bytes.len() > CHECKED_FROM {
        let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
        bytes[CHECKSUM_AT..CHECKED_FROM].copy_from_slice(&checksum.to_be_bytes());
    }
}
