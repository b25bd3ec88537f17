//! Transactions of producers: the requests about them decided by their state machine, and its
//! changes staged.
//!
//! What is decided is decided under the lock of the store under which batches are staged, on all
//! that was staged before. So there is no state here that could differ from the store's.

mod add_offsets;
mod add_partitions;
mod clock;
mod describe;
mod end;
mod init;
mod offset_commit;
mod write_markers;

use storage::store::{Lsn, StoreError};
use storage::transactions::Transactions;

use super::{Broker, Reply};
use crate::transaction::{Changes, TransactionError};
use crate::wire::{KafkaError, Response};

pub(super) use clock::Sweeps;

/// What transactions may take.
#[derive(Debug, Clone)]
pub struct TransactionOptions {
    /// Transactional ids.
    pub ids_max: usize,
    /// Longest time that a producer may ask to keep a transaction open.
    pub timeout_ms_max: i32,
    /// How long a transactional id is kept that nobody uses.
    pub expiration_ms: i64,
}

impl Default for TransactionOptions {
    fn default() -> Self {
        Self {
            ids_max: 100_000,
            timeout_ms_max: 900_000,
            expiration_ms: 7 * 24 * 60 * 60 * 1_000,
        }
    }
}

/// Why nothing was staged.
#[derive(Debug)]
enum NotStaged {
    /// The request is refused.
    Refused(TransactionError),
    /// The store has stopped.
    Store,
}

impl From<StoreError> for NotStaged {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl From<TransactionError> for NotStaged {
    fn from(error: TransactionError) -> Self {
        Self::Refused(error)
    }
}

impl Broker {
    /// Stages what `decide` wants; it is done when the position is durable.
    fn stage(
        &self,
        decide: impl FnOnce(&Transactions) -> Result<Changes, TransactionError>,
    ) -> Result<Lsn, NotStaged> {
        let staged = self
            .store
            .stage_transactions(|transactions| Ok::<_, NotStaged>((decide(transactions)?, ())));
        staged.map(|(lsn, ())| lsn)
    }

    /// Stages what `decide` wants and answers once it is durable, or why it is refused in a request
    /// of `version`.
    fn carry_out(
        &self,
        version: i16,
        answer: impl FnOnce(Result<(), KafkaError>) -> Response,
        decide: impl FnOnce(&Transactions) -> Result<Changes, TransactionError>,
    ) -> Reply {
        match self.stage(decide) {
            Ok(lsn) => Reply::AfterDurable(lsn, answer(Ok(()))),
            Err(NotStaged::Refused(error)) => {
                Reply::Ready(answer(Err(kafka_error(error, version))))
            }
            Err(NotStaged::Store) => Reply::Close,
        }
    }
}

/// First version of each of these requests in which a fenced producer is called so.
const FENCED_FROM: i16 = 2;

/// Kafka's word for `error` in an answer of `version`.
fn kafka_error(error: TransactionError, version: i16) -> KafkaError {
    match error {
        TransactionError::NotOwner => KafkaError::InvalidProducerIdMapping,
        TransactionError::Fenced if version >= FENCED_FROM => KafkaError::ProducerFenced,
        TransactionError::Fenced => KafkaError::InvalidProducerEpoch,
        TransactionError::State => KafkaError::InvalidTxnState,
        TransactionError::NeedsProducerId => KafkaError::UnknownServerError,
        TransactionError::Full => KafkaError::PolicyViolation,
    }
}
