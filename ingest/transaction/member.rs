//! What becomes part of a transaction: partitions, groups and their offsets.

use storage::groups::CommittedOffset;
use storage::model::Partition;
use storage::transactions::{TransactionChange, TransactionPhase, Transactions};

use super::{Changes, Claim, TransactionError};

/// Lets the transaction write to `partitions`; it begins if it is not open.
///
/// # Errors
/// When the producer does not own the transactional id.
pub fn add_partitions(
    transactions: &Transactions,
    claim: Claim<'_>,
    partitions: &[Partition],
    now_ms: i64,
) -> Result<Changes, TransactionError> {
    let transaction = claim.check(transactions)?;
    let is_open = transaction.phase == TransactionPhase::Ongoing;
    let mut added = partitions.to_vec();
    added.retain(|partition| !(is_open && transaction.partitions.contains(partition)));
    added.sort_unstable();
    added.dedup();
    if added.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![TransactionChange::AddPartitions {
        id: claim.id.to_owned(),
        partitions: added,
        at_ms: now_ms,
    }])
}

/// Lets the transaction commit offsets of `group`; it begins if it is not open.
///
/// # Errors
/// When the producer does not own the transactional id.
pub fn add_group(
    transactions: &Transactions,
    claim: Claim<'_>,
    group: &str,
    now_ms: i64,
) -> Result<Changes, TransactionError> {
    let transaction = claim.check(transactions)?;
    let is_open = transaction.phase == TransactionPhase::Ongoing;
    if is_open && transaction.groups.contains_key(group) {
        return Ok(Vec::new());
    }
    Ok(vec![TransactionChange::AddGroup {
        id: claim.id.to_owned(),
        group: group.to_owned(),
        at_ms: now_ms,
    }])
}

/// Keeps `offsets` of `group` until the transaction ends.
///
/// # Errors
/// When the producer does not own the transactional id, or the group is not part of an open
/// transaction.
pub fn stage_offsets(
    transactions: &Transactions,
    claim: Claim<'_>,
    group: &str,
    offsets: Vec<(Partition, CommittedOffset)>,
) -> Result<Changes, TransactionError> {
    let transaction = claim.check(transactions)?;
    let is_open = transaction.phase == TransactionPhase::Ongoing;
    if !(is_open && transaction.groups.contains_key(group)) {
        return Err(TransactionError::State);
    }
    if offsets.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![TransactionChange::StageOffsets {
        id: claim.id.to_owned(),
        group: group.to_owned(),
        offsets,
    }])
}
