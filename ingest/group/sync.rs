//! Syncing: the leader hands out shares, members take theirs.

use bytes::Bytes;

use super::MemberName;
use super::state::{Effect, Group, GroupError, Phase, Ticket};

/// A member's wish for its share; the leader's has everybody's.
#[derive(Debug, Clone)]
pub struct Sync<'a> {
    /// The member.
    pub name: MemberName<'a>,
    /// The generation that it knows.
    pub generation: i32,
    /// What kind of group it believes to be in, if it says so.
    pub protocol_type: Option<&'a str>,
    /// How it believes that the group shares out, if it says so.
    pub protocol: Option<&'a str>,
    /// Shares by member id.
    pub assignments: Vec<(String, Bytes)>,
    /// The request.
    pub ticket: Ticket,
}

/// A member's share.
#[derive(Debug, Clone, PartialEq)]
pub struct Synced {
    /// What kind of group it is.
    pub protocol_type: Option<String>,
    /// How it shares out.
    pub protocol: Option<String>,
    /// The leader's bytes for the member.
    pub assignment: Bytes,
}

impl Group {
    /// Answers the request of `sync` in `effects`, now or in a later step.
    pub fn sync(&mut self, sync: Sync<'_>, now_ms: i64, effects: &mut Vec<Effect>) {
        let ticket = sync.ticket;
        if let Err(error) = self.try_sync(sync, now_ms, effects) {
            effects.push(Effect::Synced(ticket, Err(error)));
        }
    }

    fn try_sync(
        &mut self,
        sync: Sync<'_>,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        self.check_member(sync.name)?;
        self.check_generation(sync.generation)?;
        let differs = |said: Option<&str>, known: Option<&str>| {
            said.is_some_and(|said| known.is_some_and(|known| said != known))
        };
        if differs(sync.protocol_type, self.protocol_type())
            || differs(sync.protocol, self.protocol())
        {
            return Err(GroupError::InconsistentProtocol);
        }
        let id = sync.name.id;
        match self.phase {
            Phase::Empty => return Err(GroupError::UnknownMember),
            Phase::PreparingRebalance => return Err(GroupError::RebalanceInProgress),
            Phase::CompletingRebalance => {
                self.park(id, sync.ticket, now_ms, effects);
                if self.leader.as_deref() == Some(id) {
                    self.hand_out(sync.assignments, now_ms, effects);
                }
            }
            Phase::Stable => {
                let member = self.members.get_mut(id).ok_or(GroupError::UnknownMember)?;
                member.has_synced = true;
                member.touch(now_ms);
                let synced = self.synced(id);
                effects.push(Effect::Synced(sync.ticket, Ok(synced)));
            }
        }
        if self.members.values().all(|member| member.has_synced) {
            self.sync_deadline_ms = None;
        }
        Ok(())
    }

    fn park(&mut self, id: &str, ticket: Ticket, now_ms: i64, effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        member.has_synced = true;
        member.touch(now_ms);
        if let Some(earlier) = member.sync.replace(ticket) {
            // It asked again, so nobody waits for the first answer any more.
            let error = Err(GroupError::RebalanceInProgress);
            effects.push(Effect::Synced(earlier, error));
        }
    }

    fn hand_out(
        &mut self,
        assignments: Vec<(String, Bytes)>,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.phase = Phase::Stable;
        effects.push(Effect::Describe);
        let mut answered = Vec::with_capacity(self.members.len());
        for (id, member) in &mut self.members {
            if let Some(ticket) = member.sync.take() {
                member.touch(now_ms);
                answered.push((ticket, id.clone()));
            }
        }
        for (ticket, id) in answered {
            effects.push(Effect::Synced(ticket, Ok(self.synced(&id))));
        }
    }

    fn synced(&self, id: &str) -> Synced {
        let member = self.members.get(id);
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.map_or_else(Bytes::new, |member| member.assignment.clone()),
        }
    }
}
