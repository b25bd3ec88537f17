//! Which partition an id belongs to.

use storage::catalog::Topic;
use storage::model::{PartitionId, origin_of_name};

/// How the ids of a topic are spread over its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    partitions: u32,
    /// Those that ids are hashed to.
    hashed: u32,
}

impl Spread {
    /// How those of `topic` are.
    #[must_use]
    pub fn of(topic: &Topic) -> Self {
        Self {
            partitions: topic.partitions,
            hashed: topic.routing_partitions(),
        }
    }

    /// The partition of `id`: that of the row if it names one by partition and offset, else the one
    /// that its hash says.
    #[must_use]
    pub fn partition_of(self, id: &[u8]) -> PartitionId {
        match origin_of_name(id) {
            Some((partition, _)) if partition.0 < self.partitions => partition,
            Some(_) | None => partition_of_id(id, self.hashed),
        }
    }
}

/// The partition of `id` among `partitions`: the one that Kafka's own clients choose for a record
/// with this key. Ids are found again by it, so it can never change.
///
/// # Panics
/// When there is no partition.
#[must_use]
pub fn partition_of_id(id: &[u8], partitions: u32) -> PartitionId {
    assert!(partitions > 0, "a topic has at least one partition");
    PartitionId((murmur2(id) & 0x7fff_ffff) % partitions)
}

/// MurmurHash2 with the seed that Kafka's default partitioner has.
fn murmur2(bytes: &[u8]) -> u32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // The hash starts with the low 32 bits of the length, as its definition has it.
    let mut hash = SEED ^ (bytes.len() as u32);
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ word.wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        for (byte, shift) in tail.iter().zip([0, 8, 16]) {
            hash ^= u32::from(*byte) << shift;
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of Kafka's own test of its `Utils.murmur2`.
    #[test]
    fn the_hash_is_kafkas() {
        for (text, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), expected.cast_unsigned(), "{text}");
        }
    }

    #[test]
    fn an_id_has_one_of_the_partitions() {
        let partitions: Vec<u32> = (0..12)
            .map(|id| partition_of_id(format!("id{id}").as_bytes(), 3).0)
            .collect();
        assert_eq!(partitions, [1, 2, 1, 2, 1, 0, 1, 2, 2, 2, 0, 0]);
    }
}
