//! AddOffsetsToTxn: a transaction is about to commit offsets of a group.

use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use crate::broker::{Broker, Reply};
use crate::transaction::{Claim, add_group};
use crate::wire::{KafkaError, Response};

impl Broker {
    pub(in crate::broker) fn add_offsets_to_txn(
        &self,
        request: &AddOffsetsToTxnRequest,
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
        self.carry_out(version, answer, |it| {
            add_group(it, claim, &request.group_id, now_ms)
        })
    }
}

fn answer(result: Result<(), KafkaError>) -> Response {
    let error = result.err().map_or(0, |error| error.code());
    Response::AddOffsetsToTxn(AddOffsetsToTxnResponse::default().with_error_code(error))
}
