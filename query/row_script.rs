//! Scripts that are computed for every row: fields in, a number or a flag out.
//!
//! The columns that a script reads are fetched once a frame; the expression then runs over its
//! rows. There are no loops, so a row takes time in proportion to the script's size.

use std::sync::Arc;

use crate::QueryError;
use crate::filter::Binder;
use crate::frame::{Frame, NumberSlot};
use crate::pipeline::{Expression, Given, Scope};
use crate::request::FieldRef;

/// A script over the fields of a row.
#[derive(Debug, Clone)]
pub struct RowScript {
    /// What is computed. Its first variables are the fields.
    pub expression: Expression,
    /// Number fields that it reads; `None` when no such field exists.
    pub fields: Vec<Option<FieldRef>>,
    /// The field whose values it is computed for one by one, if there is one; else once a row.
    pub each: Option<usize>,
}

/// It over the entries of one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundScript {
    expression: Arc<Expression>,
    slots: Vec<Option<NumberSlot>>,
    paths: Vec<Arc<str>>,
    each: Option<usize>,
}

/// The values of a field in the entries asked for.
struct Column {
    /// Ascending in each entry.
    values: Vec<f64>,
    ends: Vec<usize>,
}

impl Column {
    fn of(&self, place: usize) -> &[f64] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[start..self.ends[place]]
    }
}

impl BoundScript {
    pub(crate) fn bind(script: &RowScript, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let (mut slots, mut paths) = (Vec::new(), Vec::new());
        for field in &script.fields {
            slots.push(match field {
                None => None,
                Some(field) => binder.numbers(field)?,
            });
            let path = field.as_ref().map(|field| field.column.clone());
            paths.push(path.unwrap_or_else(|| "".into()));
        }
        Ok(Self {
            expression: Arc::new(script.expression.clone()),
            slots,
            paths,
            each: script.each,
        })
    }

    /// Shows what it gives for each of `entries`, by their places in the list.
    pub(crate) fn run<F: Frame>(
        &self,
        entries: &[usize],
        frame: &mut F,
        mut show: impl FnMut(usize, Given),
    ) -> Result<(), QueryError> {
        let mut columns = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            columns.push(column(*slot, entries, frame)?);
        }
        let mut variables = Vec::new();
        let mut scope = Scope::default();
        for place in 0..entries.len() {
            variables.clear();
            variables.extend(
                columns
                    .iter()
                    .map(|column| column.of(place).first().copied()),
            );
            scope.counts.clear();
            scope
                .counts
                .extend(columns.iter().map(|column| column.of(place).len()));
            let values: &[f64] = match self.each {
                None => &[],
                Some(each) => columns[each].of(place),
            };
            let runs = self.each.map_or(1, |_| values.len());
            for run in 0..runs {
                scope.variables.clone_from(&variables);
                if let Some(each) = self.each {
                    scope.variables[each] = values.get(run).copied();
                }
                let given = self.expression.evaluate(&mut scope);
                if let Some(field) = scope.missed.take() {
                    return Err(QueryError::ScriptWithoutValue {
                        column: self.paths[field].clone(),
                    });
                }
                if std::mem::take(&mut scope.divided_by_zero) {
                    return Err(QueryError::ScriptDividesByZero);
                }
                show(place, given);
            }
        }
        Ok(())
    }
}

fn column<F: Frame>(
    slot: Option<NumberSlot>,
    entries: &[usize],
    frame: &mut F,
) -> Result<Column, QueryError> {
    let mut column = Column {
        values: Vec::with_capacity(entries.len()),
        ends: Vec::with_capacity(entries.len()),
    };
    let numbers = match slot {
        None => None,
        Some(slot) => Some(frame.numbers(slot)?),
    };
    for entry in entries {
        let start = column.values.len();
        if let Some(numbers) = &numbers {
            let values = numbers.index.values(*entry);
            column
                .values
                .extend(values.map(|value| numbers.value(value).to_f64()));
        }
        column.values[start..].sort_unstable_by(f64::total_cmp);
        column.ends.push(column.values.len());
    }
    Ok(column)
}
