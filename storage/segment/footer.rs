//! The footer: what a segment holds and where.
//!
//! It is a list of fields, each a tag, a length and so many bytes. A reader skips tags that it
//! does not know, so later writers of the same major version may add some.

use std::sync::Arc;

use super::SegmentSummary;
use super::encoding::{ByteReader, ByteWriter, Flaw};
use super::layout::{
    DOCUMENTS, FIELDS_FIRST, FILE_HEADER_BYTES, IDS, PAGE_BYTES_MAX, ROWS_MAX, TIMES,
    ZSTD_RATIO_MAX,
};
use super::{ColumnInfo, ColumnOccurrence, OriginRange, PageName, SEGMENT_FORMAT_VERSION, Section};
use crate::model::{ColumnKind, Offset, PartitionId, VECTOR_ROWS};

const TAG_CREATOR: u64 = 1;
const TAG_ROWS: u64 = 2;
const TAG_ORIGINS: u64 = 3;
const TAG_VECTOR_TIMES: u64 = 4;
const TAG_COLUMNS: u64 = 5;
const TAG_PAGES: u64 = 6;
const TAG_SHAPES: u64 = 7;

/// Everything that is known once a segment is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    /// Program and version that wrote the file; for people.
    pub(super) creator: String,
    pub(super) summary: SegmentSummary,
    /// What page checksums start from.
    pub(super) seed: u32,
    /// Whether the time field's column equals the sort key.
    pub(super) times_are_field: bool,
    /// First and last time of each vector.
    pub(super) vector_times_ms: Vec<(i64, i64)>,
    /// Explicit ids, if some row has one: they are stored as a text column.
    pub(super) ids: Option<ColumnEntry>,
    /// Shapes of the documents, if one is not empty: they are stored as a text column.
    pub(super) shapes: Option<ColumnEntry>,
    /// The fields, ascending by path.
    pub(super) columns: Vec<ColumnEntry>,
    /// All pages in the order of the file.
    pub(super) pages: Vec<PageEntry>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnEntry {
    pub(super) path: Arc<str>,
    /// Number of the column whose pages hold the values: its own, or an equal one's.
    pub(super) stored_as: u32,
    pub(super) info: ColumnInfo,
    /// For texts: terms of the dictionary and their bytes together.
    pub(super) term_count: u32,
    pub(super) text_bytes: u64,
}

/// What an open column takes before anything of it is read: where its pages are.
const COLUMN_BYTES: usize = 256;

impl ColumnEntry {
    /// Memory that it takes in an open file, about.
    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.path.len() + COLUMN_BYTES
    }

    /// The shapes of documents as a column: so many terms, so many bytes together.
    pub(super) fn shapes(term_count: u32, text_bytes: u64) -> Self {
        Self {
            path: "_source".into(),
            stored_as: DOCUMENTS,
            info: ColumnInfo {
                kind: ColumnKind::Text,
                occurrence: ColumnOccurrence::One,
            },
            term_count,
            text_bytes,
        }
    }
}

/// One page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageEntry {
    pub(super) name: PageName,
    pub(super) offset: u64,
    pub(super) stored_bytes: u32,
    /// Bytes after decompression; `None` when stored as it is.
    pub(super) raw_bytes: Option<u32>,
    pub(super) checksum: u32,
}

impl Footer {
    /// Memory that it takes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(self.vector_times_ms.as_slice())
            + size_of_val(self.pages.as_slice())
            + self
                .columns
                .iter()
                .map(ColumnEntry::memory_bytes)
                .sum::<usize>()
    }

    /// The footer as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut field = |tag: u64, body: Vec<u8>| {
            out.put_varint(tag.into());
            out.put_sized(&body);
        };
        field(TAG_CREATOR, self.creator.clone().into_bytes());
        field(TAG_ROWS, self.encode_rows());
        field(TAG_ORIGINS, encode_origins(&self.summary.origins));
        field(TAG_VECTOR_TIMES, encode_vector_times(&self.vector_times_ms));
        field(TAG_COLUMNS, self.encode_columns());
        field(TAG_PAGES, encode_pages(&self.pages));
        if let Some(shapes) = &self.shapes {
            field(TAG_SHAPES, encode_shapes(shapes));
        }
        out
    }

    /// Reads the footer of a file whose pages end at `pages_end`.
    pub(super) fn decode(bytes: &[u8], pages_end: u64) -> Result<Self, Flaw> {
        let mut bytes = ByteReader::new(bytes);
        let mut fields: [Option<ByteReader<'_>>; 7] = [None; 7];
        while bytes.remaining() > 0 {
            let tag: u64 = bytes.unsigned()?;
            let body = ByteReader::new(bytes.sized()?);
            let slot = match tag {
                TAG_CREATOR..=TAG_SHAPES => &mut fields[(tag - TAG_CREATOR) as usize],
                _ => continue,
            };
            if slot.replace(body).is_some() {
                return Err(Flaw("a field is there twice"));
            }
        }
        let [
            Some(creator),
            Some(rows),
            Some(origins),
            Some(times),
            Some(columns),
            Some(pages),
            shapes,
        ] = fields
        else {
            return Err(Flaw("a field is missing"));
        };
        let mut footer = decode_rows(rows)?;
        footer.creator = text(creator)?;
        footer.summary.origins = decode_origins(origins, footer.summary.row_count)?;
        footer.vector_times_ms = decode_vector_times(times, &footer.summary)?;
        (footer.ids, footer.columns) = decode_columns(columns)?;
        footer.pages = decode_pages(pages, pages_end)?;
        footer.shapes = shapes.map(decode_shapes).transpose()?;
        Ok(footer)
    }

    fn encode_rows(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_varint(self.summary.row_count.into());
        out.put_signed(self.summary.time_first_ms.into());
        out.put_signed(self.summary.time_last_ms.into());
        out.put(&self.seed.to_le_bytes());
        out.push(u8::from(self.times_are_field));
        out
    }

    fn encode_columns(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.push(u8::from(self.ids.is_some()));
        out.put_unsigned(self.columns.len());
        for column in self.ids.iter().chain(&self.columns) {
            out.put_sized(column.path.as_bytes());
            out.put_varint(column.stored_as.into());
            out.push(kind_code(column.info.kind));
            out.push(occurrence_code(column.info.occurrence));
            if column.info.kind == ColumnKind::Text {
                out.put_varint(column.term_count.into());
                out.put_varint(column.text_bytes.into());
            }
        }
        out
    }
}

fn encode_shapes(shapes: &ColumnEntry) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_varint(shapes.term_count.into());
    out.put_varint(shapes.text_bytes.into());
    out
}

fn decode_shapes(mut bytes: ByteReader<'_>) -> Result<ColumnEntry, Flaw> {
    let shapes = ColumnEntry::shapes(bytes.unsigned()?, bytes.unsigned()?);
    bytes.finish()?;
    Ok(shapes)
}

fn decode_rows(mut bytes: ByteReader<'_>) -> Result<Footer, Flaw> {
    let row_count: u64 = bytes.unsigned()?;
    let time_first_ms = bytes.signed()?;
    let time_last_ms = bytes.signed()?;
    let seed = bytes.u32()?;
    let times_are_field = match bytes.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Flaw("a flag is neither 0 nor 1")),
    };
    bytes.finish()?;
    if row_count == 0 || row_count > ROWS_MAX as u64 {
        return Err(Flaw("the number of rows is out of bounds"));
    }
    Ok(Footer {
        creator: String::new(),
        summary: SegmentSummary {
            row_count,
            time_first_ms,
            time_last_ms,
            format_version: SEGMENT_FORMAT_VERSION,
            origins: Vec::new(),
        },
        seed,
        times_are_field,
        vector_times_ms: Vec::new(),
        ids: None,
        shapes: None,
        columns: Vec::new(),
        pages: Vec::new(),
    })
}

fn encode_origins(origins: &[OriginRange]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_unsigned(origins.len());
    for origin in origins {
        out.put_varint(origin.partition.0.into());
        out.put_varint(origin.first.0.into());
        out.put_varint((origin.last.0 - origin.first.0).into());
        out.put_varint(origin.row_count.into());
    }
    out
}

fn decode_origins(mut bytes: ByteReader<'_>, row_count: u64) -> Result<Vec<OriginRange>, Flaw> {
    let count = bytes.count(4)?;
    let mut origins: Vec<OriginRange> = Vec::with_capacity(count);
    let mut rows = 0_u64;
    for _ in 0..count {
        let partition = PartitionId(bytes.unsigned()?);
        let first: u64 = bytes.unsigned()?;
        let distance = bytes.unsigned()?;
        let last = first
            .checked_add(distance)
            .ok_or(Flaw("an offset range overflows"))?;
        let origin = OriginRange {
            partition,
            first: Offset(first),
            last: Offset(last),
            row_count: bytes.unsigned()?,
        };
        if origins
            .last()
            .is_some_and(|previous| previous.partition >= partition)
        {
            return Err(Flaw("partitions do not ascend"));
        }
        rows = rows
            .checked_add(origin.row_count)
            .ok_or(Flaw("a row count overflows"))?;
        origins.push(origin);
    }
    bytes.finish()?;
    if rows != row_count {
        return Err(Flaw("rows of partitions do not add up"));
    }
    Ok(origins)
}

/// Each vector: how far its first time lies behind the last one of the vector before, and how far
/// its last time lies behind its first.
fn encode_vector_times(times_ms: &[(i64, i64)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous = 0;
    for (first, last) in times_ms {
        out.put_signed(i128::from(*first) - previous);
        out.put_signed(i128::from(*last) - i128::from(*first));
        previous = i128::from(*last);
    }
    out
}

fn decode_vector_times(
    mut bytes: ByteReader<'_>,
    summary: &SegmentSummary,
) -> Result<Vec<(i64, i64)>, Flaw> {
    let wrong = Flaw("times of vectors do not fit the segment");
    let rows = usize::try_from(summary.row_count).map_err(|_| wrong)?;
    let count = rows.div_ceil(VECTOR_ROWS);
    if count > bytes.remaining() / 2 {
        return Err(wrong);
    }
    let mut times_ms: Vec<(i64, i64)> = Vec::with_capacity(count);
    let mut previous = 0_i64;
    for _ in 0..count {
        let first = add(previous, bytes.signed()?).ok_or(wrong)?;
        let last = add(first, bytes.signed()?).ok_or(wrong)?;
        if last < first || !times_ms.is_empty() && first < previous {
            return Err(wrong);
        }
        times_ms.push((first, last));
        previous = last;
    }
    bytes.finish()?;
    let first = times_ms.first().map(|times| times.0);
    if first != Some(summary.time_first_ms) || previous != summary.time_last_ms {
        return Err(wrong);
    }
    Ok(times_ms)
}

fn add(time_ms: i64, distance: i128) -> Option<i64> {
    i64::try_from(i128::from(time_ms).checked_add(distance)?).ok()
}

fn decode_columns(
    mut bytes: ByteReader<'_>,
) -> Result<(Option<ColumnEntry>, Vec<ColumnEntry>), Flaw> {
    let ids = match bytes.u8()? {
        0 => None,
        1 => Some(()),
        _ => return Err(Flaw("a flag is neither 0 nor 1")),
    };
    let count = bytes.count(4)?;
    let ids = ids.map(|()| decode_column(&mut bytes, IDS)).transpose()?;
    if ids
        .as_ref()
        .is_some_and(|ids| ids.info.kind != ColumnKind::Text)
    {
        return Err(Flaw("ids are no texts"));
    }
    let mut columns: Vec<ColumnEntry> = Vec::with_capacity(count);
    for (_, number) in (0..count).zip(FIELDS_FIRST..) {
        let column = decode_column(&mut bytes, number)?;
        if columns
            .last()
            .is_some_and(|previous| previous.path >= column.path)
        {
            return Err(Flaw("columns do not ascend"));
        }
        columns.push(column);
    }
    bytes.finish()?;
    Ok((ids, columns))
}

fn decode_column(bytes: &mut ByteReader<'_>, number: u32) -> Result<ColumnEntry, Flaw> {
    let path = std::str::from_utf8(bytes.sized()?).map_err(|_| Flaw("a path is no UTF-8"))?;
    let stored_as: u32 = bytes.unsigned()?;
    let kind = match bytes.u8()? {
        0 => ColumnKind::Integer,
        1 => ColumnKind::Decimal,
        2 => ColumnKind::Text,
        _ => return Err(Flaw("a column is of an unknown kind")),
    };
    let occurrence = match bytes.u8()? {
        0 => ColumnOccurrence::One,
        1 => ColumnOccurrence::Optional,
        2 => ColumnOccurrence::Many,
        _ => return Err(Flaw("a column is of an unknown occurrence")),
    };
    let is_shared = stored_as == TIMES && kind == ColumnKind::Integer;
    if stored_as != number && !is_shared {
        return Err(Flaw("a column is stored as another that cannot be equal"));
    }
    let (term_count, text_bytes) = match kind {
        ColumnKind::Text => (bytes.unsigned()?, bytes.unsigned()?),
        ColumnKind::Integer | ColumnKind::Decimal => (0, 0),
    };
    Ok(ColumnEntry {
        path: path.into(),
        stored_as,
        info: ColumnInfo { kind, occurrence },
        term_count,
        text_bytes,
    })
}

fn kind_code(kind: ColumnKind) -> u8 {
    match kind {
        ColumnKind::Integer => 0,
        ColumnKind::Decimal => 1,
        ColumnKind::Text => 2,
    }
}

fn occurrence_code(occurrence: ColumnOccurrence) -> u8 {
    match occurrence {
        ColumnOccurrence::One => 0,
        ColumnOccurrence::Optional => 1,
        ColumnOccurrence::Many => 2,
    }
}

fn encode_pages(pages: &[PageEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_unsigned(pages.len());
    for page in pages {
        out.put_varint(page.name.column.into());
        out.push(page.name.section.code());
        out.put_varint(page.name.index.into());
        out.put_varint(page.stored_bytes.into());
        out.put_varint(page.raw_bytes.map_or(0, |raw| u128::from(raw) + 1));
        out.put(&page.checksum.to_le_bytes());
    }
    out
}

fn decode_pages(mut bytes: ByteReader<'_>, pages_end: u64) -> Result<Vec<PageEntry>, Flaw> {
    let count = bytes.count(9)?;
    let mut pages: Vec<PageEntry> = Vec::with_capacity(count);
    let mut offset = FILE_HEADER_BYTES as u64;
    for _ in 0..count {
        let name = PageName {
            column: bytes.unsigned()?,
            section: Section::from_code(bytes.u8()?)?,
            index: bytes.unsigned()?,
        };
        let stored_bytes: u32 = bytes.unsigned()?;
        let raw_bytes = match bytes.unsigned::<u64>()? {
            0 => None,
            raw => Some(u32::try_from(raw - 1).map_err(|_| Flaw("a page is too large"))?),
        };
        check_sizes(stored_bytes as usize, raw_bytes.map(|raw| raw as usize))?;
        check_order(pages.last().map(|previous| previous.name), name)?;
        let checksum = bytes.u32()?;
        pages.push(PageEntry {
            name,
            offset,
            stored_bytes,
            raw_bytes,
            checksum,
        });
        offset += u64::from(stored_bytes);
    }
    bytes.finish()?;
    if offset != pages_end {
        return Err(Flaw("pages do not fill the file"));
    }
    Ok(pages)
}

fn check_sizes(stored_bytes: usize, raw_bytes: Option<usize>) -> Result<(), Flaw> {
    let raw_bytes = raw_bytes.unwrap_or(stored_bytes);
    if raw_bytes > PAGE_BYTES_MAX || raw_bytes / ZSTD_RATIO_MAX > stored_bytes {
        return Err(Flaw("a page is too large"));
    }
    Ok(())
}

/// Pages ascend by column and section; inside a section they count from 0.
fn check_order(previous: Option<PageName>, name: PageName) -> Result<(), Flaw> {
    let place = |name: PageName| (name.column, name.section);
    let follows = match previous {
        Some(previous) if place(previous) == place(name) => {
            previous.index.checked_add(1) == Some(name.index)
        }
        Some(previous) => place(previous) < place(name) && name.index == 0,
        None => name.index == 0,
    };
    if follows {
        Ok(())
    } else {
        Err(Flaw("pages do not ascend"))
    }
}

fn text(bytes: ByteReader<'_>) -> Result<String, Flaw> {
    let mut bytes = bytes;
    let text = bytes.take(bytes.remaining())?;
    String::from_utf8(text.to_vec()).map_err(|_| Flaw("a text is no UTF-8"))
}
