//! Distinct values that are estimated: bound to a column, fed frame by frame.

use std::sync::{Arc, Mutex, PoisonError};

use storage::model::Dictionary;
use storage::segment::{ColumnHandle, ColumnOccurrence, RowSource};

use super::members::Members;
use super::sketch::{Entry, Sketch};
use super::term_choice::{number_of, text_of};
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::{Binder, BoundField};
use crate::frame::{Columns, Frame, NumberSlot, TextSlot};
use crate::request::{Cardinality, TermValue};

/// The distinct values of one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundDistinct {
    values: Values,
    /// That of rows without a value.
    missing: Option<Entry>,
    /// Whether no row needs to be read for it any more.
    is_answered: bool,
}

#[derive(Debug, Clone)]
enum Values {
    /// No row has one.
    Absent,
    Numbers(NumberSlot),
    Texts(TextSlot, Arc<TextEntries>),
}

/// What a sketch takes of each term of a column, made when the first row is read.
#[derive(Debug)]
struct TextEntries {
    source: RowSource,
    column: ColumnHandle,
    entries: Mutex<Option<Arc<[Entry]>>>,
}

impl BoundDistinct {
    pub(super) fn bind(by: &Cardinality, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let bound = match &by.field {
            None => BoundField::Absent,
            Some(field) => binder.field(field)?,
        };
        let values = match bound {
            BoundField::Absent => Values::Absent,
            BoundField::Numbers(slot) => Values::Numbers(slot),
            BoundField::Texts(slot) => {
                let entries = TextEntries {
                    source: binder.source().clone(),
                    column: binder.text_column(slot),
                    entries: Mutex::default(),
                };
                Values::Texts(slot, Arc::new(entries))
            }
        };
        Ok(Self {
            values,
            missing: by.missing.as_ref().and_then(entry_of),
            is_answered: false,
        })
    }

    /// Adds what `members` have.
    pub(super) fn feed<F: Frame>(
        &self,
        states: &mut [Sketch],
        members: &Members,
        frame: &mut F,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        if self.is_answered {
            return Ok(());
        }
        let mut bytes = 0;
        match &self.values {
            Values::Absent => {
                if let Some(missing) = self.missing {
                    for (_, group) in members.pairs() {
                        bytes += states[group as usize].insert(missing);
                    }
                }
            }
            Values::Texts(slot, entries) => {
                let entries = entries.get(budget)?;
                let codes = frame.codes(*slot)?;
                for (entry, group) in members.pairs() {
                    let codes = &codes.codes[codes.index.values(entry)];
                    let known = codes.iter().map(|code| entries[*code as usize]);
                    let missing = self.missing.filter(|_| codes.is_empty());
                    for entry in known.chain(missing) {
                        bytes += states[group as usize].insert(entry);
                    }
                }
            }
            Values::Numbers(slot) => {
                let numbers = frame.numbers(*slot)?;
                for (entry, group) in members.pairs() {
                    let values = numbers.index.values(entry);
                    let missing = self.missing.filter(|_| values.is_empty());
                    let known = values.map(|value| Entry::of_number(numbers.value(value)));
                    for entry in known.chain(missing) {
                        bytes += states[group as usize].insert(entry);
                    }
                }
            }
        }
        budget.charge(bytes)
    }

    /// Adds the terms of `source`, a segment whose rows all take part, if they are all that is
    /// asked: every term of its dictionary is some row's.
    pub(super) fn answer_by_dictionary(
        &mut self,
        state: &mut Sketch,
        source: &RowSource,
        columns: &Columns,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let Values::Texts(slot, _) = &self.values else {
            return Ok(());
        };
        let column = columns.texts[slot.0].handle;
        let has_empty_rows = source.column_info(column).occurrence != ColumnOccurrence::One;
        if has_empty_rows && self.missing.is_some() {
            return Ok(());
        }
        let mut bytes = 0;
        each_term(source, column, &mut |term| {
            bytes += state.insert(Entry::of_text(term));
        })?;
        self.is_answered = true;
        budget.charge(bytes)
    }
}

impl TextEntries {
    fn get(&self, budget: &Budget) -> Result<Arc<[Entry]>, QueryError> {
        // Under the lock: of the threads that want it, one makes it.
        let mut known = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = &*known {
            return Ok(Arc::clone(entries));
        }
        let count = self.source.term_count(self.column)?;
        budget.charge(count * size_of::<Entry>())?;
        let mut entries = Vec::with_capacity(count);
        each_term(&self.source, self.column, &mut |term| {
            entries.push(Entry::of_text(term));
        })?;
        Ok(Arc::clone(known.insert(entries.into())))
    }
}

fn entry_of(value: &TermValue) -> Option<Entry> {
    let text = text_of(value).map(Entry::of_text);
    text.or_else(|| number_of(value).map(Entry::of_number))
}

/// Visits the terms of a column in the order of their codes; of a segment, block by block.
fn each_term(
    source: &RowSource,
    column: ColumnHandle,
    each: &mut dyn FnMut(&[u8]),
) -> Result<(), QueryError> {
    match source {
        RowSource::Active(_) => source.dictionary(column)?.terms().for_each(each),
        RowSource::Segment(rows) => {
            let mut block = Dictionary::default();
            for number in 0..rows.term_block_count(column)? {
                rows.term_block(column, number, &mut block)?;
                block.terms().for_each(&mut *each);
            }
        }
    }
    Ok(())
}
