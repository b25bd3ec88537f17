//! What a group is, and the questions that every request asks about it.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Joined, Member, MemberName, Synced};

/// Names a request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What groups may hold, and how long they may take.
#[derive(Debug, Clone)]
pub struct GroupLimits {
    /// Members of one group.
    pub members_max: usize,
    /// How long the first member of a group waits for others.
    pub initial_delay_ms: i64,
    /// Shortest session timeout that a member may ask for.
    pub session_ms_min: i32,
    /// Longest session timeout that a member may ask for.
    pub session_ms_max: i32,
}

impl Default for GroupLimits {
    fn default() -> Self {
        Self {
            members_max: 1_000,
            initial_delay_ms: 0,
            session_ms_min: 6_000,
            session_ms_max: 1_800_000,
        }
    }
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has no members.
    Empty,
    /// Members join the next generation.
    PreparingRebalance,
    /// Members wait for what the leader gives them.
    CompletingRebalance,
    /// Each member knows what to read.
    Stable,
}

impl Phase {
    /// Its name in Kafka's answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// Why a member does not get what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GroupError {
    /// It must come again with the id that it is given.
    #[error("the member must join again with the id that it was given")]
    MemberIdRequired,
    /// Nobody has this id.
    #[error("the group has no such member")]
    UnknownMember,
    /// Another process has taken over its instance name.
    #[error("another member has the instance id now")]
    FencedInstance,
    /// Its generation is over, or never was.
    #[error("the generation is not the current one")]
    IllegalGeneration,
    /// The group is between two generations.
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// It knows no protocol that all others know.
    #[error("the member's protocols are not those of the group")]
    InconsistentProtocol,
    /// It would be one too many.
    #[error("the group has as many members as it may")]
    Full,
    /// Its session timeout is shorter or longer than allowed.
    #[error("the session timeout is out of bounds")]
    SessionTimeout,
}

/// What is to be done after a step, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The group's [`Group::description`] must be durable before the answers behind it are sent.
    Describe,
    /// A join request has its answer: for the member with the id, or about to have it.
    Joined(Ticket, String, Result<Joined, GroupError>),
    /// A sync request has its answer.
    Synced(Ticket, Result<Synced, GroupError>),
}

/// How long members may still join the next generation.
#[derive(Debug, Clone)]
pub(super) struct Rebalance {
    pub(super) deadline_ms: i64,
    /// What is left of the time that a first generation may wait for more members; `None` when it
    /// does not wait for members that nobody knows yet.
    pub(super) initial_left_ms: Option<i64>,
    /// Whether a member came since the deadline was set.
    pub(super) has_new: bool,
}

/// A group and its members.
#[derive(Debug, Clone)]
pub struct Group {
    pub(super) phase: Phase,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Ids that were given out, and when they expire unless they are used.
    pub(super) pending: BTreeMap<String, i64>,
    pub(super) rebalance: Option<Rebalance>,
    /// When members that did not ask for their share are gone.
    pub(super) sync_deadline_ms: Option<i64>,
    pub(super) next_order: u64,
    /// Since when it has no members.
    pub(super) empty_since_ms: i64,
}

impl Group {
    /// A group without members.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            pending: BTreeMap::new(),
            rebalance: None,
            sync_deadline_ms: None,
            next_order: 0,
            empty_since_ms: now_ms,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What kind of group it is, `consumer` or what else its members said.
    #[must_use]
    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// How this generation shares out.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Its members by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&str, &Member)> {
        self.members.iter().map(|(id, member)| (&**id, member))
    }

    /// Bytes of what its members say and are given.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.members.values().map(Member::bytes).sum()
    }

    /// Since when it has no members; of meaning only while that is so.
    #[must_use]
    pub fn empty_since_ms(&self) -> i64 {
        self.empty_since_ms
    }

    /// Whether nobody is in it, nor about to be.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        self.phase == Phase::Empty && self.pending.is_empty()
    }

    /// The id of the member with an instance name.
    pub(super) fn id_of_instance(&self, instance: &str) -> Option<&str> {
        let mut members = self.members.iter();
        members
            .find(|(_, member)| member.instance.as_deref() == Some(instance))
            .map(|(id, _)| &**id)
    }

    /// Whether a request comes from a member, and not from one that was replaced.
    pub(super) fn check_member(&self, name: MemberName<'_>) -> Result<(), GroupError> {
        if let Some(instance) = name.instance {
            match self.id_of_instance(instance) {
                Some(id) if id == name.id => return Ok(()),
                Some(_) => return Err(GroupError::FencedInstance),
                None => return Err(GroupError::UnknownMember),
            }
        }
        if self.members.contains_key(name.id) {
            Ok(())
        } else {
            Err(GroupError::UnknownMember)
        }
    }

    pub(super) fn check_generation(&self, generation: i32) -> Result<(), GroupError> {
        if generation == self.generation {
            Ok(())
        } else {
            Err(GroupError::IllegalGeneration)
        }
    }

    /// Notes that a member is alive.
    ///
    /// # Errors
    /// When it is none, or has something to do.
    pub fn heartbeat(
        &mut self,
        name: MemberName<'_>,
        generation: i32,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        self.check_member(name)?;
        self.check_generation(generation)?;
        if let Some(member) = self.members.get_mut(name.id) {
            member.touch(now_ms);
        }
        match self.phase {
            Phase::Empty => Err(GroupError::UnknownMember),
            Phase::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            Phase::CompletingRebalance | Phase::Stable => Ok(()),
        }
    }
}
