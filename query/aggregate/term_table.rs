//! The terms that all sources of a search have, by key.

use std::collections::{BTreeSet, HashMap};

use storage::model::Decimal;

use super::metric::plain;
use super::term_choice::TermKind;
use crate::QueryError;
use crate::budget::Budget;
use crate::frame::widened;
use crate::ordinals::TermSpace;

/// The terms of an aggregation over all sources, by key.
#[derive(Debug, Clone)]
pub(super) struct TermTable {
    pub(super) terms: TableTerms,
    /// Keys of terms that some row has, whether it matches or not; filled when they are to be
    /// shown.
    listed: BTreeSet<i64>,
}

/// What the keys of a table mean.
#[derive(Debug, Clone)]
pub(super) enum TableTerms {
    /// A key is the integer itself.
    Integers,
    /// A key is the place here.
    Decimals {
        values: Vec<Decimal>,
        keys: HashMap<Decimal, i64>,
    },
    /// What keys mean is known before the first row; `None` when the search has no sources.
    Texts(Option<TermSpace>),
}

/// The key of rows without a value, where they are in a bucket of their own. The smallest `long`
/// shares it.
pub(super) const EMPTY_KEY: i64 = i64::MIN;

/// Memory of a term besides its bytes: its place in a list and in a hash map.
const TERM_BYTES: usize = 64;

impl TermTable {
    pub(super) fn new(kind: TermKind, space: Option<&TermSpace>) -> Self {
        let terms = match kind {
            TermKind::Integer => TableTerms::Integers,
            TermKind::Decimal => TableTerms::Decimals {
                values: Vec::new(),
                keys: HashMap::new(),
            },
            TermKind::Text => TableTerms::Texts(space.cloned()),
        };
        Self {
            terms,
            listed: BTreeSet::new(),
        }
    }

    /// The key here of `key` in `other`, a table of the same search.
    pub(super) fn translate(
        &mut self,
        key: i64,
        other: &Self,
        budget: &Budget,
    ) -> Result<i64, QueryError> {
        if key == EMPTY_KEY {
            return Ok(key);
        }
        match &other.terms {
            TableTerms::Integers | TableTerms::Texts(_) => Ok(key),
            TableTerms::Decimals { values, .. } => {
                let place = usize::try_from(key).expect("places are counted from 0");
                self.number(values[place], budget)
            }
        }
    }

    /// The key of a number, new or known.
    pub(super) fn number(&mut self, value: Decimal, budget: &Budget) -> Result<i64, QueryError> {
        match &mut self.terms {
            TableTerms::Integers => Ok(plain(value).mantissa),
            TableTerms::Decimals { values, keys } => {
                let value = match value.exponent {
                    0 => widened(value.mantissa).normalized(),
                    _ => value.normalized(),
                };
                if let Some(key) = keys.get(&value) {
                    return Ok(*key);
                }
                budget.charge(TERM_BYTES)?;
                let key = values.len() as i64;
                values.push(value);
                keys.insert(value, key);
                Ok(key)
            }
            TableTerms::Texts(_) => unreachable!("texts and numbers were checked not to mix"),
        }
    }

    /// Notes that some row has the term of `key`.
    pub(super) fn list(&mut self, key: i64, budget: &Budget) -> Result<(), QueryError> {
        if self.listed.insert(key) {
            budget.charge(TERM_BYTES)?;
        }
        Ok(())
    }

    /// Keys of all terms that are to be shown.
    pub(super) fn listed(&self) -> &BTreeSet<i64> {
        &self.listed
    }
}
