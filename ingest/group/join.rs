//! Joining: a member enters the group, or its next generation.

use bytes::Bytes;

use super::state::{Effect, Group, GroupError, GroupLimits, Phase, Ticket};
use super::{Member, MemberName, Protocol};

/// How long a new member may wait for its first generation: it has no heartbeat yet.
const NEW_MEMBER_MS: i64 = 5 * 60 * 1_000;

/// A wish to be in the next generation.
#[derive(Debug, Clone)]
pub struct Join {
    /// The member's id; empty before it was given one.
    pub member_id: String,
    /// The id that it gets if it has none. Random, so that nobody guesses it.
    pub new_member_id: String,
    /// The name that it keeps over restarts, if it has one.
    pub instance: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: i32,
    /// What kind of group it expects.
    pub protocol_type: String,
    /// What it knows, what it likes best first.
    pub protocols: Vec<Protocol>,
    /// Whether a member without an id is only given one, and joins with it.
    pub needs_known_id: bool,
    /// Whether the member understands that as a leader it has nothing to share out.
    pub can_skip_assignment: bool,
    /// The request.
    pub ticket: Ticket,
}

/// The answer to a member that is in a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// The generation.
    pub generation: i32,
    /// What kind of group it is.
    pub protocol_type: Option<String>,
    /// How it shares out.
    pub protocol: Option<String>,
    /// The leader's id.
    pub leader: String,
    /// All members when this one leads, else none.
    pub members: Vec<JoinedMember>,
    /// Whether the leader has nothing to share out.
    pub skip_assignment: bool,
}

/// A member as its leader sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinedMember {
    /// Its id.
    pub id: String,
    /// The name that it keeps over restarts, if it has one.
    pub instance: Option<String>,
    /// What it says about itself.
    pub metadata: Bytes,
}

impl Group {
    /// Answers the request of `join` in `effects`, now or in a later step.
    pub fn join(
        &mut self,
        join: Join,
        limits: &GroupLimits,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        let (ticket, id) = (join.ticket, join.member_id.clone());
        let refusal = if join.session_timeout_ms < limits.session_ms_min
            || join.session_timeout_ms > limits.session_ms_max
        {
            Some(GroupError::SessionTimeout)
        } else if !self.has_room(&join.member_id, limits.members_max) {
            Some(GroupError::Full)
        } else if !self.supports(&join) {
            Some(GroupError::InconsistentProtocol)
        } else if join.member_id.is_empty() {
            self.join_new(join, limits, now_ms, effects);
            None
        } else {
            self.join_known(join, limits, now_ms, effects).err()
        };
        if let Some(error) = refusal {
            effects.push(Effect::Joined(ticket, id, Err(error)));
        }
    }

    fn has_room(&self, id: &str, members_max: usize) -> bool {
        let known = self.members.get(id);
        match self.phase {
            Phase::Empty => self.pending.len() < members_max || self.pending.contains_key(id),
            Phase::PreparingRebalance => {
                let waiting = self.members.values().filter(|it| it.join.is_some()).count();
                known.is_some_and(|member| member.join.is_some())
                    || waiting + self.pending_besides(id) < members_max
            }
            Phase::CompletingRebalance | Phase::Stable => {
                known.is_some() || self.members.len() + self.pending_besides(id) < members_max
            }
        }
    }

    fn pending_besides(&self, id: &str) -> usize {
        self.pending.len() - usize::from(self.pending.contains_key(id))
    }

    /// Whether the member fits the group: same kind, and a protocol that all know.
    fn supports(&self, join: &Join) -> bool {
        if self.members.is_empty() {
            return !join.protocol_type.is_empty() && !join.protocols.is_empty();
        }
        self.protocol_type() == Some(&join.protocol_type)
            && join.protocols.iter().any(|it| self.is_common(&it.name))
    }

    fn join_new(
        &mut self,
        mut join: Join,
        limits: &GroupLimits,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        join.member_id = join.new_member_id.clone();
        let instance = join.instance.as_deref();
        let replaced = instance.and_then(|name| self.id_of_instance(name).map(str::to_owned));
        if let Some(old_id) = replaced {
            self.replace_static(&old_id, join, limits, now_ms, effects);
        } else if join.needs_known_id && join.instance.is_none() {
            let deadline_ms = now_ms.saturating_add(i64::from(join.session_timeout_ms));
            self.pending.insert(join.member_id.clone(), deadline_ms);
            let required = Err(GroupError::MemberIdRequired);
            effects.push(Effect::Joined(join.ticket, join.member_id, required));
        } else {
            self.add_member(join, limits, now_ms, effects);
        }
    }

    fn join_known(
        &mut self,
        join: Join,
        limits: &GroupLimits,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        if self.pending.remove(&join.member_id).is_some() {
            self.add_member(join, limits, now_ms, effects);
            return Ok(());
        }
        let name = MemberName {
            id: &join.member_id,
            instance: join.instance.as_deref(),
        };
        self.check_member(name)?;
        let is_leader = self.leader.as_deref() == Some(&join.member_id);
        let is_same = self.members[&join.member_id].protocols == join.protocols;
        let rejoins = match self.phase {
            Phase::Empty => return Err(GroupError::UnknownMember),
            Phase::PreparingRebalance => true,
            // Its answer was lost: here it is again.
            Phase::CompletingRebalance => !is_same,
            // A leader that joins wants a new generation: it has seen topics change.
            Phase::Stable => is_leader || !is_same,
        };
        if rejoins {
            self.update_member(join, now_ms, effects);
            self.rebalance(limits, now_ms, effects);
        } else {
            if let Some(member) = self.members.get_mut(&join.member_id) {
                member.touch(now_ms);
            }
            let joined = self.joined(&join.member_id);
            effects.push(Effect::Joined(join.ticket, join.member_id, Ok(joined)));
        }
        Ok(())
    }

    fn add_member(
        &mut self,
        join: Join,
        limits: &GroupLimits,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        self.leader.get_or_insert_with(|| join.member_id.clone());
        if let Some(rebalance) = &mut self.rebalance {
            rebalance.has_new = true;
        }
        let member = Member {
            instance: join.instance,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols,
            assignment: Bytes::new(),
            order: self.next_order,
            join: Some(join.ticket),
            sync: None,
            has_synced: false,
            is_new: true,
            deadline_ms: now_ms.saturating_add(NEW_MEMBER_MS),
        };
        self.next_order += 1;
        self.members.insert(join.member_id, member);
        self.rebalance(limits, now_ms, effects);
    }

    fn update_member(&mut self, join: Join, now_ms: i64, effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(&join.member_id) else {
            return;
        };
        if let Some(earlier) = member.join.replace(join.ticket) {
            // It asked again, so nobody waits for the first answer any more.
            let error = Err(GroupError::RebalanceInProgress);
            effects.push(Effect::Joined(earlier, join.member_id, error));
        }
        member.protocols = join.protocols;
        member.session_timeout_ms = join.session_timeout_ms;
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        member.touch(now_ms);
    }

    /// A process with the instance name of a member takes its place, share and all.
    fn replace_static(
        &mut self,
        old_id: &str,
        join: Join,
        limits: &GroupLimits,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        let leader_before = self.leader.clone();
        let mut member = self.members.remove(old_id).expect("found by its instance");
        if let Some(ticket) = member.join.take() {
            let fenced = Err(GroupError::FencedInstance);
            effects.push(Effect::Joined(ticket, old_id.to_owned(), fenced));
        }
        if let Some(ticket) = member.sync.take() {
            effects.push(Effect::Synced(ticket, Err(GroupError::FencedInstance)));
        }
        let id = join.member_id.clone();
        if leader_before.as_deref() == Some(old_id) {
            self.leader = Some(id.clone());
        }
        self.members.insert(id.clone(), member);
        let (ticket, can_skip) = (join.ticket, join.can_skip_assignment);
        self.update_member(join, now_ms, effects);
        let keeps = self.phase == Phase::Stable && self.protocol == self.chosen_protocol();
        if !keeps {
            self.rebalance(limits, now_ms, effects);
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.join = None;
        }
        let mut joined = self.joined(&id);
        if can_skip {
            joined.skip_assignment = self.leader.as_deref() == Some(&id);
        } else {
            // It must not believe that it leads: it would share out what nobody asks for.
            joined.leader = leader_before.unwrap_or_default();
            joined.members = Vec::new();
        }
        effects.push(Effect::Describe);
        effects.push(Effect::Joined(ticket, id, Ok(joined)));
    }

    /// The answer to the member `id` of this generation.
    pub(super) fn joined(&self, id: &str) -> Joined {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let leader = self.leader.clone().unwrap_or_default();
        let mut members: Vec<(u64, JoinedMember)> = Vec::new();
        if leader == id {
            members.extend(self.members.iter().map(|(id, member)| {
                let metadata = member.metadata(protocol).cloned();
                let seen = JoinedMember {
                    id: id.clone(),
                    instance: member.instance.clone(),
                    metadata: metadata.unwrap_or_default(),
                };
                (member.order, seen)
            }));
            members.sort_unstable_by_key(|(order, _)| *order);
        }
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader,
            members: members.into_iter().map(|(_, member)| member).collect(),
            skip_assignment: false,
        }
    }
}
