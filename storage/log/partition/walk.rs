//! From batch to batch through a file, reading headers only.

use std::sync::Arc;

use bytes::Bytes;

use super::LogError;
use super::buffers::filled;
use crate::disk::{FilePath, ReadFile};
use crate::log::{BATCH_HEADER_BYTES, BatchHeader, RecordBatch};
use crate::model::Offset;

/// How much is read at once: many small batches, or the header of one large one for the price of
/// the same system call.
const CHUNK_BYTES: u64 = 16 << 10;

/// A walk over the batches of one file.
#[derive(Debug)]
pub(super) struct Walk {
    file: Arc<dyn ReadFile>,
    path: FilePath,
    position: u64,
    end: u64,
    /// Batches stand in the order of their offsets.
    offset_min: Offset,
    chunk: Vec<u8>,
    chunk_position: u64,
}

/// A batch that the walk came by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
}

impl Walk {
    /// From the batch at `position` to the one that ends at `end`.
    pub(super) fn new(file: Arc<dyn ReadFile>, path: FilePath, position: u64, end: u64) -> Self {
        let (offset_min, chunk, chunk_position) = (Offset(0), Vec::new(), position);
        Self {
            file,
            path,
            position,
            end,
            offset_min,
            chunk,
            chunk_position,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Found>, LogError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let header =
            BatchHeader::parse(self.header_bytes()?).map_err(|source| LogError::Batch {
                path: self.path.clone(),
                offset: position,
                source,
            })?;
        if header.batch_bytes as u64 > self.end - position {
            return Err(self.damaged("a batch is longer than the file"));
        }
        if header.base_offset < self.offset_min {
            return Err(self.damaged("a batch has an offset of the one before it"));
        }
        self.offset_min = header.next_offset();
        self.position += header.batch_bytes as u64;
        Ok(Some(Found { position, header }))
    }

    /// The bytes of the next header, fewer when the file ends before.
    fn header_bytes(&mut self) -> Result<&[u8], LogError> {
        let chunk_end = self.chunk_position + self.chunk.len() as u64;
        if self.position + BATCH_HEADER_BYTES as u64 > chunk_end {
            let len = CHUNK_BYTES.min(self.end - self.position);
            self.chunk
                .resize(usize::try_from(len).expect("a chunk is small"), 0);
            self.chunk_position = self.position;
            self.file
                .read_exact_at(self.position, &mut self.chunk)
                .map_err(LogError::disk("read", &self.path))?;
        }
        let start = usize::try_from(self.position - self.chunk_position);
        let start = start.expect("the position lies in the chunk");
        Ok(&self.chunk[start..self.chunk.len().min(start + BATCH_HEADER_BYTES)])
    }

    fn damaged(&self, what: &'static str) -> LogError {
        LogError::Damaged {
            path: self.path.clone(),
            offset: self.position,
            what,
        }
    }

    /// Reads the whole of a batch that the walk came by.
    pub(super) fn batch(&self, found: Found) -> Result<RecordBatch, LogError> {
        let bytes = self.read(found.position, found.header.batch_bytes)?;
        RecordBatch::parse(bytes).map_err(|source| LogError::Batch {
            path: self.path.clone(),
            offset: found.position,
            source,
        })
    }

    pub(super) fn read(&self, position: u64, len: usize) -> Result<Bytes, LogError> {
        filled(len, |out| self.file.read_exact_at(position, out))
            .map_err(LogError::disk("read", &self.path))
    }
}
