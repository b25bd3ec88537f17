//! OffsetFetch: what groups have read, durable commits only.
//!
//! A request may name a group or a partition as often as it likes; it is answered once, so that no
//! answer is larger than what is stored.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::Catalog;
use storage::groups::{CommittedOffset, GroupState};

use crate::broker::partitions::{partition_of, topic_named};
use crate::broker::{Broker, Reply};
use crate::wire::Response;

/// First version that asks for several groups.
const BATCHED_FROM: i16 = 8;

/// Partitions by topic, in the order of their names.
type Asked<'a> = BTreeMap<&'a str, BTreeSet<i32>>;

/// What was read of each partition, in the order of topic and number.
type Found = Vec<(TopicName, Vec<(i32, Option<CommittedOffset>)>)>;

impl Broker {
    pub(in crate::broker) fn offset_fetch(
        &self,
        request: &OffsetFetchRequest,
        version: i16,
    ) -> Reply {
        let catalog = self.store.catalog();
        let stored = self.store.groups();
        let response = OffsetFetchResponse::default();
        if version < BATCHED_FROM {
            let topics = request.topics.iter().flatten();
            let asked = by_topic(topics.map(|it| (&*it.name.0, &*it.partition_indexes)));
            let asked = request.topics.is_some().then_some(asked);
            let found = found(&catalog, stored.get(&request.group_id), asked);
            let topics = found.into_iter().map(|(name, partitions)| {
                OffsetFetchResponseTopic::default()
                    .with_name(name)
                    .with_partitions(partitions.into_iter().map(single).collect())
            });
            let response = response.with_topics(topics.collect());
            return Reply::Ready(Response::OffsetFetch(response));
        }
        let mut seen = BTreeSet::new();
        let mut groups = Vec::new();
        for group in &request.groups {
            if !seen.insert(group.group_id.as_str()) {
                continue;
            }
            let topics = group.topics.iter().flatten();
            let asked = by_topic(topics.map(|it| (&*it.name.0, &*it.partition_indexes)));
            let asked = group.topics.is_some().then_some(asked);
            let found = found(&catalog, stored.get(&group.group_id), asked);
            let topics = found.into_iter().map(|(name, partitions)| {
                OffsetFetchResponseTopics::default()
                    .with_name(name)
                    .with_partitions(partitions.into_iter().map(batched).collect())
            });
            groups.push(
                OffsetFetchResponseGroup::default()
                    .with_group_id(group.group_id.clone())
                    .with_topics(topics.collect()),
            );
        }
        Reply::Ready(Response::OffsetFetch(response.with_groups(groups)))
    }
}

fn by_topic<'a>(topics: impl Iterator<Item = (&'a str, &'a [i32])>) -> Asked<'a> {
    let mut asked = Asked::new();
    for (name, partitions) in topics {
        asked.entry(name).or_default().extend(partitions);
    }
    asked
}

/// What `group` has read of what is asked for; of everything when that is `None`.
fn found(catalog: &Catalog, group: Option<&GroupState>, asked: Option<Asked<'_>>) -> Found {
    let topic_name = |name: &str| TopicName(StrBytes::from_string(name.to_owned()));
    let Some(asked) = asked else {
        let mut found: BTreeMap<&str, Vec<(i32, Option<CommittedOffset>)>> = BTreeMap::new();
        for (partition, offset) in group.iter().flat_map(|group| &group.offsets) {
            let index = i32::try_from(partition.id.0);
            if let (Some(state), Ok(index)) = (catalog.topic(partition.topic), index) {
                let partitions = found.entry(state.topic.name.as_str()).or_default();
                partitions.push((index, Some(offset.clone())));
            }
        }
        let found = found.into_iter();
        return found
            .map(|(name, partitions)| (topic_name(name), partitions))
            .collect();
    };
    let topics = asked.into_iter().map(|(name, indexes)| {
        let state = topic_named(catalog, name).ok();
        let partitions = indexes.into_iter().map(|index| {
            let partition = state.and_then(|state| partition_of(state, index).ok());
            let offset = partition.and_then(|it| group?.offsets.get(&it));
            (index, offset.cloned())
        });
        (topic_name(name), partitions.collect())
    });
    topics.collect()
}

/// Offset, epoch and metadata as Kafka writes them.
fn written(offset: Option<CommittedOffset>) -> (i64, i32, Option<StrBytes>) {
    match offset {
        Some(offset) => {
            let metadata = StrBytes::from_string(offset.metadata);
            (offset.offset, offset.leader_epoch, Some(metadata))
        }
        None => (-1, -1, Some(StrBytes::default())),
    }
}

fn single((index, offset): (i32, Option<CommittedOffset>)) -> OffsetFetchResponsePartition {
    let (offset, epoch, metadata) = written(offset);
    OffsetFetchResponsePartition::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(epoch)
        .with_metadata(metadata)
}

fn batched((index, offset): (i32, Option<CommittedOffset>)) -> OffsetFetchResponsePartitions {
    let (offset, epoch, metadata) = written(offset);
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(epoch)
        .with_metadata(metadata)
}
