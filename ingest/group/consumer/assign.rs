//! Who shall read what.
//!
//! **range**: the partitions of each topic in order, cut into as many runs as the topic has
//! readers, so that topics with equal numbers of partitions meet at the same reader.
//!
//! **uniform**: as even as single moves make it, which is even where all read the same, and as
//! little moved as that takes:
//! 1. everybody keeps what it had, was not taken from its subscription, and exists;
//! 2. what nobody has goes to the reader of its topic who has least;
//! 3. while a reader has two more than another one who may read a partition of his, it moves.

use std::collections::{BTreeMap, BTreeSet};

use super::{ConsumerGroup, Shares, TopicUuid};

/// Ways of sharing out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// As even as can be.
    Uniform,
    /// Runs of each topic.
    Range,
}

impl Assignor {
    /// The one with Kafka's name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    /// Kafka's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }
}

impl ConsumerGroup {
    /// Makes a new target if one is asked for.
    pub(super) fn share_out(&mut self) {
        if self.target_epoch == self.group_epoch {
            return;
        }
        let targets = match self.assignor() {
            Assignor::Range => self.ranges(),
            Assignor::Uniform => Balance::new(self).run(),
        };
        for (id, target) in targets {
            if let Some(member) = self.members.get_mut(&id) {
                member.target = target;
            }
        }
        self.target_epoch = self.group_epoch;
    }

    /// The members that read a topic, in the order of their instance names or ids.
    fn readers(&self, topic: &TopicUuid) -> Vec<&str> {
        let members = self.members.iter();
        let mut readers: Vec<_> = members
            .filter(|(_, member)| member.topics.contains(topic))
            .map(|(id, member)| (member.instance.as_deref().unwrap_or(id), id.as_str()))
            .collect();
        readers.sort_unstable();
        readers.into_iter().map(|(_, id)| id).collect()
    }

    fn ranges(&self) -> BTreeMap<String, Shares> {
        let none = self.members.keys().map(|id| (id.clone(), Shares::new()));
        let mut targets: BTreeMap<String, Shares> = none.collect();
        for (topic, partitions) in &self.topics {
            let readers = self.readers(topic);
            let count = i32::try_from(readers.len()).expect("members are limited");
            let mut next = 0;
            for (place, id) in (0..count).zip(readers) {
                let run = partitions / count + i32::from(place < partitions % count);
                if run > 0 {
                    let target = targets.entry(id.to_owned()).or_default();
                    target.insert(*topic, (next..next + run).collect());
                }
                next += run;
            }
        }
        targets
    }
}

/// Shares on their way to be even.
struct Balance<'a> {
    group: &'a ConsumerGroup,
    shares: BTreeMap<&'a str, BTreeSet<(TopicUuid, i32)>>,
}

impl<'a> Balance<'a> {
    fn new(group: &'a ConsumerGroup) -> Self {
        let shares = group.members.iter().map(|(id, member)| {
            let had = member.target.iter().flat_map(|(topic, partitions)| {
                let exist = group.topics.get(topic).copied().unwrap_or(0);
                let is_read = member.topics.contains(topic);
                let kept = partitions.iter().filter(move |it| is_read && **it < exist);
                kept.map(move |partition| (*topic, *partition))
            });
            (id.as_str(), had.collect())
        });
        Self {
            group,
            shares: shares.collect(),
        }
    }

    fn run(mut self) -> BTreeMap<String, Shares> {
        self.deal();
        self.level();
        let shares = self.shares.into_iter().map(|(id, held)| {
            let mut shares = Shares::new();
            for (topic, partition) in held {
                shares.entry(topic).or_default().insert(partition);
            }
            (id.to_owned(), shares)
        });
        shares.collect()
    }

    /// Gives what nobody has to who has least.
    fn deal(&mut self) {
        let dealt: BTreeSet<(TopicUuid, i32)> = self.shares.values().flatten().copied().collect();
        for (topic, partitions) in &self.group.topics {
            let readers = self.group.readers(topic);
            let mut by_count: BTreeSet<(usize, &str)> = readers
                .into_iter()
                .map(|id| (self.shares[id].len(), id))
                .collect();
            for partition in (0..*partitions).filter(|it| !dealt.contains(&(*topic, *it))) {
                let Some((count, id)) = by_count.pop_first() else {
                    break;
                };
                let share = self.shares.get_mut(id).expect("every member has a share");
                share.insert((*topic, partition));
                by_count.insert((count + 1, id));
            }
        }
    }

    /// Moves partitions from who has most to who has least. Each move lessens the sum of squares,
    /// so it ends.
    fn level(&mut self) {
        let by_count = self.shares.iter().map(|(id, held)| (held.len(), *id));
        let mut by_count: BTreeSet<(usize, &str)> = by_count.collect();
        while let Some((from, to, moved)) = self.next_move(&by_count) {
            for (id, is_giver) in [(from, true), (to, false)] {
                let share = self.shares.get_mut(id).expect("every member has a share");
                by_count.remove(&(share.len(), id));
                if is_giver {
                    share.remove(&moved);
                } else {
                    share.insert(moved);
                }
                by_count.insert((share.len(), id));
            }
        }
    }

    fn next_move(
        &self,
        by_count: &BTreeSet<(usize, &'a str)>,
    ) -> Option<(&'a str, &'a str, (TopicUuid, i32))> {
        for (most, from) in by_count.iter().rev() {
            for (least, to) in by_count {
                if least + 1 >= *most {
                    break;
                }
                let reads = &self.group.members[*to].topics;
                let mut held = self.shares[from].iter().rev();
                if let Some(moved) = held.find(|(topic, _)| reads.contains(topic)) {
                    return Some((from, to, *moved));
                }
            }
        }
        None
    }
}
