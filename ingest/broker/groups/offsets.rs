//! OffsetCommit.

use std::sync::{Arc, MutexGuard};

use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};
use storage::catalog::Catalog;
use storage::groups::{CommittedOffset, GroupChange};
use storage::model::Partition;

use super::coordinator::{Desk, Held};
use super::{code, consumer_error, kafka_error};
use crate::broker::partitions::{partition_of, topic_named};
use crate::broker::{Broker, Reply};
use crate::group::{Group, MemberName};
use crate::wire::{KafkaError, Response};

/// Who commits offsets, and of which group.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) struct Committer<'a> {
    pub(in crate::broker) group: &'a str,
    pub(in crate::broker) member: MemberName<'a>,
    pub(in crate::broker) generation: i32,
}

impl Broker {
    pub(in crate::broker) fn offset_commit(
        &self,
        request: &OffsetCommitRequest,
        now_ms: i64,
    ) -> Reply {
        let mut desk = self.desk(now_ms);
        let allowed = self.may_commit(&mut desk, request, now_ms);
        let expires_ms = (request.retention_time_ms >= 0)
            .then(|| now_ms.saturating_add(request.retention_time_ms));
        let mut noted = self.noted_offsets(expires_ms, now_ms);
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let result = noted.note(&topic.name, &asked.into(), allowed);
                OffsetCommitResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code(result))
            });
            OffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        let response = OffsetCommitResponse::default().with_topics(topics.collect());
        let response = Response::OffsetCommit(response);
        let offsets = noted.offsets;
        if offsets.is_empty() {
            return Reply::Ready(response);
        }
        let change = GroupChange::Commit {
            group: request.group_id.to_string(),
            offsets,
        };
        // Under the lock, so that commits are as they were allowed.
        match self.store.stage_groups(vec![change]) {
            Ok(lsn) => Reply::AfterDurable(lsn, response),
            Err(_) => Reply::Close,
        }
    }

    fn may_commit(
        &self,
        desk: &mut Desk,
        request: &OffsetCommitRequest,
        now_ms: i64,
    ) -> Result<(), KafkaError> {
        let committer = Committer {
            group: &request.group_id,
            member: MemberName {
                id: &request.member_id,
                instance: request.group_instance_id.as_deref(),
            },
            generation: request.generation_id_or_member_epoch,
        };
        let held = self.committing(desk, &committer, now_ms)?;
        match &held.consumer {
            Some(group) => group
                .check_member(committer.member.id, committer.generation)
                .map_err(|error| consumer_error(&error))?,
            None => held
                .group
                .check_commit(committer.member, committer.generation, now_ms)
                .map_err(kafka_error)?,
        }
        held.active_ms = now_ms;
        Ok(())
    }

    /// Whether offsets may be committed at the end of a transaction.
    pub(in crate::broker) fn may_commit_in_transaction(
        &self,
        desk: &mut Desk,
        committer: &Committer<'_>,
        now_ms: i64,
    ) -> Result<(), KafkaError> {
        let held = self.committing(desk, committer, now_ms)?;
        let (member, generation) = (committer.member, committer.generation);
        match &held.consumer {
            // Producers that name nobody may always.
            Some(_) if generation < 0 && member.id.is_empty() => {}
            Some(group) => group
                .check_member(member.id, generation)
                .map_err(|error| consumer_error(&error))?,
            None => held
                .group
                .check_transactional_commit(member, generation, now_ms)
                .map_err(kafka_error)?,
        }
        held.active_ms = now_ms;
        Ok(())
    }

    /// The group that somebody commits to, made if need be.
    fn committing<'a>(
        &self,
        desk: &'a mut Desk,
        committer: &Committer<'_>,
        now_ms: i64,
    ) -> Result<&'a mut Held, KafkaError> {
        let name = committer.group;
        if !desk.groups.contains_key(name) {
            if committer.generation >= 0 {
                return Err(KafkaError::IllegalGeneration);
            }
            if desk.groups.len() >= self.options.groups.groups_max {
                return Err(KafkaError::InvalidCommitOffsetSize);
            }
            let held = Held::new(Group::new(now_ms), now_ms);
            desk.groups.insert(name.to_owned(), held);
        }
        let held = desk.groups.get_mut(name);
        held.ok_or(KafkaError::IllegalGeneration)
    }

    /// Offsets of one request, for as many bytes as there is room for; those of open transactions
    /// count.
    pub(in crate::broker) fn noted_offsets(
        &self,
        expires_ms: Option<i64>,
        now_ms: i64,
    ) -> NotedOffsets {
        let staged = self.store.transactions().offset_bytes();
        let taken = self.store.groups().offset_bytes() + staged;
        let limits = &self.options.groups;
        NotedOffsets {
            offsets: Vec::new(),
            catalog: self.store.catalog(),
            room_bytes: limits.offset_bytes_max.saturating_sub(taken),
            metadata_chars_max: limits.metadata_chars_max,
            expires_ms,
            now_ms,
        }
    }

    /// All groups.
    pub(in crate::broker) fn desk(&self, now_ms: i64) -> MutexGuard<'_, Desk> {
        let limits = &self.options.groups.consumer_limits;
        self.coordinator.desk(&self.store, limits, now_ms)
    }
}

/// How far a group has read in a partition, in the words of a request.
pub(in crate::broker) struct AskedOffset<'a> {
    index: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<&'a str>,
}

/// Both kinds of commits ask in the same words.
macro_rules! asked_offset {
    ($($message:ty),*) => {
        $(impl<'a> From<&'a $message> for AskedOffset<'a> {
            fn from(asked: &'a $message) -> Self {
                Self {
                    index: asked.partition_index,
                    offset: asked.committed_offset,
                    leader_epoch: asked.committed_leader_epoch,
                    metadata: asked.committed_metadata.as_deref(),
                }
            }
        })*
    };
}

asked_offset!(
    OffsetCommitRequestPartition,
    TxnOffsetCommitRequestPartition
);

/// The offsets of one request that may be kept.
pub(in crate::broker) struct NotedOffsets {
    pub(in crate::broker) offsets: Vec<(Partition, CommittedOffset)>,
    catalog: Arc<Catalog>,
    room_bytes: usize,
    metadata_chars_max: usize,
    expires_ms: Option<i64>,
    now_ms: i64,
}

impl NotedOffsets {
    /// Notes one offset, unless something is wrong with it. That its partition does not exist is
    /// said before that it is not allowed.
    pub(in crate::broker) fn note(
        &mut self,
        topic: &TopicName,
        asked: &AskedOffset<'_>,
        allowed: Result<(), KafkaError>,
    ) -> Result<(), KafkaError> {
        let state = topic_named(&self.catalog, topic)?;
        let partition = partition_of(state, asked.index)?;
        allowed?;
        let metadata = asked.metadata.unwrap_or_default();
        if metadata.chars().count() > self.metadata_chars_max {
            return Err(KafkaError::OffsetMetadataTooLarge);
        }
        let offset = CommittedOffset {
            offset: asked.offset,
            leader_epoch: asked.leader_epoch,
            metadata: metadata.to_owned(),
            committed_ms: self.now_ms,
            expires_ms: self.expires_ms,
        };
        let left = self.room_bytes.checked_sub(offset.bytes());
        self.room_bytes = left.ok_or(KafkaError::InvalidCommitOffsetSize)?;
        self.offsets.push((partition, offset));
        Ok(())
    }
}
