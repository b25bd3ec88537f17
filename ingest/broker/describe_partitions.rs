//! DescribeTopicPartitions: topics and partitions, page by page.

use std::collections::BTreeSet;

use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::Topic;
use uuid::Uuid;

use super::new_topics::valid_name;
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// Partitions in one answer, as Kafka's `max.request.partition.size.limit`.
const PAGE_PARTITIONS_MAX: usize = 2_000;

/// "Not asked for" in the field of authorized operations.
const NO_OPERATIONS: i32 = i32::MIN;

impl Broker {
    pub(super) fn describe_topic_partitions(
        &self,
        request: &DescribeTopicPartitionsRequest,
    ) -> Reply {
        let catalog = self.store.catalog();
        let mut names: BTreeSet<String> = if request.topics.is_empty() {
            let all = catalog.topics_by_name();
            all.map(|state| state.topic.name.as_str().to_owned())
                .collect()
        } else {
            let asked = request.topics.iter();
            asked.map(|topic| topic.name.to_string()).collect()
        };
        let mut first_index = 0;
        if let Some(cursor) = &request.cursor {
            names = names.split_off(cursor.topic_name.as_str());
            if names.first().is_some_and(|it| *it == *cursor.topic_name.0) {
                first_index = cursor.partition_index.max(0);
            }
        }
        let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
        let mut left = limit.clamp(1, PAGE_PARTITIONS_MAX);
        let mut topics = Vec::new();
        let mut next = None;
        for name in names {
            let from = std::mem::take(&mut first_index);
            let Some(state) = catalog.topic_named(&name) else {
                topics.push(unknown(name));
                continue;
            };
            if left == 0 {
                next = Some((name, 0));
                break;
            }
            let (described, more) = self.page(&state.topic, from, left);
            left -= described.partitions.len();
            topics.push(described);
            if let Some(index) = more {
                next = Some((name, index));
                break;
            }
        }
        let cursor = next.map(|(name, index)| {
            Cursor::default()
                .with_topic_name(TopicName(StrBytes::from_string(name)))
                .with_partition_index(index)
        });
        let response = DescribeTopicPartitionsResponse::default()
            .with_topics(topics)
            .with_next_cursor(cursor);
        Reply::Ready(Response::DescribeTopicPartitions(response))
    }

    /// At most `count` partitions of `topic` from number `from` on, and where to go on.
    fn page(
        &self,
        topic: &Topic,
        from: i32,
        count: usize,
    ) -> (DescribeTopicPartitionsResponseTopic, Option<i32>) {
        let node = BrokerId(self.options.node_id);
        let end = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        let partitions: Vec<_> = (from..end)
            .take(count)
            .map(|index| {
                DescribeTopicPartitionsResponsePartition::default()
                    .with_partition_index(index)
                    .with_leader_id(node)
                    .with_leader_epoch(self.leader_epoch())
                    .with_replica_nodes(vec![node])
                    .with_isr_nodes(vec![node])
                    .with_eligible_leader_replicas(Some(Vec::new()))
                    .with_last_known_elr(Some(Vec::new()))
            })
            .collect();
        let last = partitions.last().map(|it| it.partition_index);
        let next = last.map(|last| last + 1).filter(|next| *next < end);
        let name = StrBytes::from_string(topic.name.as_str().to_owned());
        let described = DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(TopicName(name)))
            .with_topic_id(Uuid::from_bytes(topic.uuid))
            .with_partitions(partitions)
            .with_topic_authorized_operations(NO_OPERATIONS);
        (described, next)
    }
}

fn unknown(name: String) -> DescribeTopicPartitionsResponseTopic {
    let error = match valid_name(&name) {
        Ok(_) => KafkaError::UnknownTopicOrPartition,
        Err(refusal) => refusal.error,
    };
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(name))))
        .with_error_code(error.code())
        .with_topic_authorized_operations(NO_OPERATIONS)
}
