//! Reading and writing checked pages.

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::cache::{PageCache, PageKey};
use super::encoding::{ByteReader, Flaw};
use super::footer::{Footer, PageEntry};
use super::layout::{
    FILE_HEADER, FILE_HEADER_BYTES, FOOTER, PAGE_BYTES_MAX, TRAILER_BYTES, Trailer, checksum,
    file_header, page,
};
use super::{ContentHash, PageName, SEGMENT_FORMAT_VERSION, Section, SegmentError};
use crate::disk::ReadFile;
use crate::memory::Held;

/// One read of so many bytes at the end opens nearly every segment.
const TAIL_BYTES: u64 = 64 << 10;

/// Level of Zstandard; higher ones gain little on blocks of this size.
const ZSTD_LEVEL: i32 = 3;

/// Blocks are stored compressed when that saves at least one part in so many.
const ZSTD_SAVING_MIN: usize = 8;

impl PageName {
    /// A flaw of this page as an error.
    pub(super) fn malformed(self, flaw: Flaw) -> SegmentError {
        SegmentError::Malformed {
            page: self,
            reason: flaw.0,
        }
    }
}

/// Whether a page may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Stored as it is: the encoding leaves nothing to gain.
    Plain,
    /// Zstandard where it pays.
    Zstd,
}

/// Why something could not be written; the caller knows which column it was.
#[derive(Debug)]
pub(super) enum WriteFlaw {
    /// A limit is passed: which one.
    TooLarge(&'static str),
    /// The disk refused.
    Io(io::Error),
    /// What was to be written could not be read.
    Read(SegmentError),
}

impl WriteFlaw {
    /// The flaw of the column at `path` as an error.
    pub(super) fn of(self, path: &str) -> SegmentError {
        match self {
            Self::TooLarge(reason) => SegmentError::TooLarge {
                column: path.into(),
                reason,
            },
            Self::Io(source) => SegmentError::Write { source },
            Self::Read(error) => error,
        }
    }
}

impl From<io::Error> for WriteFlaw {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SegmentError> for WriteFlaw {
    fn from(error: SegmentError) -> Self {
        Self::Read(error)
    }
}

/// A file that is being written: bytes go out as they come and are hashed on the way.
pub(super) struct PageWriter<'a> {
    out: &'a mut dyn io::Write,
    hasher: blake3::Hasher,
    written_bytes: u64,
    pub(super) pages: Vec<PageEntry>,
    seed: u32,
}

impl<'a> PageWriter<'a> {
    pub(super) fn new(seed: u32, out: &'a mut dyn io::Write) -> Result<Self, WriteFlaw> {
        let mut writer = Self {
            out,
            hasher: blake3::Hasher::new(),
            written_bytes: 0,
            pages: Vec::new(),
            seed,
        };
        writer.put(&file_header(seed))?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteFlaw> {
        self.out.write_all(bytes)?;
        self.hasher.update(bytes);
        self.written_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Appends a page.
    pub(super) fn add(
        &mut self,
        name: PageName,
        raw: &[u8],
        packing: Packing,
    ) -> Result<(), WriteFlaw> {
        if raw.len() > PAGE_BYTES_MAX {
            return Err(WriteFlaw::TooLarge("a page passes 256 MiB"));
        }
        let packed = match packing {
            Packing::Plain => None,
            Packing::Zstd => pack(raw),
        };
        let stored = packed.as_deref().unwrap_or(raw);
        let raw_bytes = u32::try_from(raw.len()).expect("pages are bounded");
        self.pages.push(PageEntry {
            name,
            offset: self.written_bytes,
            stored_bytes: u32::try_from(stored.len()).expect("pages are bounded"),
            raw_bytes: packed.is_some().then_some(raw_bytes),
            checksum: checksum(self.seed, name, stored),
        });
        self.put(stored)
    }

    /// Appends footer and trailer; says how long the file is and what its content hashes to.
    pub(super) fn finish(mut self, footer: &Footer) -> Result<(u64, ContentHash), WriteFlaw> {
        let footer = footer.encode();
        let footer_bytes = u32::try_from(footer.len())
            .map_err(|_| WriteFlaw::TooLarge("a footer passes 4 GiB"))?;
        self.put(&footer)?;
        self.put(&Trailer::encode(&footer, footer_bytes))?;
        let hash = ContentHash(*self.hasher.finalize().as_bytes());
        Ok((self.written_bytes, hash))
    }
}

/// How long `raw` would be as a compressed page.
pub(super) fn compressed_bytes(raw: &[u8]) -> usize {
    pack(raw).map_or(raw.len(), |packed| packed.len())
}

/// `raw` compressed, when that pays.
fn pack(raw: &[u8]) -> Option<Vec<u8>> {
    let packed = zstd::bulk::compress(raw, ZSTD_LEVEL).ok()?;
    (packed.len() <= raw.len() - raw.len() / ZSTD_SAVING_MIN && !raw.is_empty()).then_some(packed)
}

/// An open file: its footer, and its pages on demand.
#[derive(Debug)]
pub(super) struct PagedFile {
    file: Arc<dyn ReadFile>,
    pub(super) footer: Footer,
    cache: Arc<PageCache>,
    owner: u64,
    /// What is kept of it besides pages.
    held: Held,
    /// What was found damaged first.
    damage: OnceLock<Arc<str>>,
}

impl Drop for PagedFile {
    fn drop(&mut self) {
        self.cache.forget(self.owner);
    }
}

impl PagedFile {
    /// Reads the end of the file and checks the footer.
    pub(super) fn open(
        file: Arc<dyn ReadFile>,
        cache: Arc<PageCache>,
    ) -> Result<Self, SegmentError> {
        let file_bytes = file.len_bytes().map_err(|source| SegmentError::Io {
            offset: 0,
            length_bytes: 0,
            source,
        })?;
        let not_a_segment = SegmentError::NotASegment { file_bytes };
        let frame_bytes = (FILE_HEADER_BYTES + TRAILER_BYTES) as u64;
        if file_bytes < frame_bytes {
            return Err(not_a_segment);
        }
        let tail_start = file_bytes - file_bytes.min(TAIL_BYTES);
        let mut tail = read(file.as_ref(), tail_start, file_bytes - tail_start)?;
        let trailer = tail.split_off(tail.len() - TRAILER_BYTES);
        let trailer = Trailer::decode(&trailer).map_err(|flaw| FOOTER.malformed(flaw))?;
        if !trailer.has_magic {
            return Err(not_a_segment);
        }
        if trailer.version != SEGMENT_FORMAT_VERSION {
            return Err(SegmentError::UnknownVersion {
                version: trailer.version,
            });
        }
        let footer_bytes = u64::from(trailer.footer_bytes);
        let Some(pages_end) = (file_bytes - TRAILER_BYTES as u64)
            .checked_sub(footer_bytes)
            .filter(|end| *end >= FILE_HEADER_BYTES as u64)
        else {
            return Err(not_a_segment);
        };
        let footer = match tail.len().checked_sub(trailer.footer_bytes as usize) {
            Some(start) => tail.split_off(start),
            None => read(file.as_ref(), pages_end, footer_bytes)?,
        };
        if checksum(0, FOOTER, &footer) != trailer.footer_checksum {
            return Err(SegmentError::Checksum { page: FOOTER });
        }
        let footer = Footer::decode(&footer, pages_end).map_err(|flaw| FOOTER.malformed(flaw))?;
        let owner = cache.new_owner();
        let kept = footer.memory_bytes();
        Ok(Self {
            held: Arc::clone(cache.budget()).hold(cache.open_use(), kept),
            file,
            footer,
            cache,
            owner,
            damage: OnceLock::new(),
        })
    }

    /// Counts `bytes` that are kept of it from now on.
    pub(super) fn keep(&self, bytes: usize) {
        self.held.grow(bytes);
    }

    /// Memory that is kept of it besides pages, about.
    pub(super) fn kept_bytes(&self) -> usize {
        self.held.bytes()
    }

    /// Numbers of the pages of a section of a column.
    pub(super) fn pages(&self, column: u32, section: Section) -> Range<usize> {
        let pages = &self.footer.pages;
        let place = (column, section);
        let start = pages.partition_point(|page| (page.name.column, page.name.section) < place);
        let end = pages.partition_point(|page| (page.name.column, page.name.section) <= place);
        start..end
    }

    /// The page with this number, from the cache or from the file.
    pub(super) fn page(&self, number: usize) -> Result<Arc<Vec<u8>>, SegmentError> {
        let key = PageKey {
            owner: self.owner,
            page: number,
            vector: None,
        };
        if let Some(page) = self.cache.get(key) {
            return Ok(page);
        }
        let page = Arc::new(self.read_page(number)?);
        self.cache.insert(key, &page);
        Ok(page)
    }

    /// The page with this number, or one of its vectors, if the cache has it.
    pub(super) fn cached(&self, page: usize, vector: Option<usize>) -> Option<Arc<Vec<u8>>> {
        self.cache.get(PageKey {
            owner: self.owner,
            page,
            vector,
        })
    }

    /// Where its pages may be kept.
    pub(super) fn cache(&self) -> &Arc<PageCache> {
        &self.cache
    }

    /// Its number in the cache.
    pub(super) fn owner(&self) -> u64 {
        self.owner
    }

    /// The page with this number, from the file.
    pub(super) fn read_page(&self, number: usize) -> Result<Vec<u8>, SegmentError> {
        self.read_page_into(number, Vec::new())
    }

    /// What was found damaged of its pages so far.
    pub(super) fn damage(&self) -> Option<&Arc<str>> {
        self.damage.get()
    }

    /// The page with this number, from the file, in the memory of `spare`.
    pub(super) fn read_page_into(
        &self,
        number: usize,
        spare: Vec<u8>,
    ) -> Result<Vec<u8>, SegmentError> {
        self.read_checked(number, spare)
            .inspect_err(|error| match error {
                // The disk may answer the next time.
                SegmentError::Io { .. } => {}
                damage => {
                    self.damage.get_or_init(|| damage.to_string().into());
                }
            })
    }

    fn read_checked(&self, number: usize, mut spare: Vec<u8>) -> Result<Vec<u8>, SegmentError> {
        let entry = &self.footer.pages[number];
        let length = entry.stored_bytes as usize;
        match spare.capacity() {
            0 => spare = vec![0; length],
            // Neighbouring pages differ a little: the next one shall fit as well, so that a scan
            // does not ask for fresh memory all the time.
            less if less < length => spare = Vec::with_capacity(length + length / SPARE_SHARE),
            _enough => {}
        }
        spare.resize(length, 0);
        read_into(self.file.as_ref(), entry.offset, &mut spare)?;
        let stored = spare;
        if checksum(self.footer.seed, entry.name, &stored) != entry.checksum {
            return Err(SegmentError::Checksum { page: entry.name });
        }
        let Some(raw_bytes) = entry.raw_bytes else {
            return Ok(stored);
        };
        match zstd::bulk::decompress(&stored, raw_bytes as usize) {
            Ok(raw) if raw.len() == raw_bytes as usize => Ok(raw),
            Ok(_) | Err(_) => Err(entry.name.malformed(Flaw("it cannot be decompressed"))),
        }
    }

    /// The single page of a section of a column, which must be there.
    pub(super) fn read_single(
        &self,
        column: u32,
        section: Section,
    ) -> Result<Vec<u8>, SegmentError> {
        let pages = self.pages(column, section);
        if pages.len() != 1 {
            return Err(page(column, section, 0).malformed(Flaw("it is not there once")));
        }
        self.read_page(pages.start)
    }

    /// Checks the file header and every page.
    pub(super) fn verify(&self) -> Result<(), SegmentError> {
        self.verify_header()?;
        (0..self.footer.pages.len()).try_for_each(|number| self.read_page(number).map(drop))
    }

    /// Checks the file header.
    pub(super) fn verify_header(&self) -> Result<(), SegmentError> {
        let header = read(self.file.as_ref(), 0, FILE_HEADER_BYTES as u64)?;
        match header == file_header(self.footer.seed) {
            true => Ok(()),
            false => Err(SegmentError::Checksum { page: FILE_HEADER }),
        }
    }
}

/// Memory for a page has this share of it to spare.
const SPARE_SHARE: usize = 8;

/// The bytes of `file` from `offset`.
pub(super) fn read(
    file: &dyn ReadFile,
    offset: u64,
    length_bytes: u64,
) -> Result<Vec<u8>, SegmentError> {
    let length = usize::try_from(length_bytes).expect("a page is smaller than the address space");
    let mut bytes = vec![0; length];
    read_into(file, offset, &mut bytes)?;
    Ok(bytes)
}

/// Fills `out` from `offset`.
fn read_into(file: &dyn ReadFile, offset: u64, out: &mut [u8]) -> Result<(), SegmentError> {
    file.read_exact_at(offset, out)
        .map_err(|source| SegmentError::Io {
            offset,
            length_bytes: out.len() as u64,
            source,
        })
}

/// Runs `decode` over all of `bytes`; flaws become errors of page `name`.
pub(super) fn decode_page<'a, T>(
    name: PageName,
    bytes: &'a [u8],
    decode: impl FnOnce(&mut ByteReader<'a>) -> Result<T, Flaw>,
) -> Result<T, SegmentError> {
    let mut reader = ByteReader::new(bytes);
    let value = decode(&mut reader).map_err(|flaw| name.malformed(flaw))?;
    reader.finish().map_err(|flaw| name.malformed(flaw))?;
    Ok(value)
}
