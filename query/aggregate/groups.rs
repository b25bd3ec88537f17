//! Numbers for buckets.

use std::collections::HashMap;

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

/// The groups of one aggregation, numbered from 0 as they appear.
#[derive(Debug, Clone)]
pub(super) struct Groups {
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
    pub(super) fn new(state_bytes: usize, are_returned: bool) -> Self {
        Self {
            keys: Vec::new(),
            by_key: HashMap::new(),
            table: Vec::new(),
            table_width: 0,
            last: None,
            state_bytes,
            are_returned,
        }
    }

    /// Says that keys are codes below `width`, so that a table finds them.
    pub(super) fn expect_codes_below(&mut self, width: usize) {
        self.table_width = width;
    }

    pub(super) fn keys(&self) -> &[GroupKey] {
        &self.keys
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The group of `key` below `parent`, made if it is new.
    pub(super) fn group(
        &mut self,
        parent: u32,
        key: i64,
        budget: &mut Budget,
    ) -> Result<u32, QueryError> {
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
        budget: &mut Budget,
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

    fn push(&mut self, key: GroupKey, budget: &mut Budget) -> Result<u32, QueryError> {
        budget.charge(GROUP_BYTES + self.state_bytes)?;
        if self.are_returned {
            budget.check_buckets(self.keys.len() + 1)?;
        }
        let group = u32::try_from(self.keys.len()).expect("state bytes bound the groups");
        self.keys.push(key);
        Ok(group)
    }
}
