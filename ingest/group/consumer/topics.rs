//! The topics that there are, as groups see them.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Regex, RegexBuilder};

use super::{ConsumerError, ConsumerGroup};

/// Bytes that a pattern may take once it is understood.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A topic's identity.
pub type TopicUuid = [u8; 16];

/// A topic that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownTopic {
    /// Its identity.
    pub uuid: TopicUuid,
    /// Its number of partitions.
    pub partitions: i32,
}

/// All topics of one instant.
#[derive(Debug, Clone, Default)]
pub struct KnownTopics {
    /// Another number when anything is different.
    pub version: u64,
    /// By name.
    pub topics: BTreeMap<String, KnownTopic>,
}

/// Understands a pattern, which must match whole names.
pub(super) fn pattern(text: &str) -> Result<Regex, ConsumerError> {
    RegexBuilder::new(&format!("^(?:{text})$"))
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| {
            ConsumerError::Pattern(format!("regular expression '{text}' is not valid: {error}"))
        })
}

impl ConsumerGroup {
    /// Finds out what members read of `topics`; asks for a new target when that has changed.
    pub(super) fn look_at(&mut self, topics: &KnownTopics) {
        if self.seen == Some(topics.version) {
            return;
        }
        self.seen = Some(topics.version);
        let mut read = BTreeMap::new();
        for member in self.members.values_mut() {
            let named = member.names.iter().filter_map(|it| topics.topics.get(it));
            let mut found: BTreeSet<TopicUuid> = named.map(|topic| topic.uuid).collect();
            // Patterns were understood when they were given.
            if let Some(pattern) = member.pattern.as_deref().and_then(|it| pattern(it).ok()) {
                let matching = topics.topics.iter();
                let matching = matching.filter(|(name, _)| pattern.is_match(name));
                found.extend(matching.map(|(_, topic)| topic.uuid));
            }
            member.topics = found;
        }
        for topic in topics.topics.values() {
            let mut members = self.members.values();
            if members.any(|member| member.topics.contains(&topic.uuid)) {
                read.insert(topic.uuid, topic.partitions);
            }
        }
        if read != self.topics {
            self.topics = read;
            self.group_epoch += 1;
        }
    }
}
