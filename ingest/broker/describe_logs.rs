//! What is known of partitions' logs: DescribeLogDirs and DescribeProducers.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeProducersRequest,
    DescribeProducersResponse, ProducerId, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::Topic;

use super::partitions::{partition_of, topic_named, wire_offset};
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

impl Broker {
    pub(super) fn describe_log_dirs(&self, request: &DescribeLogDirsRequest) -> Reply {
        let catalog = self.store.catalog();
        let topics: Vec<_> = match &request.topics {
            None => {
                let all = catalog.topics_by_name();
                all.map(|state| self.log_sizes(&state.topic, None))
                    .collect()
            }
            Some(asked) => {
                // What does not exist is left out, and what is named twice comes once.
                let mut wanted: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
                for topic in asked {
                    let partitions = wanted.entry(topic.topic.as_str()).or_default();
                    partitions.extend(&topic.partitions);
                }
                let known = wanted.into_iter().filter_map(|(name, partitions)| {
                    let state = catalog.topic_named(name)?;
                    Some(self.log_sizes(&state.topic, Some(&partitions)))
                });
                known.collect()
            }
        };
        let folder = DescribeLogDirsResult::default()
            .with_log_dir(StrBytes::from_string(self.options.log_folder.clone()))
            .with_topics(topics)
            .with_total_bytes(-1)
            .with_usable_bytes(-1);
        let response = DescribeLogDirsResponse::default().with_results(vec![folder]);
        Reply::Ready(Response::DescribeLogDirs(response))
    }

    fn log_sizes(&self, topic: &Topic, asked: Option<&[i32]>) -> DescribeLogDirsTopic {
        let partitions = topic.partitions().filter_map(|partition| {
            let index = i32::try_from(partition.id.0).ok()?;
            if asked.is_some_and(|asked| !asked.contains(&index)) {
                return None;
            }
            let bytes = self.store.log_bytes(partition)?;
            let size = DescribeLogDirsPartition::default()
                .with_partition_index(index)
                .with_partition_size(i64::try_from(bytes).unwrap_or(i64::MAX));
            Some(size)
        });
        DescribeLogDirsTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(partitions.collect())
    }

    pub(super) fn describe_producers(&self, request: &DescribeProducersRequest) -> Reply {
        let catalog = self.store.catalog();
        // A partition may have many producers, so each is shown once.
        let mut asked: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for topic in &request.topics {
            let partitions = asked.entry(topic.name.as_str()).or_default();
            partitions.extend(&topic.partition_indexes);
            partitions.sort_unstable();
            partitions.dedup();
        }
        let topics = asked.into_iter().map(|(name, indexes)| {
            let partitions = indexes.into_iter().map(|index| {
                let place = topic_named(&catalog, name)
                    .and_then(|state| partition_of(state, index))
                    .and_then(|partition| {
                        let producers = self.store.producers(partition);
                        let producers = producers.ok_or(KafkaError::UnknownTopicOrPartition)?;
                        Ok((partition, producers))
                    });
                let answer = PartitionResponse::default().with_partition_index(index);
                match place {
                    Ok((partition, producers)) => {
                        let open = self.store.open_transactions(partition);
                        let producers = producers.into_iter().map(|producer| {
                            let start = open.get(&producer.id).map_or(-1, |at| wire_offset(*at));
                            ProducerState::default()
                                .with_producer_id(ProducerId(producer.id))
                                .with_producer_epoch(i32::from(producer.epoch))
                                .with_last_sequence(producer.last_sequence)
                                .with_last_timestamp(producer.last_append_ms)
                                .with_coordinator_epoch(self.leader_epoch())
                                .with_current_txn_start_offset(start)
                        });
                        answer.with_active_producers(producers.collect())
                    }
                    Err(error) => answer.with_error_code(error.code()),
                }
            });
            TopicResponse::default()
                .with_name(TopicName(StrBytes::from_string(name.to_owned())))
                .with_partitions(partitions.collect())
        });
        let response = DescribeProducersResponse::default().with_topics(topics.collect());
        Reply::Ready(Response::DescribeProducers(response))
    }
}

fn topic_name(topic: &Topic) -> TopicName {
    TopicName(StrBytes::from_string(topic.name.as_str().to_owned()))
}
