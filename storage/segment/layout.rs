//! Where things are in a segment file, and the constants of the format.
//!
//! ```text
//! file header │ pages, one behind the other │ footer │ trailer
//! ```
//!
//! Pages ascend by column, section and index and leave no gap, so the directory need not say
//! where a page begins.

use crc32fast::Hasher;

use super::encoding::{ByteReader, Flaw};
use super::{PageName, SEGMENT_FORMAT_VERSION, Section};

/// First and last bytes of the file.
pub(super) const MAGIC: [u8; 8] = *b"siltsegm";

/// Bytes of the file header: magic, version, seed.
pub(super) const FILE_HEADER_BYTES: usize = 16;

/// Bytes of the trailer: footer length, footer checksum, version, magic.
pub(super) const TRAILER_BYTES: usize = 20;

/// Rows of a row group: what one page of values covers.
pub(super) const GROUP_ROWS: usize = 1 << 16;

/// Most rows of a segment.
pub(super) const ROWS_MAX: usize = 1 << 26;

/// Most bytes of a page before compression.
pub(super) const PAGE_BYTES_MAX: usize = 256 << 20;

/// Most bytes that Zstandard makes of one: a run-length block of 4 bytes stands for 128 KiB.
pub(super) const ZSTD_RATIO_MAX: usize = 1 << 15;

/// Text of a dictionary block and documents of a document block, in bytes, about.
pub(super) const BLOCK_BYTES: usize = 64 << 10;

/// Ids in one page of id rows.
pub(super) const ID_ROWS_PAGE_TERMS: usize = 1 << 14;

/// Numbers of the columns that every segment has, and of the first field.
pub(super) const TIMES: u32 = 0;
pub(super) const PARTITIONS: u32 = 1;
pub(super) const OFFSETS: u32 = 2;
pub(super) const IDS: u32 = 3;
pub(super) const DOCUMENTS: u32 = 4;
pub(super) const FIELDS_FIRST: u32 = 16;
/// Cells are derived from everything else, and written behind it.
pub(super) const CELLS: u32 = u32::MAX;

impl Section {
    /// Its number in the page directory.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::FileHeader => 0,
            Self::DictionaryBlock => 1,
            Self::DictionaryIndex => 2,
            Self::Values => 3,
            Self::Headers => 4,
            Self::DocumentBlock => 5,
            Self::DocumentIndex => 6,
            Self::IdRows => 7,
            Self::Cells => 8,
            Self::Footer => 9,
            Self::IdFilter => 10,
            Self::Overlay => 11,
            Self::TermPresence => 12,
        }
    }

    /// The section of a page with number `code`.
    pub(super) fn from_code(code: u8) -> Result<Self, Flaw> {
        Ok(match code {
            1 => Self::DictionaryBlock,
            2 => Self::DictionaryIndex,
            3 => Self::Values,
            4 => Self::Headers,
            5 => Self::DocumentBlock,
            6 => Self::DocumentIndex,
            7 => Self::IdRows,
            8 => Self::Cells,
            10 => Self::IdFilter,
            12 => Self::TermPresence,
            _ => return Err(Flaw("a page is of an unknown section")),
        })
    }
}

/// The name of the page `index` of a section of a column.
pub(super) fn page(column: u32, section: Section, index: u32) -> PageName {
    PageName {
        section,
        column,
        index,
    }
}

/// The footer, for messages.
pub(super) const FOOTER: PageName = PageName {
    section: Section::Footer,
    column: 0,
    index: 0,
};

/// An overlay, for messages.
pub(super) const OVERLAY: PageName = PageName {
    section: Section::Overlay,
    column: 0,
    index: 0,
};

/// The file header, for messages.
pub(super) const FILE_HEADER: PageName = PageName {
    section: Section::FileHeader,
    column: 0,
    index: 0,
};

/// Checksum of `stored` as page `name` of the segment with `seed`: the same bytes elsewhere have
/// another one, so that a read from a wrong place is found.
pub(super) fn checksum(seed: u32, name: PageName, stored: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(&[name.section.code()]);
    hasher.update(&name.column.to_le_bytes());
    hasher.update(&name.index.to_le_bytes());
    hasher.update(stored);
    hasher.finalize()
}

/// The first bytes of the file.
pub(super) fn file_header(seed: u32) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&SEGMENT_FORMAT_VERSION.to_le_bytes());
    header[12..].copy_from_slice(&seed.to_le_bytes());
    header
}

/// The last bytes of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trailer {
    pub(super) footer_bytes: u32,
    pub(super) footer_checksum: u32,
    pub(super) version: u32,
    pub(super) has_magic: bool,
}

impl Trailer {
    pub(super) fn encode(footer: &[u8], footer_bytes: u32) -> [u8; TRAILER_BYTES] {
        let mut trailer = [0; TRAILER_BYTES];
        trailer[..4].copy_from_slice(&footer_bytes.to_le_bytes());
        trailer[4..8].copy_from_slice(&checksum(0, FOOTER, footer).to_le_bytes());
        trailer[8..12].copy_from_slice(&SEGMENT_FORMAT_VERSION.to_le_bytes());
        trailer[12..].copy_from_slice(&MAGIC);
        trailer
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        let mut bytes = ByteReader::new(bytes);
        Ok(Self {
            footer_bytes: bytes.u32()?,
            footer_checksum: bytes.u32()?,
            version: bytes.u32()?,
            has_magic: bytes.take(MAGIC.len())? == MAGIC,
        })
    }
}
