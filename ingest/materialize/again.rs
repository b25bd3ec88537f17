//! Rows of records that were rows before, decoded once more: a segment was lost.

use storage::catalog::Topic;
use storage::log::{AbortedBatches, Batches, DecompressionBuffer, RecordBatch};
use storage::model::{ColumnBatch, Offset, Partition};
use storage::store::{LostRows, Store};

use super::{MaterializeError, ROW_BYTES_MAX};
use crate::decode::{Document, DocumentDecoder, Meaning, OwnId, Spread};

/// Bytes of log that are read at once.
const READ_BYTES: usize = 1 << 20;

/// Rows of a batch after which it is given, at the next end of a record batch.
const BATCH_ROWS: usize = 1 << 20;

/// The rows that a damaged segment had, from the log, batch by batch.
#[derive(Debug)]
pub struct RowsAgain<'a> {
    store: &'a Store,
    lost: &'a LostRows,
    decoder: DocumentDecoder,
    spread: Spread,
    own_id: OwnId,
    scratch: DecompressionBuffer,
    /// Which range is read, and where in it.
    range: usize,
    next: Option<Offset>,
}

impl<'a> RowsAgain<'a> {
    /// The rows of `lost`, with the fields that `topic` has now.
    #[must_use]
    pub fn new(store: &'a Store, topic: &Topic, lost: &'a LostRows) -> Self {
        Self {
            store,
            lost,
            decoder: DocumentDecoder::new(topic),
            spread: Spread::of(topic),
            own_id: OwnId::of(topic),
            scratch: DecompressionBuffer::default(),
            range: 0,
            next: None,
        }
    }

    /// The next batch; `None` when there are no more rows.
    ///
    /// # Errors
    /// When the log cannot be read or is damaged there.
    pub fn next_batch(&mut self) -> Result<Option<ColumnBatch>, MaterializeError> {
        while let Some((id, range)) = self.lost.ranges().get(self.range).copied() {
            let partition = Partition::new(self.lost.topic, id);
            let from = self.next.unwrap_or(range.start());
            if from >= range.end() {
                self.range += 1;
                self.next = None;
                continue;
            }
            let bytes = self.store.read(partition, from, READ_BYTES)?;
            let aborted = self.store.aborted(partition, from, range.end());
            let aborted = AbortedBatches::new(aborted);
            let mut next = from;
            for batch in Batches::new(bytes) {
                let batch = batch.map_err(|source| MaterializeError::Batch {
                    partition,
                    from: next,
                    source,
                })?;
                let header = batch.header();
                if !header.is_control() && !aborted.contains(header) {
                    self.decode(&batch, partition);
                }
                next = batch.header().next_offset();
            }
            if next == from {
                return Err(MaterializeError::Hole { partition, from });
            }
            self.next = Some(next);
            if self.decoder.row_count() >= BATCH_ROWS
                || self.decoder.source_bytes() >= ROW_BYTES_MAX
            {
                return Ok(Some(self.decoder.finish().rows));
            }
        }
        match self.decoder.row_count() {
            0 => Ok(None),
            _ => Ok(Some(self.decoder.finish().rows)),
        }
    }

    /// Decodes those records of `batch` that are lost. What cannot become a row could not before.
    fn decode(&mut self, batch: &RecordBatch, partition: Partition) {
        let Ok(records) = batch.records(&mut self.scratch) else {
            return;
        };
        let (_, range) = self.lost.ranges()[self.range];
        for record in records {
            let Ok(record) = record else {
                return;
            };
            let is_lost =
                range.contains(record.offset) && self.lost.contains(partition.id, record.offset);
            if let Meaning::Document {
                id,
                version,
                source,
            } = Meaning::of(&record, partition.id, self.spread)
                && is_lost
                && let Ok(own_id) = self.own_id.find(&record)
            {
                let decoded = self.decoder.decode(&Document {
                    partition: partition.id,
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    id: id.or(own_id.as_deref()).map(str::as_bytes),
                    source,
                });
                // A record that is rejected now was rejected then: the segment's count of rows
                // says whether that is so.
                if decoded.is_ok() {
                    self.decoder.note_version(version);
                }
            }
        }
    }
}
