//! TxnOffsetCommit: offsets that count when their transaction does.

use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use storage::groups::CommittedOffset;
use storage::model::Partition;

use super::{NotStaged, kafka_error};
use crate::broker::groups::{Committer, Desk};
use crate::broker::partitions::{partition_of, topic_named};
use crate::broker::{Broker, Reply};
use crate::group::MemberName;
use crate::transaction::{Claim, TransactionError, stage_offsets};
use crate::wire::{KafkaError, Response};

/// First version that names the member that has read.
const MEMBER_FROM: i16 = 3;

/// How far a group has read.
type Offsets = Vec<(Partition, CommittedOffset)>;

impl Broker {
    pub(in crate::broker) fn txn_offset_commit(
        &self,
        request: &TxnOffsetCommitRequest,
        version: i16,
        now_ms: i64,
    ) -> Reply {
        let name = request.group_id.as_str();
        if name.is_empty() {
            return Reply::Ready(refuse_all(request, KafkaError::InvalidGroupId));
        }
        let mut desk = self.desk(now_ms);
        if let Err(error) = self.may_stage(&mut desk, request, version, now_ms) {
            return Reply::Ready(refuse_all(request, error));
        }
        let (offsets, results) = self.offsets(request, now_ms);
        let claim = Claim {
            id: &request.transactional_id,
            producer_id: request.producer_id.0,
            producer_epoch: request.producer_epoch,
        };
        // Under the lock of groups, so that offsets are as they were allowed.
        match self.stage(|it| stage_offsets(it, claim, name, offsets)) {
            Ok(lsn) => Reply::AfterDurable(lsn, answer(request, &results)),
            Err(NotStaged::Refused(error)) => Reply::Ready(refuse_all(request, refusal(error))),
            Err(NotStaged::Store) => Reply::Close,
        }
    }

    fn may_stage(
        &self,
        desk: &mut Desk,
        request: &TxnOffsetCommitRequest,
        version: i16,
        now_ms: i64,
    ) -> Result<(), KafkaError> {
        let generation = if version >= MEMBER_FROM {
            request.generation_id
        } else {
            -1
        };
        let committer = Committer {
            group: &request.group_id,
            member: MemberName {
                id: &request.member_id,
                instance: request.group_instance_id.as_deref(),
            },
            generation,
        };
        self.may_commit_in_transaction(desk, &committer, now_ms)
    }

    /// The offsets that may be kept, and the result of each partition in the request's order.
    fn offsets(
        &self,
        request: &TxnOffsetCommitRequest,
        now_ms: i64,
    ) -> (Offsets, Vec<Result<(), KafkaError>>) {
        let catalog = self.store.catalog();
        let mut room = self.offset_room();
        let (mut offsets, mut results) = (Vec::new(), Vec::new());
        for topic in &request.topics {
            let state = topic_named(&catalog, &topic.name);
            for asked in &topic.partitions {
                let place = state.and_then(|state| partition_of(state, asked.partition_index));
                let result = place.and_then(|partition| {
                    let offset = self.offset(asked, now_ms)?;
                    let left = room.checked_sub(offset.bytes());
                    room = left.ok_or(KafkaError::InvalidCommitOffsetSize)?;
                    offsets.push((partition, offset));
                    Ok(())
                });
                results.push(result);
            }
        }
        (offsets, results)
    }

    fn offset(
        &self,
        asked: &TxnOffsetCommitRequestPartition,
        now_ms: i64,
    ) -> Result<CommittedOffset, KafkaError> {
        let metadata = asked.committed_metadata.as_deref().unwrap_or_default();
        if metadata.chars().count() > self.options.groups.metadata_chars_max {
            return Err(KafkaError::OffsetMetadataTooLarge);
        }
        Ok(CommittedOffset {
            offset: asked.committed_offset,
            leader_epoch: asked.committed_leader_epoch,
            metadata: metadata.to_owned(),
            committed_ms: now_ms,
            expires_ms: None,
        })
    }
}

/// This request calls a fenced producer as Produce does.
fn refusal(error: TransactionError) -> KafkaError {
    kafka_error(error, 0)
}

fn refuse_all(request: &TxnOffsetCommitRequest, error: KafkaError) -> Response {
    let count = request.topics.iter().map(|topic| topic.partitions.len());
    answer(request, &vec![Err(error); count.sum()])
}

fn answer(request: &TxnOffsetCommitRequest, results: &[Result<(), KafkaError>]) -> Response {
    let mut results = results.iter();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(results.by_ref());
        let partitions = partitions.map(|(asked, result)| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(result.err().map_or(0, |error| error.code()))
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    let response = TxnOffsetCommitResponse::default().with_topics(topics.collect());
    Response::TxnOffsetCommit(response)
}
