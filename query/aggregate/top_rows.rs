//! The first rows of each bucket in some order, and values of theirs.

use std::cmp::Ordering;

use storage::model::VECTOR_ROWS;
use storage::segment::RowSource;

use super::members::Members;
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::Binder;
use crate::frame::Frame;
use crate::hits::{BoundKey, Keys, Place, directed, keep, kept, read_hit};
use crate::request::{SortBy, SortKey, TopRows};
use crate::response::{RowsResult, SortValue};

/// Top rows over the entries of one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundRows {
    keys: Vec<BoundKey>,
    fields: Vec<BoundKey>,
    part: usize,
    source: RowSource,
}

/// What was found, for all groups.
#[derive(Debug, Clone)]
pub(crate) struct RowStates {
    by: TopRows,
    groups: Vec<GroupRows>,
}

/// The rows of one group.
#[derive(Debug, Clone, Default)]
struct GroupRows {
    matched: u64,
    /// In order, no more than are wanted.
    rows: Vec<TopRow>,
}

/// A row that may be returned.
#[derive(Debug, Clone)]
struct TopRow {
    sort: Vec<Option<SortValue>>,
    fields: Vec<Option<SortValue>>,
    place: Place,
    source: RowSource,
    row: usize,
}

/// Memory of a row with its values, about.
const ROW_BYTES: usize = size_of::<TopRow>() + 4 * size_of::<Option<SortValue>>();

/// The order of rows when none is asked for.
fn order(by: &TopRows) -> Vec<SortKey> {
    if !by.sort.is_empty() {
        return by.sort.clone();
    }
    vec![SortKey {
        by: SortBy::Row,
        descending: false,
        ..SortKey::default()
    }]
}

impl BoundRows {
    pub(super) fn bind(
        by: &TopRows,
        part: usize,
        binder: &mut Binder<'_>,
    ) -> Result<Self, QueryError> {
        let field = |field: &Option<_>| SortKey {
            by: SortBy::Field(field.clone()),
            descending: false,
            ..SortKey::default()
        };
        let keys = order(by);
        let mut bind = |key: &SortKey| BoundKey::bind(key, binder);
        let keys = keys.iter().map(&mut bind).collect::<Result<_, _>>()?;
        let fields = by.fields.iter().map(field);
        let fields = fields.map(|key| bind(&key)).collect::<Result<_, _>>()?;
        Ok(Self {
            keys,
            fields,
            part,
            source: binder.source().clone(),
        })
    }

    pub(super) fn feed<F: Frame>(
        &self,
        states: &mut RowStates,
        members: &Members,
        frame: &mut F,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let sort = order(&states.by);
        let order = Keys::new(&sort);
        let wanted = states.by.from.saturating_add(states.by.size);
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        let first_row = frame.first_entry();
        for (entry, group) in members.pairs() {
            let state = &mut states.groups[group as usize];
            state.matched += frame.row_count(entry);
            if wanted == 0 {
                continue;
            }
            if state.rows.len() == wanted
                && let (Some(key), Some(last)) = (self.keys.first(), state.rows.last())
            {
                let first = key.value(frame, entry)?;
                let worst = last.sort.first().and_then(Option::as_ref).map(kept);
                if order.compare(0, first, worst).is_gt() {
                    continue;
                }
            }
            if partitions.is_empty() {
                let vector = first_row / VECTOR_ROWS;
                self.source.origins(vector, &mut partitions, &mut offsets)?;
            }
            let mut values = |keys: &[BoundKey]| {
                keys.iter()
                    .map(|key| Ok(key.value(frame, entry)?.map(keep)))
                    .collect::<Result<Vec<_>, QueryError>>()
            };
            let row = TopRow {
                sort: values(&self.keys)?,
                fields: values(&self.fields)?,
                place: Place {
                    part: self.part,
                    partition: partitions[entry],
                    offset: offsets[entry],
                },
                source: self.source.clone(),
                row: first_row + entry,
            };
            state.offer(row, wanted, order, budget)?;
        }
        Ok(())
    }
}

impl GroupRows {
    fn offer(
        &mut self,
        row: TopRow,
        wanted: usize,
        order: Keys<'_>,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let place = self
            .rows
            .partition_point(|other| compare(order, other, &row).is_lt());
        if place == wanted {
            return Ok(());
        }
        if self.rows.len() == wanted {
            self.rows.pop();
        } else {
            budget.charge(ROW_BYTES)?;
        }
        self.rows.insert(place, row);
        Ok(())
    }
}

fn compare(order: Keys<'_>, a: &TopRow, b: &TopRow) -> Ordering {
    for (index, (left, right)) in a.sort.iter().zip(&b.sort).enumerate() {
        let ordering = match order.row_direction(index) {
            Some(descending) => directed(a.place.cmp(&b.place), descending),
            None => {
                let (left, right) = (left.as_ref().map(kept), right.as_ref().map(kept));
                order.compare(index, left, right)
            }
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
    a.place.cmp(&b.place)
}

impl RowStates {
    /// Memory of the state of one group without rows.
    pub(super) const STATE_BYTES: usize = size_of::<GroupRows>();

    pub(super) fn new(by: &TopRows) -> Self {
        Self {
            by: by.clone(),
            groups: Vec::new(),
        }
    }

    pub(super) fn grow(&mut self, group_count: usize) {
        if self.groups.len() < group_count {
            self.groups.resize_with(group_count, GroupRows::default);
        }
    }

    pub(super) fn merge(
        &mut self,
        other: &Self,
        groups: &[u32],
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let sort = order(&self.by);
        let wanted = self.by.from.saturating_add(self.by.size);
        for (other, group) in other.groups.iter().zip(groups) {
            let own = &mut self.groups[*group as usize];
            own.matched += other.matched;
            for row in &other.rows {
                own.offer(row.clone(), wanted, Keys::new(&sort), budget)?;
            }
        }
        Ok(())
    }

    /// The rows of `group`, with their documents if they are asked for.
    pub(super) fn result(&self, group: Option<u32>) -> Result<RowsResult, QueryError> {
        let mut result = RowsResult::default();
        let Some(state) = group.and_then(|group| self.groups.get(group as usize)) else {
            return Ok(result);
        };
        result.matched = state.matched;
        for row in state.rows.iter().skip(self.by.from) {
            let sort = match self.by.sort.is_empty() {
                true => Vec::new(),
                false => row.sort.clone(),
            };
            let documents = self.by.documents;
            result
                .hits
                .push(read_hit(&row.source, row.row, row.place, sort, documents)?);
            result.fields.push(row.fields.clone());
        }
        Ok(result)
    }
}
