//! Which entries of a frame belong to which groups.

use crate::selection::Selection;

/// Pairs of an entry and a group, ascending by entry. An entry may occur several times, each group
/// of it once.
#[derive(Debug, Default)]
pub(crate) struct Members {
    entries: Entries,
    groups: MemberGroups,
}

#[derive(Debug)]
enum Entries {
    /// All entries of a frame of so many.
    All(usize),
    These(Vec<u16>),
}

#[derive(Debug)]
enum MemberGroups {
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
    /// All of `count` entries, in one group.
    pub(crate) fn all(count: usize, group: u32) -> Self {
        Self {
            entries: Entries::All(count),
            groups: MemberGroups::One(group),
        }
    }

    /// The entries of `selection` among `count`, in one group.
    pub(crate) fn selected(selection: &Selection, count: usize, group: u32) -> Self {
        if selection.count() == count {
            return Self::all(count, group);
        }
        Self {
            entries: Entries::These(selection.rows().map(entry_number).collect()),
            groups: MemberGroups::One(group),
        }
    }

    /// Empties it for pushes.
    pub(super) fn clear(&mut self) {
        match &mut self.entries {
            Entries::These(entries) => entries.clear(),
            Entries::All(_) => self.entries = Entries::default(),
        }
        match &mut self.groups {
            MemberGroups::Each(groups) => groups.clear(),
            MemberGroups::One(_) => self.groups = MemberGroups::default(),
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
            (Entries::All(_), _) | (_, MemberGroups::One(_)) => {
                unreachable!("members are cleared before they are pushed")
            }
        }
    }

    /// The same entries, all in one group.
    pub(super) fn regroup_all(&mut self, from: &Self, group: u32) {
        self.clear();
        match &from.entries {
            Entries::All(count) => self.entries = Entries::All(*count),
            Entries::These(entries) => {
                if let Entries::These(own) = &mut self.entries {
                    own.extend_from_slice(entries);
                }
            }
        }
        self.groups = MemberGroups::One(group);
    }

    /// The one group that all members are in.
    pub(super) fn only_group(&self) -> Option<u32> {
        match self.groups {
            MemberGroups::One(group) => Some(group),
            MemberGroups::Each(_) => None,
        }
    }

    /// The group that every entry of the frame is in, each once.
    pub(super) fn whole(&self) -> Option<u32> {
        match (&self.entries, &self.groups) {
            (Entries::All(_), MemberGroups::One(group)) => Some(*group),
            (Entries::All(_), MemberGroups::Each(_)) | (Entries::These(_), _) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.entries {
            Entries::All(count) => *count,
            Entries::These(entries) => entries.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
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
        (0..self.len()).map(|index| {
            let entry = match &self.entries {
                Entries::All(_) => index,
                Entries::These(entries) => usize::from(entries[index]),
            };
            let group = match &self.groups {
                MemberGroups::One(group) => *group,
                MemberGroups::Each(groups) => groups[index],
            };
            (entry, group)
        })
    }
}

fn entry_number(entry: usize) -> u16 {
    u16::try_from(entry).expect("a frame has at most 1,024 entries")
}
