//! Which entries of a frame belong to which groups.

use std::ops::Range;

use crate::selection::Selection;

/// Pairs of an entry and a group, ascending by entry. An entry may occur several times, each group
/// of it once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members {
    entries: Entries,
    groups: MemberGroups,
}

/// The entries of members.
#[derive(Debug, Clone)]
pub(super) enum Entries {
    /// Neighbours.
    Range(Range<usize>),
    These(Vec<u16>),
}

/// The groups of members.
#[derive(Debug, Clone)]
pub(super) enum MemberGroups {
    /// All in one.
    One(u32),
    /// One for each entry.
    Each(Vec<u32>),
}

impl Default for Entries {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Default for MemberGroups {
    fn default() -> Self {
        Self::Each(Vec::new())
    }
}

impl Members {
    /// The entries of `selection` among `count`, in one group.
    pub(crate) fn selected(selection: &Selection, count: usize, group: u32) -> Self {
        let entries = match selection.count() {
            all if all == count => Entries::Range(0..count),
            _ => Entries::These(selection.rows().map(entry_number).collect()),
        };
        Self {
            entries,
            groups: MemberGroups::One(group),
        }
    }

    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    pub(super) fn member_groups(&self) -> &MemberGroups {
        &self.groups
    }

    /// Empties it for pushes.
    pub(super) fn clear(&mut self) {
        match &mut self.entries {
            Entries::These(entries) => entries.clear(),
            Entries::Range(_) => self.entries = Entries::default(),
        }
        self.clear_groups();
    }

    fn clear_groups(&mut self) -> &mut Vec<u32> {
        if let MemberGroups::One(_) = self.groups {
            self.groups = MemberGroups::default();
        }
        match &mut self.groups {
            MemberGroups::Each(groups) => {
                groups.clear();
                groups
            }
            MemberGroups::One(_) => unreachable!("was just replaced"),
        }
    }

    /// Adds a pair.
    ///
    /// # Panics
    /// Unless it was emptied by `clear` before the first push.
    pub(super) fn push(&mut self, entry: usize, group: u32) {
        match (&mut self.entries, &mut self.groups) {
            (Entries::These(entries), MemberGroups::Each(groups)) => {
                entries.push(entry_number(entry));
                groups.push(group);
            }
            (Entries::Range(_), _) | (_, MemberGroups::One(_)) => {
                unreachable!("members are cleared before they are pushed")
            }
        }
    }

    /// The same entries, all in one group.
    pub(super) fn regroup_all(&mut self, from: &Self, group: u32) {
        self.take_entries(from);
        self.groups = MemberGroups::One(group);
    }

    /// The same entries, their groups to be filled in.
    pub(super) fn regroup_each(&mut self, from: &Self) -> &mut Vec<u32> {
        self.take_entries(from);
        self.clear_groups()
    }

    fn take_entries(&mut self, from: &Self) {
        match &from.entries {
            Entries::Range(range) => self.entries = Entries::Range(range.clone()),
            Entries::These(entries) => {
                if let Entries::Range(_) = self.entries {
                    self.entries = Entries::default();
                }
                if let Entries::These(own) = &mut self.entries {
                    own.clear();
                    own.extend_from_slice(entries);
                }
            }
        }
    }

    /// The members numbered `part`, in one group.
    pub(super) fn part(&self, part: Range<usize>, group: u32) -> Self {
        let entries = match &self.entries {
            Entries::Range(range) => {
                Entries::Range(range.start + part.start..range.start + part.end)
            }
            Entries::These(entries) => Entries::These(entries[part].to_vec()),
        };
        Self {
            entries,
            groups: MemberGroups::One(group),
        }
    }

    /// The one group that all members are in.
    pub(super) fn only_group(&self) -> Option<u32> {
        match self.groups {
            MemberGroups::One(group) => Some(group),
            MemberGroups::Each(_) => None,
        }
    }

    /// The group that all of `count` entries of the frame are in, each once.
    pub(super) fn whole(&self, count: usize) -> Option<u32> {
        match (&self.entries, &self.groups) {
            (Entries::Range(range), MemberGroups::One(group)) if *range == (0..count) => {
                Some(*group)
            }
            (Entries::Range(_) | Entries::These(_), _) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.entries {
            Entries::Range(range) => range.len(),
            Entries::These(entries) => entries.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry of member `index`.
    pub(super) fn entry(&self, index: usize) -> usize {
        match &self.entries {
            Entries::Range(range) => range.start + index,
            Entries::These(entries) => usize::from(entries[index]),
        }
    }

    fn group(&self, index: usize) -> u32 {
        match &self.groups {
            MemberGroups::One(group) => *group,
            MemberGroups::Each(groups) => groups[index],
        }
    }

    /// The groups of the pairs, some of them several times.
    pub(super) fn groups(&self) -> impl Iterator<Item = u32> {
        let only = self.only_group();
        let each = match (&self.groups, only) {
            (MemberGroups::Each(groups), None) => groups.as_slice(),
            (MemberGroups::Each(_) | MemberGroups::One(_), _) => &[],
        };
        only.into_iter().chain(each.iter().copied())
    }

    /// The pairs, ascending by entry.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, u32)> {
        self.pairs_of(0..self.len())
    }

    /// The pairs of the members numbered `part`.
    pub(super) fn pairs_of(&self, part: Range<usize>) -> impl Iterator<Item = (usize, u32)> {
        part.map(|index| (self.entry(index), self.group(index)))
    }

    /// The number of the first member whose entry does not fit; those before it do.
    pub(super) fn partition_point(&self, fits: impl Fn(usize) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match fits(self.entry(middle)) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }
}

fn entry_number(entry: usize) -> u16 {
    u16::try_from(entry).expect("a frame has at most 1,024 entries")
}
