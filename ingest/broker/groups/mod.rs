//! Groups of consumers: the requests about them applied to their state machines, and what those
//! decide carried out.
//!
//! All groups are under one lock, for steps that are short: what is to be durable is only staged
//! there. A request that waits for other members has a [`Later`]; whoever moves the group answers
//! it. Time moves by [`Broker::tick_groups`](super::Broker::tick_groups), which says when it wants
//! to be called again.

mod admin;
mod consumer;
mod consumer_describe;
mod coordinator;
mod expiry;
mod find;
mod later;
mod members;
mod offset_delete;
mod offset_fetch;
mod offsets;

pub use later::Later;

pub(super) use coordinator::{Coordinator, Desk};
pub(super) use offsets::Committer;

use crate::group::consumer::{ConsumerError, ConsumerLimits};
use crate::group::{GroupError, GroupLimits};
use crate::wire::KafkaError;

/// What groups may hold, and how long what they have read is kept.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// Groups, those included that only have committed offsets.
    pub groups_max: usize,
    /// Bytes of what the members of all groups say and are given.
    pub member_bytes_max: usize,
    /// Bytes of all committed offsets.
    pub offset_bytes_max: usize,
    /// Characters of a committed offset's metadata.
    pub metadata_chars_max: usize,
    /// How long offsets are kept after a group has lost its last member.
    pub offsets_retention_ms: i64,
    /// What a single group may hold, and how long it may take.
    pub limits: GroupLimits,
    /// The same of a group in which the broker shares out.
    pub consumer_limits: ConsumerLimits,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            groups_max: 10_000,
            member_bytes_max: 64 << 20,
            offset_bytes_max: 64 << 20,
            metadata_chars_max: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
            limits: GroupLimits::default(),
            consumer_limits: ConsumerLimits::default(),
        }
    }
}

fn kafka_error(error: GroupError) -> KafkaError {
    match error {
        GroupError::MemberIdRequired => KafkaError::MemberIdRequired,
        GroupError::UnknownMember => KafkaError::UnknownMemberId,
        GroupError::FencedInstance => KafkaError::FencedInstanceId,
        GroupError::IllegalGeneration => KafkaError::IllegalGeneration,
        GroupError::RebalanceInProgress => KafkaError::RebalanceInProgress,
        GroupError::InconsistentProtocol => KafkaError::InconsistentGroupProtocol,
        GroupError::Full => KafkaError::GroupMaxSizeReached,
        GroupError::SessionTimeout => KafkaError::InvalidSessionTimeout,
    }
}

fn consumer_error(error: &ConsumerError) -> KafkaError {
    match error {
        ConsumerError::UnknownMember => KafkaError::UnknownMemberId,
        ConsumerError::FencedEpoch => KafkaError::FencedMemberEpoch,
        ConsumerError::FencedInstance => KafkaError::FencedInstanceId,
        ConsumerError::UnreleasedInstance => KafkaError::UnreleasedInstanceId,
        ConsumerError::StaleEpoch => KafkaError::StaleMemberEpoch,
        ConsumerError::Full => KafkaError::GroupMaxSizeReached,
        ConsumerError::Pattern(_) => KafkaError::InvalidRegularExpression,
    }
}

/// The error code of a result; 0 is none.
fn code(result: Result<(), KafkaError>) -> i16 {
    result.err().map_or(0, |error| error.code())
}
