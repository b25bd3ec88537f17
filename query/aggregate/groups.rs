//! Numbers for buckets.

use std::collections::HashMap;
use std::sync::Arc;

use crate::QueryError;
use crate::budget::Budget;

/// What names a bucket of an aggregation: the parent's group and a key. A key is an instant, an
/// integer, a filter's place, or the code of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupKey {
    pub(super) parent: u32,
    pub(super) key: i64,
}

/// Entries of the table from (parent, code) to group; 4 MiB.
const TABLE_ENTRIES_MAX: usize = 1 << 20;

/// Memory of a group besides the states below it: its key, twice, its number and its row count.
const GROUP_BYTES: usize = 2 * size_of::<GroupKey>() + 2 * size_of::<u64>();

/// The groups of one aggregation.
#[derive(Debug, Clone)]
pub(super) enum Groups {
    /// All that can be, numbered by parent and key: nothing is looked up.
    Dense(DenseGroups),
    /// Numbered from 0 as they appear.
    Found(Box<FoundGroups>),
}

/// A group for every parent and every key that it may have.
#[derive(Debug, Clone)]
pub(super) struct DenseGroups {
    parents: usize,
    keys: DenseKeys,
}

/// Keys that are known before rows are read.
#[derive(Debug, Clone)]
pub(super) enum DenseKeys {
    /// From 0 to below this.
    Below(usize),
    /// These, ascending.
    These(Arc<[i64]>),
}

impl DenseKeys {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Below(count) => *count,
            Self::These(keys) => keys.len(),
        }
    }

    fn key(&self, place: usize) -> i64 {
        match self {
            Self::Below(_) => place as i64,
            Self::These(keys) => keys[place],
        }
    }

    #[inline]
    fn place(&self, key: i64) -> u32 {
        let place = match self {
            Self::Below(count) => usize::try_from(key).ok().filter(|place| place < count),
            Self::These(keys) => keys.binary_search(&key).ok(),
        };
        let place = place.expect("dense groups are made where all keys are known");
        u32::try_from(place).expect("dense groups are few")
    }
}

impl DenseGroups {
    pub(super) fn new(parents: usize, keys: DenseKeys) -> Self {
        Self { parents, keys }
    }

    pub(super) fn width(&self) -> u32 {
        u32::try_from(self.keys.len()).expect("dense groups are few")
    }

    /// The place of `key` among those of a parent; the group is `parent × width + place`.
    pub(super) fn place(&self, key: i64) -> u32 {
        self.keys.place(key)
    }
}

/// Groups that appeared.
#[derive(Debug, Clone)]
pub(super) struct FoundGroups {
    keys: Vec<GroupKey>,
    /// Hashed with random keys: outsiders choose the values.
    by_key: HashMap<GroupKey, u32>,
    /// For codes below `table_width`, group + 1 at `parent × table_width + code`; 0 is none.
    table: Vec<u32>,
    table_width: usize,
    last: Option<(GroupKey, u32)>,
    /// Memory of the states that each group brings along.
    state_bytes: usize,
    /// Whether every group will be a bucket of the answer.
    are_returned: bool,
}

impl Groups {
    /// Groups as they appear. Keys are codes below `table_width`, if there is one.
    pub(super) fn found(state_bytes: usize, are_returned: bool, table_width: usize) -> Self {
        Self::Found(Box::new(FoundGroups {
            keys: Vec::new(),
            by_key: HashMap::new(),
            table: Vec::new(),
            table_width,
            last: None,
            state_bytes,
            are_returned,
        }))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dense(groups) => groups.parents * groups.keys.len(),
            Self::Found(groups) => groups.keys.len(),
        }
    }

    /// What names `group`.
    pub(super) fn key(&self, group: u32) -> GroupKey {
        match self {
            Self::Dense(groups) => {
                let width = groups.width();
                GroupKey {
                    parent: group / width,
                    key: groups.keys.key((group % width) as usize),
                }
            }
            Self::Found(groups) => groups.keys[group as usize],
        }
    }

    /// What names each group.
    pub(super) fn keys(&self) -> impl Iterator<Item = GroupKey> {
        (0..).take(self.len()).map(|group| self.key(group))
    }

    /// The group of `key` below `parent`, made if it is new.
    #[inline]
    pub(super) fn group(
        &mut self,
        parent: u32,
        key: i64,
        budget: &Budget,
    ) -> Result<u32, QueryError> {
        match self {
            Self::Dense(groups) => Ok(parent * groups.width() + groups.place(key)),
            Self::Found(groups) => groups.group(parent, key, budget),
        }
    }
}

impl FoundGroups {
    fn group(&mut self, parent: u32, key: i64, budget: &Budget) -> Result<u32, QueryError> {
        let key = GroupKey { parent, key };
        if let Some((last, group)) = self.last
            && last == key
        {
            return Ok(group);
        }
        let group = match self.table_place(key) {
            Some(place) => self.group_in_table(key, place, budget)?,
            None => match self.by_key.get(&key) {
                Some(group) => *group,
                None => {
                    let group = self.push(key, budget)?;
                    self.by_key.insert(key, group);
                    group
                }
            },
        };
        self.last = Some((key, group));
        Ok(group)
    }

    fn group_in_table(
        &mut self,
        key: GroupKey,
        place: usize,
        budget: &Budget,
    ) -> Result<u32, QueryError> {
        if self.table.len() <= place {
            let end = (key.parent as usize + 1) * self.table_width;
            budget.charge((end - self.table.len()) * size_of::<u32>())?;
            self.table.resize(end, 0);
        }
        if self.table[place] == 0 {
            self.table[place] = self.push(key, budget)? + 1;
        }
        Ok(self.table[place] - 1)
    }

    /// Where the table keeps `key`; `None` when it is not the table's.
    fn table_place(&self, key: GroupKey) -> Option<usize> {
        let code = usize::try_from(key.key).ok()?;
        let end = (key.parent as usize + 1).checked_mul(self.table_width)?;
        let is_inside = code < self.table_width && end <= TABLE_ENTRIES_MAX;
        is_inside.then(|| end - self.table_width + code)
    }

    fn push(&mut self, key: GroupKey, budget: &Budget) -> Result<u32, QueryError> {
        budget.charge(GROUP_BYTES + self.state_bytes)?;
        if self.are_returned {
            budget.check_buckets(self.keys.len() + 1)?;
        }
        let group = u32::try_from(self.keys.len()).expect("state bytes bound the groups");
        self.keys.push(key);
        Ok(group)
    }
}
