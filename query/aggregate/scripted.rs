//! Metrics of what a script gives for each row.

use storage::model::Decimal;

use super::group_states::GroupStates;
use super::members::Members;
use super::metric::MetricStates;
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::Binder;
use crate::frame::Frame;
use crate::request::ScriptMetric;
use crate::row_script::BoundScript;

/// A script over the entries of one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundScripted {
    script: BoundScript,
}

impl BoundScripted {
    pub(super) fn bind(by: &ScriptMetric, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        Ok(Self {
            script: BoundScript::bind(&by.script, binder)?,
        })
    }

    /// Adds what the script gives for `members`. What is no finite number does not count.
    pub(super) fn feed<F: Frame>(
        &self,
        states: &mut MetricStates,
        members: &Members,
        frame: &mut F,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let (entries, groups): (Vec<usize>, Vec<u32>) = members.pairs().unzip();
        let mut found = Vec::with_capacity(entries.len());
        self.script.run(&entries, frame, |place, given| {
            let number = given.number().and_then(Decimal::from_f64);
            found.extend(number.map(|number| (groups[place], number)));
        })?;
        let before = states.heap_bytes(members.groups());
        states.add_each(&found);
        budget.resize(before, states.heap_bytes(members.groups()))
    }
}

impl MetricStates {
    fn add_each(&mut self, values: &[(u32, Decimal)]) {
        super::metric::with_states!(self, states => {
            for (group, value) in values {
                states.add(*group, *value);
            }
        });
    }
}
