//! Documents in, rows and fields out.

use std::sync::Arc;

use serde_json::Value;
use storage::catalog::{Dynamic, TimeField, Topic};
use storage::model::{
    Column, ColumnBatch, FieldType, IGNORED_COLUMN, Mapping, PartitionId, ROUTING_COLUMN,
    VERSION_COLUMN,
};
use storage::store::Removal;

use super::columns::ColumnBuilder;
use super::detect::TIMESTAMP;
use super::error::DocumentError;
use super::row::{RowState, Rules, Staged, StagedValue, Stored};
use super::shapes::ShapeBook;
use super::tree::FieldIndex;
use super::visitor;

/// Most fields of a topic, subfields counted, unless `index.mapping.total_fields.limit` says
/// otherwise. Columns are cheap here, so it is far from what Elasticsearch allows.
pub const FIELDS_MAX: usize = 10_000;

/// Most names in a path unless `index.mapping.depth.limit` says otherwise.
pub const DEPTH_MAX: usize = 20;

/// The setting that names the time field.
pub const TIME_FIELD_SETTING: &str = "index.time_field";

/// The setting with which new text fields can be grouped, sorted and looked up as whole texts
/// under their own name, as the keyword below them can.
pub const WHOLE_TEXTS_SETTING: &str = "index.mapping.whole_texts";

/// What the time of an event is called where several fields are dates.
const TIME_NAMES: [&str; 7] = [
    "timestamp",
    "time",
    "ts",
    "date",
    "datetime",
    "event_time",
    "created_at",
];

/// A record whose value is a document.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// Where the record is.
    pub partition: PartitionId,
    /// Where the record is.
    pub offset: storage::model::Offset,
    /// The record's time.
    pub timestamp_ms: i64,
    /// The id that the writer gave.
    pub id: Option<&'a [u8]>,
    /// The document as JSON.
    pub source: &'a [u8],
}

/// Fields that documents brought, and what they were added to.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFields {
    /// The mapping that was known; with another one the documents must be decoded again.
    pub base: Arc<Mapping>,
    /// The time field that was known.
    pub base_time_field: Option<TimeField>,
    /// The mapping from now on.
    pub mapping: Arc<Mapping>,
    /// The time field, which the first row fixes.
    pub time_field: Option<TimeField>,
}

/// Rows, and the fields that must be in the catalog before they are seen.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedRows {
    /// The rows.
    pub rows: ColumnBatch,
    /// What else their records take away.
    pub removals: Vec<Removal>,
    /// `None` when the catalog knows everything.
    pub new_fields: Option<NewFields>,
}

/// Decodes documents of one topic into rows.
///
/// A document counts whole or not at all: what is rejected leaves no value and no field behind.
#[derive(Debug)]
pub struct DocumentDecoder {
    base: Arc<Mapping>,
    base_time_field: Option<TimeField>,
    dynamic: Dynamic,
    state: RowState,
    shapes: ShapeBook,
    rows: Rows,
    time_field: Option<TimeField>,
    /// The field that `time_field` names, once a row has it.
    time_index: Option<FieldIndex>,
}

/// What rows have besides fields.
#[derive(Debug)]
struct Rows {
    times_ms: Vec<i64>,
    partitions: Vec<u32>,
    offsets: Vec<u64>,
    ids: ColumnBuilder,
    /// Versions of documents, where they are not 1.
    versions: ColumnBuilder,
    /// Routings of documents that were written with one.
    routings: ColumnBuilder,
    /// Fields that were left out.
    ignored: ColumnBuilder,
    removals: Vec<Removal>,
    /// Bytes of the documents.
    source_bytes: usize,
    times_are_field: bool,
}

impl Rows {
    fn new() -> Self {
        Self {
            times_ms: Vec::new(),
            partitions: Vec::new(),
            offsets: Vec::new(),
            ids: ColumnBuilder::text(),
            versions: ColumnBuilder::integer(),
            routings: ColumnBuilder::text(),
            ignored: ColumnBuilder::text(),
            removals: Vec::new(),
            source_bytes: 0,
            times_are_field: true,
        }
    }
}

impl DocumentDecoder {
    /// A decoder that knows what `topic` says about its fields.
    #[must_use]
    pub fn new(topic: &Topic) -> Self {
        let time_field = topic
            .time_field
            .clone()
            .or_else(|| configured_time_field(topic));
        let time_path = match &time_field {
            Some(TimeField::Field(path)) => Some(path.as_str().into()),
            Some(TimeField::RecordTime) | None => None,
        };
        let rules = Rules {
            dynamic: topic.dynamic,
            fields_max: limit(topic, "index.mapping.total_fields.limit", FIELDS_MAX),
            depth_max: limit(topic, "index.mapping.depth.limit", DEPTH_MAX),
            whole_texts: flag(topic, WHOLE_TEXTS_SETTING),
            time_path,
            fields_to_come: topic.mapping.rules.clone(),
            ignores_malformed: flag(topic, "index.mapping.ignore_malformed"),
        };
        Self {
            base: Arc::clone(&topic.mapping),
            base_time_field: topic.time_field.clone(),
            dynamic: topic.dynamic,
            state: RowState::new(&topic.mapping, rules),
            shapes: ShapeBook::default(),
            rows: Rows::new(),
            time_field,
            time_index: None,
        }
    }

    /// Whether it still knows what `topic` says about its fields.
    #[must_use]
    pub fn is_current(&self, topic: &Topic) -> bool {
        let same_mapping = Arc::ptr_eq(&self.base, &topic.mapping) || self.base == topic.mapping;
        same_mapping && self.base_time_field == topic.time_field && self.dynamic == topic.dynamic
    }

    /// Adds `document` as a row.
    ///
    /// # Errors
    /// Why it cannot be one; nothing of it stays.
    pub fn decode(&mut self, document: &Document<'_>) -> Result<(), DocumentError> {
        let mark = self.state.begin();
        let source = document.source;
        if let Some(shape) = self.shapes.guess(source, self.state.staged_mut()) {
            let row = self.begin_row(document);
            self.state.store(row, Some(source));
            self.shapes.push(shape);
            return Ok(());
        }
        let text = simdutf8::basic::from_utf8(source).map_err(|_| DocumentError::Utf8)?;
        if let Err(error) = visitor::read(text, &mut self.state) {
            self.state.go_back(mark);
            return Err(error);
        }
        if self.time_field.is_none() {
            self.time_field = Some(self.choose_time_field());
        }
        let row = self.begin_row(document);
        for path in self.state.take_ignored() {
            self.rows.ignored.push_text(row, path.as_bytes());
        }
        self.shapes.push_read(source, &self.state);
        if self.state.store(row, None) == Stored::Widened {
            self.shapes.forget_plans();
        }
        Ok(())
    }

    /// Adds what a row has besides fields, whose values are staged.
    fn begin_row(&mut self, document: &Document<'_>) -> u32 {
        let (time_ms, is_field) = self.time_of_row(document.timestamp_ms);
        let row = u32::try_from(self.row_count()).expect("a batch has fewer than 2^32 rows");
        self.rows.times_ms.push(time_ms);
        self.rows.times_are_field &= is_field;
        self.rows.partitions.push(document.partition.0);
        self.rows.offsets.push(document.offset.0);
        self.rows.source_bytes += document.source.len();
        if let Some(id) = document.id {
            // Ids are texts; one that is not was never given by a writer of ours.
            let id = String::from_utf8_lossy(id);
            self.rows.ids.push_text(row, id.as_bytes());
        }
        row
    }

    /// Says that the last row is this version of its document, written with this routing.
    pub fn note_write(&mut self, version: u64, routing: Option<&str>) {
        let row = u32::try_from(self.row_count().saturating_sub(1)).expect("checked for each row");
        if version != 1 {
            let version = i64::try_from(version).expect("versions are checked when they are read");
            self.rows.versions.push_integer(row, version);
        }
        if let Some(routing) = routing {
            self.rows.routings.push_text(row, routing.as_bytes());
        }
    }

    /// Notes that a record takes a row away.
    pub fn remove(&mut self, removal: Removal) {
        self.rows.removals.push(removal);
    }

    /// Rows since the last `finish`.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.times_ms.len()
    }

    /// Bytes of the documents since the last `finish`.
    #[must_use]
    pub fn source_bytes(&self) -> usize {
        self.rows.source_bytes
    }

    /// The rows so far. From here on the decoder takes their new fields for known: if they cannot
    /// be committed, it must not be used again.
    pub fn finish(&mut self) -> DecodedRows {
        let rows = std::mem::replace(&mut self.rows, Rows::new());
        let row_count = u32::try_from(rows.times_ms.len()).expect("checked for each row");
        let mut columns: Vec<(Arc<str>, Column)> = Vec::new();
        for field in &mut self.state.fields {
            if let Some(column) = field.take_column().finish(row_count) {
                columns.push((Arc::clone(&field.path), column));
            }
        }
        if let Some(versions) = rows.versions.finish(row_count) {
            columns.push((VERSION_COLUMN.into(), versions));
        }
        if let Some(routings) = rows.routings.finish(row_count) {
            columns.push((ROUTING_COLUMN.into(), routings));
        }
        if let Some(ignored) = rows.ignored.finish(row_count) {
            columns.push((IGNORED_COLUMN.into(), ignored));
        }
        columns.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        let ids = match rows.ids.finish(row_count) {
            Some(Column::Text(ids)) => Some(ids),
            Some(Column::Integer(_) | Column::Decimal(_)) | None => None,
        };
        let removals = rows.removals;
        let rows = ColumnBatch {
            times_ms: rows.times_ms,
            partitions: rows.partitions,
            offsets: rows.offsets,
            ids,
            sources: self.shapes.finish(),
            columns,
            times_are_field: rows.times_are_field && row_count > 0,
        };
        DecodedRows {
            rows,
            removals,
            new_fields: self.take_new_fields(row_count),
        }
    }

    fn take_new_fields(&mut self, row_count: u32) -> Option<NewFields> {
        let fixes_time = row_count > 0 && self.time_field != self.base_time_field;
        let changed = self.state.fields.iter().any(|field| field.is_changed);
        if !fixes_time && !changed {
            return None;
        }
        let mut mapping = Mapping::clone(&self.base);
        for field in self
            .state
            .fields
            .iter_mut()
            .filter(|field| field.is_changed)
        {
            mapping
                .fields
                .insert(field.path.as_ref().into(), field.definition.clone());
            field.is_changed = false;
        }
        let mapping = Arc::new(mapping);
        let base = std::mem::replace(&mut self.base, Arc::clone(&mapping));
        // A topic without a row yet has no time field yet.
        let time_field = match row_count {
            0 => self.base_time_field.clone(),
            _ => self.time_field.clone(),
        };
        let base_time_field = std::mem::replace(&mut self.base_time_field, time_field.clone());
        Some(NewFields {
            base,
            base_time_field,
            mapping,
            time_field,
        })
    }

    /// The time field of a topic that has none yet, chosen when the first row has been read:
    /// `@timestamp` when it is a date, else the only date, else the first of the names that times
    /// are given, else the record's time.
    fn choose_time_field(&self) -> TimeField {
        let fields = &self.state.fields;
        let is_date = |index: FieldIndex| fields[index.0 as usize].definition.field_type.is_date();
        if self.state.field_at(TIMESTAMP).is_some_and(is_date) {
            return TimeField::Field(TIMESTAMP.into());
        }
        let mut dates = fields
            .iter()
            .filter(|field| field.definition.field_type.is_date());
        if let (Some(only), None) = (dates.next(), dates.next()) {
            return TimeField::Field(only.path.as_ref().into());
        }
        let is_time = |name: &&&str| self.state.field_at(name).is_some_and(is_date);
        match TIME_NAMES.iter().find(is_time) {
            Some(name) => TimeField::Field((*name).into()),
            None => TimeField::RecordTime,
        }
    }

    /// The time of the row that was read, and whether it is the one value of its time field.
    fn time_of_row(&mut self, timestamp_ms: i64) -> (i64, bool) {
        let Some(TimeField::Field(path)) = &self.time_field else {
            return (timestamp_ms, false);
        };
        let known = self.time_index.or_else(|| self.state.field_at(path));
        let Some(index) = known else {
            return (timestamp_ms, false);
        };
        // The row counts already, so its fields stay where they are.
        self.time_index = known;
        let mut values = self
            .state
            .staged()
            .iter()
            .filter(|staged| staged.field == index);
        let Some(Staged {
            value: StagedValue::Integer(first),
            ..
        }) = values.next()
        else {
            return (timestamp_ms, false);
        };
        let is_only = values.next().is_none();
        match self.state.fields[index.0 as usize].definition.field_type {
            FieldType::Date => (*first, is_only),
            FieldType::DateNanos => (first.div_euclid(1_000_000), false),
            FieldType::Long => (*first, false),
            FieldType::Integer
            | FieldType::Short
            | FieldType::Byte
            | FieldType::Double
            | FieldType::Float
            | FieldType::HalfFloat
            | FieldType::Boolean
            | FieldType::Keyword
            | FieldType::Text
            | FieldType::Ip => (timestamp_ms, false),
        }
    }
}

fn configured_time_field(topic: &Topic) -> Option<TimeField> {
    let path = topic.settings.get(TIME_FIELD_SETTING)?.as_str()?;
    Some(TimeField::Field(path.into()))
}

/// A limit from the settings, where numbers may stand as texts.
fn limit(topic: &Topic, setting: &str, default: usize) -> usize {
    let given = match topic.settings.get(setting) {
        Some(Value::Number(number)) => number.as_u64().and_then(|most| most.try_into().ok()),
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    };
    given.unwrap_or(default)
}

/// A switch from the settings, where it may stand as text; off unless it is on.
fn flag(topic: &Topic, setting: &str) -> bool {
    match topic.settings.get(setting) {
        Some(Value::Bool(on)) => *on,
        Some(Value::String(text)) => text == "true",
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
    }
}
