//! InitProducerId with a transactional id: whoever asks owns it from now on.

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::NotStaged;
use crate::broker::{Broker, Reply};
use crate::transaction::{Start, TransactionError, start};
use crate::wire::{KafkaError, Response};

/// First version in which a fenced producer is called so.
const FENCED_FROM: i16 = 4;

impl Broker {
    pub(in crate::broker) fn init_transactional(
        &self,
        id: &str,
        request: &InitProducerIdRequest,
        version: i16,
        now_ms: i64,
    ) -> Reply {
        if id.is_empty() {
            return refused(KafkaError::InvalidRequest);
        }
        let timeout_ms = request.transaction_timeout_ms;
        if timeout_ms <= 0 || timeout_ms > self.options.transactions.timeout_ms_max {
            return refused(KafkaError::InvalidTransactionTimeout);
        }
        let (known_id, known_epoch) = (request.producer_id.0, request.producer_epoch);
        if (known_id < 0) != (known_epoch < 0) {
            return refused(KafkaError::InvalidRequest);
        }
        let mut asked = Start {
            id,
            timeout_ms,
            known: (known_id >= 0).then_some((known_id, known_epoch)),
            fresh_id: None,
            ids_max: self.options.transactions.ids_max,
        };
        loop {
            let staged = self
                .store
                .stage_transactions(|it| start(it, &asked, now_ms).map_err(NotStaged::from));
            match staged {
                Ok((lsn, started)) => {
                    let response = InitProducerIdResponse::default()
                        .with_producer_id(ProducerId(started.producer_id))
                        .with_producer_epoch(started.producer_epoch);
                    return Reply::AfterDurable(lsn, Response::InitProducerId(response));
                }
                Err(NotStaged::Refused(TransactionError::NeedsProducerId)) => {
                    // The block that it is from is staged before it, and durable no later.
                    match self.producer_ids.take(&self.store) {
                        Ok((fresh_id, _)) => asked.fresh_id = Some(fresh_id),
                        Err(_) => return Reply::Close,
                    }
                }
                Err(NotStaged::Refused(TransactionError::Fenced)) if version < FENCED_FROM => {
                    return refused(KafkaError::InvalidProducerEpoch);
                }
                Err(NotStaged::Refused(error)) => {
                    return refused(super::kafka_error(error, version));
                }
                Err(NotStaged::Store) => return Reply::Close,
            }
        }
    }
}

fn refused(error: KafkaError) -> Reply {
    let response = InitProducerIdResponse::default()
        .with_error_code(error.code())
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    Reply::Ready(Response::InitProducerId(response))
}
