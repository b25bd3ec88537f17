//! The 61 bytes in front of every batch, and what can be wrong with a batch.

use std::io;

use thiserror::Error;

use super::codec::{Codec, DECOMPRESSED_BYTES_MAX};
use super::cursor::{Cursor, Short};
use crate::model::{LeaderEpoch, Offset};

/// Length of a batch's header.
pub const BATCH_HEADER_BYTES: usize = 61;

/// The length field counts what follows it: everything but the base offset and itself.
pub(super) const LENGTH_EXCLUDES_BYTES: usize = 12;

/// The checksum covers everything from the attributes on.
pub(super) const CHECKED_FROM: usize = 21;

const MAGIC: i8 = 2;

/// Positions of the fields that are changed in place.
pub(super) const EPOCH_AT: usize = 12;
pub(super) const CHECKSUM_AT: usize = 17;
pub(super) const ATTRIBUTES_AT: usize = 21;
pub(super) const MAX_TIMESTAMP_AT: usize = 35;

pub(super) const CODEC_BITS: i16 = 0b111;
pub(super) const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
pub(super) const TRANSACTIONAL_BIT: i16 = 1 << 4;
pub(super) const CONTROL_BIT: i16 = 1 << 5;

/// What a batch says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// How many bytes the whole batch has, this header included.
    pub batch_bytes: usize,
    /// Epoch of the partition when the batch was appended.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C of everything from the attributes on.
    pub checksum: u32,
    /// How the records are compressed.
    pub codec: Codec,
    attributes: i16,
    /// Distance from the first offset to the last one, which compaction may have emptied.
    pub last_offset_delta: u32,
    /// The time that the records' times are relative to.
    pub base_timestamp_ms: i64,
    /// The latest time of a record, as the producer says; the time of all of them when the broker
    /// set it.
    pub max_timestamp_ms: i64,
    /// The producer's id; negative when it has none.
    pub producer_id: i64,
    /// How often the producer's id was taken over.
    pub producer_epoch: i16,
    /// The producer's number of the first record; negative when it has none.
    pub base_sequence: i32,
    /// How many records there are.
    pub record_count: u32,
}

/// Why bytes are not a batch, or not one that may be stored.
#[derive(Debug, Error)]
pub enum BatchError {
    /// The bytes end before the batch does.
    #[error("record batch needs {needed_bytes} bytes, there are {found_bytes}")]
    Truncated {
        /// How many bytes it needs.
        needed_bytes: usize,
        /// How many there are.
        found_bytes: usize,
    },
    /// The length field cannot be true.
    #[error("record batch claims a length of {claimed}")]
    Length {
        /// What the field says.
        claimed: i32,
    },
    /// More bytes than the batch has.
    #[error("{extra_bytes} bytes follow the record batch")]
    Trailing {
        /// How many.
        extra_bytes: usize,
    },
    /// Another message format.
    #[error("record batch has message format {magic}, only format 2 is supported")]
    Magic {
        /// Which format it says it has.
        magic: i8,
    },
    /// A bit is wrong somewhere.
    #[error("record batch has checksum {found:08x}, its header says {expected:08x}")]
    Checksum {
        /// What the header says.
        expected: u32,
        /// What the bytes give.
        found: u32,
    },
    /// Not one of the five codecs.
    #[error("record batch is compressed by codec {number}, known are 0 to 4")]
    UnknownCodec {
        /// The number in the attributes.
        number: i16,
    },
    /// Negative, or so large that the last offset has no number.
    #[error("record batch has base offset {base} and last offset delta {delta}")]
    Offsets {
        /// The base offset field.
        base: i64,
        /// The last offset delta field.
        delta: i32,
    },
    /// More records than offsets, or a negative number of them.
    #[error("record batch counts {count} records in {offset_count} offsets")]
    Count {
        /// The record count field.
        count: i32,
        /// How many offsets it spans.
        offset_count: u64,
    },
    /// Control batches are written by the broker alone.
    #[error("record batch is a control batch, which no client may send")]
    ControlFromClient,
    /// A producer with an id numbers its batches.
    #[error(
        "record batch of producer {producer_id} has epoch {producer_epoch} and \
         sequence {base_sequence}, both must be at least 0"
    )]
    Unnumbered {
        /// The producer.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// The sequence.
        base_sequence: i32,
    },
    /// The compressed bytes are not what their codec makes.
    #[error("could not decompress a record batch with {codec}")]
    Decompress {
        /// The codec.
        codec: Codec,
        /// What it reports.
        source: io::Error,
    },
    /// The records are larger than anybody may make us unpack.
    #[error(
        "records of a batch take more than {DECOMPRESSED_BYTES_MAX} bytes after decompression \
         with {codec}"
    )]
    TooLarge {
        /// The codec.
        codec: Codec,
    },
    /// A record is not one.
    #[error("record {index} of a batch {fault}")]
    Record {
        /// Which one, from 0.
        index: u32,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// A batch that is being built has no room for another record.
    #[error("record batch cannot take another record: {limit} is reached")]
    Full {
        /// Which limit.
        limit: &'static str,
    },
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordFault {
    /// It, or a part of it, claims more bytes than there are.
    #[error("ends early")]
    Short,
    /// Its own length says something else than its parts.
    #[error("is longer than its parts")]
    Trailing,
    /// Bytes follow the last record.
    #[error("is the last one and is followed by other bytes")]
    NotLast,
    /// Its offset is not after its predecessor's, or not inside the batch.
    #[error("has an offset out of order")]
    Offset,
    /// Its time does not fit 64 bits.
    #[error("has a time beyond all times")]
    Time,
}

impl BatchHeader {
    /// Reads the first bytes of a batch. The checksum is not compared: that takes all its bytes.
    ///
    /// # Errors
    /// When `bytes` are fewer than [`BATCH_HEADER_BYTES`], or a field cannot be true.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let short = |_: Short| BatchError::Truncated {
            needed_bytes: BATCH_HEADER_BYTES,
            found_bytes: bytes.len(),
        };
        let mut cursor = Cursor::new(bytes);
        let base = cursor.i64().map_err(short)?;
        let length = cursor.i32().map_err(short)?;
        let leader_epoch = cursor.i32().map_err(short)?;
        let magic = cursor.i8().map_err(short)?;
        // Older formats have this byte at the same place and mean other things by what follows.
        if magic != MAGIC {
            return Err(BatchError::Magic { magic });
        }
        let checksum = cursor.u32().map_err(short)?;
        let attributes = cursor.i16().map_err(short)?;
        let delta = cursor.i32().map_err(short)?;
        let base_timestamp_ms = cursor.i64().map_err(short)?;
        let max_timestamp_ms = cursor.i64().map_err(short)?;
        let producer_id = cursor.i64().map_err(short)?;
        let producer_epoch = cursor.i16().map_err(short)?;
        let base_sequence = cursor.i32().map_err(short)?;
        let count = cursor.i32().map_err(short)?;

        let batch_bytes = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(LENGTH_EXCLUDES_BYTES))
            .filter(|bytes| *bytes >= BATCH_HEADER_BYTES)
            .ok_or(BatchError::Length { claimed: length })?;
        let number = attributes & CODEC_BITS;
        let codec = Codec::from_number(number).ok_or(BatchError::UnknownCodec { number })?;
        let (base_offset, last_offset_delta) = checked_offsets(base, delta)?;
        let offset_count = u64::from(last_offset_delta) + 1;
        let record_count = u32::try_from(count)
            .ok()
            .filter(|count| u64::from(*count) <= offset_count)
            .ok_or(BatchError::Count {
                count,
                offset_count,
            })?;
        Ok(Self {
            base_offset,
            batch_bytes,
            leader_epoch: LeaderEpoch(leader_epoch),
            checksum,
            codec,
            attributes,
            last_offset_delta,
            base_timestamp_ms,
            max_timestamp_ms,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count,
        })
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(u64::from(self.last_offset_delta))
    }

    /// The offset after the last record: where the next batch starts.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset().plus(1)
    }

    /// The producer's number of the last record. Numbers go on at 0 after 2^31 - 1.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        let sum = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        i32::try_from(sum % (1 << 31)).expect("a remainder by 2^31 fits 31 bits")
    }

    /// Whether the broker's clock gave the records their time.
    #[must_use]
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    /// Whether the records belong to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch marks the end of a transaction instead of holding records of clients.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    pub(super) fn attributes(&self) -> i16 {
        self.attributes
    }

    /// Checks what must hold for a batch that a client sends, and need not hold for a stored one:
    /// each offset has its record, the batch is none of the broker's own, and a producer with an
    /// id has an epoch and a sequence.
    ///
    /// # Errors
    /// Names what does not hold.
    pub fn check_from_client(&self) -> Result<(), BatchError> {
        if self.is_control() {
            return Err(BatchError::ControlFromClient);
        }
        let offset_count = u64::from(self.last_offset_delta) + 1;
        if u64::from(self.record_count) != offset_count {
            let count = i32::try_from(self.record_count).expect("read from 32 signed bits");
            return Err(BatchError::Count {
                count,
                offset_count,
            });
        }
        if self.producer_id >= 0 && (self.producer_epoch < 0 || self.base_sequence < 0) {
            return Err(BatchError::Unnumbered {
                producer_id: self.producer_id,
                producer_epoch: self.producer_epoch,
                base_sequence: self.base_sequence,
            });
        }
        Ok(())
    }
}

/// Offsets are never negative, and the next one after the batch still fits Kafka's 63 bits.
fn checked_offsets(base: i64, delta: i32) -> Result<(Offset, u32), BatchError> {
    let error = BatchError::Offsets { base, delta };
    if base
        .checked_add(i64::from(delta))
        .and_then(|last| last.checked_add(1))
        .is_none()
    {
        return Err(error);
    }
    match (u64::try_from(base), u32::try_from(delta)) {
        (Ok(base), Ok(delta)) => Ok((Offset(base), delta)),
        (Err(_), _) | (_, Err(_)) => Err(error),
    }
}
