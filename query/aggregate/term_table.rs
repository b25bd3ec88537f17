//! The terms that all sources of a search have, by key.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use storage::model::Decimal;

use super::metric::plain;
use super::term_choice::TermKind;
use crate::QueryError;
use crate::budget::Budget;
use crate::frame::widened;

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
    /// A key is the place here. Hashed with random keys: outsiders choose the terms.
    Texts {
        values: Vec<Arc<[u8]>>,
        keys: HashMap<Arc<[u8]>, i64>,
    },
}

/// Memory of a term besides its bytes: its place in a list and in a hash map.
const TERM_BYTES: usize = 64;

impl TermTable {
    pub(super) fn new(kind: TermKind) -> Self {
        let terms = match kind {
            TermKind::Integer => TableTerms::Integers,
            TermKind::Decimal => TableTerms::Decimals {
                values: Vec::new(),
                keys: HashMap::new(),
            },
            TermKind::Text => TableTerms::Texts {
                values: Vec::new(),
                keys: HashMap::new(),
            },
        };
        Self {
            terms,
            listed: BTreeSet::new(),
        }
    }

    /// The key of a text, new or known.
    pub(super) fn text(&mut self, term: &[u8], budget: &mut Budget) -> Result<i64, QueryError> {
        match &mut self.terms {
            TableTerms::Texts { values, keys } => {
                if let Some(key) = keys.get(term) {
                    return Ok(*key);
                }
                budget.charge(TERM_BYTES + term.len())?;
                let (key, term) = (values.len() as i64, Arc::from(term));
                values.push(Arc::clone(&term));
                keys.insert(term, key);
                Ok(key)
            }
            TableTerms::Integers | TableTerms::Decimals { .. } => {
                unreachable!("texts and numbers were checked not to mix")
            }
        }
    }

    /// The key of a number, new or known.
    pub(super) fn number(
        &mut self,
        value: Decimal,
        budget: &mut Budget,
    ) -> Result<i64, QueryError> {
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
            TableTerms::Texts { .. } => unreachable!("texts and numbers were checked not to mix"),
        }
    }

    /// Notes that some row has the term of `key`.
    pub(super) fn list(&mut self, key: i64, budget: &mut Budget) -> Result<(), QueryError> {
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
