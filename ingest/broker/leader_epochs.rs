//! OffsetForLeaderEpoch: where an epoch ends, so that a consumer notices what a crash cut off.

use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use storage::catalog::Catalog;
use storage::model::LeaderEpoch;
use storage::store::EpochEnd;

use super::partitions::{partition_of, topic_named, wire_offset};
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

impl Broker {
    pub(super) fn offset_for_leader_epoch(&self, request: &OffsetForLeaderEpochRequest) -> Reply {
        let catalog = self.store.catalog();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let answer = EpochEndOffset::default().with_partition(asked.partition);
                match self.epoch_end(&catalog, &topic.topic, asked) {
                    Ok(Some(found)) => answer
                        .with_leader_epoch(found.epoch.0)
                        .with_end_offset(wire_offset(found.end)),
                    Ok(None) => answer.with_leader_epoch(-1).with_end_offset(-1),
                    Err(error) => answer
                        .with_error_code(error.code())
                        .with_leader_epoch(-1)
                        .with_end_offset(-1),
                }
            });
            OffsetForLeaderTopicResult::default()
                .with_topic(topic.topic.clone())
                .with_partitions(partitions.collect())
        });
        let response = OffsetForLeaderEpochResponse::default().with_topics(topics.collect());
        Reply::Ready(Response::OffsetForLeaderEpoch(response))
    }

    fn epoch_end(
        &self,
        catalog: &Catalog,
        name: &str,
        asked: &OffsetForLeaderPartition,
    ) -> Result<Option<EpochEnd>, KafkaError> {
        let partition = partition_of(topic_named(catalog, name)?, asked.partition)?;
        self.check_epoch(asked.current_leader_epoch)?;
        if asked.leader_epoch < 0 {
            return Ok(None);
        }
        let epoch = LeaderEpoch(asked.leader_epoch);
        Ok(self.store.epoch_end(partition, epoch))
    }
}
