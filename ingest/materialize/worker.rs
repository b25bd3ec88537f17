//! What one thread does of a step: some partitions' records, decoded.

use bytes::Bytes;
use storage::catalog::{Rejected, Topic};
use storage::log::{AbortedBatches, Batches, DecompressionBuffer, RecordBatch};
use storage::model::{Offset, Partition, PartitionId};
use storage::store::Removal;

use super::MaterializeError;
use crate::decode::{DecodedRows, Document, DocumentDecoder, Meaning, Spread};

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
    pub(super) rejected: Vec<Rejected>,
}

/// A decoder and its buffer.
#[derive(Debug)]
pub(super) struct Worker {
    decoder: DocumentDecoder,
    spread: Spread,
    scratch: DecompressionBuffer,
}

impl Worker {
    pub(super) fn new(topic: &Topic) -> Self {
        Self {
            decoder: DocumentDecoder::new(topic),
            spread: Spread::of(topic),
            scratch: DecompressionBuffer::new(),
        }
    }

    /// Whether it still knows what `topic` says about its fields.
    pub(super) fn is_current(&self, topic: &Topic) -> bool {
        self.spread == Spread::of(topic) && self.decoder.is_current(topic)
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
            if self.decoder.source_bytes() >= row_bytes_max {
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
                if self.decoder.source_bytes() >= row_bytes_max {
                    break;
                }
            }
            share.next.push((partition.id, next));
        }
        Ok((self.decoder.finish(), share))
    }

    /// Decodes the records of `batch` from offset `from` on.
    fn decode_batch(
        &mut self,
        batch: &RecordBatch,
        partition: Partition,
        from: Offset,
        share: &mut Share,
    ) {
        let mut reject = |offset: Offset, reason: &str| {
            share
                .rejected
                .push(Rejected::new(partition.id, offset, reason));
        };
        let records = match batch.records(&mut self.scratch) {
            Ok(records) => records,
            // Nobody can read any of its records: together they are one.
            Err(error) => return reject(batch.header().base_offset.max(from), &error.to_string()),
        };
        let mut next = batch.header().base_offset;
        for record in records {
            let record = match record {
                Ok(record) => record,
                Err(error) => return reject(next.max(from), &error.to_string()),
            };
            next = record.offset.plus(1);
            if record.offset < from {
                continue;
            }
            match Meaning::of(&record, partition.id, self.spread) {
                Meaning::Nothing => {}
                Meaning::Malformed(reason) => reject(record.offset, reason),
                Meaning::Delete { id, .. } => self.decoder.remove(Removal {
                    partition: partition.id,
                    offset: record.offset,
                    id: id.as_bytes().to_vec(),
                }),
                Meaning::Document {
                    id,
                    version,
                    source,
                } => {
                    let decoded = self.decoder.decode(&Document {
                        partition: partition.id,
                        offset: record.offset,
                        timestamp_ms: record.timestamp_ms,
                        id: id.map(str::as_bytes),
                        source,
                    });
                    match decoded {
                        Ok(()) => self.decoder.note_version(version),
                        Err(error) => reject(record.offset, &error.to_string()),
                    }
                }
            }
        }
    }
}
