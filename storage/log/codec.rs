//! The four compressions of Kafka, with a bound on what they may unpack to.

use std::fmt;
use std::io::{self, Read, Write};

use super::cursor::Cursor;
use super::header::BatchError;
use super::lz4;

/// The most that the records of one batch may take after decompression. A megabyte of zstd can
/// claim gigabytes of zeros; real batches are megabytes.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// A buffer that a large batch has grown is given back beyond this size.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// The largest zstd window, as a power of two: what the highest level of the clients uses.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Snappy copies at most 64 bytes for two that it reads, so that a larger claim is a lie.
const SNAPPY_RATIO_MAX: usize = 64;

/// The frame that Java clients put around snappy blocks: magic, version, oldest reader.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_BYTES: usize = 16;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy; written as one raw block, read in Java's frame too.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// Where compressed records are unpacked; kept from batch to batch to save the allocation.
#[derive(Debug, Default)]
pub struct DecompressionBuffer(Vec<u8>);

impl Codec {
    /// The codec of a number in a batch's attributes.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its number in a batch's attributes.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Appends `bytes`, compressed, to `out`.
    pub(super) fn compress(self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::None => out.extend_from_slice(bytes),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()?;
            }
            Self::Snappy => {
                out.extend(
                    snap::raw::Encoder::new()
                        .compress_vec(bytes)
                        .map_err(io::Error::other)?,
                );
            }
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(out);
                encoder.write_all(bytes)?;
                encoder.finish().map_err(io::Error::other)?;
            }
            Self::Zstd => zstd::stream::copy_encode(bytes, out, zstd::DEFAULT_COMPRESSION_LEVEL)?,
        }
        Ok(())
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// Why bytes could not be unpacked.
enum Failure {
    Bytes(io::Error),
    TooLarge,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Bytes(error)
    }
}

impl DecompressionBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn decompress<'a>(
        &'a mut self,
        codec: Codec,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], BatchError> {
        if codec == Codec::None {
            return Ok(bytes);
        }
        self.0.truncate(KEPT_BYTES_MAX);
        self.0.shrink_to(KEPT_BYTES_MAX);
        if codec == Codec::Lz4
            && let Some(length) = lz4::unpack(bytes, DECOMPRESSED_BYTES_MAX, &mut self.0)
        {
            return Ok(&self.0[..length]);
        }
        self.0.clear();
        match unpack(codec, bytes, &mut self.0) {
            Ok(()) => Ok(&self.0),
            Err(Failure::Bytes(source)) => Err(BatchError::Decompress { codec, source }),
            Err(Failure::TooLarge) => Err(BatchError::TooLarge { codec }),
        }
    }
}

fn unpack(codec: Codec, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
    match codec {
        Codec::None => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        Codec::Gzip => read_bounded(flate2::bufread::MultiGzDecoder::new(bytes), out),
        Codec::Snappy => unpack_snappy(bytes, out),
        Codec::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(bytes), out),
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            read_bounded(decoder, out)
        }
    }
}

/// Reads to the end or to the bound; memory grows with what was really unpacked, never with what
/// the bytes claim.
fn read_bounded(decoder: impl Read, out: &mut Vec<u8>) -> Result<(), Failure> {
    decoder
        .take(DECOMPRESSED_BYTES_MAX as u64 + 1)
        .read_to_end(out)?;
    if out.len() > DECOMPRESSED_BYTES_MAX {
        return Err(Failure::TooLarge);
    }
    Ok(())
}

/// Java clients write frames of blocks, librdkafka and Go clients one raw block; both are called
/// snappy.
fn unpack_snappy(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
    if !bytes.starts_with(&XERIAL_MAGIC) {
        return unpack_snappy_block(bytes, out);
    }
    let short = |_| Failure::Bytes(io::ErrorKind::UnexpectedEof.into());
    let mut cursor = Cursor::new(bytes);
    cursor.take(XERIAL_HEADER_BYTES).map_err(short)?;
    while !cursor.rest().is_empty() {
        let len = cursor.u32().map_err(short)?;
        let len = usize::try_from(len).map_err(|_| Failure::TooLarge)?;
        unpack_snappy_block(cursor.take(len).map_err(short)?, out)?;
    }
    Ok(())
}

fn unpack_snappy_block(block: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
    let invalid = |error| Failure::Bytes(io::Error::new(io::ErrorKind::InvalidData, error));
    let claimed = snap::raw::decompress_len(block).map_err(invalid)?;
    let start = out.len();
    if claimed > DECOMPRESSED_BYTES_MAX - start {
        return Err(Failure::TooLarge);
    }
    if claimed / SNAPPY_RATIO_MAX > block.len() {
        let text = "a snappy block claims more than it can hold";
        return Err(Failure::Bytes(io::Error::new(
            io::ErrorKind::InvalidData,
            text,
        )));
    }
    out.resize(start + claimed, 0);
    let len = snap::raw::Decoder::new()
        .decompress(block, &mut out[start..])
        .map_err(invalid)?;
    out.truncate(start + len);
    Ok(())
}
