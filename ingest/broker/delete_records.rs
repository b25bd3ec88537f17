//! DeleteRecords: moves the start of logs. Rows that were made of the records stay.

use std::collections::BTreeMap;

use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use storage::catalog::{Catalog, CatalogChange, Edit};
use storage::model::{Offset, Partition, PartitionId, TopicId};
use storage::store::StoreError;

use super::configs::AppendRules;
use super::partitions::{partition_of, topic_named, wire_offset};
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// "Up to the high watermark" as an offset.
const TO_THE_END: i64 = -1;

impl Broker {
    pub(super) fn delete_records(&self, request: &DeleteRecordsRequest) -> Reply {
        let mut topics = Vec::new();
        let staged = self.store.stage_edit(|catalog| {
            let mut starts: BTreeMap<TopicId, Vec<(PartitionId, Offset)>> = BTreeMap::new();
            for topic in &request.topics {
                let partitions = topic.partitions.iter().map(|asked| {
                    let moved = self.new_start(catalog, &topic.name, asked);
                    let result = DeleteRecordsPartitionResult::default()
                        .with_partition_index(asked.partition_index);
                    match moved {
                        Ok((partition, start)) => {
                            let moved = starts.entry(partition.topic).or_default();
                            moved.push((partition.id, start));
                            result.with_low_watermark(wire_offset(start))
                        }
                        Err(error) => result.with_error_code(error.code()).with_low_watermark(-1),
                    }
                });
                topics.push(
                    DeleteRecordsTopicResult::default()
                        .with_name(topic.name.clone())
                        .with_partitions(partitions.collect()),
                );
            }
            let changes = starts.into_iter();
            let changes =
                changes.map(|(topic, starts)| CatalogChange::MoveLogStarts { topic, starts });
            Ok::<_, StoreError>(Edit {
                changes: changes.collect(),
            })
        });
        let response = DeleteRecordsResponse::default().with_topics(topics);
        match staged {
            Ok(lsn) => Reply::AfterDurable(lsn, Response::DeleteRecords(response)),
            Err(_) => Reply::Close,
        }
    }

    fn new_start(
        &self,
        catalog: &Catalog,
        name: &str,
        asked: &DeleteRecordsPartition,
    ) -> Result<(Partition, Offset), KafkaError> {
        let state = topic_named(catalog, name)?;
        let partition = partition_of(state, asked.partition_index)?;
        let rules = AppendRules::of(&state.topic.config);
        if !rules.deletes {
            return Err(KafkaError::PolicyViolation);
        }
        let bounds = self.store.client_bounds(partition);
        let bounds = bounds.ok_or(KafkaError::UnknownTopicOrPartition)?;
        if asked.offset == TO_THE_END {
            return Ok((partition, bounds.high_watermark));
        }
        let start = u64::try_from(asked.offset).map(Offset);
        let start = start.ok().filter(|start| *start <= bounds.high_watermark);
        let start = start.ok_or(KafkaError::OffsetOutOfRange)?;
        Ok((partition, start.max(bounds.start)))
    }
}
