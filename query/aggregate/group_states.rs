//! The states of one metric for many groups.

use storage::model::Decimal;

use super::accumulate::{Accumulator, Summary};

/// A state for each group.
pub(crate) trait GroupStates {
    /// Whether single values are needed: summed up ones do not do.
    const READS_VALUES: bool = false;

    /// Makes sure that there are states for `group_count` groups.
    fn grow(&mut self, group_count: usize);

    /// Adds a value.
    fn add(&mut self, group: u32, value: Decimal);

    /// Adds values that share a power of ten.
    fn add_run(&mut self, group: u32, mantissas: &[i64], exponent: i16);

    /// Adds value `i` to group `groups[i]`; all share a power of ten.
    fn add_each(&mut self, groups: &[u32], mantissas: &[i64], exponent: i16);

    /// Adds values that are summed up already.
    fn add_summary(&mut self, group: u32, summary: &Summary<'_>);

    /// Adds the states of `other`: group `g` of it is group `groups[g]` here.
    fn merge(&mut self, other: &Self, groups: &[u32]);
}

impl<A: Accumulator> GroupStates for Vec<A> {
    const READS_VALUES: bool = A::READS_VALUES;

    fn grow(&mut self, group_count: usize) {
        if self.len() < group_count {
            self.resize_with(group_count, Default::default);
        }
    }

    fn add(&mut self, group: u32, value: Decimal) {
        self[group as usize].add(value);
    }

    fn add_run(&mut self, group: u32, mantissas: &[i64], exponent: i16) {
        self[group as usize].add_run(mantissas, exponent);
    }

    fn add_each(&mut self, groups: &[u32], mantissas: &[i64], exponent: i16) {
        for (group, mantissa) in groups.iter().zip(mantissas) {
            self[*group as usize].add(Decimal {
                mantissa: *mantissa,
                exponent,
            });
        }
    }

    fn add_summary(&mut self, group: u32, summary: &Summary<'_>) {
        self[group as usize].add_summary(summary);
    }

    fn merge(&mut self, other: &Self, groups: &[u32]) {
        for (state, group) in other.iter().zip(groups) {
            self[*group as usize].merge(state);
        }
    }
}
