//! Making a batch from records.

use bytes::Bytes;

use super::batch::RecordBatch;
use super::codec::Codec;
use super::cursor::{put_nullable, put_varlong};
use super::header::{
    BATCH_HEADER_BYTES, BatchError, CHECKED_FROM, CHECKSUM_AT, CONTROL_BIT, LENGTH_EXCLUDES_BYTES,
    TRANSACTIONAL_BIT,
};

/// The most bytes of records in a batch that is built here. Half of what the length field can say,
/// since a codec may make incompressible bytes a little longer.
const BUILT_BYTES_MAX: usize = 1 << 30;

/// A record that is to be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRecord<'a> {
    /// Its time.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; without one it is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers: names and values.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// The numbers by which a repeated batch is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerStamp {
    /// The producer's id.
    pub producer_id: i64,
    /// How often the id was taken over.
    pub producer_epoch: i16,
    /// The producer's number of the batch's first record.
    pub base_sequence: i32,
}

/// Collects records and makes one batch of them.
#[derive(Debug, Clone, Default)]
pub struct BatchBuilder {
    body: Vec<u8>,
    /// One record before its length is known.
    record: Vec<u8>,
    record_count: i32,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    stamp: Option<ProducerStamp>,
    is_transactional: bool,
}

impl ProducerStamp {
    /// What batches of producers without an id carry.
    const NONE: Self = Self {
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
    };
}

impl BatchBuilder {
    /// A batch without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Numbers the batch as one of an idempotent producer.
    #[must_use]
    pub fn with_stamp(mut self, stamp: ProducerStamp) -> Self {
        self.stamp = Some(stamp);
        self
    }

    /// Makes the batch part of the producer's transaction.
    #[must_use]
    pub fn in_transaction(mut self) -> Self {
        self.is_transactional = true;
        self
    }

    /// How many records it has.
    #[must_use]
    pub fn record_count(&self) -> usize {
        usize::try_from(self.record_count).expect("a count is not negative")
    }

    /// How many bytes the batch would have without compression.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        BATCH_HEADER_BYTES + self.body.len()
    }

    /// Adds a record at the end. Nothing changes when it fails.
    ///
    /// # Errors
    /// [`BatchError::Full`] when the record does not fit the batch: 2^31 records, a gigabyte, or
    /// a time too far from the first record's.
    pub fn push(&mut self, new: NewRecord<'_>) -> Result<(), BatchError> {
        let is_first = self.record_count == 0;
        let base_ms = if is_first {
            new.timestamp_ms
        } else {
            self.base_timestamp_ms
        };
        let time_delta_ms = new
            .timestamp_ms
            .checked_sub(base_ms)
            .ok_or(BatchError::Full {
                limit: "the span of times of a batch",
            })?;
        let record_count = self.record_count.checked_add(1).ok_or(BatchError::Full {
            limit: "the number of records of a batch",
        })?;

        let record = &mut self.record;
        record.clear();
        record.push(0);
        put_varlong(record, time_delta_ms);
        put_varlong(record, i64::from(self.record_count));
        put_nullable(record, new.key);
        put_nullable(record, new.value);
        put_varlong(record, signed(new.headers.len()));
        for (key, value) in new.headers {
            put_nullable(record, Some(key.as_bytes()));
            put_nullable(record, *value);
        }
        if self.body.len() + record.len() > BUILT_BYTES_MAX {
            return Err(BatchError::Full {
                limit: "the length of a batch",
            });
        }
        put_varlong(&mut self.body, signed(self.record.len()));
        self.body.extend_from_slice(&self.record);
        self.record_count = record_count;
        self.base_timestamp_ms = base_ms;
        let max_ms = self.max_timestamp_ms.max(new.timestamp_ms);
        self.max_timestamp_ms = if is_first { new.timestamp_ms } else { max_ms };
        Ok(())
    }

    /// Makes the batch, with base offset 0 and leader epoch -1 as clients send it.
    ///
    /// # Panics
    /// When it has no records: an empty batch would have no last offset.
    #[must_use]
    pub fn finish(self, codec: Codec) -> RecordBatch {
        let transactional = if self.is_transactional {
            TRANSACTIONAL_BIT
        } else {
            0
        };
        self.finish_with(codec, transactional)
    }

    /// Makes a control batch of the producer's transaction.
    pub(super) fn finish_control(self) -> RecordBatch {
        self.finish_with(Codec::None, TRANSACTIONAL_BIT | CONTROL_BIT)
    }

    fn finish_with(self, codec: Codec, flags: i16) -> RecordBatch {
        assert!(self.record_count > 0, "a batch has at least one record");
        let stamp = self.stamp.unwrap_or(ProducerStamp::NONE);
        let mut out = Vec::with_capacity(BATCH_HEADER_BYTES + self.body.len());
        out.extend_from_slice(&0_i64.to_be_bytes());
        out.extend_from_slice(&0_i32.to_be_bytes()); // The length, set below.
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        out.push(2);
        out.extend_from_slice(&0_u32.to_be_bytes()); // The checksum, set below.
        out.extend_from_slice(&(codec.number() | flags).to_be_bytes());
        out.extend_from_slice(&(self.record_count - 1).to_be_bytes());
        out.extend_from_slice(&self.base_timestamp_ms.to_be_bytes());
        out.extend_from_slice(&self.max_timestamp_ms.to_be_bytes());
        out.extend_from_slice(&stamp.producer_id.to_be_bytes());
        out.extend_from_slice(&stamp.producer_epoch.to_be_bytes());
        out.extend_from_slice(&stamp.base_sequence.to_be_bytes());
        out.extend_from_slice(&self.record_count.to_be_bytes());
        codec
            .compress(&self.body, &mut out)
            .expect("memory takes what is written to it");
        let length = i32::try_from(out.len() - LENGTH_EXCLUDES_BYTES)
            .expect("push refuses what would not fit");
        out[8..12].copy_from_slice(&length.to_be_bytes());
        let checksum = crc32c::crc32c(&out[CHECKED_FROM..]);
        out[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_be_bytes());
        RecordBatch::parse(Bytes::from(out)).expect("what was written is a batch")
    }
}

fn signed(len: usize) -> i64 {
    i64::try_from(len).expect("no slice is longer than i64")
}
