//! Leaving, wanted or not.

use super::state::{Effect, Group, GroupError, GroupLimits, Phase};

/// Who leaves: by id, by instance name, or by both.
#[derive(Debug, Clone)]
pub struct Leaver<'a> {
    /// The id; empty when only the instance is known.
    pub id: &'a str,
    /// The instance name, if the member has one.
    pub instance: Option<&'a str>,
}

impl Group {
    /// Takes a member out.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn leave(
        &mut self,
        leaver: &Leaver<'_>,
        limits: &GroupLimits,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        let id = match leaver.instance {
            Some(instance) => {
                let known = self.id_of_instance(instance);
                let known = known.ok_or(GroupError::UnknownMember)?;
                if !leaver.id.is_empty() && leaver.id != known {
                    return Err(GroupError::FencedInstance);
                }
                known.to_owned()
            }
            None if self.pending.remove(leaver.id).is_some() => {
                self.complete_if_all_joined(now_ms, effects);
                return Ok(());
            }
            None if self.members.contains_key(leaver.id) => leaver.id.to_owned(),
            None => return Err(GroupError::UnknownMember),
        };
        self.remove_member(&id, effects);
        self.rebalance_without(limits, now_ms, effects);
        Ok(())
    }

    /// Takes a member out; what its going means comes in [`Group::rebalance_without`].
    pub(super) fn remove_member(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        if let Some(ticket) = member.join {
            let error = Err(GroupError::UnknownMember);
            effects.push(Effect::Joined(ticket, id.to_owned(), error));
        }
        if let Some(ticket) = member.sync {
            effects.push(Effect::Synced(ticket, Err(GroupError::UnknownMember)));
        }
        if self.leader.as_deref() == Some(id) {
            let next = self.members.iter().min_by_key(|(_, member)| member.order);
            self.leader = next.map(|(id, _)| id.clone());
        }
    }

    /// Goes on after members were taken out.
    pub(super) fn rebalance_without(
        &mut self,
        limits: &GroupLimits,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        if self.phase != Phase::Empty {
            self.rebalance(limits, now_ms, effects);
        }
    }
}
