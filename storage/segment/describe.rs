//! What a segment file holds, for people: sizes, encodings, and which pages are damaged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::column_reader::StoredColumn;
use super::encoding::VectorHeader;
use super::footer::ColumnEntry;
use super::layout::{CELLS, DOCUMENTS, FIELDS_FIRST, IDS, OFFSETS, PARTITIONS, TIMES};
use super::{ColumnOccurrence, PageName, Section, SegmentError, SegmentReader, SegmentSummary};
use crate::model::{ColumnKind, VECTOR_ROWS};

/// What a segment file holds.
#[derive(Debug, Clone)]
pub struct SegmentSight {
    /// Program and version that wrote it.
    pub creator: String,
    /// What its footer says about its rows.
    pub summary: SegmentSummary,
    /// Whether the time field's column equals the sort key.
    pub times_are_field: bool,
    /// Everything that has pages, in the order of the file, and fields that share another's.
    pub columns: Vec<ColumnSight>,
    /// Its rollup cells; `None` when they cannot be read.
    pub cells: Option<CellsSight>,
    /// Pages that do not hold.
    pub damages: Vec<PageDamage>,
}

/// One column of a segment file.
#[derive(Debug, Clone)]
pub struct ColumnSight {
    /// A field's path, or what it is: `time`, `partition`, `offset`, `_id`, `_source`, `cells`.
    pub name: Arc<str>,
    /// Its number in the file.
    pub number: u32,
    /// How its values are stored; `None` where there are none of a kind.
    pub kind: Option<ColumnKind>,
    /// How many values its rows have; for fields.
    pub occurrence: Option<ColumnOccurrence>,
    /// The column whose pages hold its values, when it has none of its own.
    pub stored_as: Option<Arc<str>>,
    /// Its pages by section: how many, and their bytes in the file.
    pub sections: Vec<(Section, u64, u64)>,
    /// How many of its vectors have each encoding.
    pub encodings: Vec<(String, u64)>,
    /// Terms of its dictionary, for texts.
    pub term_count: u32,
    /// Bytes of all its terms together.
    pub text_bytes: u64,
}

/// The rollup cells of a segment.
#[derive(Debug, Clone)]
pub struct CellsSight {
    /// Hours that have rows.
    pub hours: usize,
    /// Each set: its dimension, its cells, its measures.
    pub sets: Vec<(Option<Arc<str>>, usize, usize)>,
}

/// A page that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageDamage {
    /// The page.
    pub page: PageName,
    /// Where in the file it is.
    pub offset: u64,
    /// How many bytes it has there.
    pub stored_bytes: u32,
    /// What does not hold.
    pub what: String,
}

impl ColumnSight {
    /// Bytes of all its pages in the file.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.sections.iter().map(|(_, _, bytes)| bytes).sum()
    }
}

impl SegmentReader {
    /// Reads every page and says what the file holds. Damaged pages are listed, the others are
    /// described all the same.
    ///
    /// # Errors
    /// When the file cannot be read any more; damage is no error here.
    pub fn describe(&self) -> Result<SegmentSight, SegmentError> {
        let footer = &self.file.footer;
        let cells = self.cells().ok().map(|cells| CellsSight {
            hours: cells.hours.len(),
            sets: cells
                .sets
                .iter()
                .map(|set| {
                    (
                        set.dimension.clone(),
                        set.row_counts.len(),
                        set.measures.len(),
                    )
                })
                .collect(),
        });
        let mut columns: Vec<ColumnSight> = [
            (TIMES, "time"),
            (PARTITIONS, "partition"),
            (OFFSETS, "offset"),
            (IDS, "_id"),
            (DOCUMENTS, "_source"),
            (CELLS, "cells"),
        ]
        .into_iter()
        .filter(|(number, _)| self.has_pages(*number))
        .map(|(number, name)| self.describe_own(number, name))
        .collect();
        for (number, entry) in (FIELDS_FIRST..).zip(&footer.columns) {
            let name_of_other = |number: u32| match number.checked_sub(FIELDS_FIRST) {
                Some(index) => footer
                    .columns
                    .get(index as usize)
                    .map(|other| other.path.clone()),
                None => columns
                    .iter()
                    .find(|column| column.number == number)
                    .map(|column| column.name.clone()),
            };
            let stored_as = (entry.stored_as != number)
                .then(|| name_of_other(entry.stored_as))
                .flatten();
            let mut sight = self.describe_pages(number, &entry.path);
            sight.stored_as = stored_as;
            sight.kind = Some(entry.info.kind);
            sight.occurrence = Some(entry.info.occurrence);
            sight.term_count = entry.term_count;
            sight.text_bytes = entry.text_bytes;
            columns.push(sight);
        }
        Ok(SegmentSight {
            creator: footer.creator.clone(),
            summary: footer.summary.clone(),
            times_are_field: footer.times_are_field,
            columns,
            cells,
            damages: self.damaged_pages()?,
        })
    }

    /// Checks the file header (0) or a page (from 1 on). Returns how many bytes that took; `None`
    /// behind the last page.
    ///
    /// # Errors
    /// When the page is not what was written, or cannot be read.
    pub fn check_page(&self, number: usize) -> Result<Option<u64>, SegmentError> {
        let Some(page) = number.checked_sub(1) else {
            self.file.verify_header()?;
            return Ok(Some(super::layout::FILE_HEADER_BYTES as u64));
        };
        let Some(entry) = self.file.footer.pages.get(page) else {
            return Ok(None);
        };
        self.file.read_page(page)?;
        Ok(Some(entry.stored_bytes.into()))
    }

    /// Reads every page, and lists those that are not what was written.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    fn damaged_pages(&self) -> Result<Vec<PageDamage>, SegmentError> {
        let mut damages = Vec::new();
        if let Err(error) = self.file.verify_header() {
            damages.push(PageDamage {
                page: super::layout::FILE_HEADER,
                offset: 0,
                stored_bytes: super::layout::FILE_HEADER_BYTES as u32,
                what: reason(error)?,
            });
        }
        for (number, entry) in self.file.footer.pages.iter().enumerate() {
            if let Err(error) = self.file.read_page(number) {
                damages.push(PageDamage {
                    page: entry.name,
                    offset: entry.offset,
                    stored_bytes: entry.stored_bytes,
                    what: reason(error)?,
                });
            }
        }
        Ok(damages)
    }

    fn has_pages(&self, column: u32) -> bool {
        let pages = &self.file.footer.pages;
        pages.iter().any(|page| page.name.column == column)
    }

    /// A column that is no field.
    fn describe_own(&self, number: u32, name: &str) -> ColumnSight {
        let mut sight = self.describe_pages(number, &name.into());
        let footer = &self.file.footer;
        let texts = match number {
            IDS => footer.ids.as_ref(),
            DOCUMENTS => footer.shapes.as_ref(),
            _ => None,
        };
        if let Some(ColumnEntry {
            term_count,
            text_bytes,
            ..
        }) = texts
        {
            sight.kind = Some(ColumnKind::Text);
            sight.term_count = *term_count;
            sight.text_bytes = *text_bytes;
        } else if number < IDS {
            sight.kind = Some(ColumnKind::Integer);
        }
        sight
    }

    fn describe_pages(&self, number: u32, name: &Arc<str>) -> ColumnSight {
        let mut sections: BTreeMap<Section, (u64, u64)> = BTreeMap::new();
        let pages = self.file.footer.pages.iter();
        for page in pages.filter(|page| page.name.column == number) {
            let section = sections.entry(page.name.section).or_default();
            section.0 += 1;
            section.1 += u64::from(page.stored_bytes);
        }
        ColumnSight {
            name: name.clone(),
            number,
            kind: None,
            occurrence: None,
            stored_as: None,
            encodings: match sections.contains_key(&Section::Headers) {
                true => self.encodings(number),
                false => Vec::new(),
            },
            sections: sections
                .into_iter()
                .map(|(section, (pages, bytes))| (section, pages, bytes))
                .collect(),
            term_count: 0,
            text_bytes: 0,
        }
    }

    /// How many vectors of a column have each encoding; as far as headers can be read.
    fn encodings(&self, number: u32) -> Vec<(String, u64)> {
        let column = StoredColumn::new(number, None, &self.file);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for vector in 0..self.row_count().div_ceil(VECTOR_ROWS) {
            let header = column.header(vector, &self.file);
            let Ok(header) = header.map(VectorHeader::encoding_name) else {
                break;
            };
            *counts.entry(header).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}

/// Damage in words; what the disk refuses is an error of its own.
fn reason(error: SegmentError) -> Result<String, SegmentError> {
    match error {
        SegmentError::Io { .. } => Err(error),
        other => Ok(other.to_string()),
    }
}
