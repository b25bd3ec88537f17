//! One field while documents are decoded: its definition, made ready for values.

use std::sync::Arc;

use storage::model::{ColumnKind, DATE_FORMAT_DEFAULT, DateFormat, Field, FieldType};

use super::columns::ColumnBuilder;
use super::whole::Whole;

/// What happens to numbers in texts and to fractions in integer fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coercion {
    /// Nothing was said: texts are read; a `long` that gets a fraction becomes a `double`.
    Unsaid,
    /// Texts are read, fractions of integer fields cut off.
    On,
    /// Neither fits.
    Off,
}

/// A field and its values so far.
#[derive(Debug)]
pub(super) struct FieldState {
    pub(super) path: Arc<str>,
    pub(super) definition: Field,
    /// For dates.
    pub(super) format: Option<DateFormat>,
    pub(super) ignore_above: Option<usize>,
    pub(super) coercion: Coercion,
    /// Whether a value that does not fit is left out instead of rejecting the document.
    pub(super) ignores_malformed: bool,
    /// What it takes whole instead of scalar by scalar.
    pub(super) whole: Option<Whole>,
    /// What stands for null.
    pub(super) null_value: Option<serde_json::Value>,
    /// Whether the catalog does not know it like this yet.
    pub(super) is_changed: bool,
    pub(super) column: ColumnBuilder,
}

impl FieldState {
    /// A field of the mapping; `ignores_malformed` holds unless it says otherwise.
    pub(super) fn new(path: Arc<str>, definition: Field, ignores_malformed: bool) -> Self {
        let attribute = |name: &str| definition.attributes.get(name);
        let coercion = match attribute("coerce").and_then(flag) {
            None => Coercion::Unsaid,
            Some(true) => Coercion::On,
            Some(false) => Coercion::Off,
        };
        let format = definition.field_type.is_date().then(|| {
            // A format that the edge let through without reading it falls back to the default.
            definition
                .format
                .as_deref()
                .and_then(|format| DateFormat::parse(format).ok())
                .unwrap_or_default()
        });
        let ignore_above = match definition.field_type {
            FieldType::Keyword => definition
                .ignore_above
                .and_then(|most| most.try_into().ok()),
            _ => None,
        };
        let whole = Whole::of(&definition);
        let is_text = matches!(definition.field_type, FieldType::Keyword | FieldType::Text);
        // Ends of date ranges are read like dates.
        let format = format.or_else(|| {
            let format = definition.format.as_deref().filter(|_| whole.is_some());
            format.and_then(|format| DateFormat::parse(format).ok())
        });
        Self {
            path,
            whole,
            format,
            ignore_above,
            coercion,
            ignores_malformed: attribute("ignore_malformed")
                .and_then(flag)
                .unwrap_or(ignores_malformed && !is_text),
            null_value: attribute("null_value")
                .filter(|value| !value.is_null())
                .cloned(),
            is_changed: false,
            column: empty_column(definition.field_type),
            definition,
        }
    }

    /// The column so far; an empty one takes its place.
    pub(super) fn take_column(&mut self) -> ColumnBuilder {
        std::mem::replace(&mut self.column, empty_column(self.definition.field_type))
    }

    /// Whether it reads dates as `2026-02-01T00:00:00Z` and as milliseconds, each as anyone would.
    pub(super) fn reads_iso_dates(&self) -> bool {
        match self.definition.format.as_deref() {
            None => true,
            Some(format) => format == DATE_FORMAT_DEFAULT,
        }
    }

    /// Makes a `long` a `double`.
    pub(super) fn widen(&mut self) {
        self.definition.field_type = FieldType::Double;
        self.definition.widened = true;
        self.is_changed = true;
        self.column.widen();
    }
}

fn empty_column(field_type: FieldType) -> ColumnBuilder {
    match field_type.column_kind() {
        ColumnKind::Integer => ColumnBuilder::integer(),
        ColumnKind::Decimal => ColumnBuilder::decimal(),
        ColumnKind::Text => ColumnBuilder::text(),
    }
}

/// `true` and `"true"` are both written in mappings.
fn flag(value: &serde_json::Value) -> Option<bool> {
    match value {
        serde_json::Value::Bool(flag) => Some(*flag),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
