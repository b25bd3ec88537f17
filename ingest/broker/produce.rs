//! Produce: batches into the log, as they are.
//!
//! `acks=all` and `acks=1` mean the same here: the answer comes once the batch is durable. With
//! `acks=0` there is no answer, and an error closes the connection.

use std::sync::Arc;

use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::{Catalog, TopicState};
use storage::log::SequenceError;
use storage::store::{Lsn, MembershipError, StageError, Staged};

use super::configs::AppendRules;
use super::new_topics::is_reserved;
use super::partitions::{partition_of, topic_named, wire_offset};
use super::refusal::Refusal;
use super::validate::{Invalid, Place, check_batch};
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

const ACKS_NONE: i16 = 0;
const ACKS_KNOWN: [i16; 3] = [-1, ACKS_NONE, 1];

/// Records of a topic that may wait to become rows before its producers are slowed down.
const WAITING_RECORDS_MAX: u64 = 1 << 20;

/// A millisecond of silence is asked for as many records beyond that.
const WAITING_RECORDS_PER_MS: u64 = 1 << 10;

/// The longest silence that is asked for at a time.
const THROTTLE_MS_MAX: u64 = 1000;

impl Broker {
    pub(super) fn produce(&self, request: ProduceRequest, now_ms: i64) -> Reply {
        let catalog = self.store.catalog();
        let transactional_id = request.transactional_id.as_ref().map(|id| id.as_str());
        let acks_are_known = ACKS_KNOWN.contains(&request.acks);
        let mut durable: Option<Lsn> = None;
        let mut has_error = false;
        let mut throttle_ms = 0;
        let mut responses = Vec::with_capacity(request.topic_data.len());
        for topic in request.topic_data {
            let state = topic_for_append(&catalog, &topic.name);
            if let Ok(state) = &state {
                throttle_ms = throttle_ms.max(self.throttle_ms(state));
            }
            let mut partitions = Vec::with_capacity(topic.partition_data.len());
            for data in topic.partition_data {
                let index = data.index;
                let result = match &state {
                    _ if !acks_are_known => Err(KafkaError::InvalidRequiredAcks.into()),
                    Ok(state) => self.append(state, data, transactional_id, now_ms),
                    Err(error) => Err((*error).into()),
                };
                match result {
                    Ok(staged) => {
                        durable = durable.max(Some(staged.lsn));
                        partitions.push(accepted(index, &staged));
                    }
                    Err(invalid) => {
                        has_error = true;
                        partitions.push(refused(index, invalid));
                    }
                }
            }
            let response = TopicProduceResponse::default().with_name(topic.name);
            responses.push(response.with_partition_responses(partitions));
        }
        if request.acks == ACKS_NONE {
            return if has_error { Reply::Close } else { Reply::None };
        }
        let response = ProduceResponse::default()
            .with_responses(responses)
            .with_throttle_time_ms(throttle_ms);
        let response = Response::Produce(response);
        match durable {
            Some(lsn) => Reply::AfterDurable(lsn, response),
            None => Reply::Ready(response),
        }
    }

    /// How long producers of a topic shall be silent, so that its rows do not fall ever further
    /// behind its log.
    fn throttle_ms(&self, state: &TopicState) -> i32 {
        let waiting = |partition| {
            let bounds = self.store.log_bounds(partition)?;
            let next = self.store.materialized(partition).max(bounds.start);
            // Records of open transactions wait for their producer, not for us.
            Some(bounds.last_stable.0.saturating_sub(next.0))
        };
        let waiting: u64 = state.topic.partitions().filter_map(waiting).sum();
        let beyond = waiting.saturating_sub(WAITING_RECORDS_MAX);
        let throttle_ms = (beyond / WAITING_RECORDS_PER_MS).min(THROTTLE_MS_MAX);
        i32::try_from(throttle_ms).expect("a second at most")
    }

    fn append(
        &self,
        state: &TopicState,
        data: PartitionProduceData,
        transactional_id: Option<&str>,
        now_ms: i64,
    ) -> Result<Staged, Invalid> {
        let partition = partition_of(state, data.index)?;
        let rules = AppendRules::of(&state.topic.config);
        let place = Place {
            topic: state.topic.name.as_str(),
            index: data.index,
        };
        let records = data.records.unwrap_or_default();
        let batch = check_batch(records, &rules, &place, &self.scratches, now_ms)?;
        if batch.header().is_transactional() && transactional_id.is_none() {
            return Err(KafkaError::TransactionalIdAuthorizationFailed.into());
        }
        let staged = self.store.stage_batch(partition, batch, now_ms);
        staged.map_err(|error| stage_refusal(&error).into())
    }
}

fn topic_for_append<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Result<&'a Arc<TopicState>, KafkaError> {
    if is_reserved(name) {
        return Err(KafkaError::InvalidTopicException);
    }
    topic_named(catalog, name)
}

fn stage_refusal(error: &StageError) -> Refusal {
    let code = match error {
        StageError::Store(_) => KafkaError::KafkaStorageError,
        StageError::UnknownPartition(_) => KafkaError::UnknownTopicOrPartition,
        StageError::TooLarge { .. } => KafkaError::MessageTooLarge,
        StageError::Producer(SequenceError::OutOfOrder { .. }) => {
            KafkaError::OutOfOrderSequenceNumber
        }
        StageError::Producer(SequenceError::StaleEpoch { .. })
        | StageError::Membership(MembershipError::Fenced { .. }) => {
            KafkaError::InvalidProducerEpoch
        }
        StageError::Membership(MembershipError::UnknownProducer { .. }) => {
            KafkaError::InvalidProducerIdMapping
        }
        StageError::Membership(MembershipError::NotAdded | MembershipError::Outside { .. }) => {
            KafkaError::InvalidTxnState
        }
    };
    Refusal::new(code, error.to_string())
}

fn accepted(index: i32, staged: &Staged) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_base_offset(wire_offset(staged.base))
        .with_log_append_time_ms(staged.append_time_ms.unwrap_or(-1))
        .with_log_start_offset(wire_offset(staged.log_start))
}

fn refused(index: i32, invalid: Invalid) -> PartitionProduceResponse {
    let records = invalid.records.into_iter().map(|record| {
        BatchIndexAndErrorMessage::default()
            .with_batch_index(record.index)
            .with_batch_index_error_message(Some(StrBytes::from_string(record.message)))
    });
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(invalid.refusal.error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
        .with_record_errors(records.collect())
        .with_error_message(invalid.refusal.message())
}
