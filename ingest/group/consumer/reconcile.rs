//! One step of a member towards its target.
//!
//! 1. What it may read and shall not is taken from it; until it says that it has given that up, its
//!    epoch stays and nobody else gets it.
//! 2. What it shall read and nobody else holds is given to it; its epoch is that of the target.

use std::collections::BTreeSet;

use super::{ConsumerGroup, ConsumerMember, Progress, Shares};

impl ConsumerGroup {
    /// Brings the member `id`, which says that it holds `owned`, one step nearer to its target.
    pub(super) fn reconcile(&mut self, id: &str, owned: Option<&Shares>, now_ms: i64) {
        let Some(mut member) = self.members.remove(id) else {
            return;
        };
        match member.progress {
            Progress::Stable if member.epoch == self.target_epoch => {}
            Progress::Unrevoked if holds_some(owned, &member.revoking) => {}
            Progress::Stable | Progress::Unrevoked | Progress::Unreleased => {
                member.revoking.clear();
                self.step(&mut member, owned, now_ms);
            }
        }
        self.members.insert(id.to_owned(), member);
    }

    /// The others are in the group while this one is not.
    fn step(&self, member: &mut ConsumerMember, owned: Option<&Shares>, now_ms: i64) {
        let kept = overlap(&member.assigned, &member.target);
        let revoked = difference(&member.assigned, &member.target);
        let wanted = difference(&member.target, &kept);
        let held = self.held();
        let free = difference(&wanted, &held);
        let is_waiting = free != wanted;
        member.assigned = kept;
        if !revoked.is_empty() && holds_some(owned, &revoked) {
            member.revoking = revoked;
            member.progress = Progress::Unrevoked;
            let timeout_ms = i64::from(member.rebalance_timeout_ms);
            let deadline_ms = now_ms.saturating_add(timeout_ms);
            member.revoke_deadline_ms.get_or_insert(deadline_ms);
            return;
        }
        member.revoke_deadline_ms = None;
        for (topic, partitions) in free {
            member.assigned.entry(topic).or_default().extend(partitions);
        }
        member.progress = match is_waiting {
            true => Progress::Unreleased,
            false => Progress::Stable,
        };
        if member.epoch != self.target_epoch {
            member.last_epoch = member.epoch;
            member.epoch = self.target_epoch;
        }
    }

    /// What members hold or have not given up.
    fn held(&self) -> Shares {
        let mut held = Shares::new();
        for member in self.members.values() {
            for (topic, partitions) in member.assigned.iter().chain(&member.revoking) {
                held.entry(*topic).or_default().extend(partitions);
            }
        }
        held
    }
}

/// Whether a member holds some of `shares`; who does not say what it holds may.
fn holds_some(owned: Option<&Shares>, shares: &Shares) -> bool {
    owned.is_none_or(|owned| !overlap(owned, shares).is_empty())
}

fn overlap(one: &Shares, other: &Shares) -> Shares {
    combine(one, other, |mine, theirs| {
        theirs.map_or_else(BTreeSet::new, |theirs| mine & theirs)
    })
}

fn difference(one: &Shares, other: &Shares) -> Shares {
    combine(one, other, |mine, theirs| {
        theirs.map_or_else(|| mine.clone(), |theirs| mine - theirs)
    })
}

fn combine(
    one: &Shares,
    other: &Shares,
    with: impl Fn(&BTreeSet<i32>, Option<&BTreeSet<i32>>) -> BTreeSet<i32>,
) -> Shares {
    let combined = one
        .iter()
        .map(|(topic, partitions)| (*topic, with(partitions, other.get(topic))));
    combined
        .filter(|(_, partitions)| !partitions.is_empty())
        .collect()
}
