//! A batch without some of its records, or compressed in another way.

use bytes::Bytes;

use super::batch::RecordBatch;
use super::codec::{Codec, DecompressionBuffer};
use super::header::{
    ATTRIBUTES_AT, BATCH_HEADER_BYTES, BatchError, CHECKED_FROM, CHECKSUM_AT, CODEC_BITS,
    LENGTH_EXCLUDES_BYTES, MAX_TIMESTAMP_AT,
};
use super::records::Record;
use crate::model::Offset;

/// Where other fields stand in a header.
const LENGTH_AT: usize = 8;
const LAST_OFFSET_DELTA_AT: usize = 23;
const PRODUCER_AT: usize = 43;
const COUNT_AT: usize = 57;

impl RecordBatch {
    /// The batch with those of its records that `keep` wants, compressed with `codec`. Place,
    /// producer and last offset stay, so that offsets go on behind it as before; even a batch
    /// without records keeps its place.
    ///
    /// # Errors
    /// When its records cannot be read.
    pub fn rewritten(
        &self,
        codec: Codec,
        scratch: &mut DecompressionBuffer,
        mut keep: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<Self, BatchError> {
        let (mut body, mut count, mut latest_ms) = (Vec::new(), 0_u32, None);
        let mut records = self.records(scratch)?;
        while let Some(next) = records.next_with_bytes() {
            let (record, bytes) = next?;
            if keep(&record) {
                body.extend_from_slice(bytes);
                count += 1;
                latest_ms = latest_ms.max(Some(record.timestamp_ms));
            }
        }
        let mut out = self.bytes()[..BATCH_HEADER_BYTES].to_vec();
        let attributes = self.header().attributes() & !CODEC_BITS | codec.number();
        let compressed = codec.compress(&body, &mut out);
        compressed.map_err(|source| BatchError::Decompress { codec, source })?;
        let length = i32::try_from(out.len() - LENGTH_EXCLUDES_BYTES);
        let length = length.map_err(|_| BatchError::Full {
            limit: "the length of a batch",
        })?;
        out[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        out[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
        if let Some(latest_ms) = latest_ms {
            let place = MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8;
            out[place].copy_from_slice(&latest_ms.to_be_bytes());
        }
        out[COUNT_AT..COUNT_AT + 4].copy_from_slice(&count.to_be_bytes());
        Self::sealed(out)
    }

    /// A batch without records that stands for all offsets from this one's first to `last`, so
    /// that no offset is missing where batches were; `None` when they are too many for one.
    #[must_use]
    pub fn placeholder(&self, last: Offset) -> Option<Self> {
        let delta = last.0.checked_sub(self.header().base_offset.0)?;
        let delta = i32::try_from(delta).ok()?;
        let mut out = self.bytes()[..BATCH_HEADER_BYTES].to_vec();
        let length = i32::try_from(BATCH_HEADER_BYTES - LENGTH_EXCLUDES_BYTES).ok()?;
        out[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        out[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].fill(0);
        let place = LAST_OFFSET_DELTA_AT..LAST_OFFSET_DELTA_AT + 4;
        out[place].copy_from_slice(&delta.to_be_bytes());
        // Neither a time nor a producer: -1 each.
        out[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].fill(0xff);
        out[PRODUCER_AT..COUNT_AT].fill(0xff);
        out[COUNT_AT..COUNT_AT + 4].fill(0);
        Self::sealed(out).ok()
    }

    /// The batch with these bytes, once they have their checksum.
    fn sealed(mut bytes: Vec<u8>) -> Result<Self, BatchError> {
        let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_be_bytes());
        Self::parse(Bytes::from(bytes))
    }
}
