//! LZ4 frames as clients of Kafka write them, straight into a buffer that is kept.
//!
//! A reader of frames for streams has buffers of its own, half a megabyte that is mapped, cleared
//! and given back for every batch. Here the whole frame is at hand, so that a block is unpacked
//! where it belongs. Only the usual frame is read: with checksums, a dictionary, a second frame or
//! a fault, the general reader decides.

use super::cursor::Cursor;

const MAGIC: u32 = 0x184d_2204;

/// Version 1, and whether blocks stand alone; with any other bit the frame is not the usual one.
const FLAGS_VERSION: u8 = 0b0100_0000;
const FLAG_INDEPENDENT: u8 = 0b0010_0000;
const FLAG_CONTENT_SIZE: u8 = 0b0000_1000;

/// A block that is stored as it is has this bit in its length.
const PLAIN_BLOCK: u32 = 1 << 31;

/// How far back a block may refer to those before it.
const WINDOW_BYTES: usize = 64 << 10;

/// Unpacks `frame` to the beginning of `out`, which grows as it must and never beyond `bytes_max`
/// and a block; says how many bytes it was. `None` when this is not the usual frame.
pub(super) fn unpack(frame: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Option<usize> {
    let mut rest = Cursor::new(frame);
    let header = Header::read(&mut rest)?;
    let mut end = 0;
    loop {
        let length = u32::from_le_bytes(rest.array().ok()?);
        if length == 0 {
            break;
        }
        let stored = usize::try_from(length & !PLAIN_BLOCK).ok()?;
        if stored > header.block_bytes_max {
            return None;
        }
        let block = rest.take(stored).ok()?;
        if out.len() < end + header.block_bytes_max {
            out.resize(end + header.block_bytes_max, 0);
        }
        let (before, room) = out.split_at_mut(end);
        let room = room.get_mut(..header.block_bytes_max)?;
        end += if length & PLAIN_BLOCK != 0 {
            room.get_mut(..stored)?.copy_from_slice(block);
            stored
        } else if header.is_independent {
            lz4_flex::block::decompress_into(block, room).ok()?
        } else {
            let window = &before[end.saturating_sub(WINDOW_BYTES)..];
            lz4_flex::block::decompress_into_with_dict(block, room, window).ok()?
        };
        if end > bytes_max {
            return None;
        }
    }
    let is_whole = header.content_bytes.is_none_or(|bytes| bytes == end as u64);
    (is_whole && rest.rest().is_empty()).then_some(end)
}

struct Header {
    is_independent: bool,
    block_bytes_max: usize,
    content_bytes: Option<u64>,
}

impl Header {
    fn read(frame: &mut Cursor<'_>) -> Option<Self> {
        if u32::from_le_bytes(frame.array().ok()?) != MAGIC {
            return None;
        }
        let described = frame.rest();
        let [flags, sizes] = frame.array().ok()?;
        let known = FLAGS_VERSION | FLAG_INDEPENDENT | FLAG_CONTENT_SIZE;
        let size = sizes >> 4;
        if flags & !known != 0 || flags & FLAGS_VERSION == 0 || sizes & 0x8f != 0 || size < 4 {
            return None;
        }
        let mut content_bytes = None;
        if flags & FLAG_CONTENT_SIZE != 0 {
            content_bytes = Some(u64::from_le_bytes(frame.array().ok()?));
        }
        let described = described.get(..described.len() - frame.rest().len())?;
        let [checksum] = frame.array().ok()?;
        if checksum != (xxh32_short(described) >> 8) as u8 {
            return None;
        }
        Some(Self {
            is_independent: flags & FLAG_INDEPENDENT != 0,
            // 64 KiB, 256 KiB, 1 MiB or 4 MiB.
            block_bytes_max: 1 << (8 + 2 * u32::from(size)),
            content_bytes,
        })
    }
}

/// xxHash32 of fewer than 16 bytes with seed 0.
fn xxh32_short(bytes: &[u8]) -> u32 {
    const PRIMES: [u32; 5] = [
        0x9e37_79b1,
        0x85eb_ca77,
        0xc2b2_ae3d,
        0x27d4_eb2f,
        0x1656_67b1,
    ];
    debug_assert!(bytes.len() < 16, "longer texts are hashed in four lanes");
    let mut hash = PRIMES[4].wrapping_add(bytes.len() as u32);
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes(word.try_into().expect("chunks of four"));
        hash = hash.wrapping_add(word.wrapping_mul(PRIMES[2]));
        hash = hash.rotate_left(17).wrapping_mul(PRIMES[3]);
    }
    for byte in words.remainder() {
        hash = hash.wrapping_add(u32::from(*byte).wrapping_mul(PRIMES[4]));
        hash = hash.rotate_left(11).wrapping_mul(PRIMES[0]);
    }
    hash = (hash ^ hash >> 15).wrapping_mul(PRIMES[1]);
    hash = (hash ^ hash >> 13).wrapping_mul(PRIMES[2]);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
    use proptest::prelude::*;

    use super::*;

    const BYTES_MAX: usize = 4 << 20;

    fn pack(bytes: &[u8], linked: bool, size: u8, sized: bool, checked: bool) -> Vec<u8> {
        let block_size = match size {
            0 => BlockSize::Max64KB,
            1 => BlockSize::Max256KB,
            _ => BlockSize::Max1MB,
        };
        let mode = if linked {
            BlockMode::Linked
        } else {
            BlockMode::Independent
        };
        let info = FrameInfo::new()
            .block_mode(mode)
            .block_size(block_size)
            .content_size(sized.then_some(bytes.len() as u64))
            .content_checksum(checked);
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).expect("memory takes everything");
        encoder.finish().expect("the size is right")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn frames_are_read_as_the_general_reader_reads_them(
            words in proptest::collection::vec(0..50_u32, 0..60_000),
            linked in any::<bool>(),
            size in 0..3_u8,
            sized in any::<bool>(),
            checked in any::<bool>(),
            damage in proptest::option::of((any::<prop::sample::Index>(), 1..=255_u8)),
        ) {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let mut frame = pack(&bytes, linked, size, sized, checked);
            if let Some((at, flip)) = damage {
                let at = at.index(frame.len());
                frame[at] ^= flip;
            }
            // What an earlier frame left in the buffer does not show.
            let mut out = vec![0xee; 100];
            let mut expected = Vec::new();
            let read = FrameDecoder::new(frame.as_slice()).read_to_end(&mut expected);
            let quick = unpack(&frame, BYTES_MAX, &mut out);
            if let Some(length) = quick {
                prop_assert!(read.is_ok());
                prop_assert_eq!(&out[..length], &expected);
            }
            prop_assert!(quick.is_some() || damage.is_some() || checked);
        }
    }

    #[test]
    fn a_frame_that_grows_too_much_is_left_to_others() {
        let frame = pack(&vec![0; 1 << 20], false, 0, false, false);
        assert_eq!(unpack(&frame, 1 << 20, &mut Vec::new()), Some(1 << 20));
        assert_eq!(unpack(&frame, (1 << 20) - 1, &mut Vec::new()), None);
    }
}
