//! Scanning a column: each page is read at most once, and the cache keeps what will be read again.
//!
//! A scan that reads most of a page has the whole page kept, where there is room. One that reads a
//! few vectors of it (those that a bucket's edge cuts; the others are answered by their headers)
//! has just these kept: many more of them fit, and the next scan of its kind reads no file at all.

use std::sync::Arc;

use super::SegmentError;
use super::cache::{PageCache, PageKey};
use super::column_reader::{GROUP_VECTORS, StoredColumn};
use super::encoding::{Flaw, VectorHeader};
use super::pages::PagedFile;

/// So many vectors of a page are kept by themselves; of more, the whole page is.
const APART_VECTORS_MAX: usize = GROUP_VECTORS / 4;

/// Where a scan of one column is.
#[derive(Debug, Default)]
pub struct ColumnCursor {
    page: Option<CursorPage>,
    /// Memory of a page that nobody keeps.
    spare: Vec<u8>,
}

/// A page, until the scan leaves it.
#[derive(Debug)]
struct CursorPage {
    number: usize,
    bytes: Arc<Vec<u8>>,
    /// Where the page came from the file: who may keep it.
    read: Option<ReadPage>,
}

#[derive(Debug)]
struct ReadPage {
    cache: Arc<PageCache>,
    owner: u64,
    /// What was read of it: which vector of the page, and where its bytes are.
    vectors: Vec<(usize, u32, u32)>,
}

impl ColumnCursor {
    /// Leaves the page: the cache keeps what was read of it.
    fn leave(&mut self) {
        let Some(mut page) = self.page.take() else {
            return;
        };
        if let Some(mut read) = page.read.take() {
            read.vectors.sort_unstable();
            read.vectors.dedup();
            let key = |vector| PageKey {
                owner: read.owner,
                page: page.number,
                vector,
            };
            if read.vectors.len() > APART_VECTORS_MAX {
                read.cache.offer(key(None), &mut page.bytes);
            } else {
                for (vector, offset, length) in &read.vectors {
                    let start = *offset as usize;
                    let bytes = page.bytes.get(start..start + *length as usize);
                    if let Some(bytes) = bytes {
                        read.cache
                            .insert(key(Some(*vector)), &Arc::new(bytes.to_vec()));
                    }
                }
            }
        }
        if let Ok(bytes) = Arc::try_unwrap(page.bytes) {
            self.spare = bytes;
        }
    }
}

impl Drop for ColumnCursor {
    fn drop(&mut self) {
        self.leave();
    }
}

impl StoredColumn {
    /// Decodes `vector` by `decode`, which gets its header and the bytes that the header speaks of.
    pub(super) fn decode_at<T>(
        &self,
        vector: usize,
        file: &PagedFile,
        cursor: &mut ColumnCursor,
        decode: impl FnOnce(&VectorHeader, &[u8]) -> Result<T, Flaw>,
    ) -> Result<T, SegmentError> {
        let header = *self.header(vector, file)?;
        let number = self.values_page_number(vector)?;
        let flawed = |flaw: Flaw| file.footer.pages[number].name.malformed(flaw);
        if cursor
            .page
            .as_ref()
            .is_none_or(|page| page.number != number)
        {
            cursor.leave();
            let cached = file.cached(number, None);
            if cached.is_none()
                && let Some(bytes) = file.cached(number, Some(vector % GROUP_VECTORS))
            {
                let alone = VectorHeader {
                    data_offset: 0,
                    ..header
                };
                return decode(&alone, &bytes).map_err(flawed);
            }
            cursor.page = Some(match cached {
                Some(bytes) => CursorPage {
                    number,
                    bytes,
                    read: None,
                },
                None => CursorPage {
                    number,
                    bytes: Arc::new(
                        file.read_page_into(number, std::mem::take(&mut cursor.spare))?,
                    ),
                    read: Some(ReadPage {
                        cache: Arc::clone(file.cache()),
                        owner: file.owner(),
                        vectors: Vec::new(),
                    }),
                },
            });
        }
        let page = cursor.page.as_mut().expect("was just made");
        if let Some(read) = &mut page.read {
            read.vectors.push((
                vector % GROUP_VECTORS,
                header.data_offset,
                header.data_bytes,
            ));
        }
        decode(&header, &page.bytes).map_err(flawed)
    }
}
