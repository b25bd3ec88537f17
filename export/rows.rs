//! Rows of a snapshot as record batches.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use query::MatchingRows;
use query::request::Filter;
use storage::model::{
    CodeVector, ColumnKind, Decimal, Dictionary, FieldType, NumberVector, VectorOccurrence,
};
use storage::segment::{ColumnHandle, ColumnOccurrence, RowSource};
use storage::store::TopicSnapshot;

use crate::ExportError;
use crate::column::{ColumnBuilder, ColumnType};
use crate::unread::{Unread, damage_of, unread_of};

/// Rows of a batch, about: a batch ends with the vector that reaches it.
pub const BATCH_ROWS: usize = 64 * 1024;

/// Columns that every export of rows has.
const TIME: &str = "_time";
const PARTITION: &str = "_partition";
const OFFSET: &str = "_offset";
const ID: &str = "_id";
const SOURCE: &str = "_source";

/// Behind a field's name: its exact decimals as text.
pub(crate) const DECIMAL_SUFFIX: &str = ".decimal";

/// How decimals are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decimals {
    /// As `Float64`: exact for single values, rounded once for sums.
    #[default]
    Float64,
    /// As `Float64`, and their exact text beside it.
    WithText,
}

/// Which rows, and what of them.
#[derive(Debug, Clone)]
pub struct RowChoice {
    /// Which rows.
    pub filter: Filter,
    /// The fields in this order; `None` for all of the topic.
    pub fields: Option<Vec<String>>,
    /// Whether the original documents come along, as text.
    pub has_source: bool,
    /// Whether ids come along; a row without one is named by partition and offset.
    pub has_ids: bool,
    /// How decimals are given.
    pub decimals: Decimals,
}

impl Default for RowChoice {
    fn default() -> Self {
        Self {
            filter: Filter::All,
            fields: None,
            has_source: false,
            has_ids: false,
            decimals: Decimals::Float64,
        }
    }
}

/// The rows of one instant as record batches, segment by segment in order of their making, then
/// active rows; inside a segment by time. An iterator; after an error it ends.
#[derive(Debug)]
pub struct RowBatches {
    snapshot: TopicSnapshot,
    filter: Filter,
    schema: SchemaRef,
    fields: Vec<ExportedField>,
    keys: KeyColumns,
    source: usize,
    open: Option<OpenSource>,
    rows_seen: u64,
    unread: Vec<Unread>,
}

/// The chosen rows of a vector, read but not given on: a column that cannot be read leaves none of
/// the others half filled.
struct ReadRows {
    times_ms: Vec<i64>,
    partitions: Vec<u32>,
    offsets: Vec<u64>,
    /// Of the chosen rows, where they are wanted.
    ids: Vec<String>,
    documents: Vec<String>,
    fields: Vec<ReadField>,
}

/// A field of a vector.
enum ReadField {
    Codes(CodeVector),
    Numbers(NumberVector),
    /// No row of the source has a value that the field could read.
    Missing,
}

/// A field that is exported.
#[derive(Debug)]
struct ExportedField {
    path: String,
    field_type: FieldType,
    builder: ColumnBuilder,
    decimals: Option<ColumnBuilder>,
}

/// Columns that are no fields.
#[derive(Debug)]
struct KeyColumns {
    time: ColumnBuilder,
    partition: ColumnBuilder,
    offset: ColumnBuilder,
    id: Option<ColumnBuilder>,
    source: Option<ColumnBuilder>,
}

/// The source that is being read.
#[derive(Debug)]
struct OpenSource {
    matching: MatchingRows,
    vector: usize,
    columns: Vec<Option<OpenColumn>>,
}

#[derive(Debug)]
enum OpenColumn {
    Numbers(ColumnHandle, ColumnKind),
    Texts(ColumnHandle, Arc<Dictionary>),
}

impl RowBatches {
    /// The rows of `snapshot` that `choice` names.
    ///
    /// # Errors
    /// When a field that it names does not exist.
    pub fn new(snapshot: TopicSnapshot, choice: RowChoice) -> Result<Self, ExportError> {
        let mapping = &snapshot.topic.mapping;
        let names = match &choice.fields {
            Some(names) => names.clone(),
            None => mapping.fields.keys().cloned().collect(),
        };
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            let Some((field, column)) = mapping.resolve(&name) else {
                let what = "does not exist";
                return Err(ExportError::Field { field: name, what });
            };
            let column_type = ColumnType::of(field.field_type);
            let is_list = is_list(&snapshot, column);
            let wants_text =
                column_type == ColumnType::Double && choice.decimals == Decimals::WithText;
            let decimals = wants_text.then(|| {
                let name = format!("{name}{DECIMAL_SUFFIX}");
                ColumnBuilder::new(&name, ColumnType::Decimal, is_list, true)
            });
            fields.push(ExportedField {
                path: column.to_owned(),
                field_type: field.field_type,
                builder: ColumnBuilder::new(&name, column_type, is_list, true),
                decimals,
            });
        }
        let key = |name, column_type| ColumnBuilder::new(name, column_type, false, false);
        let keys = KeyColumns {
            time: key(TIME, ColumnType::Milliseconds),
            partition: key(PARTITION, ColumnType::Integer),
            offset: key(OFFSET, ColumnType::Integer),
            id: choice.has_ids.then(|| key(ID, ColumnType::Text)),
            source: choice.has_source.then(|| key(SOURCE, ColumnType::Text)),
        };
        let all = keys.all().chain(fields.iter().flat_map(ExportedField::all));
        let schema = Schema::new(all.map(|one| Arc::clone(one.field())).collect::<Vec<_>>());
        Ok(Self {
            filter: choice.filter,
            schema: Arc::new(schema),
            fields,
            keys,
            source: 0,
            open: None,
            rows_seen: 0,
            unread: unread_of(&snapshot),
            snapshot,
        })
    }

    /// The schema of every batch.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows that were looked at so far, and all that there are: how far it is.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.rows_seen, self.snapshot.row_count() as u64)
    }

    /// What could not be read so far, and is left out.
    #[must_use]
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ExportError> {
        let mut rows = 0;
        while let Some(source) = self.snapshot.sources.get(self.source).cloned() {
            if self.open.is_none() {
                match self.open_source(&source) {
                    Ok(open) => self.open = Some(open),
                    Err(error) => {
                        self.leave_out(&source, 0..source.vector_count(), error)?;
                        self.source += 1;
                        continue;
                    }
                }
            }
            let open = self.open.as_mut().expect("it was just opened");
            let mut interner = Interner::new(self.fields.len());
            let mut damaged = None;
            while open.vector < source.vector_count() && rows < BATCH_ROWS {
                match read_rows(open, &source, &self.fields, &self.keys) {
                    Ok((chosen, read)) => {
                        self.keys.push(&read, &chosen);
                        for (index, field) in self.fields.iter_mut().enumerate() {
                            let column = open.columns[index].as_ref();
                            let codes = &mut interner.codes[index];
                            field.push(&read.fields[index], &chosen, column, codes);
                        }
                        rows += chosen.len();
                    }
                    Err(error) => {
                        damaged = Some((open.vector, error));
                        break;
                    }
                }
                self.rows_seen += source.vector_rows(open.vector).len() as u64;
                open.vector += 1;
            }
            if let Some((vector, error)) = damaged {
                self.leave_out(&source, vector..source.vector_count(), error)?;
                self.open = None;
                self.source += 1;
            } else if open.vector == source.vector_count() {
                self.open = None;
                self.source += 1;
            }
            // Codes are those of one source, so a batch does not go on into the next.
            if rows > 0 {
                return self.finish_batch().map(Some);
            }
        }
        Ok(None)
    }

    /// Goes on without these vectors of `source`, if damage is why they cannot be read.
    fn leave_out(
        &mut self,
        source: &RowSource,
        vectors: Range<usize>,
        error: ExportError,
    ) -> Result<(), ExportError> {
        let Some(reason) = damage_of(source) else {
            return Err(error);
        };
        let rows: usize = vectors.map(|vector| source.vector_rows(vector).len()).sum();
        let rows = rows as u64;
        self.rows_seen += rows;
        self.unread.push(Unread { rows, reason });
        Ok(())
    }

    fn open_source(&self, source: &RowSource) -> Result<OpenSource, ExportError> {
        let matching = MatchingRows::new(&self.filter, &self.snapshot.topic, source)?;
        let columns = self.fields.iter().map(|field| {
            let handle = source.column(&field.path).filter(|_| !matching.is_empty());
            let Some(handle) = handle else {
                return Ok(None);
            };
            let kind = source.column_info(handle).kind;
            Ok(Some(match kind {
                ColumnKind::Text => OpenColumn::Texts(handle, source.dictionary(handle)?),
                ColumnKind::Integer | ColumnKind::Decimal => OpenColumn::Numbers(handle, kind),
            }))
        });
        let columns = columns.collect::<Result<_, ExportError>>()?;
        Ok(OpenSource {
            matching,
            vector: 0,
            columns,
        })
    }

    fn finish_batch(&mut self) -> Result<RecordBatch, ExportError> {
        let fields = self.fields.iter_mut().flat_map(ExportedField::all_mut);
        let columns = self.keys.all_mut().chain(fields);
        let columns: Vec<ArrayRef> = columns
            .map(ColumnBuilder::finish)
            .collect::<Result<_, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Iterator for RowBatches {
    type Item = Result<RecordBatch, ExportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch();
        if batch.is_err() {
            self.source = usize::MAX;
        }
        batch.transpose()
    }
}

/// Whether some row of the snapshot has several values in a column.
fn is_list(snapshot: &TopicSnapshot, column: &str) -> bool {
    snapshot.sources.iter().any(|source| {
        let handle = source.column(column);
        handle.is_some_and(|handle| source.column_info(handle).occurrence == ColumnOccurrence::Many)
    })
}

/// Codes of a source to codes of a batch, for each field.
struct Interner {
    codes: Vec<HashMap<u32, i32>>,
}

impl Interner {
    fn new(fields: usize) -> Self {
        Self {
            codes: vec![HashMap::new(); fields],
        }
    }
}

impl KeyColumns {
    fn all(&self) -> impl Iterator<Item = &ColumnBuilder> {
        let keys = [&self.time, &self.partition, &self.offset];
        keys.into_iter().chain(&self.id).chain(&self.source)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut ColumnBuilder> {
        let keys = [&mut self.time, &mut self.partition, &mut self.offset];
        keys.into_iter().chain(&mut self.id).chain(&mut self.source)
    }

    fn push(&mut self, read: &ReadRows, chosen: &[usize]) {
        for row in chosen {
            self.time.push_integers([read.times_ms[*row]]);
            self.partition.push_integers([read.partitions[*row].into()]);
            self.offset
                .push_integers([read.offsets[*row].cast_signed()]);
        }
        for (column, texts) in [
            (&mut self.id, &read.ids),
            (&mut self.source, &read.documents),
        ] {
            for text in texts {
                if let Some(column) = column.as_mut() {
                    column.push_text(Some(text.clone()));
                }
            }
        }
    }
}

/// Reads what is chosen of the vector at hand, and says which rows that are.
fn read_rows(
    open: &OpenSource,
    source: &RowSource,
    fields: &[ExportedField],
    keys: &KeyColumns,
) -> Result<(Vec<usize>, ReadRows), ExportError> {
    let vector = open.vector;
    let chosen = open.matching.rows(source, vector)?;
    let mut read = ReadRows {
        times_ms: Vec::new(),
        partitions: Vec::new(),
        offsets: Vec::new(),
        ids: Vec::new(),
        documents: Vec::new(),
        fields: Vec::with_capacity(fields.len()),
    };
    if chosen.is_empty() {
        read.fields
            .extend(fields.iter().map(|_| ReadField::Missing));
        return Ok((chosen, read));
    }
    source.times_ms(vector, &mut read.times_ms)?;
    source.origins(vector, &mut read.partitions, &mut read.offsets)?;
    let first = source.vector_rows(vector).start;
    for row in &chosen {
        if keys.id.is_some() {
            read.ids.push(match source.id(first + row)? {
                Some(id) => String::from_utf8_lossy(&id).into_owned(),
                None => format!("{}-{}", read.partitions[*row], read.offsets[*row]),
            });
        }
        if keys.source.is_some() {
            let document = source.source(first + row)?;
            let document = String::from_utf8_lossy(&document).into_owned();
            read.documents.push(document);
        }
    }
    for (field, column) in fields.iter().zip(&open.columns) {
        read.fields
            .push(field.read(source, vector, column.as_ref())?);
    }
    Ok((chosen, read))
}

impl ExportedField {
    fn all(&self) -> impl Iterator<Item = &ColumnBuilder> {
        std::iter::once(&self.builder).chain(&self.decimals)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut ColumnBuilder> {
        std::iter::once(&mut self.builder).chain(&mut self.decimals)
    }

    fn read(
        &self,
        source: &RowSource,
        vector: usize,
        column: Option<&OpenColumn>,
    ) -> Result<ReadField, ExportError> {
        match (column, self.field_type.column_kind()) {
            (Some(OpenColumn::Texts(handle, _)), ColumnKind::Text) => {
                let mut codes = CodeVector::default();
                source.codes(*handle, vector, &mut codes)?;
                Ok(ReadField::Codes(codes))
            }
            (Some(OpenColumn::Numbers(handle, ColumnKind::Integer)), ColumnKind::Integer)
            | (Some(OpenColumn::Numbers(handle, _)), ColumnKind::Decimal) => {
                let mut numbers = NumberVector::default();
                source.numbers(*handle, vector, &mut numbers)?;
                Ok(ReadField::Numbers(numbers))
            }
            _ => Ok(ReadField::Missing),
        }
    }

    fn push(
        &mut self,
        read: &ReadField,
        chosen: &[usize],
        column: Option<&OpenColumn>,
        batch_codes: &mut HashMap<u32, i32>,
    ) {
        match (read, column) {
            (ReadField::Codes(codes), Some(OpenColumn::Texts(_, dictionary))) => {
                let starts = Starts::of(&codes.occurrence);
                for row in chosen {
                    let row_codes = &codes.codes[starts.values(*row)];
                    let builder = &mut self.builder;
                    let translated: Vec<i32> = row_codes
                        .iter()
                        .map(|code| {
                            let known = batch_codes.entry(*code);
                            *known.or_insert_with(|| builder.add_term(dictionary.term(*code)))
                        })
                        .collect();
                    self.builder.push_codes(translated);
                }
            }
            (ReadField::Numbers(numbers), _)
                if self.field_type.column_kind() == ColumnKind::Integer =>
            {
                let starts = Starts::of(&numbers.occurrence);
                for row in chosen {
                    let values = &numbers.mantissas[starts.values(*row)];
                    self.builder.push_integers(values.iter().copied());
                }
            }
            (ReadField::Numbers(numbers), _) => {
                let starts = Starts::of(&numbers.occurrence);
                let value = |index: usize| Decimal {
                    mantissa: numbers.mantissas[index],
                    exponent: numbers.exponents.get(index),
                };
                for row in chosen {
                    for builder in self.all_mut() {
                        builder.push_decimals(starts.values(*row).map(value));
                    }
                }
            }
            (ReadField::Missing | ReadField::Codes(_), _) => {
                for _ in chosen {
                    for builder in self.all_mut() {
                        builder.push_missing();
                    }
                }
            }
        }
    }
}

/// Where the values of a row are among the dense values of a vector.
enum Starts {
    One,
    Each(Vec<u32>),
}

impl Starts {
    fn of(occurrence: &VectorOccurrence) -> Self {
        match occurrence {
            VectorOccurrence::One => Self::One,
            VectorOccurrence::Many(starts) => Self::Each(starts.clone()),
            VectorOccurrence::Optional(words) => {
                let mut starts = vec![0];
                let mut values = 0;
                for word in words.iter() {
                    for bit in 0..64 {
                        values += u32::from(word >> bit & 1 == 1);
                        starts.push(values);
                    }
                }
                Self::Each(starts)
            }
        }
    }

    fn values(&self, row: usize) -> Range<usize> {
        match self {
            Self::One => row..row + 1,
            Self::Each(starts) => starts[row] as usize..starts[row + 1] as usize,
        }
    }
}
