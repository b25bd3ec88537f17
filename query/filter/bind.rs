//! Finds the columns that a search reads in one source, and makes its filters ready for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::model::{ColumnKind, Dictionary, Offset, PartitionId, origin_of_name};
use storage::segment::{ColumnHandle, ColumnOccurrence, RowSource};

use super::{BoundFilter, NumberRange, NumberSet, WantedCodes};
use crate::QueryError;
use crate::frame::{Columns, NumberColumn, NumberSlot, TextColumn, TextSlot, is_number};
use crate::pattern::matching_codes;
use crate::request::{FieldRef, Filter, TextPredicate};
use crate::row_script::BoundScript;

/// Binds the parts of a search to one source.
#[derive(Debug)]
pub(crate) struct Binder<'a> {
    source: &'a RowSource,
    time_field: Option<&'a str>,
    columns: Columns,
}

/// Where the values of a field are in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoundField {
    /// No row has one.
    Absent,
    /// In a number column.
    Numbers(NumberSlot),
    /// In a text column.
    Texts(TextSlot),
}

impl<'a> Binder<'a> {
    pub(crate) fn new(source: &'a RowSource, time_field: Option<&'a str>) -> Self {
        Self {
            source,
            time_field,
            columns: Columns::default(),
        }
    }

    /// What is bound to.
    pub(crate) fn source(&self) -> &RowSource {
        self.source
    }

    /// The columns that were found to be read.
    pub(crate) fn into_columns(self) -> Columns {
        self.columns
    }

    /// Whether every row's sort key is its one value of `field`.
    pub(crate) fn is_sort_key(&self, field: &FieldRef) -> bool {
        self.source.times_are_field() && self.time_field == Some(field.column.as_ref())
    }

    /// Where the values of `field` are.
    pub(crate) fn field(&mut self, field: &FieldRef) -> Result<BoundField, QueryError> {
        let Some(handle) = self.source.column(&field.column) else {
            return Ok(BoundField::Absent);
        };
        let stored = self.source.column_info(handle).kind;
        let wanted = field.field_type.column_kind();
        match (stored, wanted) {
            (ColumnKind::Text, ColumnKind::Text) => {
                let path = field.column.clone();
                Ok(BoundField::Texts(
                    self.columns.text(TextColumn { path, handle }),
                ))
            }
            (ColumnKind::Integer, ColumnKind::Integer | ColumnKind::Decimal)
            | (ColumnKind::Decimal, ColumnKind::Decimal) => {
                let is_widened = stored != wanted;
                let path = field.column.clone();
                let column = NumberColumn {
                    path,
                    handle,
                    is_widened,
                };
                Ok(BoundField::Numbers(self.columns.number(column)))
            }
            (ColumnKind::Text, _) | (_, ColumnKind::Text | ColumnKind::Integer) => {
                Err(wrong_kind(field))
            }
        }
    }

    /// The numbers of `field`; `None` when no row has one.
    pub(crate) fn numbers(&mut self, field: &FieldRef) -> Result<Option<NumberSlot>, QueryError> {
        if !is_number(field.field_type.column_kind()) {
            return Err(wrong_kind(field));
        }
        match self.field(field)? {
            BoundField::Absent => Ok(None),
            BoundField::Numbers(slot) => Ok(Some(slot)),
            BoundField::Texts(_) => Err(wrong_kind(field)),
        }
    }

    /// The column that a slot reads.
    pub(crate) fn text_column(&self, slot: TextSlot) -> ColumnHandle {
        self.columns.texts[slot.0].handle
    }

    /// The distinct texts of a column.
    pub(crate) fn dictionary(&self, slot: TextSlot) -> Result<Arc<Dictionary>, QueryError> {
        Ok(self.source.dictionary(self.columns.texts[slot.0].handle)?)
    }

    /// `filter`, ready for this source.
    pub(crate) fn filter(&mut self, filter: &Filter) -> Result<BoundFilter, QueryError> {
        Ok(match filter {
            Filter::All => BoundFilter::Constant(true),
            Filter::None => BoundFilter::Constant(false),
            Filter::And(inner) => at_least(inner.len(), self.filters(inner)?),
            Filter::AtLeast { count, of } => at_least(*count, self.filters(of)?),
            Filter::Not(inner) => match self.filter(inner)? {
                BoundFilter::Constant(value) => BoundFilter::Constant(!value),
                inner => BoundFilter::Not(Box::new(inner)),
            },
            Filter::Exists(field) => self.exists(field)?,
            Filter::NumberRange {
                field,
                lower,
                upper,
            } => {
                let range = NumberRange {
                    lower: *lower,
                    upper: *upper,
                };
                self.number_range(field, range)?
            }
            Filter::NumberIn { field, values } => match self.numbers(field)? {
                Some(slot) if !values.is_empty() => {
                    BoundFilter::InSet(slot, NumberSet::new(values))
                }
                Some(_) | None => BoundFilter::Constant(false),
            },
            Filter::Text { field, predicate } => self.text(field, predicate)?,
            Filter::Distance {
                field,
                from,
                metres,
            } => match self.numbers(field)? {
                Some(slot) => BoundFilter::Distance(slot, *from, *metres),
                None => BoundFilter::Constant(false),
            },
            Filter::Script(script) => BoundFilter::Script(BoundScript::bind(script, self)?),
            Filter::Place { field, area } => match self.numbers(field)? {
                Some(slot) => BoundFilter::InArea(slot, *area),
                None => BoundFilter::Constant(false),
            },
            Filter::Slice(slice) => BoundFilter::Slice {
                source: Box::new(self.source.clone()),
                slice: *slice,
            },
            Filter::Ids(ids) => match self.rows_of(ids)? {
                rows if rows.is_empty() => BoundFilter::Constant(false),
                rows => BoundFilter::Rows(rows),
            },
        })
    }

    fn filters(&mut self, filters: &[Filter]) -> Result<Vec<BoundFilter>, QueryError> {
        filters.iter().map(|filter| self.filter(filter)).collect()
    }

    fn exists(&mut self, field: &FieldRef) -> Result<BoundFilter, QueryError> {
        if self.is_sort_key(field) {
            return Ok(BoundFilter::Constant(true));
        }
        let Some(handle) = self.source.column(&field.column) else {
            return Ok(BoundFilter::Constant(false));
        };
        match self.source.column_info(handle).occurrence {
            ColumnOccurrence::One => Ok(BoundFilter::Constant(true)),
            ColumnOccurrence::Optional | ColumnOccurrence::Many => Ok(match self.field(field)? {
                BoundField::Absent => BoundFilter::Constant(false),
                BoundField::Numbers(slot) => BoundFilter::HasNumber(slot),
                BoundField::Texts(slot) => BoundFilter::HasText(slot),
            }),
        }
    }

    fn number_range(
        &mut self,
        field: &FieldRef,
        range: NumberRange,
    ) -> Result<BoundFilter, QueryError> {
        if self.is_sort_key(field) {
            return Ok(match range.mantissas(0) {
                None => BoundFilter::Constant(false),
                Some(instants) => BoundFilter::Time {
                    first_ms: *instants.start(),
                    last_ms: *instants.end(),
                },
            });
        }
        Ok(match self.numbers(field)? {
            None => BoundFilter::Constant(false),
            Some(slot) => BoundFilter::InRange(slot, range),
        })
    }

    fn text(
        &mut self,
        field: &FieldRef,
        predicate: &TextPredicate,
    ) -> Result<BoundFilter, QueryError> {
        Ok(match self.field(field)? {
            BoundField::Absent => BoundFilter::Constant(false),
            BoundField::Numbers(_) => return Err(wrong_kind(field)),
            BoundField::Texts(slot) => {
                let column = self.columns.texts[slot.0].handle;
                let codes = matching_codes(predicate, self.source, column)?;
                if codes.is_empty() {
                    return Ok(BoundFilter::Constant(false));
                }
                let mut is_wanted = |code| codes.contains(code);
                let groups = self.source.groups_with(column, &mut is_wanted)?;
                BoundFilter::HasCode(slot, Arc::new(WantedCodes { codes, groups }))
            }
        })
    }

    /// The rows that `ids` name, ascending. A row without an id of its own is named by partition
    /// and offset.
    fn rows_of(&self, ids: &BTreeSet<String>) -> Result<Vec<usize>, QueryError> {
        let mut rows = BTreeSet::new();
        let mut origins = BTreeSet::new();
        for id in ids {
            rows.extend(self.source.find_id(id.as_bytes())?);
            origins.extend(origin_of_name(id.as_bytes()));
        }
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        let vector_count = if origins.is_empty() {
            0
        } else {
            self.source.vector_count()
        };
        for vector in 0..vector_count {
            self.source.origins(vector, &mut partitions, &mut offsets)?;
            let partitions = partitions.iter().copied().map(PartitionId);
            let places = partitions.zip(offsets.iter().copied().map(Offset));
            for (row, place) in self.source.vector_rows(vector).zip(places) {
                if origins.contains(&place) && self.source.id(row)?.is_none() {
                    rows.insert(row);
                }
            }
        }
        Ok(rows.into_iter().collect())
    }
}

/// At least `count` of `filters`, with what is constant folded away.
fn at_least(count: usize, filters: Vec<BoundFilter>) -> BoundFilter {
    let mut count = count;
    let mut rest = Vec::with_capacity(filters.len());
    for filter in filters {
        match filter {
            BoundFilter::Constant(true) => count = count.saturating_sub(1),
            BoundFilter::Constant(false) => {}
            filter => rest.push(filter),
        }
    }
    if count == 0 {
        return BoundFilter::Constant(true);
    }
    if count > rest.len() {
        return BoundFilter::Constant(false);
    }
    match (count == rest.len(), rest.len()) {
        (true, 1) => rest.remove(0),
        (true, _) => BoundFilter::And(rest),
        (false, _) => BoundFilter::AtLeast(count, rest),
    }
}

fn wrong_kind(field: &FieldRef) -> QueryError {
    QueryError::WrongKind {
        column: field.column.clone(),
    }
}
