//! What terms are, and which of them may make a bucket.

use std::collections::BTreeSet;

use storage::model::{ColumnKind, Decimal, FieldType};

use super::metric::plain;
use super::term_parts::{number_hash, text_hash};
use crate::QueryError;
use crate::filter::NumberSet;
use crate::ordinals::OrdinalMap;
use crate::pattern::{CodeSet, CompiledPattern};
use crate::request::{FieldRef, TermPartition, TermSelection, TermValue, Terms};

/// What the terms of an aggregation are, over all topics of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TermKind {
    Text,
    Integer,
    Decimal,
}

impl TermKind {
    pub(super) fn of(field_type: FieldType) -> Self {
        match field_type.column_kind() {
            ColumnKind::Text => Self::Text,
            ColumnKind::Integer => Self::Integer,
            ColumnKind::Decimal => Self::Decimal,
        }
    }

    /// Of what kind `term` is.
    pub(super) fn of_value(term: &TermValue) -> Self {
        match term {
            TermValue::Text(_) => Self::Text,
            TermValue::Integer(_) => Self::Integer,
            TermValue::Decimal(_) => Self::Decimal,
        }
    }

    /// Whether `term` can be one of this kind.
    pub(super) fn takes(self, term: &TermValue) -> bool {
        match (self, number_of(term)) {
            (Self::Text, number) => number.is_none(),
            (Self::Integer, Some(number)) => plain(number).exponent == 0,
            (Self::Decimal, Some(_)) => true,
            (Self::Integer | Self::Decimal, None) => false,
        }
    }

    /// What terms of both kinds are together; `None` when they do not go together.
    pub(super) fn common(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Text, Self::Text) => Some(Self::Text),
            (Self::Text, _) | (_, Self::Text) => None,
            (Self::Integer, Self::Integer) => Some(Self::Integer),
            (Self::Decimal, _) | (_, Self::Decimal) => Some(Self::Decimal),
        }
    }
}

/// Which terms may make a bucket.
#[derive(Debug, Default)]
pub(super) struct TermFilter {
    include: Option<TermTest>,
    exclude: Option<TermTest>,
}

#[derive(Debug)]
enum TermTest {
    Pattern(CompiledPattern),
    Texts(BTreeSet<Vec<u8>>),
    Numbers(NumberSet),
    Partition(TermPartition),
}

impl TermFilter {
    pub(super) fn new(by: &Terms, kind: TermKind) -> Result<Self, QueryError> {
        let test = |selection: &Option<TermSelection>| {
            selection
                .as_ref()
                .map(|selection| TermTest::new(selection, kind, by.field.as_ref()))
                .transpose()
        };
        Ok(Self {
            include: test(&by.include)?,
            exclude: test(&by.exclude)?,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }

    /// Whether `term` may make a bucket.
    pub(super) fn allows_value(&self, term: &TermValue) -> bool {
        self.allows(|test| test.fits(term))
    }

    /// The ordinals of the texts that may make a bucket.
    pub(super) fn allowed(&self, map: &OrdinalMap) -> Result<CodeSet, QueryError> {
        if let (Some(TermTest::Texts(terms)), None) = (&self.include, &self.exclude) {
            let mut set = CodeSet::empty_below(map.len());
            for term in terms {
                if let Some(ordinal) = map.find(term)? {
                    set.insert(ordinal);
                }
            }
            return Ok(set);
        }
        map.ordinals_where(|term| self.allows_text(term))
    }

    fn allows(&self, fits: impl Fn(&TermTest) -> bool) -> bool {
        self.include.as_ref().is_none_or(&fits) && !self.exclude.as_ref().is_some_and(&fits)
    }

    pub(super) fn allows_text(&self, term: &[u8]) -> bool {
        self.allows(|test| test.fits_text(term))
    }

    pub(super) fn allows_number(&self, term: Decimal) -> bool {
        self.allows(|test| test.fits_number(term))
    }
}

impl TermTest {
    fn new(
        selection: &TermSelection,
        kind: TermKind,
        field: Option<&FieldRef>,
    ) -> Result<Self, QueryError> {
        Ok(match (selection, kind) {
            (TermSelection::Partition(part), _) => Self::Partition(*part),
            (TermSelection::Pattern(pattern), TermKind::Text) => {
                Self::Pattern(CompiledPattern::new(pattern)?)
            }
            (TermSelection::Pattern(_), TermKind::Integer | TermKind::Decimal) => {
                return Err(QueryError::PatternOverNumbers {
                    column: field.map_or_else(|| "".into(), |field| field.column.clone()),
                });
            }
            (TermSelection::Values(values), TermKind::Text) => {
                Self::Texts(values.iter().filter_map(text_of).map(Vec::from).collect())
            }
            (TermSelection::Values(values), TermKind::Integer | TermKind::Decimal) => {
                let numbers: Vec<_> = values.iter().filter_map(number_of).collect();
                Self::Numbers(NumberSet::new(&numbers))
            }
        })
    }

    fn fits(&self, term: &TermValue) -> bool {
        match (text_of(term), number_of(term)) {
            (Some(text), _) => self.fits_text(text),
            (None, Some(number)) => self.fits_number(number),
            (None, None) => false,
        }
    }

    fn fits_text(&self, term: &[u8]) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(term),
            Self::Texts(terms) => terms.contains(term),
            Self::Numbers(_) => false,
            Self::Partition(part) => part.holds(i64::from(text_hash(term))),
        }
    }

    fn fits_number(&self, term: Decimal) -> bool {
        match self {
            Self::Pattern(_) | Self::Texts(_) => false,
            Self::Numbers(terms) => terms.contains(term),
            Self::Partition(part) => part.holds(number_hash(term)),
        }
    }
}

pub(super) fn text_of(value: &TermValue) -> Option<&[u8]> {
    match value {
        TermValue::Text(text) => Some(text),
        TermValue::Integer(_) | TermValue::Decimal(_) => None,
    }
}

pub(super) fn number_of(value: &TermValue) -> Option<Decimal> {
    match value {
        TermValue::Text(_) => None,
        TermValue::Integer(integer) => Some(Decimal::from_i64(*integer)),
        TermValue::Decimal(decimal) => Some(*decimal),
    }
}
