//! The rows that match a filter, vector by vector, for those who want all of them: exports.

use storage::catalog::{TimeField, Topic};
use storage::segment::RowSource;

use crate::QueryError;
use crate::filter::{Binder, BoundFilter};
use crate::frame::{Columns, RowFrame};
use crate::request::Filter;
use crate::scan::may_match;
use crate::selection::Selection;

/// A filter bound to one source.
#[derive(Debug)]
pub struct MatchingRows {
    columns: Columns,
    filter: BoundFilter,
    is_pruned: bool,
}

impl MatchingRows {
    /// Makes `filter` ready for `source`, which holds rows of `topic`.
    ///
    /// # Errors
    /// When the filter does not fit the fields of the topic, or rows cannot be read.
    pub fn new(filter: &Filter, topic: &Topic, source: &RowSource) -> Result<Self, QueryError> {
        let time_field = match &topic.time_field {
            Some(TimeField::Field(path)) => Some(path.as_str()),
            Some(TimeField::RecordTime) | None => None,
        };
        let may_match = source.time_bounds_ms().is_some_and(|(first_ms, last_ms)| {
            !source.times_are_field() || may_match(filter, time_field, first_ms, last_ms)
        });
        let mut binder = Binder::new(source, time_field);
        let filter = match may_match {
            true => binder.filter(filter)?,
            false => BoundFilter::Constant(false),
        };
        Ok(Self {
            columns: binder.into_columns(),
            filter,
            is_pruned: !may_match,
        })
    }

    /// Whether no row of the source can match, by its time bounds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_pruned
    }

    /// The rows of `vector` of `source`, the one it was made for, that match and are not deleted;
    /// ascending, the first row of the vector is 0.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn rows(&self, source: &RowSource, vector: usize) -> Result<Vec<usize>, QueryError> {
        if self.is_pruned {
            return Ok(Vec::new());
        }
        let mut frame = RowFrame::new(source, &self.columns);
        frame.move_to(vector);
        let mut selection = self.filter.select(&mut frame)?;
        if let Some(deleted) = source.deleted_rows(vector) {
            let count = source.vector_rows(vector).len();
            let alive = |row: usize| deleted[row / 64] >> (row % 64) & 1 == 0;
            selection = selection.and(&Selection::of(count, alive));
        }
        Ok(selection.rows().collect())
    }
}
