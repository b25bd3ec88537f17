//! Offsets that nobody has needed for long are forgotten, and groups that have nothing left.
//!
//! | group | offsets are kept, counted from |
//! |---|---|
//! | without members | when the last one left, or the commit if that was later |
//! | that never had members | the commit |
//! | stable, of consumers | the commit, for topics that no member reads; others stay |
//! | any other | they stay |
//!
//! A client may have said itself when an offset expires.

use storage::catalog::Catalog;
use storage::groups::{CommittedOffset, GroupChange, GroupState};
use storage::model::Partition;

use super::coordinator::{Desk, Held};
use crate::broker::Broker;
use crate::group::Phase;

/// How often it is looked, as Kafka's `offsets.retention.check.interval.ms`.
const SWEEP_MS: i64 = 10 * 60 * 1_000;

impl Broker {
    /// Stages what is to be forgotten. A store that has stopped says so elsewhere.
    pub(super) fn sweep(&self, desk: &mut Desk, now_ms: i64) {
        desk.next_sweep_ms = now_ms.saturating_add(SWEEP_MS);
        let catalog = self.store.catalog();
        let transactions = self.store.transactions();
        let stored = self.store.groups();
        let mut changes = Vec::new();
        let mut gone = Vec::new();
        let retention_ms = self.options.groups.offsets_retention_ms;
        for (name, held) in &desk.groups {
            let state = stored.get(name);
            let expired = state.map_or_else(Vec::new, |state| {
                expired(held, state, &catalog, retention_ms, now_ms)
            });
            let left = state.map_or(0, |state| state.offsets.len()) - expired.len();
            if transactions.has_pending_offsets(name) {
                continue;
            }
            let is_quiet = now_ms.saturating_sub(held.active_ms) >= SWEEP_MS
                && now_ms.saturating_sub(held.empty_since_ms()) >= SWEEP_MS;
            if left == 0 && held.is_vacant() && is_quiet {
                gone.push(name.clone());
                changes.extend(state.map(|_| GroupChange::Delete {
                    group: name.clone(),
                }));
            } else if !expired.is_empty() {
                changes.push(GroupChange::Forget {
                    group: name.clone(),
                    partitions: expired,
                });
            }
        }
        drop(stored);
        drop(transactions);
        for name in gone {
            desk.remove(&name);
        }
        if !changes.is_empty() {
            let _ = self.store.stage_groups(changes);
        }
    }
}

fn expired(
    held: &Held,
    state: &GroupState,
    catalog: &Catalog,
    retention_ms: i64,
    now_ms: i64,
) -> Vec<Partition> {
    let group = &held.group;
    let read = match group.phase() {
        _ if held.consumer.is_some() => None,
        Phase::Empty => None,
        Phase::Stable if group.is_consumer_group() => match group.subscribed_topics() {
            Some(read) => Some(read),
            None => return Vec::new(),
        },
        Phase::Stable | Phase::PreparingRebalance | Phase::CompletingRebalance => {
            return Vec::new();
        }
    };
    let is_read = |partition: &Partition| {
        let Some(topic) = catalog.topic(partition.topic) else {
            return false;
        };
        let by_consumer = held.consumer.as_ref();
        by_consumer.is_some_and(|group| group.reads(&topic.topic.uuid))
            || read
                .as_ref()
                .is_some_and(|read| read.contains(topic.topic.name.as_str()))
    };
    let since_ms = |offset: &CommittedOffset| {
        let had_members = group.protocol_type().is_some() || held.consumer.is_some();
        if had_members && held.is_empty() {
            offset.committed_ms.max(held.empty_since_ms())
        } else {
            offset.committed_ms
        }
    };
    let due = state.offsets.iter().filter(|(partition, offset)| {
        let due_ms = offset
            .expires_ms
            .unwrap_or_else(|| since_ms(offset).saturating_add(retention_ms));
        due_ms <= now_ms && !is_read(partition)
    });
    due.map(|(partition, _)| *partition).collect()
}
