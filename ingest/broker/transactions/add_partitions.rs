//! AddPartitionsToTxn: a transaction is about to write to partitions.

use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use storage::model::Partition;

use crate::broker::partitions::{partition_of, topic_named};
use crate::broker::{Broker, Reply};
use crate::transaction::{Claim, add_partitions};
use crate::wire::{KafkaError, Response};

/// What is asked for, and why a partition cannot be added.
type Asked = Vec<(i32, Result<Partition, KafkaError>)>;

impl Broker {
    pub(in crate::broker) fn add_partitions_to_txn(
        &self,
        request: &AddPartitionsToTxnRequest,
        version: i16,
        now_ms: i64,
    ) -> Reply {
        let catalog = self.store.catalog();
        let topics = request.v3_and_below_topics.iter();
        let topics: Vec<Asked> = topics
            .map(|topic| {
                let state = topic_named(&catalog, &topic.name);
                let partitions = topic.partitions.iter();
                let partitions = partitions
                    .map(|index| (*index, state.and_then(|state| partition_of(state, *index))));
                partitions.collect()
            })
            .collect();
        let claim = Claim {
            id: &request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id.0,
            producer_epoch: request.v3_and_below_producer_epoch,
        };
        let asked = || topics.iter().flatten();
        if claim.id.is_empty() {
            return Reply::Ready(answer(request, &topics, Err(KafkaError::InvalidRequest)));
        }
        if asked().any(|(_, place)| place.is_err()) {
            // All or none.
            let error = KafkaError::OperationNotAttempted;
            return Reply::Ready(answer(request, &topics, Err(error)));
        }
        let partitions: Vec<_> = asked().filter_map(|(_, place)| place.ok()).collect();
        let answer = |result| answer(request, &topics, result);
        self.carry_out(version, answer, |it| {
            add_partitions(it, claim, &partitions, now_ms)
        })
    }
}

/// `result` for every partition that exists.
fn answer(
    request: &AddPartitionsToTxnRequest,
    topics: &[Asked],
    result: Result<(), KafkaError>,
) -> Response {
    let topics = request.v3_and_below_topics.iter().zip(topics);
    let topics = topics.map(|(topic, partitions)| {
        let partitions = partitions.iter().map(|(index, place)| {
            let error = match (result, place) {
                // The request itself makes no sense.
                (Err(KafkaError::InvalidRequest), _) => Some(KafkaError::InvalidRequest),
                (_, Err(error)) => Some(*error),
                (result, Ok(_)) => result.err(),
            };
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(error.map_or(0, |error| error.code()))
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions.collect())
    });
    let response = AddPartitionsToTxnResponse::default();
    Response::AddPartitionsToTxn(response.with_results_by_topic_v3_and_below(topics.collect()))
}
