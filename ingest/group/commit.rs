//! Who may commit offsets, and which of them expire.

use std::collections::BTreeSet;

use super::state::{Group, GroupError, Phase};
use super::{MemberName, subscription};

/// The kind of group whose members say which topics they read.
const CONSUMER: &str = "consumer";

impl Group {
    /// Whether offsets may be committed in the name of `name`; a member is alive then.
    ///
    /// # Errors
    /// When it is no member of this generation, or the group is not its members' to leave alone.
    pub fn check_commit(
        &mut self,
        name: MemberName<'_>,
        generation: i32,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        // Tools and clients that assign themselves have neither id nor generation.
        if generation < 0 && self.phase == Phase::Empty {
            return Ok(());
        }
        if generation < 0 && name.id.is_empty() && name.instance.is_none() {
            return Err(GroupError::UnknownMember);
        }
        self.check_member(name)?;
        self.check_generation(generation)?;
        if let Some(member) = self.members.get_mut(name.id) {
            member.touch(now_ms);
        }
        match self.phase {
            Phase::CompletingRebalance => Err(GroupError::RebalanceInProgress),
            Phase::Empty | Phase::PreparingRebalance | Phase::Stable => Ok(()),
        }
    }

    /// Whether offsets may be committed at the end of a transaction in the name of `name`. Those
    /// that name nobody may always: their transaction is what orders them.
    ///
    /// # Errors
    /// When it is no member of this generation.
    pub fn check_transactional_commit(
        &mut self,
        name: MemberName<'_>,
        generation: i32,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        if generation < 0 && name.id.is_empty() && name.instance.is_none() {
            return Ok(());
        }
        self.check_member(name)?;
        self.check_generation(generation)?;
        if let Some(member) = self.members.get_mut(name.id) {
            member.touch(now_ms);
        }
        Ok(())
    }

    /// The topics that the members read; `None` when nobody says.
    #[must_use]
    pub fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        if self.protocol_type() != Some(CONSUMER) {
            return None;
        }
        let protocol = self.protocol()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscription::topics(member.metadata(protocol)?)?);
        }
        Some(topics)
    }

    /// Whether it is a group of consumers, whose members say which topics they read.
    #[must_use]
    pub fn is_consumer_group(&self) -> bool {
        self.protocol_type() == Some(CONSUMER)
    }
}
