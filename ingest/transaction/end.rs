//! The end of a transaction, wanted or not.

use storage::log::TransactionOutcome;
use storage::model::Partition;
use storage::transactions::{Transaction, TransactionChange, TransactionPhase, Transactions};

use super::{Changes, Claim, TransactionError};

/// Most transactions that one step ends or forgets, so that none takes long.
const STEP_MAX: usize = 1_000;

/// Ends the open transaction.
///
/// # Errors
/// When the producer does not own the transactional id, or there is nothing to end so.
pub fn end(
    transactions: &Transactions,
    claim: Claim<'_>,
    outcome: TransactionOutcome,
    now_ms: i64,
) -> Result<Changes, TransactionError> {
    let transaction = claim.check(transactions)?;
    match transaction.phase {
        TransactionPhase::Ongoing => Ok(vec![TransactionChange::End {
            id: claim.id.to_owned(),
            outcome,
            producer_epoch: claim.producer_epoch,
            at_ms: now_ms,
        }]),
        // Its answer was lost.
        TransactionPhase::Complete(ended) if ended == outcome => Ok(Vec::new()),
        TransactionPhase::Complete(_) | TransactionPhase::Empty => Err(TransactionError::State),
    }
}

/// Aborts the open transaction of a producer if it has part in one of `partitions`; none when it
/// has not. The producer is fenced: what it wrote before is gone, so that the rest must not count
/// by itself.
///
/// # Errors
/// When the producer has begun a later epoch.
pub fn abort_in(
    transactions: &Transactions,
    producer_id: i64,
    producer_epoch: i16,
    partitions: &[Partition],
    now_ms: i64,
) -> Result<Changes, TransactionError> {
    let Some((id, transaction)) = transactions.of_producer(producer_id) else {
        return Ok(Vec::new());
    };
    if producer_epoch < transaction.producer_epoch {
        return Err(TransactionError::Fenced);
    }
    let takes_part = |it: &Partition| transaction.partitions.contains(it);
    if transaction.phase == TransactionPhase::Ongoing && partitions.iter().any(takes_part) {
        Ok(vec![abort(id, transaction, now_ms)])
    } else {
        Ok(Vec::new())
    }
}

/// Aborts transactions that have been open for longer than their producers wanted; those are
/// fenced, since they may still believe in them.
#[must_use]
pub fn overdue(transactions: &Transactions, now_ms: i64) -> Changes {
    let overdue = transactions.overdue(now_ms).take(STEP_MAX);
    overdue
        .map(|(id, transaction)| abort(id, transaction, now_ms))
        .collect()
}

/// Forgets transactional ids that nobody has used since `before_ms`.
#[must_use]
pub fn expire(transactions: &Transactions, before_ms: i64) -> Changes {
    let idle = transactions.iter().filter(|(_, transaction)| {
        transaction.phase != TransactionPhase::Ongoing && transaction.changed_ms < before_ms
    });
    idle.take(STEP_MAX)
        .map(|(id, _)| TransactionChange::Forget { id: id.to_owned() })
        .collect()
}

/// Aborts a transaction and fences its producer.
fn abort(id: &str, transaction: &Transaction, now_ms: i64) -> TransactionChange {
    TransactionChange::End {
        id: id.to_owned(),
        outcome: TransactionOutcome::Aborted,
        producer_epoch: transaction.producer_epoch.saturating_add(1),
        at_ms: now_ms,
    }
}
