//! Dead letters: records that could not become rows, appended to a topic of their own.
//!
//! The batch and the mark that says which records it is about are staged under one lock, so that
//! one group of the journal has both or neither. Whoever decodes the same records again after a
//! crash finds the mark and stages nothing.

use std::collections::BTreeMap;

use super::{Lsn, Store, StoreError};
use crate::catalog::{Catalog, CatalogChange, Edit, RejectKind, Topic};
use crate::groups::GroupChange;
use crate::log::RecordBatch;
use crate::model::{Offset, Partition, PartitionId, TopicName};

/// Records of one partition that could not become rows.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    /// Where they lie.
    pub source: Partition,
    /// The offset behind the last of them.
    pub next: Offset,
    /// The topic they go to.
    pub topic: TopicName,
    /// What is appended there.
    pub batch: RecordBatch,
    /// How many there are of each kind.
    pub counts: BTreeMap<RejectKind, u64>,
}

impl Store {
    /// Stages `letters`, unless an earlier call has. A topic for them is made when it is missing.
    ///
    /// # Errors
    /// When their topic is gone, there is no room, or the store has stopped.
    pub fn stage_dead_letters(
        &self,
        letters: DeadLetters,
        new_topic: impl FnOnce(&Catalog) -> Topic,
        now_ms: i64,
    ) -> Result<Lsn, StoreError> {
        self.has_room()?;
        let mut staging = self.staging_with_room(letters.batch.bytes().len())?;
        let DeadLetters { source, next, .. } = letters;
        let Some(state) = staging.catalog().topic(source.topic) else {
            return Err(StoreError::UnknownTopic(source.topic));
        };
        if next <= state.dead_letters.next(source.id) {
            return Ok(staging.last());
        }
        let name = letters.topic.as_str();
        // One edit for all, before the batch: one that does not fit leaves nothing behind.
        let mut edit = Edit::of(CatalogChange::DeadLetters {
            topic: source.topic,
            partition: source.id,
            next,
            counts: letters.counts,
        });
        if staging.catalog().topic_named(name).is_none() {
            let topic = new_topic(staging.catalog());
            let created = CatalogChange::CreateTopic(Box::new(topic));
            edit.changes.push(created);
        }
        let catalog = staging.catalog().apply(&edit)?;
        let bytes = edit.encode().len();
        let mut lsn = staging.push_edit(edit, bytes, catalog);
        let topic = staging.catalog().topic_named(name);
        let topic = &topic.expect("it was there or was just made").topic;
        let partition = Partition::new(topic.id, PartitionId(source.id.0 % topic.partitions));
        let mut batch = letters.batch;
        if topic.has_log_append_time() {
            batch.set_log_append_time(now_ms);
        }
        if let Some(tail) = staging.tail(partition) {
            batch.assign(tail.next, self.epoch);
            tail.accept(&batch, now_ms);
            lsn = staging.push_batch(partition, now_ms, batch);
        }
        drop(staging);
        self.wake_committer();
        Ok(lsn)
    }

    /// Stages `batch`, which was made of other records, and in the same group of the journal how
    /// far these have been read: so each of them is one record of the batch, whatever happens.
    ///
    /// # Errors
    /// When the partition is gone, there is no room, or the store has stopped.
    pub fn stage_copies(
        &self,
        partition: Partition,
        mut batch: RecordBatch,
        read: GroupChange,
        now_ms: i64,
    ) -> Result<Lsn, StoreError> {
        self.has_room()?;
        let changes = vec![read];
        let change_bytes = GroupChange::encode_all(&changes).len();
        let mut staging = self.staging_with_room(batch.bytes().len() + change_bytes)?;
        let topic = staging.catalog().topic(partition.topic).cloned();
        let unknown = || StoreError::UnknownTopic(partition.topic);
        if topic.ok_or_else(unknown)?.topic.has_log_append_time() {
            batch.set_log_append_time(now_ms);
        }
        let tail = staging.tail(partition).ok_or_else(unknown)?;
        batch.assign(tail.next, self.epoch);
        tail.accept(&batch, now_ms);
        staging.push_batch(partition, now_ms, batch);
        let lsn = staging.push_groups(changes, change_bytes);
        drop(staging);
        self.wake_committer();
        Ok(lsn)
    }
}
