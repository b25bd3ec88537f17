//! What happens when nothing happens.

use super::state::{Effect, Group, GroupLimits, Phase};

impl Group {
    /// When [`Group::expire`] is to be called.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<i64> {
        let members = self.members.values().map(|member| member.deadline_ms);
        let rebalance = self.rebalance.as_ref().map(|it| it.deadline_ms);
        members
            .chain(self.pending.values().copied())
            .chain(rebalance)
            .chain(self.sync_deadline_ms)
            .min()
    }

    /// Does what is due: silent members are gone, waiting for the others ends.
    pub fn expire(&mut self, limits: &GroupLimits, now_ms: i64, effects: &mut Vec<Effect>) {
        let pending_before = self.pending.len();
        self.pending.retain(|_, deadline_ms| *deadline_ms > now_ms);
        let mut gone = Vec::new();
        let shares_are_due = self.sync_deadline_ms.is_some_and(|due_ms| due_ms <= now_ms);
        for (id, member) in &mut self.members {
            if shares_are_due && !member.has_synced {
                gone.push(id.clone());
            } else if member.deadline_ms <= now_ms {
                if member.is_waiting() {
                    // It waits for us, so its silence means nothing.
                    member.touch(now_ms);
                } else {
                    gone.push(id.clone());
                }
            }
        }
        if shares_are_due {
            self.sync_deadline_ms = None;
        }
        for id in &gone {
            self.remove_member(id, effects);
        }
        if !gone.is_empty() {
            self.rebalance_without(limits, now_ms, effects);
        } else if self.pending.len() < pending_before {
            self.complete_if_all_joined(now_ms, effects);
        }
        self.expire_rebalance(limits, now_ms, effects);
    }

    fn expire_rebalance(&mut self, limits: &GroupLimits, now_ms: i64, effects: &mut Vec<Effect>) {
        let Some(rebalance) = &mut self.rebalance else {
            return;
        };
        if self.phase != Phase::PreparingRebalance || rebalance.deadline_ms > now_ms {
            return;
        }
        if let Some(left_ms) = rebalance.initial_left_ms
            && rebalance.has_new
            && left_ms > 0
        {
            let wait_ms = limits.initial_delay_ms.min(left_ms);
            rebalance.initial_left_ms = Some(left_ms - wait_ms);
            rebalance.has_new = false;
            rebalance.deadline_ms = now_ms.saturating_add(wait_ms);
            return;
        }
        rebalance.initial_left_ms = None;
        self.complete_join(now_ms, effects);
    }
}
