//! A producer takes over a transactional id.

use storage::log::TransactionOutcome;
use storage::transactions::{Transaction, TransactionChange, TransactionPhase, Transactions};

use super::{Changes, TransactionError};

/// From this epoch on there is no next one: the producer gets another id. The last epoch of all is
/// left for fencing.
const EPOCH_LAST: i16 = i16::MAX - 1;

/// "Nobody asked for it" in place of the epoch before.
const NO_EPOCH: i16 = -1;

/// What a producer says that takes over a transactional id.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The transactional id.
    pub id: &'a str,
    /// How long its transactions may stay open.
    pub timeout_ms: i32,
    /// Producer id and epoch, when it had some and wants the next epoch.
    pub known: Option<(i64, i16)>,
    /// A producer id that nobody has, if one was taken.
    pub fresh_id: Option<i64>,
    /// Most transactional ids that there may be.
    pub ids_max: usize,
}

/// What a producer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

/// Gives the transactional id to the producer that asks: whoever had it is fenced, and the
/// transaction that it left open is aborted.
///
/// # Errors
/// When another producer took it meanwhile, or a producer id is missing.
pub fn start(
    transactions: &Transactions,
    asked: &Start<'_>,
    now_ms: i64,
) -> Result<(Changes, Started), TransactionError> {
    let Some(current) = transactions.get(asked.id) else {
        if transactions.iter().len() >= asked.ids_max {
            return Err(TransactionError::Full);
        }
        return with_fresh_id(asked, Vec::new(), now_ms);
    };
    let last_epoch = match asked.known {
        None => NO_EPOCH,
        Some((producer_id, _)) if producer_id != current.producer_id => {
            return Err(TransactionError::Fenced);
        }
        Some((_, epoch)) if epoch == current.producer_epoch => epoch,
        // Its answer was lost: here it is again.
        Some((_, epoch)) if is_retry(current, epoch) => {
            let started = Started {
                producer_id: current.producer_id,
                producer_epoch: current.producer_epoch,
            };
            return Ok((Vec::new(), started));
        }
        Some(_) => return Err(TransactionError::Fenced),
    };
    let mut changes = Vec::new();
    let next_epoch = current.producer_epoch.saturating_add(1);
    if current.phase == TransactionPhase::Ongoing {
        changes.push(TransactionChange::End {
            id: asked.id.to_owned(),
            outcome: TransactionOutcome::Aborted,
            producer_epoch: next_epoch,
            at_ms: now_ms,
        });
    }
    if current.producer_epoch >= EPOCH_LAST {
        return with_fresh_id(asked, changes, now_ms);
    }
    let started = Started {
        producer_id: current.producer_id,
        producer_epoch: next_epoch,
    };
    changes.push(change(asked, started, last_epoch, now_ms));
    Ok((changes, started))
}

fn is_retry(current: &Transaction, epoch: i16) -> bool {
    epoch >= 0 && epoch == current.last_epoch && current.phase == TransactionPhase::Empty
}

fn with_fresh_id(
    asked: &Start<'_>,
    mut changes: Changes,
    now_ms: i64,
) -> Result<(Changes, Started), TransactionError> {
    let producer_id = asked.fresh_id.ok_or(TransactionError::NeedsProducerId)?;
    let started = Started {
        producer_id,
        producer_epoch: 0,
    };
    changes.push(change(asked, started, NO_EPOCH, now_ms));
    Ok((changes, started))
}

fn change(asked: &Start<'_>, started: Started, last_epoch: i16, now_ms: i64) -> TransactionChange {
    TransactionChange::Start {
        id: asked.id.to_owned(),
        producer_id: started.producer_id,
        producer_epoch: started.producer_epoch,
        last_epoch,
        timeout_ms: asked.timeout_ms,
        at_ms: now_ms,
    }
}
