//! Original documents, rebuilt from shapes, columns and own bytes.

use std::sync::Arc;

use super::active::ActiveChunk;
use super::encoding::Flaw;
use super::layout::{DOCUMENTS, page};
use super::occurrence::nth_value;
use super::reader::SegmentReader;
use super::{ColumnHandle, Section, SegmentError};
use crate::model::{
    CodeVector, ColumnKind, Decimal, Dictionary, Hole, NumberVector, Shape, ShapeValue, Style,
    VECTOR_ROWS, take_own,
};

/// After so many terms looked up one by one, all terms of a column are loaded.
const TERM_LOOKUPS_MAX: usize = 4096;

/// Rebuilds documents of one source. What it decoded of a column stays for the next row, so rows
/// that lie near each other are cheap together.
#[derive(Debug)]
pub struct DocumentReader<'a> {
    rows: Rows<'a>,
    shapes: Arc<Dictionary>,
    /// By code, once a row had them.
    bound: Vec<Option<Arc<BoundShape>>>,
    columns: Vec<CachedColumn>,
    /// The shapes of the rows of `vector`.
    codes: CodeVector,
    vector: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a> {
    Segment(&'a SegmentReader),
    Active(&'a ActiveChunk),
}

/// A shape whose columns were found.
#[derive(Debug)]
struct BoundShape {
    holes: Vec<(Box<[u8]>, BoundHole)>,
    tail: Box<[u8]>,
}

#[derive(Debug)]
enum BoundHole {
    Own,
    Value {
        /// Place in [`DocumentReader::columns`].
        column: usize,
        index: u32,
        style: Style,
    },
}

/// The values of one column in the vector that was read last.
#[derive(Debug)]
struct CachedColumn {
    handle: ColumnHandle,
    is_text: bool,
    vector: Option<usize>,
    numbers: NumberVector,
    codes: CodeVector,
    lookups: usize,
    dictionary: Option<Arc<Dictionary>>,
    term: Vec<u8>,
}

macro_rules! either {
    ($rows:expr, $inner:ident => $answer:expr) => {
        match $rows {
            Rows::Segment($inner) => $answer,
            Rows::Active($inner) => $answer,
        }
    };
}

impl<'a> DocumentReader<'a> {
    pub(super) fn new(rows: Rows<'a>) -> Result<Self, SegmentError> {
        let shapes = either!(rows, rows => rows.shapes()?);
        Ok(Self {
            rows,
            bound: vec![None; shapes.len()],
            shapes,
            columns: Vec::new(),
            codes: CodeVector::default(),
            vector: None,
        })
    }

    /// The document of `row`.
    ///
    /// # Errors
    /// When there is no such row, or the file cannot be read or is damaged.
    pub fn document(&mut self, row: usize) -> Result<Vec<u8>, SegmentError> {
        let own = either!(self.rows, rows => rows.own_bytes(row)?);
        let vector = row / VECTOR_ROWS;
        if self.vector != Some(vector) {
            self.vector = None;
            either!(self.rows, rows => rows.shape_codes(vector, &mut self.codes)?);
            self.vector = Some(vector);
        }
        let Some(code) = self.codes.codes.get(row % VECTOR_ROWS).copied() else {
            return Ok(own);
        };
        if self.shapes.term(code).is_empty() {
            return Ok(own);
        }
        let shape = self.bind(code)?;
        let mut out = Vec::new();
        let mut rest = own.as_slice();
        for (before, hole) in &shape.holes {
            out.extend_from_slice(before);
            match hole {
                BoundHole::Own => {
                    let bytes = take_own(&mut rest);
                    out.extend_from_slice(bytes.ok_or_else(|| malformed("own bytes are missing"))?);
                }
                BoundHole::Value {
                    column,
                    index,
                    style,
                } => self.print(*column, row, *index, *style, &mut out)?,
            }
        }
        if !rest.is_empty() {
            return Err(malformed("a row has more own bytes than its shape takes"));
        }
        out.extend_from_slice(&shape.tail);
        Ok(out)
    }

    /// The shape of `code` with its columns.
    fn bind(&mut self, code: u32) -> Result<Arc<BoundShape>, SegmentError> {
        if let Some(shape) = &self.bound[code as usize] {
            return Ok(Arc::clone(shape));
        }
        let shape = Shape::decode(self.shapes.term(code))
            .map_err(|_| malformed("a shape cannot be read"))?;
        let mut holes = Vec::with_capacity(shape.holes.len());
        for (before, hole) in shape.holes {
            let hole = match hole {
                Hole::Own => BoundHole::Own,
                Hole::Value { path, index, style } => BoundHole::Value {
                    column: self.column(&path)?,
                    index,
                    style,
                },
            };
            holes.push((before, hole));
        }
        let shape = Arc::new(BoundShape {
            holes,
            tail: shape.tail,
        });
        self.bound[code as usize] = Some(Arc::clone(&shape));
        Ok(shape)
    }

    /// The place of the column at `path`.
    fn column(&mut self, path: &str) -> Result<usize, SegmentError> {
        let handle = either!(self.rows, rows => rows.column(path))
            .ok_or_else(|| malformed("a shape names a column that is not there"))?;
        let known = self.columns.iter().position(|known| known.handle == handle);
        if let Some(place) = known {
            return Ok(place);
        }
        let info = either!(self.rows, rows => rows.column_info(handle));
        self.columns.push(CachedColumn {
            handle,
            is_text: info.kind == ColumnKind::Text,
            vector: None,
            numbers: NumberVector::default(),
            codes: CodeVector::default(),
            lookups: 0,
            dictionary: None,
            term: Vec::new(),
        });
        Ok(self.columns.len() - 1)
    }

    /// Appends value `index` of `row` in a column.
    fn print(
        &mut self,
        column: usize,
        row: usize,
        index: u32,
        style: Style,
        out: &mut Vec<u8>,
    ) -> Result<(), SegmentError> {
        let column = &mut self.columns[column];
        let value = column.value(self.rows, row, index)?;
        style
            .print(value, out)
            .ok_or_else(|| malformed("a value does not fit its shape"))
    }
}

impl CachedColumn {
    fn value(
        &mut self,
        rows: Rows<'_>,
        row: usize,
        index: u32,
    ) -> Result<ShapeValue<'_>, SegmentError> {
        let vector = row / VECTOR_ROWS;
        if self.vector != Some(vector) {
            self.vector = None;
            match self.is_text {
                true => {
                    either!(rows, rows => rows.codes(self.handle, vector, &mut self.codes)?);
                }
                false => {
                    either!(rows, rows => rows.numbers(self.handle, vector, &mut self.numbers)?);
                }
            }
            self.vector = Some(vector);
        }
        let occurrence = match self.is_text {
            true => &self.codes.occurrence,
            false => &self.numbers.occurrence,
        };
        let value = nth_value(occurrence, row % VECTOR_ROWS, index)
            .ok_or_else(|| malformed("a shape names a value that is not there"))?;
        if !self.is_text {
            return Ok(ShapeValue::Number(Decimal {
                mantissa: self.numbers.mantissas[value],
                exponent: self.numbers.exponents.get(value),
            }));
        }
        let code = self.codes.codes[value];
        if self.dictionary.is_none() && self.lookups == TERM_LOOKUPS_MAX {
            self.dictionary = match either!(rows, rows => rows.dictionary(self.handle)) {
                Ok(dictionary) => Some(dictionary),
                // More text than is kept at once goes on block by block.
                Err(SegmentError::TooLarge { .. }) => None,
                Err(error) => return Err(error),
            };
        }
        if let Some(dictionary) = &self.dictionary {
            return Ok(ShapeValue::Text(dictionary.term(code)));
        }
        self.lookups += 1;
        self.term = either!(rows, rows => rows.term(self.handle, code)?);
        Ok(ShapeValue::Text(&self.term))
    }
}

fn malformed(reason: &'static str) -> SegmentError {
    page(DOCUMENTS, Section::DictionaryBlock, 0).malformed(Flaw(reason))
}
