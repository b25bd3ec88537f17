//! From one generation to the next.

use super::state::{Effect, Group, GroupError, GroupLimits, Phase, Rebalance};

impl Group {
    /// Begins a new generation, or goes on with the one that has begun.
    pub(super) fn rebalance(
        &mut self,
        limits: &GroupLimits,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        match self.phase {
            Phase::PreparingRebalance => self.complete_if_all_joined(now_ms, effects),
            Phase::Empty | Phase::CompletingRebalance | Phase::Stable => {
                self.begin(limits, now_ms, effects);
            }
        }
    }

    fn begin(&mut self, limits: &GroupLimits, now_ms: i64, effects: &mut Vec<Effect>) {
        if self.phase == Phase::CompletingRebalance {
            for member in self.members.values_mut() {
                member.assignment.clear();
                if let Some(ticket) = member.sync.take() {
                    member.touch(now_ms);
                    let error = Err(GroupError::RebalanceInProgress);
                    effects.push(Effect::Synced(ticket, error));
                }
            }
        }
        let was_empty = self.phase == Phase::Empty;
        self.phase = Phase::PreparingRebalance;
        self.sync_deadline_ms = None;
        let longest_ms = self.longest_rebalance_ms();
        let initial_ms = limits.initial_delay_ms.min(longest_ms);
        let waits = was_empty && initial_ms > 0;
        let wait_ms = if waits { initial_ms } else { longest_ms };
        self.rebalance = Some(Rebalance {
            deadline_ms: now_ms.saturating_add(wait_ms),
            initial_left_ms: waits.then(|| longest_ms - initial_ms),
            has_new: false,
        });
        if was_empty && !waits {
            // A first generation waits for nobody who has only asked for an id.
            self.complete_join(now_ms, effects);
        } else {
            self.complete_if_all_joined(now_ms, effects);
        }
    }

    pub(super) fn complete_if_all_joined(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        let is_initial = self
            .rebalance
            .as_ref()
            .is_some_and(|rebalance| rebalance.initial_left_ms.is_some());
        let all_joined = self.members.values().all(|member| member.join.is_some());
        let is_due = self.phase == Phase::PreparingRebalance && !is_initial;
        if is_due && all_joined && self.pending.is_empty() {
            self.complete_join(now_ms, effects);
        }
    }

    /// Nobody else is waited for: who has joined makes the next generation.
    pub(super) fn complete_join(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        // Static members are given until their session ends.
        self.members
            .retain(|_, member| member.join.is_some() || member.instance.is_some());
        if self.members.is_empty() {
            self.become_empty(now_ms, effects);
            return;
        }
        if !self.elect_leader() {
            if let Some(rebalance) = &mut self.rebalance {
                let longest_ms = self
                    .members
                    .values()
                    .map(|it| it.rebalance_timeout_ms)
                    .max();
                // Never at once again, whatever they asked for.
                let wait_ms = i64::from(longest_ms.unwrap_or_default()).max(1);
                rebalance.deadline_ms = now_ms.saturating_add(wait_ms);
            }
            return;
        }
        self.generation = next_generation(self.generation);
        self.phase = Phase::CompletingRebalance;
        self.rebalance = None;
        self.protocol = self.chosen_protocol();
        let wait_ms = self.longest_rebalance_ms();
        self.sync_deadline_ms = Some(now_ms.saturating_add(wait_ms));
        let mut answered = Vec::with_capacity(self.members.len());
        for (id, member) in &mut self.members {
            member.is_new = false;
            member.has_synced = false;
            member.touch(now_ms);
            answered.extend(member.join.take().map(|ticket| (ticket, id.clone())));
        }
        for (ticket, id) in answered {
            let joined = self.joined(&id);
            effects.push(Effect::Joined(ticket, id, Ok(joined)));
        }
    }

    fn become_empty(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        self.generation = next_generation(self.generation);
        self.phase = Phase::Empty;
        self.rebalance = None;
        self.protocol = None;
        self.leader = None;
        self.empty_since_ms = now_ms;
        effects.push(Effect::Describe);
    }

    /// The leader stays, if it has joined; else the first that has joined leads.
    fn elect_leader(&mut self) -> bool {
        let joined = |id: &String| self.members.get(id).is_some_and(|it| it.join.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let first = self
            .members
            .iter()
            .filter(|(_, member)| member.join.is_some())
            .min_by_key(|(_, member)| member.order);
        let Some((id, _)) = first else {
            return false;
        };
        self.leader = Some(id.clone());
        true
    }

    /// Whether every member knows `protocol`.
    pub(super) fn is_common(&self, protocol: &str) -> bool {
        self.members
            .values()
            .all(|member| member.metadata(protocol).is_some())
    }

    /// The common protocol that most members like best; of equals, the leader's favourite.
    pub(super) fn chosen_protocol(&self) -> Option<String> {
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id))?;
        let common = leader.protocols.iter().map(|it| &it.name);
        let common: Vec<&String> = common.filter(|name| self.is_common(name)).collect();
        let mut votes = vec![0_usize; common.len()];
        for member in self.members.values() {
            let mut liked = member.protocols.iter();
            let vote = liked.find_map(|it| common.iter().position(|name| **name == it.name));
            if let Some(vote) = vote {
                votes[vote] += 1;
            }
        }
        let most = votes.iter().copied().max()?;
        let first = votes.iter().position(|count| *count == most)?;
        Some(common[first].clone())
    }

    fn longest_rebalance_ms(&self) -> i64 {
        let longest_ms = self
            .members
            .values()
            .map(|it| it.rebalance_timeout_ms)
            .max();
        i64::from(longest_ms.unwrap_or_default()).max(0)
    }
}

/// Generations go on at 1 after the largest.
fn next_generation(generation: i32) -> i32 {
    generation.checked_add(1).unwrap_or(1)
}
