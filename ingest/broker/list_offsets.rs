//! ListOffsets: offsets by time.

use std::collections::HashMap;

use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use storage::catalog::Catalog;
use storage::log::TimedOffset;
use storage::store::ReadError;

use super::isolation::Isolation;
use super::partitions::{partition_of, topic_named, wire_offset};
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// Times that mean something else, and the first version that has each.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: (i64, i16) = (-3, 7);
const EARLIEST_LOCAL: (i64, i16) = (-4, 8);
const LATEST_TIERED: (i64, i16) = (-5, 9);

/// First version with leader epochs, and what stands for none.
const EPOCH_FROM: i16 = 4;
const NO_EPOCH: i32 = -1;

/// No such record.
const NONE: Found = Found {
    offset: -1,
    timestamp: -1,
    epoch: NO_EPOCH,
};

/// What a time means in a partition.
#[derive(Debug, Clone, Copy)]
struct Found {
    offset: i64,
    timestamp: i64,
    epoch: i32,
}

impl Broker {
    pub(super) fn list_offsets(&self, request: &ListOffsetsRequest, version: i16) -> Reply {
        let catalog = self.store.catalog();
        let isolation = Isolation::of(request.isolation_level);
        let mut asked: HashMap<(&str, i32), u32> = HashMap::new();
        for topic in &request.topics {
            for partition in &topic.partitions {
                *asked
                    .entry((topic.name.as_str(), partition.partition_index))
                    .or_default() += 1;
            }
        }
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let index = partition.partition_index;
                let found = match asked.get(&(topic.name.as_str(), index)) {
                    Some(count) if *count > 1 => Err(KafkaError::InvalidRequest),
                    _ => self.find_offset(&catalog, &topic.name, partition, (version, isolation)),
                };
                answer(index, found)
            });
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        let response = ListOffsetsResponse::default().with_topics(topics.collect());
        Reply::Ready(Response::ListOffsets(response))
    }

    fn find_offset(
        &self,
        catalog: &Catalog,
        name: &str,
        asked: &ListOffsetsPartition,
        (version, isolation): (i16, Isolation),
    ) -> Result<Found, KafkaError> {
        let partition = partition_of(topic_named(catalog, name)?, asked.partition_index)?;
        self.check_epoch(asked.current_leader_epoch)?;
        let bounds = self
            .store
            .client_bounds(partition)
            .ok_or(KafkaError::UnknownTopicOrPartition)?;
        let end = isolation.end(&bounds);
        let epoch = self.leader_epoch();
        let at = |offset| Found {
            offset: wire_offset(offset),
            timestamp: -1,
            epoch,
        };
        let found = match asked.timestamp {
            LATEST => at(end),
            EARLIEST => at(bounds.start),
            time if time == MAX_TIMESTAMP.0 && version >= MAX_TIMESTAMP.1 => {
                let latest = timed(self.store.max_timestamp(partition))?;
                if latest.offset < wire_offset(bounds.start) {
                    NONE
                } else {
                    latest
                }
            }
            time if time == EARLIEST_LOCAL.0 && version >= EARLIEST_LOCAL.1 => at(bounds.start),
            // Nothing is tiered.
            time if time == LATEST_TIERED.0 && version >= LATEST_TIERED.1 => NONE,
            time if time < 0 => return Err(KafkaError::UnsupportedVersion),
            time => timed(
                self.store
                    .offset_at_time(partition, time, bounds.start, end),
            )?,
        };
        let epoch = if version >= EPOCH_FROM {
            found.epoch
        } else {
            NO_EPOCH
        };
        Ok(Found { epoch, ..found })
    }
}

fn timed(found: Result<Option<TimedOffset>, ReadError>) -> Result<Found, KafkaError> {
    let found = found.map_err(|error| match error {
        ReadError::UnknownPartition(_) => KafkaError::UnknownTopicOrPartition,
        ReadError::OutOfRange { .. } => KafkaError::OffsetOutOfRange,
        ReadError::Log { .. } => KafkaError::KafkaStorageError,
    })?;
    Ok(found.map_or(NONE, |record| Found {
        offset: wire_offset(record.offset),
        timestamp: record.timestamp_ms,
        epoch: record.leader_epoch.0,
    }))
}

fn answer(index: i32, found: Result<Found, KafkaError>) -> ListOffsetsPartitionResponse {
    let (found, error) = match found {
        Ok(found) => (found, 0),
        Err(error) => (NONE, error.code()),
    };
    ListOffsetsPartitionResponse::default()
        .with_partition_index(index)
        .with_error_code(error)
        .with_timestamp(found.timestamp)
        .with_offset(found.offset)
        .with_leader_epoch(found.epoch)
}
