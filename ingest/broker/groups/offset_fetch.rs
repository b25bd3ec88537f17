//! OffsetFetch: what groups have read, durable commits only.
//!
//! A request may name a group or a partition as often as it likes; it is answered once, so that no
//! answer is larger than what is stored.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::Catalog;
use storage::groups::{CommittedOffset, GroupState};
use storage::model::Partition;
use storage::transactions::Transactions;

use super::consumer_error;
use crate::broker::partitions::{partition_of, topic_named};
use crate::broker::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// First version that asks for several groups.
const BATCHED_FROM: i16 = 8;

/// Partitions by topic, in the order of their names.
type Asked<'a> = BTreeMap<&'a str, BTreeSet<i32>>;

/// What was read of each partition, in the order of topic and number.
type Found = Vec<(TopicName, Vec<(i32, Read)>)>;

/// What was read of one partition.
#[derive(Debug, Clone)]
enum Read {
    /// Up to here; nothing was ever committed when that is `None`.
    Up(Option<CommittedOffset>),
    /// An open transaction is about to say, and the client wants to wait for it.
    Unstable,
}

/// Whether offsets of open transactions are waited for.
#[derive(Debug, Clone, Copy)]
struct Stability<'a> {
    group: &'a str,
    /// `None` when the client does not wait.
    transactions: Option<&'a Transactions>,
}

impl Stability<'_> {
    fn read(self, partition: Option<Partition>, offset: Option<&CommittedOffset>) -> Read {
        let is_pending = partition.zip(self.transactions);
        match is_pending.is_some_and(|(partition, it)| it.has_pending_offset(self.group, partition))
        {
            true => Read::Unstable,
            false => Read::Up(offset.cloned()),
        }
    }
}

impl Broker {
    pub(in crate::broker) fn offset_fetch(
        &self,
        request: &OffsetFetchRequest,
        version: i16,
        now_ms: i64,
    ) -> Reply {
        let catalog = self.store.catalog();
        // Who asks is looked at before what is stored is locked: others do so in this order.
        let allowed: Vec<Result<(), KafkaError>> = request
            .groups
            .iter()
            .map(|group| self.may_fetch(group, now_ms))
            .collect();
        // Transactions first: one that ends in between shows its offsets or that it is open.
        let transactions = request.require_stable.then(|| self.store.transactions());
        let transactions = transactions.as_deref();
        let stored = self.store.groups();
        let response = OffsetFetchResponse::default();
        if version < BATCHED_FROM {
            let topics = request.topics.iter().flatten();
            let asked = by_topic(topics.map(|it| (&*it.name.0, &*it.partition_indexes)));
            let asked = request.topics.is_some().then_some(asked);
            let stability = Stability {
                group: &request.group_id,
                transactions,
            };
            let found = found(&catalog, stored.get(&request.group_id), asked, stability);
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
        for (group, allowed) in request.groups.iter().zip(allowed) {
            if !seen.insert(group.group_id.as_str()) {
                continue;
            }
            if let Err(error) = allowed {
                groups.push(
                    OffsetFetchResponseGroup::default()
                        .with_group_id(group.group_id.clone())
                        .with_error_code(error.code()),
                );
                continue;
            }
            let topics = group.topics.iter().flatten();
            let asked = by_topic(topics.map(|it| (&*it.name.0, &*it.partition_indexes)));
            let asked = group.topics.is_some().then_some(asked);
            let stability = Stability {
                group: &group.group_id,
                transactions,
            };
            let found = found(&catalog, stored.get(&group.group_id), asked, stability);
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

impl Broker {
    /// Whether who asks is what it believes to be; tools and older clients do not say.
    fn may_fetch(&self, asked: &OffsetFetchRequestGroup, now_ms: i64) -> Result<(), KafkaError> {
        let Some(member) = asked.member_id.as_deref().filter(|it| !it.is_empty()) else {
            return Ok(());
        };
        let desk = self.desk(now_ms);
        let held = desk.groups.get(asked.group_id.as_str());
        match held.and_then(|held| held.consumer.as_ref()) {
            Some(group) => group
                .check_member(member, asked.member_epoch)
                .map_err(|error| consumer_error(&error)),
            None => Ok(()),
        }
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
fn found(
    catalog: &Catalog,
    group: Option<&GroupState>,
    asked: Option<Asked<'_>>,
    stability: Stability<'_>,
) -> Found {
    let topic_name = |name: &str| TopicName(StrBytes::from_string(name.to_owned()));
    let Some(asked) = asked else {
        let mut found: BTreeMap<&str, Vec<(i32, Read)>> = BTreeMap::new();
        for (partition, offset) in group.iter().flat_map(|group| &group.offsets) {
            let index = i32::try_from(partition.id.0);
            if let (Some(state), Ok(index)) = (catalog.topic(partition.topic), index) {
                let partitions = found.entry(state.topic.name.as_str()).or_default();
                partitions.push((index, stability.read(Some(*partition), Some(offset))));
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
            (index, stability.read(partition, offset))
        });
        (topic_name(name), partitions.collect())
    });
    topics.collect()
}

/// Offset, epoch, metadata and error as Kafka writes them.
fn written(read: Read) -> (i64, i32, Option<StrBytes>, i16) {
    match read {
        Read::Up(Some(offset)) => {
            let metadata = StrBytes::from_string(offset.metadata);
            (offset.offset, offset.leader_epoch, Some(metadata), 0)
        }
        Read::Up(None) => (-1, -1, Some(StrBytes::default()), 0),
        Read::Unstable => {
            let error = KafkaError::UnstableOffsetCommit.code();
            (-1, -1, Some(StrBytes::default()), error)
        }
    }
}

fn single((index, read): (i32, Read)) -> OffsetFetchResponsePartition {
    let (offset, epoch, metadata, error) = written(read);
    OffsetFetchResponsePartition::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(epoch)
        .with_metadata(metadata)
        .with_error_code(error)
}

fn batched((index, read): (i32, Read)) -> OffsetFetchResponsePartitions {
    let (offset, epoch, metadata, error) = written(read);
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(epoch)
        .with_metadata(metadata)
        .with_error_code(error)
}
