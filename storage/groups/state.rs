//! All groups, and what each change does to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{CommittedOffset, GroupChange};
use crate::model::{Partition, TopicId};

/// What outlives the process of all groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Groups {
    pub(super) groups: BTreeMap<String, GroupState>,
    pub(super) offset_bytes: usize,
}

/// What outlives the process of one group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupState {
    /// Its members and generation; `None` of a group that only ever committed offsets.
    pub description: Option<Arc<Value>>,
    /// How far it has read.
    pub offsets: BTreeMap<Partition, CommittedOffset>,
}

impl GroupState {
    pub(super) fn offset_bytes(&self) -> usize {
        self.offsets.values().map(CommittedOffset::bytes).sum()
    }
}

impl Groups {
    /// The group with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&GroupState> {
        self.groups.get(name)
    }

    /// All groups, ascending by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &GroupState)> {
        self.groups.iter().map(|(name, state)| (&**name, state))
    }

    /// What the committed offsets of all groups take, more or less.
    #[must_use]
    pub fn offset_bytes(&self) -> usize {
        self.offset_bytes
    }

    /// Does what `change` says; `exists` knows the partitions.
    pub fn apply(&mut self, change: &GroupChange, exists: impl Fn(Partition) -> bool) {
        match change {
            GroupChange::Describe { group, description } => {
                self.group_mut(group).description = Some(Arc::clone(description));
            }
            GroupChange::Commit { group, offsets } => {
                for (partition, offset) in offsets.iter().filter(|(it, _)| exists(*it)) {
                    let added = offset.bytes();
                    let replaced = self
                        .group_mut(group)
                        .offsets
                        .insert(*partition, offset.clone());
                    self.offset_bytes += added;
                    self.offset_bytes -= replaced.as_ref().map_or(0, CommittedOffset::bytes);
                }
            }
            GroupChange::Forget { group, partitions } => {
                if let Some(state) = self.groups.get_mut(group) {
                    for partition in partitions {
                        let removed = state.offsets.remove(partition);
                        self.offset_bytes -= removed.as_ref().map_or(0, CommittedOffset::bytes);
                    }
                }
            }
            GroupChange::Delete { group } => {
                if let Some(state) = self.groups.remove(group) {
                    self.offset_bytes -= state.offset_bytes();
                }
            }
        }
    }

    /// Forgets what was read of a topic that is gone.
    pub fn forget_topic(&mut self, topic: TopicId) {
        for state in self.groups.values_mut() {
            let before = state.offset_bytes();
            state
                .offsets
                .retain(|partition, _| partition.topic != topic);
            self.offset_bytes -= before - state.offset_bytes();
        }
    }

    fn group_mut(&mut self, name: &str) -> &mut GroupState {
        if !self.groups.contains_key(name) {
            self.groups.insert(name.to_owned(), GroupState::default());
        }
        self.groups
            .get_mut(name)
            .expect("it was there or was just made")
    }
}
