//! One member of a group.

use bytes::Bytes;

use super::Ticket;

/// A way of sharing out that a member knows, and what it says about itself in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Its name.
    pub name: String,
    /// The member's own bytes, for the leader.
    pub metadata: Bytes,
}

/// How a request names the member that it comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemberName<'a> {
    /// The id that it was given.
    pub id: &'a str,
    /// The name that it keeps over restarts, if it has one.
    pub instance: Option<&'a str>,
}

/// One member of a group.
#[derive(Debug, Clone)]
pub struct Member {
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
    /// What it knows, what it likes best first.
    pub protocols: Vec<Protocol>,
    /// What the leader gave it.
    pub assignment: Bytes,
    /// Its place in the order of arrival.
    pub(super) order: u64,
    /// Its join request that waits for the others.
    pub(super) join: Option<Ticket>,
    /// Its sync request that waits for the leader.
    pub(super) sync: Option<Ticket>,
    /// Whether it has asked for its share of this generation.
    pub(super) has_synced: bool,
    /// Whether it was in no generation yet.
    pub(super) is_new: bool,
    /// When it counts as gone.
    pub(super) deadline_ms: i64,
}

impl Member {
    /// What it says about itself in `protocol`.
    #[must_use]
    pub fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        let known = self.protocols.iter().find(|known| known.name == protocol);
        known.map(|known| &known.metadata)
    }

    /// What it takes in memory, more or less.
    pub(super) fn bytes(&self) -> usize {
        let said = self.protocols.iter();
        let said: usize = said.map(|it| it.name.len() + it.metadata.len()).sum();
        said + self.assignment.len()
    }

    pub(super) fn is_waiting(&self) -> bool {
        // A new member that never comes back for its answer would stay for ever.
        (self.join.is_some() && !self.is_new) || self.sync.is_some()
    }

    pub(super) fn touch(&mut self, now_ms: i64) {
        self.deadline_ms = now_ms.saturating_add(i64::from(self.session_timeout_ms));
    }
}
