//! A consumer group of the protocol in which the broker shares out (KIP-848), as a pure state
//! machine.
//!
//! Members say what they want to read and what they hold; the group decides who shall hold what
//! (the *target*), and each heartbeat brings a member one step nearer: first it gives up what is
//! not its own any more, then it gets what nobody else holds.
//!
//! ```text
//!          target differs                 all given up
//!  Stable ───────────────→ Unrevoked ────────────────────→ Stable, or
//!    ↑                                                      Unreleased: others still hold some
//!    └──────────────────────── others gave it up ────────────────┘
//! ```
//!
//! Three counters keep all apart: the *group epoch* grows with everything that asks for a new
//! target, the *target epoch* is the group epoch that the target was made for, and a *member's
//! epoch* is the target epoch that it has reached.
//!
//! Nothing here knows a connection, a store, a clock or Kafka's messages.

mod assign;
mod description;
mod heartbeat;
mod reconcile;
mod topics;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

pub use assign::Assignor;
pub use heartbeat::{Beaten, Heartbeat, Leaving};
pub use topics::{KnownTopic, KnownTopics, TopicUuid};

/// Partitions by topic.
pub type Shares = BTreeMap<TopicUuid, BTreeSet<i32>>;

/// The epoch of a static member that is away for a while.
const AWAY: i32 = -2;

/// What groups may hold, and how long members may take.
#[derive(Debug, Clone)]
pub struct ConsumerLimits {
    /// Members of one group.
    pub members_max: usize,
    /// How often members are told to come.
    pub heartbeat_ms: i32,
    /// How long a member may be silent.
    pub session_ms: i32,
}

impl Default for ConsumerLimits {
    fn default() -> Self {
        Self {
            members_max: 1_000,
            heartbeat_ms: 5_000,
            session_ms: 45_000,
        }
    }
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerPhase {
    /// It has no members.
    Empty,
    /// Members are on their way to the target.
    Reconciling,
    /// Each member holds what it shall.
    Stable,
}

impl ConsumerPhase {
    /// Its name in Kafka's answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// Why a member does not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConsumerError {
    /// Nobody has this id, or this instance name.
    #[error("the group has no such member")]
    UnknownMember,
    /// Its epoch is not the one that it was given: it must begin anew.
    #[error("the member's epoch is not its current one")]
    FencedEpoch,
    /// Another process has taken over its instance name.
    #[error("another member has the instance id now")]
    FencedInstance,
    /// A process with its instance name is still there.
    #[error("a member with this instance id is still there")]
    UnreleasedInstance,
    /// Its epoch is older than what it commits for.
    #[error("the member's epoch is stale")]
    StaleEpoch,
    /// It would be one too many.
    #[error("the group has as many members as it may")]
    Full,
    /// What it wants to read cannot be understood.
    #[error("{0}")]
    Pattern(String),
}

/// How far a member has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It holds what it shall.
    Stable,
    /// It has still to give something up.
    Unrevoked,
    /// Others still hold some of what it shall have.
    Unreleased,
}

/// One member of a group.
#[derive(Debug, Clone)]
pub struct ConsumerMember {
    /// The name that it keeps over restarts, if it has one.
    pub instance: Option<String>,
    /// Where it stands in the building.
    pub rack: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// The target epoch that it has reached; -2 while it is away.
    pub epoch: i32,
    /// Topics that it wants to read.
    pub names: BTreeSet<String>,
    /// A pattern of further topics, as it was given.
    pub pattern: Option<String>,
    /// How it would like to share out.
    pub assignor: Option<Assignor>,
    /// What it may read.
    pub assigned: Shares,
    /// What it shall read.
    pub target: Shares,
    /// What it may not read any more and has not given up.
    revoking: Shares,
    rebalance_timeout_ms: i32,
    last_epoch: i32,
    progress: Progress,
    /// The topics of its names and its pattern that exist.
    topics: BTreeSet<TopicUuid>,
    /// When it counts as gone.
    deadline_ms: i64,
    /// When it counts as gone unless it has given up what it must.
    revoke_deadline_ms: Option<i64>,
}

/// A group and its members.
#[derive(Debug, Clone, Default)]
pub struct ConsumerGroup {
    members: BTreeMap<String, ConsumerMember>,
    group_epoch: i32,
    target_epoch: i32,
    /// The topics that members want to read, and their numbers of partitions.
    topics: BTreeMap<TopicUuid, i32>,
    /// For which state of all topics that was found out.
    seen: Option<u64>,
    /// Since when it has no members.
    empty_since_ms: i64,
}

impl ConsumerGroup {
    /// A group without members.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self {
            empty_since_ms: now_ms,
            ..Self::default()
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> ConsumerPhase {
        let is_there = |member: &ConsumerMember| {
            member.epoch == self.target_epoch && member.progress == Progress::Stable
        };
        if self.members.is_empty() {
            ConsumerPhase::Empty
        } else if self.members.values().all(is_there) {
            ConsumerPhase::Stable
        } else {
            ConsumerPhase::Reconciling
        }
    }

    /// Its members by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&str, &ConsumerMember)> {
        self.members.iter().map(|(id, member)| (&**id, member))
    }

    /// How often a new target was asked for.
    #[must_use]
    pub fn group_epoch(&self) -> i32 {
        self.group_epoch
    }

    /// The group epoch of the target.
    #[must_use]
    pub fn target_epoch(&self) -> i32 {
        self.target_epoch
    }

    /// Since when it has no members; of meaning only while that is so.
    #[must_use]
    pub fn empty_since_ms(&self) -> i64 {
        self.empty_since_ms
    }

    /// Whether a member reads the topic.
    #[must_use]
    pub fn reads(&self, topic: &TopicUuid) -> bool {
        self.topics.contains_key(topic)
    }

    /// What its members take in memory, more or less.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let members = self.members.values();
        let said = |member: &ConsumerMember| {
            let names: usize = member.names.iter().map(String::len).sum();
            let partitions = |shares: &Shares| -> usize {
                let counts = shares.values().map(BTreeSet::len);
                shares.len() * 64 + counts.sum::<usize>() * 8
            };
            names + partitions(&member.assigned) + partitions(&member.target)
        };
        members.map(said).sum()
    }

    /// Whether offsets may be committed or asked for in the name of a member.
    ///
    /// # Errors
    /// When there is no such member, or its epoch is another one.
    pub fn check_member(&self, id: &str, epoch: i32) -> Result<(), ConsumerError> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get(id).ok_or(ConsumerError::UnknownMember)?;
        if member.epoch == epoch {
            Ok(())
        } else {
            Err(ConsumerError::StaleEpoch)
        }
    }

    /// When [`ConsumerGroup::expire`] is to be called.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<i64> {
        let members = self.members.values();
        members
            .flat_map(|member| [Some(member.deadline_ms), member.revoke_deadline_ms])
            .flatten()
            .min()
    }

    /// Does what is due: members that were silent, or did not give up what they must, are gone.
    /// Whether anything changed.
    pub fn expire(&mut self, now_ms: i64) -> bool {
        let before = self.members.len();
        self.members.retain(|_, member| {
            let revoke_ms = member.revoke_deadline_ms.unwrap_or(i64::MAX);
            member.deadline_ms.min(revoke_ms) > now_ms
        });
        let is_changed = self.members.len() < before;
        if is_changed {
            self.someone_left(now_ms);
        }
        is_changed
    }

    fn someone_left(&mut self, now_ms: i64) {
        self.group_epoch += 1;
        self.seen = None;
        if self.members.is_empty() {
            self.empty_since_ms = now_ms;
            self.topics.clear();
        }
    }

    /// The id of the member with an instance name.
    fn id_of_instance(&self, instance: &str) -> Option<&str> {
        let mut members = self.members.iter();
        members
            .find(|(_, member)| member.instance.as_deref() == Some(instance))
            .map(|(id, _)| &**id)
    }

    /// How the group shares out: what most members like, or the first of all.
    #[must_use]
    pub fn assignor(&self) -> Assignor {
        let likes = |assignor| {
            let members = self.members.values();
            members.filter(|it| it.assignor == Some(assignor)).count()
        };
        if likes(Assignor::Range) > likes(Assignor::Uniform) {
            Assignor::Range
        } else {
            Assignor::Uniform
        }
    }
}
