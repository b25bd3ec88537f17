//! The newest that is known of an id.

use std::sync::Arc;

use bytes::Bytes;
use storage::log::{AbortedBatches, Batches, DecompressionBuffer, Record};
use storage::model::{Offset, Partition, PartitionId, TopicId};
use storage::store::{FoundRow, Store};

use super::WriteError;
use crate::decode::{OPERATION_HEADER, ROUTING_HEADER};

/// The newest write of an id.
#[derive(Debug, Clone)]
pub(super) struct Latest {
    pub(super) partition: PartitionId,
    pub(super) offset: Offset,
    pub(super) version: u64,
    pub(super) is_live: bool,
    /// The routing that it was written with.
    pub(super) routing: Option<Arc<str>>,
    pub(super) content: Content,
}

/// Where a document is read.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// In the write that brought it, a moment ago.
    Here(Bytes),
    /// In its record of the log.
    Log,
    /// In its row.
    Row(FoundRow),
}

/// A document as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Where its record is.
    pub partition: PartitionId,
    /// Where its record is.
    pub offset: Offset,
    /// Its version.
    pub version: u64,
    /// The routing that it was written with.
    pub routing: Option<Arc<str>>,
    /// The document, byte for byte.
    pub source: Bytes,
}

impl Latest {
    pub(super) fn of_row(found: FoundRow) -> Result<Self, WriteError> {
        Ok(Self {
            partition: found.partition,
            offset: found.offset,
            version: found.source.version(found.row)?,
            is_live: true,
            routing: found.source.routing(found.row)?.map(Into::into),
            content: Content::Row(found),
        })
    }

    /// The document.
    pub(super) fn source(&self, store: &Store, topic: TopicId) -> Result<Bytes, WriteError> {
        match &self.content {
            Content::Here(bytes) => Ok(bytes.clone()),
            Content::Row(found) => Ok(found.source.source(found.row)?.into()),
            Content::Log => {
                let partition = Partition::new(topic, self.partition);
                let bounds = store.log_bounds(partition);
                if bounds.is_some_and(|bounds| self.offset >= bounds.high_watermark) {
                    // Staged by another call, which waits for it by now.
                    store.commit()?;
                }
                record_value(store, partition, self.offset)
            }
        }
    }
}

/// The value of the record at `offset`, empty when it has none.
fn record_value(store: &Store, partition: Partition, offset: Offset) -> Result<Bytes, WriteError> {
    let value = with_record(store, partition, offset, |record| {
        Bytes::copy_from_slice(record.value.unwrap_or_default())
    })?;
    Ok(value.unwrap_or_default())
}

/// A document without an id in the log.
pub(super) struct Nameless {
    pub(super) routing: Option<Arc<str>>,
}

/// The document without an id that the record at `offset` is, if it is one.
pub(super) fn nameless_document(
    store: &Store,
    partition: Partition,
    offset: Offset,
) -> Result<Option<Nameless>, WriteError> {
    let found = with_record(store, partition, offset, |record| {
        let is_write = record.headers.last(OPERATION_HEADER.as_bytes()).is_some();
        let is_one = record.value.is_some() && (!is_write || record.key.is_none());
        let routing = record.headers.last(ROUTING_HEADER.as_bytes()).flatten();
        let routing = routing.filter(|_| is_write);
        is_one.then(|| Nameless {
            routing: routing.map(|text| String::from_utf8_lossy(text).into()),
        })
    })?;
    Ok(found.flatten())
}

/// What `read` makes of the record at `offset`, if there is one.
fn with_record<T>(
    store: &Store,
    partition: Partition,
    offset: Offset,
    read: impl FnOnce(&Record<'_>) -> T,
) -> Result<Option<T>, WriteError> {
    let bytes = store.read(partition, offset, 1)?;
    let mut scratch = DecompressionBuffer::default();
    for batch in Batches::new(bytes) {
        let batch = batch.map_err(|source| WriteError::Batch {
            partition,
            from: offset,
            source,
        })?;
        if batch.header().next_offset() <= offset {
            continue;
        }
        let next = batch.header().next_offset();
        let aborted = AbortedBatches::new(store.aborted(partition, offset, next));
        if batch.header().is_control() || aborted.contains(batch.header()) {
            break;
        }
        let Ok(records) = batch.records(&mut scratch) else {
            break;
        };
        let mut records = records.map_while(Result::ok);
        let record = records.find(|record| record.offset == offset);
        return Ok(record.as_ref().map(read));
    }
    Ok(None)
}
