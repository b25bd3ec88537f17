//! Rows of records that were rows before, decoded once more: a segment was lost.

use storage::catalog::Topic;
use storage::log::{AbortedBatches, Batches, DecompressionBuffer, RecordBatch};
use storage::model::{ColumnBatch, Offset, Partition};
use storage::store::{LostRows, Store};

use super::reader::RecordReader;
use super::{MaterializeError, ROW_BYTES_MAX};

/// Bytes of log that are read at once.
const READ_BYTES: usize = 1 << 20;

/// Rows of a batch after which it is given, at the next end of a record batch.
const BATCH_ROWS: usize = 1 << 20;

/// The rows that a damaged segment had, from the log, batch by batch.
#[derive(Debug)]
pub struct RowsAgain<'a> {
    store: &'a Store,
    lost: &'a LostRows,
    reader: RecordReader,
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
            reader: RecordReader::new(topic),
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
            if self.reader.row_count() >= BATCH_ROWS || self.reader.source_bytes() >= ROW_BYTES_MAX
            {
                return Ok(Some(self.reader.finish().rows));
            }
        }
        match self.reader.row_count() {
            0 => Ok(None),
            _ => Ok(Some(self.reader.finish().rows)),
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
            if range.contains(record.offset) && self.lost.contains(partition.id, record.offset) {
                // A record that is rejected now was rejected then: the segment's count of rows
                // says whether that is so.
                let _ = self.reader.read(&record, partition.id);
            }
        }
    }
}
