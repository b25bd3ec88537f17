//! Buckets by distinct value: codes inside a source, terms between sources.

use std::collections::HashMap;
use std::sync::Arc;

use storage::model::{ColumnKind, Decimal, Dictionary};
use storage::segment::RowSource;

use super::groups::Groups;
use super::histogram::assign_one_key;
use super::members::Members;
use super::metric::plain;
use super::plan::PlanTerms;
use super::term_choice::{TermFilter, number_of, text_of};
use super::term_table::TermTable;
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::{Binder, BoundField};
use crate::frame::{Columns, Frame, NumberSlot, RowFrame, TextSlot, ValueIndex};
use crate::pattern::{CodeSet, find_code};
use crate::request::{FieldRef, TermValue};
use crate::selection::Selection;

/// Terms over the entries of one source. A key is a code of the dictionary, an integer itself, or
/// the place of a decimal among those seen.
#[derive(Debug)]
pub(crate) struct BoundTerms<'p> {
    filter: &'p TermFilter,
    /// Whether terms without rows are shown.
    shows_empty: bool,
    values: TermSource,
    /// The key of rows without a value.
    missing: Option<i64>,
}

/// Where the values of terms come from.
#[derive(Debug)]
enum TermSource {
    /// No row has one. Holds the term of `missing`.
    Absent(Option<TermValue>),
    Texts {
        slot: TextSlot,
        dictionary: Arc<Dictionary>,
        /// `None` allows all.
        allowed: Option<CodeSet>,
        /// The term behind the dictionary's last: that of rows without a value.
        missing: Option<Arc<[u8]>>,
    },
    Integers(NumberSlot),
    Decimals(NumberSlot, DecimalCodes),
}

/// Decimals by the order in which they were seen.
#[derive(Debug, Default)]
struct DecimalCodes {
    values: Vec<Decimal>,
    codes: HashMap<Decimal, i64>,
}

impl DecimalCodes {
    fn code(&mut self, value: Decimal) -> i64 {
        let value = value.normalized();
        *self.codes.entry(value).or_insert_with(|| {
            self.values.push(value);
            (self.values.len() - 1) as i64
        })
    }
}

impl<'p> BoundTerms<'p> {
    pub(super) fn bind(
        plan: &'p PlanTerms<'_>,
        binder: &mut Binder<'_>,
    ) -> Result<Self, QueryError> {
        let bound = match plan.field {
            None => BoundField::Absent,
            Some(field) => binder.field(field)?,
        };
        let missing = plan
            .missing
            .filter(|missing| plan.kind.takes(missing) && plan.filter.allows_value(missing));
        let (values, missing) = match bound {
            BoundField::Absent => (TermSource::Absent(missing.cloned()), missing.map(|_| 0)),
            BoundField::Texts(slot) => {
                bind_texts(slot, missing.and_then(text_of), &plan.filter, binder)?
            }
            BoundField::Numbers(slot) => {
                bind_numbers(slot, missing.and_then(number_of), plan.field)
            }
        };
        Ok(Self {
            filter: &plan.filter,
            shows_empty: plan.shows_empty,
            values,
            missing,
        })
    }

    /// The text column that is read.
    pub(crate) fn text_slot(&self) -> Option<TextSlot> {
        match &self.values {
            TermSource::Texts { slot, .. } => Some(*slot),
            TermSource::Absent(_) | TermSource::Integers(_) | TermSource::Decimals(..) => None,
        }
    }

    /// The number column that is read.
    pub(crate) fn number_slot(&self) -> Option<NumberSlot> {
        match &self.values {
            TermSource::Integers(slot) | TermSource::Decimals(slot, _) => Some(*slot),
            TermSource::Absent(_) | TermSource::Texts { .. } => None,
        }
    }

    /// How many codes there are, if keys are codes of a dictionary.
    pub(super) fn code_count(&self) -> Option<usize> {
        match &self.values {
            TermSource::Texts { dictionary, .. } => Some(dictionary.len() + 1),
            TermSource::Absent(_) | TermSource::Integers(_) | TermSource::Decimals(..) => None,
        }
    }

    /// Deals `members` out to terms.
    pub(super) fn assign<F: Frame>(
        &mut self,
        members: &Members,
        frame: &mut F,
        groups: &mut Groups,
        out: &mut Members,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        let missing = self.missing;
        let filter = self.filter;
        match &mut self.values {
            TermSource::Absent(_) => match missing {
                None => Ok(()),
                Some(key) => assign_one_key(members, key, groups, out, budget),
            },
            TermSource::Texts { slot, allowed, .. } => {
                let codes = frame.codes(*slot)?;
                let key = |value: usize| {
                    let code = codes.codes[value];
                    let is_allowed = allowed.as_ref().is_none_or(|set| set.contains(code));
                    is_allowed.then_some(i64::from(code))
                };
                assign_values(members, codes.index, key, missing, groups, out, budget)
            }
            TermSource::Integers(slot) => {
                let numbers = frame.numbers(*slot)?;
                let key = |value: usize| {
                    let is_allowed = filter.is_open() || filter.allows_number(numbers.value(value));
                    is_allowed.then(|| numbers.mantissas[value])
                };
                assign_values(members, numbers.index, key, missing, groups, out, budget)
            }
            TermSource::Decimals(slot, codes) => {
                let numbers = frame.numbers(*slot)?;
                let key = |value: usize| {
                    let number = numbers.value(value);
                    let is_allowed = filter.is_open() || filter.allows_number(number);
                    is_allowed.then(|| codes.code(number))
                };
                assign_values(members, numbers.index, key, missing, groups, out, budget)
            }
        }
    }

    /// Lists all terms of `source` in `table`, whether rows match or not, if they are to be shown.
    pub(super) fn list(
        &self,
        source: &RowSource,
        columns: &Columns,
        table: &mut TermTable,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        if !self.shows_empty {
            return Ok(());
        }
        if let Some(missing) = self.missing
            && self.has_empty_row(source, columns)?
        {
            let key = self.translate(missing, table, budget)?;
            table.list(key, budget)?;
        }
        match &self.values {
            TermSource::Absent(_) => Ok(()),
            TermSource::Texts {
                slot,
                dictionary,
                allowed,
                ..
            } => {
                let used = used_codes(source, columns, *slot, dictionary)?;
                for (code, term) in (0..).zip(dictionary.terms()) {
                    let is_allowed = allowed.as_ref().is_none_or(|set| set.contains(code));
                    let is_used = used.as_ref().is_none_or(|used| used[code as usize]);
                    if is_allowed && is_used {
                        let key = table.text(term, budget)?;
                        table.list(key, budget)?;
                    }
                }
                Ok(())
            }
            TermSource::Integers(slot) | TermSource::Decimals(slot, _) => {
                let mut frame = RowFrame::new(source, columns);
                for vector in 0..source.vector_count() {
                    frame.move_to(vector);
                    let numbers = frame.numbers(*slot)?;
                    let live = Selection::live(source, vector);
                    for value in live_values(live, numbers.index, numbers.mantissas.len()) {
                        let number = numbers.value(value);
                        if self.filter.allows_number(number) {
                            let key = table.number(number, budget)?;
                            table.list(key, budget)?;
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// Whether some row of `source` has no value.
    fn has_empty_row(&self, source: &RowSource, columns: &Columns) -> Result<bool, QueryError> {
        let mut frame = RowFrame::new(source, columns);
        for vector in 0..source.vector_count() {
            frame.move_to(vector);
            let index = match &self.values {
                TermSource::Absent(_) => return Ok(true),
                TermSource::Texts { slot, .. } => frame.codes(*slot)?.index,
                TermSource::Integers(slot) | TermSource::Decimals(slot, _) => {
                    frame.numbers(*slot)?.index
                }
            };
            let has_empty_row = match Selection::live(source, vector) {
                None => index.has_empty_row(),
                Some(live) => live.rows().any(|row| index.values(row).is_empty()),
            };
            if has_empty_row {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The key that `key` of this source has in `table`.
    pub(super) fn translate(
        &self,
        key: i64,
        table: &mut TermTable,
        budget: &mut Budget,
    ) -> Result<i64, QueryError> {
        match &self.values {
            TermSource::Absent(missing) => match missing {
                None => Ok(key),
                Some(missing) => match (text_of(missing), number_of(missing)) {
                    (Some(text), _) => table.text(text, budget),
                    (None, Some(number)) => table.number(number, budget),
                    (None, None) => Ok(key),
                },
            },
            TermSource::Texts {
                dictionary,
                missing,
                ..
            } => {
                let code = u32::try_from(key).expect("codes are 32 bits");
                match missing {
                    Some(missing) if code as usize == dictionary.len() => {
                        table.text(missing, budget)
                    }
                    Some(_) | None => table.text(dictionary.term(code), budget),
                }
            }
            TermSource::Integers(_) => table.number(Decimal::from_i64(key), budget),
            TermSource::Decimals(_, codes) => {
                let place = usize::try_from(key).expect("places are counted from 0");
                table.number(codes.values[place], budget)
            }
        }
    }
}

fn bind_numbers(
    slot: NumberSlot,
    missing: Option<Decimal>,
    field: Option<&FieldRef>,
) -> (TermSource, Option<i64>) {
    match field.map(|field| field.field_type.column_kind()) {
        Some(ColumnKind::Integer) => {
            let integer = missing.map(plain).filter(|missing| missing.exponent == 0);
            let missing = integer.map(|missing| missing.mantissa);
            (TermSource::Integers(slot), missing)
        }
        Some(ColumnKind::Decimal | ColumnKind::Text) | None => {
            let mut codes = DecimalCodes::default();
            let missing = missing.map(|missing| codes.code(missing));
            (TermSource::Decimals(slot, codes), missing)
        }
    }
}

fn bind_texts(
    slot: TextSlot,
    missing: Option<&[u8]>,
    filter: &TermFilter,
    binder: &Binder<'_>,
) -> Result<(TermSource, Option<i64>), QueryError> {
    let (dictionary, order) = binder.dictionary(slot)?;
    let allowed =
        (!filter.is_open()).then(|| CodeSet::of(&dictionary, |term| filter.allows_text(term)));
    let missing_key = missing.map(|term| match find_code(&dictionary, order, term) {
        Some(code) => i64::from(code),
        None => dictionary.len() as i64,
    });
    let values = TermSource::Texts {
        slot,
        dictionary,
        allowed,
        missing: missing.map(Arc::from),
    };
    Ok((values, missing_key))
}

/// Deals `members` out by the keys of their values; each key of an entry counts once.
pub(super) fn assign_values(
    members: &Members,
    index: ValueIndex<'_>,
    mut key: impl FnMut(usize) -> Option<i64>,
    missing: Option<i64>,
    groups: &mut Groups,
    out: &mut Members,
    budget: &mut Budget,
) -> Result<(), QueryError> {
    let mut keys = Vec::new();
    for (entry, parent) in members.pairs() {
        let values = index.values(entry);
        let found = match values.len() {
            0 => missing,
            1 => key(values.start),
            _ => {
                keys.clear();
                keys.extend(values.filter_map(&mut key));
                keys.sort_unstable();
                keys.dedup();
                for key in &keys {
                    out.push(entry, groups.group(parent, *key, budget)?);
                }
                None
            }
        };
        if let Some(key) = found {
            out.push(entry, groups.group(parent, key, budget)?);
        }
    }
    Ok(())
}

/// Which codes rows have. `None`: all, as in segments; a chunk may share a larger dictionary, and
/// deleted rows show no terms.
fn used_codes(
    source: &RowSource,
    columns: &Columns,
    slot: TextSlot,
    dictionary: &Dictionary,
) -> Result<Option<Vec<bool>>, QueryError> {
    match source {
        RowSource::Segment(_) if source.live_row_count() == source.row_count() => return Ok(None),
        RowSource::Segment(_) | RowSource::Active(_) => {}
    }
    let mut used = vec![false; dictionary.len()];
    let mut frame = RowFrame::new(source, columns);
    for vector in 0..source.vector_count() {
        frame.move_to(vector);
        let codes = frame.codes(slot)?;
        let live = Selection::live(source, vector);
        for value in live_values(live, codes.index, codes.codes.len()) {
            used[codes.codes[value] as usize] = true;
        }
    }
    Ok(Some(used))
}

/// The values of the rows in `live`, or all.
fn live_values(live: Option<Selection>, index: ValueIndex<'_>, value_count: usize) -> Vec<usize> {
    match live {
        None => (0..value_count).collect(),
        Some(live) => live.rows().flat_map(|row| index.values(row)).collect(),
    }
}
