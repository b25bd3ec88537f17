//! What one thread does of a step: some partitions' records, decoded.

use bytes::Bytes;
use storage::catalog::{RejectKind, Rejected, Topic};
use storage::log::{AbortedBatches, Batches, DecompressionBuffer, RecordBatch};
use storage::model::{Offset, Partition, PartitionId};

use super::MaterializeError;
use super::dead_letters::Letter;
use super::reader::RecordReader;
use crate::decode::DecodedRows;

/// Bytes of documents after which rows are published even if the budget has more: what a small
/// compressed batch can become is bounded by this and one batch of each worker.
pub const ROW_BYTES_MAX: usize = 64 << 20;

/// Records of one partition that are to be decoded.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) partition: Partition,
    pub(super) from: Offset,
    /// Whole batches, the first of which has `from`.
    pub(super) bytes: Bytes,
    /// What of them never was.
    pub(super) aborted: AbortedBatches,
}

/// A worker's results beside the rows.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Where each partition goes on.
    pub(super) next: Vec<(PartitionId, Offset)>,
    /// Records that are no rows.
    pub(super) letters: Vec<Letter>,
    letter_bytes: usize,
}

impl Share {
    fn reject(&mut self, letter: Letter) {
        self.letter_bytes += letter.bytes();
        self.letters.push(letter);
    }
}

/// A decoder and its buffer.
#[derive(Debug)]
pub(super) struct Worker {
    reader: RecordReader,
    scratch: DecompressionBuffer,
}

impl Worker {
    pub(super) fn new(topic: &Topic) -> Self {
        Self {
            reader: RecordReader::new(topic),
            scratch: DecompressionBuffer::new(),
        }
    }

    /// Whether it still knows what `topic` says about its fields.
    pub(super) fn is_current(&self, topic: &Topic) -> bool {
        self.reader.is_current(topic)
    }

    /// Decodes the records of `turns`, or as many as this one of `workers` may.
    pub(super) fn decode(
        &mut self,
        turns: Vec<Turn>,
        workers: usize,
    ) -> Result<(DecodedRows, Share), MaterializeError> {
        let row_bytes_max = ROW_BYTES_MAX / workers;
        let mut share = Share::default();
        for Turn {
            partition,
            from,
            bytes,
            aborted,
        } in turns
        {
            if self.reader.source_bytes() + share.letter_bytes >= row_bytes_max {
                break;
            }
            let mut next = from;
            for batch in Batches::new(bytes) {
                let batch = batch.map_err(|source| MaterializeError::Batch {
                    partition,
                    from: next,
                    source,
                })?;
                let header = batch.header();
                if !header.is_control() && !aborted.contains(header) {
                    self.decode_batch(&batch, partition, next, &mut share);
                }
                next = batch.header().next_offset();
                if self.reader.source_bytes() + share.letter_bytes >= row_bytes_max {
                    break;
                }
            }
            share.next.push((partition.id, next));
        }
        Ok((self.reader.finish(), share))
    }

    /// Decodes the records of `batch` from offset `from` on.
    fn decode_batch(
        &mut self,
        batch: &RecordBatch,
        partition: Partition,
        from: Offset,
        share: &mut Share,
    ) {
        let unreadable = |offset: Offset, reason: &str| {
            let rejected = Rejected::new(partition.id, offset.max(from), reason);
            let rejected = rejected.with_kind(RejectKind::Unreadable);
            Letter::of_batch(rejected, batch.header().max_timestamp_ms, batch.bytes())
        };
        let mut next = batch.header().base_offset;
        let records = match batch.records(&mut self.scratch) {
            Ok(records) => records,
            // Nobody can read any of its records: together they are one.
            Err(error) => return share.reject(unreadable(next, &error.to_string())),
        };
        for record in records {
            let record = match record {
                Ok(record) => record,
                Err(error) => return share.reject(unreadable(next, &error.to_string())),
            };
            next = record.offset.plus(1);
            if record.offset < from {
                continue;
            }
            if let Err((kind, reason)) = self.reader.read(&record, partition.id) {
                let rejected = Rejected::new(partition.id, record.offset, &reason);
                share.reject(Letter::new(rejected.with_kind(kind), &record));
            }
        }
    }
}
