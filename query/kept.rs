//! What row groups of sealed segments gave to earlier searches.
//!
//! A dashboard asks the same again and again over a window that moves a little: almost all rows in
//! it were there the last time, and what a row group of a segment gives never changes as long as
//! the window holds all of it and none of its rows is deleted. Where single values are wanted, of
//! which cells know nothing, such as for percentiles, that saves nearly all of the work. A question
//! is kept from its second time on, so that one that nobody repeats pushes nothing out.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::memory::{GivesWay, Held, MemoryBudget, MemoryUse};
use storage::segment::{RowSource, SourceId};

use crate::aggregate::{PlanNode, State, question};
use crate::filter::BoundFilter;
use crate::request::Filter;
use crate::window;

/// Most memory of all that is kept.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// What an entry takes beside its states: its key, its place in a table, and a metric's one state.
const ENTRY_BYTES: usize = 256;

/// Most questions that are known to have been asked; beyond, all of them are new again.
const ASKED_MAX: usize = 4096;

/// Longer questions are not kept.
const QUESTION_BYTES_MAX: usize = 4 << 10;

/// What a search asks of rows, apart from when they are.
pub(crate) type Question = Arc<str>;

/// What one row group gave.
#[derive(Debug)]
pub(crate) struct KeptStates {
    pub(crate) matched: u64,
    pub(crate) states: Vec<State>,
}

/// What row groups gave, by what was asked of them.
#[derive(Debug, Default)]
pub(crate) struct KeptCache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<(SourceId, usize, Question), Entry>,
    asked: HashSet<Question>,
    bytes: usize,
    /// Goes up with each use.
    now: u64,
}

#[derive(Debug)]
struct Entry {
    states: Arc<KeptStates>,
    used: u64,
    bytes: usize,
    /// Its memory.
    _held: Held,
}

impl GivesWay for KeptCache {
    fn give_way(&self, _: usize) -> usize {
        let gone = std::mem::take(&mut *self.lock());
        gone.bytes
    }
}

impl KeptCache {
    /// Notes that `question` was asked; says whether it was asked before.
    pub(crate) fn is_repeated(&self, question: &Question) -> bool {
        let mut inner = self.lock();
        if inner.asked.contains(question) {
            return true;
        }
        if inner.asked.len() == ASKED_MAX {
            inner.asked.clear();
        }
        inner.asked.insert(Arc::clone(question));
        false
    }

    /// What the row group that starts at vector `first` gave.
    pub(crate) fn get(
        &self,
        source: SourceId,
        first: usize,
        question: &Question,
    ) -> Option<Arc<KeptStates>> {
        let mut inner = self.lock();
        inner.now += 1;
        let now = inner.now;
        let entry = inner
            .entries
            .get_mut(&(source, first, Arc::clone(question)))?;
        entry.used = now;
        Some(Arc::clone(&entry.states))
    }

    /// Keeps what the row group gave, if there is room.
    pub(crate) fn put(
        &self,
        source: SourceId,
        first: usize,
        question: &Question,
        states: &Arc<KeptStates>,
        memory: &Arc<MemoryBudget>,
    ) {
        let states_bytes: usize = states.states.iter().map(State::memory_bytes).sum();
        let bytes = ENTRY_BYTES + states_bytes;
        // Not under the lock: whoever makes room may take it.
        let Some(held) = memory.hold_if_room(MemoryUse::Totals, bytes) else {
            return;
        };
        let mut inner = self.lock();
        if inner.bytes + bytes > KEPT_BYTES_MAX {
            inner.forget_half();
        }
        inner.now += 1;
        inner.bytes += bytes;
        let entry = Entry {
            states: Arc::clone(states),
            used: inner.now,
            bytes,
            _held: held,
        };
        let before = inner
            .entries
            .insert((source, first, Arc::clone(question)), entry);
        inner.bytes -= before.map_or(0, |entry| entry.bytes);
    }

    /// A panic elsewhere leaves at worst entries too few.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Lets go of what has not been used for longest.
    fn forget_half(&mut self) {
        let mut uses: Vec<u64> = self.entries.values().map(|entry| entry.used).collect();
        uses.sort_unstable();
        let Some(middle) = uses.get(uses.len() / 2).copied() else {
            return;
        };
        self.entries.retain(|_, entry| entry.used > middle);
        self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
    }
}

/// What is asked of the rows of `source`, if it can be kept.
pub(crate) fn question_of(
    source: &RowSource,
    plan: &[PlanNode<'_>],
    filter: &Filter,
    time_field: Option<&str>,
) -> Option<Question> {
    let RowSource::Segment(rows) = source else {
        return None;
    };
    if rows.deleted().is_some() || plan.is_empty() {
        return None;
    }
    let mut text = question(plan)?;
    let time_field = time_field.filter(|_| source.times_are_field());
    let is_short = write_filter(filter, time_field, &mut text) && text.len() < QUESTION_BYTES_MAX;
    is_short.then(|| text.into())
}

/// Writes `filter` without the ranges of time that all rows must pass: false if it is of a kind
/// that is not kept.
fn write_filter(filter: &Filter, time_field: Option<&str>, text: &mut String) -> bool {
    match filter {
        Filter::And(inner) => inner
            .iter()
            .all(|filter| write_filter(filter, time_field, text)),
        Filter::NumberRange { field, .. } if time_field == Some(field.column.as_ref()) => true,
        Filter::All | Filter::None | Filter::Exists(_) | Filter::NumberRange { .. } => {
            write!(text, "{filter:?}").is_ok()
        }
        Filter::NumberIn { .. } | Filter::Text { .. } => write!(text, "{filter:?}").is_ok(),
        Filter::AtLeast { .. } | Filter::Not(_) | Filter::Ids(_) | Filter::Distance { .. } => false,
        Filter::Script(_) | Filter::Place { .. } | Filter::Slice(_) => false,
    }
}

/// Whether `vectors` are a whole row group of `source`, all of whose rows pass the ranges of time
/// in `filter`.
pub(crate) fn is_whole_group(
    source: &RowSource,
    filter: &BoundFilter,
    vectors: &Range<usize>,
    group_vectors: usize,
) -> bool {
    let is_whole = vectors.start.is_multiple_of(group_vectors)
        && (vectors.len() == group_vectors || vectors.end == source.vector_count());
    let (first_ms, last_ms) = window::instants(filter);
    is_whole
        && !vectors.is_empty()
        && source.is_time_sorted()
        && first_ms <= source.vector_time_bounds_ms(vectors.start).0
        && source.vector_time_bounds_ms(vectors.end - 1).1 <= last_ms
}
