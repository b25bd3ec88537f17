//! One whole, checked batch.

use bytes::{Bytes, BytesMut};

use super::codec::DecompressionBuffer;
use super::header::{
    ATTRIBUTES_AT, BATCH_HEADER_BYTES, BatchError, BatchHeader, CHECKED_FROM, CHECKSUM_AT,
    EPOCH_AT, LOG_APPEND_TIME_BIT, MAX_TIMESTAMP_AT,
};
use super::records::Records;
use crate::model::{LeaderEpoch, Offset};

/// A Kafka record batch of format 2 whose length, checksum and counts hold. What is compressed
/// inside is looked at only by [`RecordBatch::records`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// Checks that `bytes` are exactly one batch.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn parse(bytes: Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(&bytes)?;
        if bytes.len() < header.batch_bytes {
            return Err(BatchError::Truncated {
                needed_bytes: header.batch_bytes,
                found_bytes: bytes.len(),
            });
        }
        if bytes.len() > header.batch_bytes {
            let extra_bytes = bytes.len() - header.batch_bytes;
            return Err(BatchError::Trailing { extra_bytes });
        }
        let found = crc32c::crc32c(bytes.get(CHECKED_FROM..).unwrap_or(&[]));
        if found != header.checksum {
            return Err(BatchError::Checksum {
                expected: header.checksum,
                found,
            });
        }
        Ok(Self { header, bytes })
    }

    /// What the batch says about itself.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Gives the batch its place in a partition. The checksum does not cover these two fields, so
    /// that no byte of the records is touched; bytes that others share are copied first.
    ///
    /// # Panics
    /// When the last offset would not fit Kafka's 63 bits.
    pub fn assign(&mut self, base: Offset, epoch: LeaderEpoch) {
        let number = i64::try_from(base.0).expect("offsets of a partition fit 63 bits");
        self.change(|bytes| {
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            bytes[EPOCH_AT..EPOCH_AT + 4].copy_from_slice(&epoch.0.to_be_bytes());
        });
    }

    /// Makes `time_ms` the time of all records, as topics with the broker's time want it.
    pub fn set_log_append_time(&mut self, time_ms: i64) {
        let attributes = self.header.attributes() | LOG_APPEND_TIME_BIT;
        self.change(|bytes| {
            bytes[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
            bytes[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&time_ms.to_be_bytes());
            let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
            bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_be_bytes());
        });
    }

    fn change(&mut self, edit: impl FnOnce(&mut [u8])) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut bytes = bytes
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        edit(&mut bytes);
        self.header = BatchHeader::parse(&bytes).expect("the edited fields keep the batch whole");
        self.bytes = bytes.freeze();
    }

    /// The records, decompressed into `scratch` when they are compressed.
    ///
    /// # Errors
    /// When the compressed bytes are not what their codec makes, or unpack to more than
    /// [`DECOMPRESSED_BYTES_MAX`](super::DECOMPRESSED_BYTES_MAX). What is wrong with a record is
    /// said by the iterator.
    pub fn records<'a>(
        &'a self,
        scratch: &'a mut DecompressionBuffer,
    ) -> Result<Records<'a>, BatchError> {
        let body = self.bytes.get(BATCH_HEADER_BYTES..).unwrap_or(&[]);
        let body = scratch.decompress(self.header.codec, body)?;
        Ok(Records::new(&self.header, body))
    }
}

/// The batches that stand one behind the other in the bytes that a log's read returns.
#[derive(Debug, Clone)]
pub struct Batches(Bytes);

impl Batches {
    /// Over `bytes`, which should hold whole batches and nothing else.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The offset after the last of them, by the headers alone; `from` when there is none.
    #[must_use]
    pub fn end(&self, from: Offset) -> Offset {
        let mut end = from;
        let mut rest = &self.0[..];
        while let Ok(header) = BatchHeader::parse(rest) {
            end = header.next_offset();
            rest = rest.get(header.batch_bytes..).unwrap_or_default();
        }
        end
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, BatchError>;

    /// After an error there is no next batch: nobody knows where it would start.
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut rest = std::mem::take(&mut self.0);
        let batch_bytes = match BatchHeader::parse(&rest) {
            Ok(header) => header.batch_bytes,
            Err(error) => return Some(Err(error)),
        };
        if batch_bytes < rest.len() {
            self.0 = rest.split_off(batch_bytes);
        }
        let batch = RecordBatch::parse(rest);
        if batch.is_err() {
            self.0.clear();
        }
        Some(batch)
    }
}
