//! TxnOffsetCommit: offsets that count when their transaction does.

use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use crate::broker::groups::{Committer, Desk};
use crate::broker::{Broker, Reply};
use crate::group::MemberName;
use crate::transaction::{Claim, stage_offsets};
use crate::wire::{KafkaError, Response};

/// First version that names the member that has read.
const MEMBER_FROM: i16 = 3;

/// This request calls a fenced producer as Produce does, whatever its version.
const AS_VERSION: i16 = 0;

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
        let mut noted = self.noted_offsets(None, now_ms);
        let topics = request.topics.iter();
        let results = topics.flat_map(|topic| topic.partitions.iter().map(move |it| (topic, it)));
        let results: Vec<_> = results
            .map(|(topic, asked)| noted.note(&topic.name, &asked.into(), Ok(())))
            .collect();
        let claim = Claim {
            id: &request.transactional_id,
            producer_id: request.producer_id.0,
            producer_epoch: request.producer_epoch,
        };
        let answer = |staged: Result<(), KafkaError>| match staged {
            Ok(()) => answer(request, &results),
            Err(error) => refuse_all(request, error),
        };
        // Under the lock of groups, so that offsets are as they were allowed.
        self.carry_out(AS_VERSION, answer, |it| {
            stage_offsets(it, claim, name, noted.offsets)
        })
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
