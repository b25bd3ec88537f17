//! What the writer is told about the columns and how far it may go.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{ColumnKind, Field, FieldType, Mapping};

/// Most terms of a keyword that gets rollup cells of its own.
pub const DIMENSION_TERMS_MAX: usize = 1000;

/// Most number columns that get rollup cells; a wider segment has cells that only count rows.
pub const MEASURES_MAX: usize = 256;

/// Cells of one dimension may be at most this percentage of the rows: a rollup that is hardly
/// smaller than the rows pays for nothing.
pub const CELL_ROWS_PERCENT_MAX: usize = 25;

/// How far the writer may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentOptions {
    /// Most terms of a keyword that gets rollup cells of its own.
    pub dimension_terms_max: usize,
    /// Most number columns that get rollup cells.
    pub measures_max: usize,
    /// Most cells of one dimension, in percent of the rows.
    pub cell_rows_percent_max: usize,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        Self {
            dimension_terms_max: DIMENSION_TERMS_MAX,
            measures_max: MEASURES_MAX,
            cell_rows_percent_max: CELL_ROWS_PERCENT_MAX,
        }
    }
}

/// What the mapping says about the columns of a segment that is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnRoles {
    /// Columns of keywords: each gets rollup cells of its own where that pays.
    pub dimensions: BTreeSet<Arc<str>>,
    /// Columns whose field holds decimals by now: integers of earlier rows are widened.
    pub decimals: BTreeSet<Arc<str>>,
    /// The time field's column. It is what cells are keyed by and not measured in them.
    pub time_column: Option<Arc<str>>,
}

impl ColumnRoles {
    /// The roles that follow from `mapping` and the path of the time field.
    #[must_use]
    pub fn from_mapping(mapping: &Mapping, time_field: Option<&str>) -> Self {
        let mut roles = Self {
            time_column: time_field.map(Arc::from),
            ..Self::default()
        };
        for (path, field) in &mapping.fields {
            if is_keyword(field) {
                roles.dimensions.insert(path.as_str().into());
            }
            if field.field_type.column_kind() == ColumnKind::Decimal {
                roles.decimals.insert(path.as_str().into());
            }
        }
        roles
    }
}

/// Whether a field or another name of its values is a keyword.
fn is_keyword(field: &Field) -> bool {
    field.field_type == FieldType::Keyword
        || field
            .subfields
            .values()
            .any(|subfield| subfield.field_type == FieldType::Keyword)
}
