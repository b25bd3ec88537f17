//! EndTxn: everything that a transaction wrote counts, or never was.

use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};
use storage::log::TransactionOutcome;

use crate::broker::{Broker, Reply};
use crate::transaction::{Claim, end};
use crate::wire::{KafkaError, Response};

impl Broker {
    pub(in crate::broker) fn end_txn(
        &self,
        request: &EndTxnRequest,
        version: i16,
        now_ms: i64,
    ) -> Reply {
        let claim = Claim {
            id: &request.transactional_id,
            producer_id: request.producer_id.0,
            producer_epoch: request.producer_epoch,
        };
        if claim.id.is_empty() {
            return Reply::Ready(answer(Err(KafkaError::InvalidRequest)));
        }
        let outcome = if request.committed {
            TransactionOutcome::Committed
        } else {
            TransactionOutcome::Aborted
        };
        self.carry_out(version, answer, |it| end(it, claim, outcome, now_ms))
    }
}

fn answer(result: Result<(), KafkaError>) -> Response {
    let error = result.err().map_or(0, |error| error.code());
    Response::EndTxn(EndTxnResponse::default().with_error_code(error))
}
