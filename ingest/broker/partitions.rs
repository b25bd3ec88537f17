//! Partitions as Kafka names them.

use std::sync::Arc;

use storage::catalog::{Catalog, TopicState};
use storage::model::{Offset, Partition, PartitionId};

use super::Broker;
use crate::wire::KafkaError;

/// The partition `index` of a topic.
pub(super) fn partition_of(state: &TopicState, index: i32) -> Result<Partition, KafkaError> {
    let id = u32::try_from(index)
        .ok()
        .filter(|id| *id < state.topic.partitions);
    let id = id.ok_or(KafkaError::UnknownTopicOrPartition)?;
    Ok(Partition::new(state.topic.id, PartitionId(id)))
}

/// A topic by its name.
pub(super) fn topic_named<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Result<&'a Arc<TopicState>, KafkaError> {
    catalog
        .topic_named(name)
        .ok_or(KafkaError::UnknownTopicOrPartition)
}

/// An offset as Kafka writes it.
pub(super) fn wire_offset(offset: Offset) -> i64 {
    i64::try_from(offset.0).expect("a partition holds fewer than 2^63 records")
}

impl Broker {
    /// The epoch of every partition: one process leads them all.
    pub(super) fn leader_epoch(&self) -> i32 {
        self.store.epoch().0
    }

    /// Whether the client knows of no newer leader than this one, and of no older.
    pub(super) fn check_epoch(&self, known: i32) -> Result<(), KafkaError> {
        let current = self.leader_epoch();
        if known > current {
            Err(KafkaError::UnknownLeaderEpoch)
        } else if known >= 0 && known < current {
            Err(KafkaError::FencedLeaderEpoch)
        } else {
            Ok(())
        }
    }
}
