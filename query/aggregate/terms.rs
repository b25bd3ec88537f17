//! Buckets by distinct value. Keys mean the same in all sources of a search.

use std::sync::Arc;

use storage::model::{ColumnKind, Decimal, GeoCells};
use storage::segment::{ColumnOccurrence, RowSource};

use super::bind::{BoundKind, BoundNode};
use super::groups::Groups;
use super::histogram::assign_one_key;
use super::members::{Entries, MemberGroups, Members};
use super::metric::plain;
use super::plan::PlanTerms;
use super::state::{BucketState, State};
use super::term_choice::{TermFilter, number_of};
use super::term_table::{EMPTY_KEY, TermTable};
use super::text_words::WordKeys;
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::{Binder, BoundField};
use crate::frame::{Columns, Frame, NumberSlot, RowFrame, TextSlot, ValueIndex};
use crate::ordinals::CodeMap;
use crate::pattern::CodeSet;
use crate::request::TermValue;
use crate::selection::Selection;

/// Terms over the entries of one source. A key is a place among the terms of all sources, an
/// integer itself, or the place of a decimal among those seen.
#[derive(Debug, Clone)]
pub(crate) struct BoundTerms<'p> {
    filter: &'p TermFilter,
    /// Whether terms without rows are shown.
    shows_empty: bool,
    /// Whether only the number of terms is asked.
    is_distinct: bool,
    /// Whether no row needs to be read for it any more.
    is_answered: bool,
    values: TermSource,
    keys: TermKeys,
    /// The number of rows without a value.
    missing: Option<Decimal>,
    /// The value of rows without one, whatever it is.
    missing_term: Option<&'p TermValue>,
    cells: Option<GeoCells>,
    /// Whether rows without a value are in a bucket of their own.
    takes_empty: bool,
}

/// Where the values of terms come from.
#[derive(Debug, Clone, Copy)]
enum TermSource {
    /// No row has one.
    Absent,
    Texts(TextSlot),
    Integers(NumberSlot),
    Decimals(NumberSlot),
}

/// What the sources of a search agree on about text terms.
#[derive(Debug, Clone, Default)]
pub(super) struct TermKeys {
    /// The keys of this source's codes, if it has any.
    pub(super) codes: Option<CodeMap>,
    /// The keys that may make a bucket; `None` allows all.
    pub(super) allowed: Option<Arc<CodeSet>>,
    /// The keys of the words of this source's texts, where words are the terms.
    pub(super) words: Option<Arc<WordKeys>>,
    /// The key of rows without a value.
    pub(super) missing: Option<i64>,
}

impl TermKeys {
    /// The key of `code`, unless its term makes no bucket.
    fn key(&self, code: u32) -> Option<i64> {
        let key = self
            .codes
            .as_ref()
            .map_or(code, |codes| codes.ordinal(code));
        let is_allowed = self.allowed.as_ref().is_none_or(|set| set.contains(key));
        is_allowed.then_some(i64::from(key))
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
        let missing = plan.allowed_missing().and_then(number_of);
        let (values, missing) = match bound {
            BoundField::Absent => (TermSource::Absent, missing),
            BoundField::Texts(slot) => (TermSource::Texts(slot), None),
            BoundField::Numbers(slot) => {
                match plan.field.map(|field| field.field_type.column_kind()) {
                    Some(ColumnKind::Integer) => {
                        let integer = missing.map(plain).filter(|missing| missing.exponent == 0);
                        (TermSource::Integers(slot), integer)
                    }
                    Some(ColumnKind::Decimal | ColumnKind::Text) | None => {
                        (TermSource::Decimals(slot), missing)
                    }
                }
            }
        };
        Ok(Self {
            filter: &plan.filter,
            shows_empty: plan.shows_empty,
            is_distinct: plan.is_distinct,
            is_answered: false,
            values,
            keys: TermKeys::default(),
            missing,
            missing_term: plan.allowed_missing(),
            cells: plan.cells,
            takes_empty: plan.takes_empty,
        })
    }

    /// The value of rows without one.
    pub(super) fn missing_term(&self) -> Option<&'p TermValue> {
        self.missing_term
    }

    /// The key of `code`, unless its term makes no bucket.
    pub(super) fn key(&self, code: u32) -> Option<i64> {
        self.keys.key(code)
    }

    /// Whether a row has a key for each of its texts.
    pub(super) fn has_plain_keys(&self) -> bool {
        self.keys.words.is_none() && !self.takes_empty
    }

    /// Takes over what all sources agreed on.
    pub(super) fn agree(&mut self, keys: TermKeys) {
        self.keys = keys;
    }

    /// Whether no row needs to be read for it any more.
    pub(super) fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// Answers how many terms `source`, a segment whose rows all take part, has: every term of its
    /// dictionary is some row's. Does nothing where that is not all that is asked.
    fn answer_by_dictionary(
        &mut self,
        source: &RowSource,
        columns: &Columns,
        groups: &mut Groups,
        counts: &mut Vec<u64>,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let TermSource::Texts(slot) = self.values else {
            return Ok(());
        };
        let handle = columns.texts[slot.0].handle;
        let has_empty_rows = source.column_info(handle).occurrence != ColumnOccurrence::One;
        if !self.is_distinct || (has_empty_rows && self.keys.missing.is_some()) {
            return Ok(());
        }
        for code in (0..).take(source.term_count(handle)?) {
            if let Some(key) = self.keys.key(code) {
                let group = groups.group(0, key, budget)? as usize;
                if counts.len() <= group {
                    counts.resize(group + 1, 0);
                }
                counts[group] += 1;
            }
        }
        self.is_answered = true;
        Ok(())
    }

    /// The text column that is read.
    pub(crate) fn text_slot(&self) -> Option<TextSlot> {
        match self.values {
            TermSource::Texts(slot) => Some(slot),
            TermSource::Absent | TermSource::Integers(_) | TermSource::Decimals(_) => None,
        }
    }

    /// The number column that is read.
    pub(crate) fn number_slot(&self) -> Option<NumberSlot> {
        match self.values {
            TermSource::Integers(slot) | TermSource::Decimals(slot) => Some(slot),
            TermSource::Absent | TermSource::Texts(_) => None,
        }
    }

    /// Deals `members` out to terms.
    pub(super) fn assign<F: Frame>(
        &self,
        members: &Members,
        frame: &mut F,
        buckets: (&mut Groups, &mut TermTable),
        out: &mut Members,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let (groups, table) = buckets;
        let missing = self.missing_key(table, budget)?;
        match self.values {
            TermSource::Absent => match missing {
                None => Ok(()),
                Some(key) => assign_one_key(members, key, groups, out, budget),
            },
            TermSource::Texts(slot) => {
                let codes = frame.codes(slot)?;
                if let Some(words) = &self.keys.words {
                    let add = |value: usize, keys: &mut Vec<i64>| {
                        keys.extend_from_slice(words.of(codes.codes[value]));
                        Ok(())
                    };
                    return assign_many(members, codes.index, add, missing, groups, out, budget);
                }
                if let (Groups::Dense(dense), ValueIndex::One, None) =
                    (&*groups, codes.index, &self.keys.allowed)
                {
                    self.assign_single(members, codes.codes, dense.width(), out);
                    return Ok(());
                }
                let key = |value: usize| Ok(self.keys.key(codes.codes[value]));
                assign_values(members, codes.index, key, missing, groups, out, budget)
            }
            TermSource::Integers(slot) | TermSource::Decimals(slot) => {
                let numbers = frame.numbers(slot)?;
                let key = |value: usize| {
                    let number = match self.cells {
                        None => numbers.value(value),
                        Some(cells) => Decimal::from_i64(cells.cell(numbers.mantissas[value])),
                    };
                    match self.filter.is_open() || self.filter.allows_number(number) {
                        true => table.number(number, budget).map(Some),
                        false => Ok(None),
                    }
                };
                assign_values(members, numbers.index, key, missing, groups, out, budget)
            }
        }
    }

    /// Deals out members that have one value each, to groups that are all there.
    fn assign_single(&self, members: &Members, codes: &[u32], width: u32, out: &mut Members) {
        let groups = out.regroup_each(members);
        match &self.keys.codes {
            Some(CodeMap::Table(table)) => {
                regroup(members, codes, width, groups, |code| table[code as usize]);
            }
            Some(CodeMap::Same) | None => regroup(members, codes, width, groups, |code| code),
        }
    }

    /// The key of rows without a value.
    fn missing_key(
        &self,
        table: &mut TermTable,
        budget: &Budget,
    ) -> Result<Option<i64>, QueryError> {
        if self.takes_empty {
            return Ok(Some(EMPTY_KEY));
        }
        match (self.keys.missing, self.missing) {
            (Some(key), _) => Ok(Some(key)),
            (None, Some(missing)) => table.number(missing, budget).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Lists all terms of `source` in `table`, whether rows match or not, if they are to be shown.
    pub(super) fn list(
        &self,
        source: &RowSource,
        columns: &Columns,
        table: &mut TermTable,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        if !self.shows_empty {
            return Ok(());
        }
        // As in Elasticsearch, a text for rows without one is a term even where no row lacks it.
        let is_text = matches!(self.values, TermSource::Texts(_));
        if let Some(missing) = self.missing_key(table, budget)?
            && ((is_text && source.live_row_count() > 0) || self.has_empty_row(source, columns)?)
        {
            table.list(missing, budget)?;
        }
        match self.values {
            TermSource::Absent => Ok(()),
            TermSource::Texts(slot) => {
                let count = source.term_count(columns.texts[slot.0].handle)?;
                let used = used_codes(source, columns, slot, count)?;
                for code in (0..).take(count) {
                    let is_used = used.as_ref().is_none_or(|used| used[code as usize]);
                    if let Some(words) = self.keys.words.as_ref().filter(|_| is_used) {
                        for key in words.of(code) {
                            table.list(*key, budget)?;
                        }
                        continue;
                    }
                    if let Some(key) = self.keys.key(code).filter(|_| is_used) {
                        table.list(key, budget)?;
                    }
                }
                Ok(())
            }
            TermSource::Integers(slot) | TermSource::Decimals(slot) => {
                let mut frame = RowFrame::new(source, columns);
                for vector in 0..source.vector_count() {
                    frame.move_to(vector);
                    let numbers = frame.numbers(slot)?;
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
            let index = match self.values {
                TermSource::Absent => return Ok(true),
                TermSource::Texts(slot) => frame.codes(slot)?.index,
                TermSource::Integers(slot) | TermSource::Decimals(slot) => {
                    frame.numbers(slot)?.index
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
}

/// Answers what the dictionaries of `source`, a segment whose rows all take part, say alone.
pub(crate) fn answer_by_dictionaries(
    nodes: &mut [BoundNode<'_>],
    states: &mut [State],
    source: &RowSource,
    columns: &Columns,
    budget: &Budget,
) -> Result<(), QueryError> {
    for (node, state) in nodes.iter_mut().zip(states) {
        if let (BoundKind::Leaf(leaf), State::Leaf(states)) = (&mut node.kind, &mut *state) {
            leaf.answer_by_dictionary(states, source, columns, budget)?;
        }
        if let (BoundKind::Terms(terms), State::Buckets(state)) = (&mut node.kind, state) {
            let BucketState { groups, counts, .. } = &mut **state;
            terms.answer_by_dictionary(source, columns, groups, counts, budget)?;
        }
    }
    Ok(())
}

/// The groups of members with one value each: `parent × width + key of its code`.
fn regroup(
    members: &Members,
    codes: &[u32],
    width: u32,
    groups: &mut Vec<u32>,
    key: impl Fn(u32) -> u32,
) {
    match (members.entries(), members.member_groups()) {
        (Entries::Range(range), MemberGroups::One(parent)) => {
            let first = parent * width;
            groups.extend(codes[range.clone()].iter().map(|code| first + key(*code)));
        }
        (Entries::Range(range), MemberGroups::Each(parents)) => {
            let pairs = codes[range.clone()].iter().zip(parents);
            groups.extend(pairs.map(|(code, parent)| parent * width + key(*code)));
        }
        (Entries::These(_), _) => {
            let pairs = members.pairs();
            groups.extend(pairs.map(|(entry, parent)| parent * width + key(codes[entry])));
        }
    }
}

/// Deals `members` out by the keys of their values; each key of an entry counts once.
pub(super) fn assign_values(
    members: &Members,
    index: ValueIndex<'_>,
    mut key: impl FnMut(usize) -> Result<Option<i64>, QueryError>,
    missing: Option<i64>,
    groups: &mut Groups,
    out: &mut Members,
    budget: &Budget,
) -> Result<(), QueryError> {
    let mut keys = Vec::new();
    for (entry, parent) in members.pairs() {
        let values = index.values(entry);
        let found = match values.len() {
            0 => missing,
            1 => key(values.start)?,
            _ => {
                keys.clear();
                for value in values {
                    keys.extend(key(value)?);
                }
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

/// Deals `members` out by all keys that each of their values has; each key of an entry counts once.
pub(super) fn assign_many(
    members: &Members,
    index: ValueIndex<'_>,
    mut add: impl FnMut(usize, &mut Vec<i64>) -> Result<(), QueryError>,
    missing: Option<i64>,
    groups: &mut Groups,
    out: &mut Members,
    budget: &Budget,
) -> Result<(), QueryError> {
    let mut keys = Vec::new();
    for (entry, parent) in members.pairs() {
        let values = index.values(entry);
        keys.clear();
        match values.is_empty() {
            true => keys.extend(missing),
            false => {
                for value in values {
                    add(value, &mut keys)?;
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        for key in &keys {
            out.push(entry, groups.group(parent, *key, budget)?);
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
    count: usize,
) -> Result<Option<Vec<bool>>, QueryError> {
    match source {
        RowSource::Segment(_) if source.live_row_count() == source.row_count() => return Ok(None),
        RowSource::Segment(_) | RowSource::Active(_) => {}
    }
    let mut used = vec![false; count];
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
