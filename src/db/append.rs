//! Records in: the library's own way to write.

use std::collections::BTreeMap;

use ingest::documents::partition_of_id;
use storage::log::{BatchBuilder, Codec, NewRecord};
use storage::model::{Partition, PartitionId};
use storage::store::StageError;

use super::Db;
use crate::error::{Error, ErrorKind, Result};

/// A batch is closed before it grows beyond this many bytes; one larger record is a batch alone.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// A record to append. Whatever is bytes is a record with this value:
///
/// ```
/// use siltstone::Record;
///
/// let record = Record { key: Some(b"BTC".to_vec()), ..Record::from(r#"{"price": 0.1}"#) };
/// assert_eq!(record.value, br#"{"price": 0.1}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Records with the same key go to the same partition, in order.
    pub key: Option<Vec<u8>>,
    /// A JSON document, if the topic's records are to become rows.
    pub value: Vec<u8>,
    /// When it happened, in milliseconds since the epoch; now when `None`.
    pub timestamp_ms: Option<i64>,
    /// Names and values beside the value.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for Record {
    fn from(value: &T) -> Self {
        Self {
            value: value.as_ref().to_vec(),
            ..Self::default()
        }
    }
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordPlace {
    /// The partition of the topic.
    pub partition: u32,
    /// The offset in the partition.
    pub offset: u64,
}

impl Db {
    /// Appends records to a topic, which is made when it is missing and that is allowed. They are
    /// on disk when this returns. Says where each one is, in the order given.
    ///
    /// Records without a key go to one partition, all of one call to the same.
    ///
    /// # Errors
    /// When there is no such topic, a record is too large, or the store has stopped. Then some of
    /// the records may have been appended.
    ///
    /// ```
    /// # let db = siltstone::Db::builder().in_memory().open()?;
    /// let places = db.append("trades", [r#"{"price": 0.1}"#, r#"{"price": 0.2}"#])?;
    /// assert_eq!(places[1].offset, 1);
    /// # db.close()?;
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    pub fn append<R: Into<Record>>(
        &self,
        topic: &str,
        records: impl IntoIterator<Item = R>,
    ) -> Result<Vec<RecordPlace>> {
        let topic = self.topic_for_write(topic)?;
        let now_ms = self.core().now_ms();
        let keyless = self.keyless_partition(topic.partitions);
        let records: Vec<Record> = records.into_iter().map(Into::into).collect();
        let mut by_partition: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (index, record) in records.iter().enumerate() {
            let partition = match &record.key {
                Some(key) => partition_of_id(key, topic.partitions).0,
                None => keyless,
            };
            by_partition.entry(partition).or_default().push(index);
        }

        let mut places = vec![
            RecordPlace {
                partition: 0,
                offset: 0
            };
            records.len()
        ];
        let mut last = None;
        for (partition, indexes) in by_partition {
            let mut rest = indexes.as_slice();
            while !rest.is_empty() {
                let mut batch = BatchBuilder::new();
                let count = fill(&mut batch, &records, rest, now_ms)?;
                let place = Partition::new(topic.id, PartitionId(partition));
                let batch = batch.finish(Codec::None);
                let staged = self.core().store.stage_batch(place, batch, now_ms)?;
                for (index, offset) in rest[..count].iter().zip(staged.base.0..) {
                    places[*index] = RecordPlace { partition, offset };
                }
                last = last.max(Some(staged.lsn));
                rest = &rest[count..];
            }
        }
        if let Some(lsn) = last {
            self.core().store.wait_durable(lsn)?;
        }
        Ok(places)
    }

    /// Calls take turns through the partitions.
    fn keyless_partition(&self, partitions: u32) -> u32 {
        self.core().next_turn() % partitions
    }
}

/// Adds records to `batch` until it is full; how many.
fn fill(
    batch: &mut BatchBuilder,
    records: &[Record],
    indexes: &[usize],
    now_ms: i64,
) -> Result<usize> {
    let mut count = 0;
    for index in indexes {
        let record = &records[*index];
        let headers: Vec<(&str, Option<&[u8]>)> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_slice())))
            .collect();
        if count > 0 && batch.len_bytes() + record.value.len() > BATCH_BYTES_MAX {
            break;
        }
        batch
            .push(NewRecord {
                timestamp_ms: record.timestamp_ms.unwrap_or(now_ms),
                key: record.key.as_deref(),
                value: Some(&record.value),
                headers: &headers,
            })
            .map_err(|error| Error::caused(ErrorKind::LimitExceeded, error))?;
        count += 1;
    }
    Ok(count)
}

impl From<StageError> for Error {
    fn from(error: StageError) -> Self {
        match error {
            StageError::Store(error) => error.into(),
            StageError::UnknownPartition(_) => Self::caused(ErrorKind::NotFound, error),
            StageError::TooLarge { .. } => Self::caused(ErrorKind::LimitExceeded, error),
            StageError::Producer(_) | StageError::Membership(_) => {
                Self::caused(ErrorKind::Conflict, error)
            }
        }
    }
}
