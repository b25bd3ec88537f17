//! What became of a segment's rows since it was written: those that are deleted, and the cells of
//! the others. `docs/formats/overlay.md` describes every byte.

use std::sync::{Arc, OnceLock};

use super::cells::{Cells, cells_without, decode_cells, encode_cells};
use super::encoding::{ByteReader, ByteWriter, Flaw};
use super::layout::{OVERLAY, PAGE_BYTES_MAX, ROWS_MAX};
use super::pages::{decode_page, read};
use super::{ContentHash, DeletedRows, SegmentError, SegmentReader};
use crate::disk::ReadFile;
use crate::model::VECTOR_ROWS;

/// Version of the file format that this code writes.
pub const OVERLAY_FORMAT_VERSION: u32 = 1;

/// First bytes of the file.
const MAGIC: [u8; 8] = *b"siltover";

/// Magic, version, stored bytes, raw bytes and checksum of both parts, checksum of the header.
const HEADER_BYTES: usize = 8 + 4 + 2 * 12 + 4;

/// Level of Zstandard.
const ZSTD_LEVEL: i32 = 3;

/// An open overlay. Deleted rows are in memory, cells are read when they are asked for.
#[derive(Debug)]
pub struct Overlay {
    file: Arc<dyn ReadFile>,
    deleted: Arc<DeletedRows>,
    cells_part: Part,
    cells_offset: u64,
    cells: OnceLock<Option<Arc<Cells>>>,
}

/// Where one part of the file is and how it is checked.
#[derive(Debug, Clone, Copy)]
struct Part {
    stored_bytes: u32,
    raw_bytes: u32,
    checksum: u32,
}

impl Overlay {
    /// Opens the overlay of the segment named `segment`, which has `row_count` rows.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or belongs to another segment.
    pub fn open(
        file: Arc<dyn ReadFile>,
        segment: &str,
        row_count: usize,
    ) -> Result<Self, SegmentError> {
        let header = read(file.as_ref(), 0, HEADER_BYTES as u64)?;
        let checksum = crc32fast::hash(&header[..HEADER_BYTES - 4]);
        let (rows_part, cells_part) =
            decode_page(OVERLAY, &header, |bytes| decode_header(bytes, checksum))?;
        let found = file.len_bytes().map_err(|source| SegmentError::Io {
            offset: 0,
            length_bytes: 0,
            source,
        })?;
        let parts = u64::from(rows_part.stored_bytes) + u64::from(cells_part.stored_bytes);
        if found != HEADER_BYTES as u64 + parts {
            return Err(OVERLAY.malformed(Flaw("its file has another length")));
        }
        let rows_offset = HEADER_BYTES as u64;
        let cells_offset = rows_offset + u64::from(rows_part.stored_bytes);
        let rows = rows_part.read(file.as_ref(), rows_offset)?;
        let deleted = decode_page(OVERLAY, &rows, |bytes| {
            decode_rows(bytes, segment, row_count)
        })?;
        Ok(Self {
            file,
            deleted: Arc::new(deleted),
            cells_part,
            cells_offset,
            cells: OnceLock::new(),
        })
    }

    /// The rows that are deleted.
    #[must_use]
    pub fn deleted(&self) -> &Arc<DeletedRows> {
        &self.deleted
    }

    /// The cells of the other rows of `segment`; `None` when they could not be made.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn cells(&self, segment: &SegmentReader) -> Result<Option<Arc<Cells>>, SegmentError> {
        if let Some(cells) = self.cells.get() {
            return Ok(cells.clone());
        }
        let bytes = self
            .cells_part
            .read(self.file.as_ref(), self.cells_offset)?;
        let pages = decode_page(OVERLAY, &bytes, decode_pages)?;
        let cells = match pages.is_empty() {
            true => None,
            false => Some(Arc::new(decode_cells(OVERLAY, pages, &segment.file)?)),
        };
        Ok(self.cells.get_or_init(|| cells).clone())
    }

    /// Reads every byte of the file once more.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn check(&self) -> Result<(), SegmentError> {
        let header = read(self.file.as_ref(), 0, HEADER_BYTES as u64)?;
        let checksum = crc32fast::hash(&header[..HEADER_BYTES - 4]);
        let (rows_part, cells_part) =
            decode_page(OVERLAY, &header, |bytes| decode_header(bytes, checksum))?;
        rows_part.read(self.file.as_ref(), HEADER_BYTES as u64)?;
        cells_part.read(self.file.as_ref(), self.cells_offset)?;
        Ok(())
    }

    /// Reads every byte of the cells and makes them again from the rows of `segment`.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, segment: &SegmentReader) -> Result<(), SegmentError> {
        match self.cells(segment)? {
            Some(cells) if cells_without(segment, &self.deleted)? != *cells => {
                Err(SegmentError::Disagrees {
                    page: OVERLAY,
                    reason: "cells differ from those of the rows that are left",
                })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The bytes of the overlay that deletes `deleted` of the segment named `segment`, and their hash.
/// `cells` are those of the other rows; without them rows answer.
///
/// # Errors
/// When the cells are larger than the format allows.
pub fn encode_overlay(
    segment: &str,
    deleted: &DeletedRows,
    cells: Option<&Cells>,
) -> Result<(Vec<u8>, ContentHash), SegmentError> {
    let mut pages = Vec::new();
    let encoded = cells.map(encode_cells).unwrap_or_default();
    pages.put_unsigned(encoded.len());
    for page in encoded {
        pages.put_sized(&page);
    }
    let too_large = || SegmentError::TooLarge {
        column: "cells".into(),
        reason: "they do not fit into an overlay",
    };
    let (rows_part, rows) = Part::pack(&encode_rows(segment, deleted)).ok_or_else(too_large)?;
    let (cells_part, cells) = Part::pack(&pages).ok_or_else(too_large)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + rows.len() + cells.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&OVERLAY_FORMAT_VERSION.to_le_bytes());
    for part in [rows_part, cells_part] {
        for number in [part.stored_bytes, part.raw_bytes, part.checksum] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend_from_slice(&rows);
    bytes.extend_from_slice(&cells);
    let hash = ContentHash(*blake3::hash(&bytes).as_bytes());
    Ok((bytes, hash))
}

impl Part {
    fn pack(raw: &[u8]) -> Option<(Self, Vec<u8>)> {
        if raw.len() > PAGE_BYTES_MAX {
            return None;
        }
        let stored = zstd::bulk::compress(raw, ZSTD_LEVEL).ok()?;
        let part = Self {
            stored_bytes: u32::try_from(stored.len()).ok()?,
            raw_bytes: u32::try_from(raw.len()).ok()?,
            checksum: crc32fast::hash(&stored),
        };
        Some((part, stored))
    }

    fn read(self, file: &dyn ReadFile, offset: u64) -> Result<Vec<u8>, SegmentError> {
        let stored = read(file, offset, self.stored_bytes.into())?;
        if crc32fast::hash(&stored) != self.checksum {
            return Err(SegmentError::Checksum { page: OVERLAY });
        }
        match zstd::bulk::decompress(&stored, self.raw_bytes as usize) {
            Ok(raw) if raw.len() == self.raw_bytes as usize => Ok(raw),
            Ok(_) | Err(_) => Err(OVERLAY.malformed(Flaw("it cannot be decompressed"))),
        }
    }
}

fn decode_header(bytes: &mut ByteReader<'_>, checksum: u32) -> Result<(Part, Part), Flaw> {
    if bytes.take(MAGIC.len())? != MAGIC {
        return Err(Flaw("it is no overlay"));
    }
    if bytes.u32()? != OVERLAY_FORMAT_VERSION {
        return Err(Flaw("it has another version"));
    }
    let mut part = || {
        let part = Part {
            stored_bytes: bytes.u32()?,
            raw_bytes: bytes.u32()?,
            checksum: bytes.u32()?,
        };
        let is_bounded = [part.stored_bytes, part.raw_bytes]
            .iter()
            .all(|length| *length as usize <= 2 * PAGE_BYTES_MAX);
        is_bounded
            .then_some(part)
            .ok_or(Flaw("a part is larger than parts are"))
    };
    let parts = (part()?, part()?);
    if bytes.u32()? != checksum {
        return Err(Flaw("its header has another checksum"));
    }
    Ok(parts)
}

fn encode_rows(segment: &str, deleted: &DeletedRows) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_sized(segment.as_bytes());
    out.put_unsigned(deleted.row_count());
    out.put_unsigned(deleted.vectors().count());
    for (vector, words) in deleted.vectors() {
        out.put_unsigned(vector);
        for word in words {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
    out
}

fn decode_rows(
    bytes: &mut ByteReader<'_>,
    segment: &str,
    row_count: usize,
) -> Result<DeletedRows, Flaw> {
    if bytes.sized()? != segment.as_bytes() {
        return Err(Flaw("it belongs to another segment"));
    }
    let rows: u64 = bytes.unsigned()?;
    if rows != row_count as u64 || row_count > ROWS_MAX {
        return Err(Flaw("its segment has another number of rows"));
    }
    let mut deleted = DeletedRows::new(row_count);
    let mut next = 0;
    for _ in 0..bytes.count(1 + VECTOR_ROWS / 8)? {
        let vector: u32 = bytes.unsigned()?;
        let vector = vector as usize;
        if vector < next {
            return Err(Flaw("vectors do not ascend"));
        }
        next = vector + 1;
        for index in 0..VECTOR_ROWS / 64 {
            let mut word = bytes.u64()?;
            while word != 0 {
                let row = vector * VECTOR_ROWS + index * 64 + word.trailing_zeros() as usize;
                if row >= row_count {
                    return Err(Flaw("a deleted row is behind the last"));
                }
                deleted.insert(row);
                word &= word - 1;
            }
        }
    }
    Ok(deleted)
}

fn decode_pages<'a>(bytes: &mut ByteReader<'a>) -> Result<Vec<&'a [u8]>, Flaw> {
    let count = bytes.count(1)?;
    (0..count).map(|_| bytes.sized()).collect()
}
