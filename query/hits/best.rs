//! The first rows of an order, with room for no more than twice as many. Where rows are taken
//! together by a value, the first row of each value.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use storage::model::Decimal;

use super::keys::{KeyValue, Keys, directed, kept};
use crate::QueryError;
use crate::budget::Budget;
use crate::request::{After, HitsRequest};
use crate::response::SortValue;

/// A row that may be returned.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) sort: Vec<Option<SortValue>>,
    pub(crate) place: Place,
    /// Number of its source in its part.
    pub(crate) source: usize,
    pub(crate) row: usize,
    pub(crate) score: f32,
    /// What it is taken together with others by.
    pub(crate) group: Option<SortValue>,
}

/// A value that rows are taken together by, so that equal ones are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum GroupKey {
    Missing,
    Number { mantissa: i64, exponent: i16 },
    Text(Arc<[u8]>),
}

impl GroupKey {
    fn new(value: Option<&SortValue>) -> Self {
        let number = |value: Decimal| {
            let value = value.normalized();
            Self::Number {
                mantissa: value.mantissa,
                exponent: value.exponent,
            }
        };
        match value {
            Some(SortValue::Integer(value)) => number(Decimal::from_i64(*value)),
            Some(SortValue::Decimal(value)) => number(*value),
            Some(SortValue::Text(text)) => Self::Text(Arc::clone(text)),
            Some(SortValue::Float(_) | SortValue::Row | SortValue::Place(_)) | None => {
                Self::Missing
            }
        }
    }
}

/// Where a row came from. It decides ties.
pub(crate) use crate::request::HitPlace as Place;

/// Memory of a candidate with its keys, about.
const CANDIDATE_BYTES: usize = size_of::<Candidate>() + 2 * size_of::<Option<SortValue>>();

/// Collects candidates; whenever it holds twice as many as wanted, the worse half goes.
#[derive(Debug)]
pub(crate) struct Best<'a> {
    keys: Keys<'a>,
    /// Only rows behind this one are wanted.
    after: Option<&'a After>,
    count_max: usize,
    candidates: Vec<Candidate>,
    /// The first row of each value, where only that is wanted.
    groups: Option<BTreeMap<GroupKey, Candidate>>,
    /// The worst of the best `count_max`, once there were that many.
    worst: Option<Candidate>,
}

impl<'a> Best<'a> {
    pub(crate) fn new(keys: Keys<'a>, hits: &'a HitsRequest) -> Self {
        let groups = hits.collapse.is_some().then(BTreeMap::new);
        Self {
            groups,
            keys,
            after: hits.after.as_ref(),
            count_max: hits.from.saturating_add(hits.size),
            candidates: Vec::new(),
            worst: None,
        }
    }

    /// Whether a row with this first key is surely not wanted.
    pub(crate) fn is_worse(&self, first: Option<KeyValue<'_>>) -> bool {
        let Some(worst) = &self.worst else {
            return false;
        };
        let worst = worst.sort.first().and_then(Option::as_ref).map(kept);
        self.keys.len() > 0 && self.keys.compare(0, first, worst).is_gt()
    }

    /// Whether rows whose first key is `bound` or behind it are surely not wanted.
    pub(crate) fn is_beyond(&mut self, bound: &i64, budget: &Budget) -> bool {
        if self.len() >= self.count_max {
            self.shrink(budget);
        }
        self.is_worse(Some(KeyValue::Integer(*bound)))
    }

    pub(crate) fn offer(
        &mut self,
        candidate: Candidate,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        if let Some(worst) = &self.worst
            && compare(&self.keys, &candidate, worst).is_ge()
        {
            return Ok(());
        }
        if let Some(after) = self.after
            && !is_behind(&self.keys, &candidate, after)
        {
            return Ok(());
        }
        if let Some(groups) = &mut self.groups {
            let key = GroupKey::new(candidate.group.as_ref());
            if let Some(known) = groups.get_mut(&key) {
                if compare(&self.keys, &candidate, known).is_lt() {
                    *known = candidate;
                }
                return Ok(());
            }
            budget.charge(CANDIDATE_BYTES + size_of::<GroupKey>())?;
            groups.insert(key, candidate);
        } else {
            budget.charge(CANDIDATE_BYTES)?;
            self.candidates.push(candidate);
        }
        if self.len() >= self.count_max.saturating_mul(2) {
            self.shrink(budget);
        }
        Ok(())
    }

    fn len(&self) -> usize {
        match &self.groups {
            Some(groups) => groups.len(),
            None => self.candidates.len(),
        }
    }

    /// Keeps the best; there are at least `count_max`.
    fn shrink(&mut self, budget: &Budget) {
        let keys = self.keys;
        let last = self.count_max - 1;
        if let Some(groups) = &mut self.groups {
            self.candidates = std::mem::take(groups).into_values().collect();
        }
        self.candidates
            .select_nth_unstable_by(last, |a, b| compare(&keys, a, b));
        budget.release((self.candidates.len() - self.count_max) * CANDIDATE_BYTES);
        self.candidates.truncate(self.count_max);
        self.worst = self.candidates.last().cloned();
        if let Some(groups) = &mut self.groups {
            let candidates = std::mem::take(&mut self.candidates).into_iter();
            let keyed = candidates.map(|one| (GroupKey::new(one.group.as_ref()), one));
            *groups = keyed.collect();
        }
    }

    /// The best in order.
    pub(crate) fn finish(self) -> Vec<Candidate> {
        let mut candidates = match self.groups {
            Some(groups) => groups.into_values().collect(),
            None => self.candidates,
        };
        candidates.sort_unstable_by(|a, b| compare(&self.keys, a, b));
        candidates.truncate(self.count_max);
        candidates
    }
}

/// Whether `candidate` stands behind `after` in the order.
fn is_behind(keys: &Keys<'_>, candidate: &Candidate, after: &After) -> bool {
    for index in 0..keys.len() {
        let own = candidate.sort.get(index).and_then(Option::as_ref);
        let other = after.sort.get(index).and_then(Option::as_ref);
        let ordering = match (keys.row_direction(index), other) {
            (Some(descending), Some(SortValue::Place(place))) => {
                directed(candidate.place.cmp(place), descending)
            }
            (Some(_), _) => Ordering::Equal,
            (None, other) => keys.compare(index, own.map(kept), other.map(kept)),
        };
        if ordering.is_ne() {
            return ordering.is_gt();
        }
    }
    after.row.is_some_and(|row| candidate.place > row)
}

fn compare(keys: &Keys<'_>, a: &Candidate, b: &Candidate) -> Ordering {
    for index in 0..keys.len() {
        let ordering = match keys.row_direction(index) {
            Some(descending) => directed(a.place.cmp(&b.place), descending),
            None => {
                let (a, b) = (&a.sort[index], &b.sort[index]);
                keys.compare(index, a.as_ref().map(kept), b.as_ref().map(kept))
            }
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
    a.place.cmp(&b.place)
}
