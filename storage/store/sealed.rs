//! Sealed segments as the store holds them: known from the catalog, opened when they are first
//! read, closed again when too many are open.
//!
//! A segment is pruned by what the catalog says about it, so a search opens only what it may
//! need. Two bounds hold whatever the number of segments: files that are open
//! ([`SEGMENT_FILES_MAX`]), and footers with what was read of their segments
//! ([`SEGMENT_READERS_MAX`]). A running search keeps its own readers besides.
//!
//! Because a file may be closed and opened again under a reader, its name must stay as long as
//! anybody may read: the file of a segment that was merged away is *retired* and removed when the
//! last snapshot that has it is gone ([`SegmentFile::is_read`]).

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::StoreError;
use super::files::segment_file;
use super::recent::{Goes, Recent};
use crate::catalog::{SegmentId, SegmentMeta, TopicState};
use crate::disk::{Disk, FilePath, ReadFile};
use crate::memory::{GivesWay, MemoryBudget, MemoryUse};
use crate::model::TopicId;
use crate::segment::{PageCache, SegmentError, SegmentReader};

/// Segment files that are open at once; beyond, those unused for longest are closed.
pub const SEGMENT_FILES_MAX: usize = 512;

/// Segments whose footers, dictionaries and cells stay in memory between searches.
pub const SEGMENT_READERS_MAX: usize = 1024;

/// When readers have more than their share, one part in so many of it is freed besides, so that
/// the search for the oldest is paid for by readers to come.
const SHARE_FREED_PART: usize = 8;

/// What all sealed segments of a store share.
#[derive(Debug)]
pub(super) struct SealedPool {
    pages: Arc<PageCache>,
    files: Arc<OpenFiles>,
    readers: Mutex<Recent<SegmentId, Arc<SegmentReader>>>,
    /// What the readers are counted in.
    memory: Arc<MemoryBudget>,
}

/// The files that are open. Apart from the pool, because readers hold on to it.
#[derive(Debug)]
struct OpenFiles {
    disk: Arc<dyn Disk>,
    recent: Mutex<Recent<SegmentId, Arc<dyn ReadFile>>>,
}

/// One segment of a topic.
#[derive(Debug)]
pub(super) struct SealedSegment {
    pub(super) meta: Arc<SegmentMeta>,
    pool: Arc<SealedPool>,
    file: Arc<SegmentFile>,
    /// Why it cannot be read, once that is known for good.
    damage: Mutex<Option<Arc<str>>>,
    /// The reader that was opened last, while somebody has it.
    reader: Mutex<Weak<SegmentReader>>,
}

/// A segment's file, open or not.
pub(super) struct SegmentFile {
    files: Arc<OpenFiles>,
    id: SegmentId,
    pub(super) path: FilePath,
    bytes: u64,
}

/// A segment's file, opened for one reader alone.
struct FileAside {
    open: Arc<dyn ReadFile>,
    /// Says that it is read.
    name: Arc<SegmentFile>,
}

/// Whether a segment can be read, as far as it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentHealth {
    /// Nothing speaks against it.
    Sound,
    /// It was found damaged: it takes part in no answer.
    Damaged(Arc<str>),
}

/// A segment that an answer lacks, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFailure {
    /// What the catalog says about it.
    pub segment: Arc<SegmentMeta>,
    /// Why it cannot be read.
    pub reason: Arc<str>,
}

impl SealedPool {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        pages: Arc<PageCache>,
        memory: Arc<MemoryBudget>,
    ) -> Arc<Self> {
        let files = OpenFiles {
            disk,
            recent: Mutex::new(Recent::new(SEGMENT_FILES_MAX)),
        };
        Arc::new(Self {
            pages,
            files: Arc::new(files),
            readers: Mutex::new(Recent::new(SEGMENT_READERS_MAX)),
            memory,
        })
    }

    /// All segments of a topic.
    pub(super) fn segments(self: &Arc<Self>, state: &TopicState) -> Vec<Arc<SealedSegment>> {
        let segments = state.segments.iter();
        segments
            .map(|meta| Arc::new(SealedSegment::new(self, state.topic.id, Arc::clone(meta))))
            .collect()
    }

    /// A reader that is in memory.
    fn reader(&self, id: SegmentId) -> Option<Arc<SegmentReader>> {
        lock(&self.readers).get(id)
    }

    /// Keeps a reader. Others go when readers take more than their share.
    fn keep(&self, id: SegmentId, reader: &Arc<SegmentReader>) {
        lock(&self.readers).insert(id, Arc::clone(reader));
        let used = self.memory.used_bytes_for(MemoryUse::Segments);
        let share = self.memory.share_bytes(MemoryUse::Segments);
        if used > share {
            self.give_way(used - share + share / SHARE_FREED_PART);
        }
    }

    /// Forgets what is open of a segment, so that only those who read it now hold its file.
    pub(super) fn forget(&self, id: SegmentId) {
        lock(&self.readers).remove(id);
        lock(&self.files.recent).remove(id);
    }
}

impl GivesWay for SealedPool {
    /// Readers that nobody uses go; the others would take their memory along anyway.
    fn give_way(&self, bytes: usize) -> usize {
        let mut given = 0;
        let gone = lock(&self.readers).take_oldest(|reader| match reader {
            _ if given >= bytes => Goes::Enough,
            reader if Arc::strong_count(reader) > 1 => Goes::Stays,
            reader => {
                given += reader.memory_bytes();
                Goes::Out
            }
        });
        // Not under the lock: their pages go with them.
        drop(gone);
        given
    }
}

impl OpenFiles {
    fn file(&self, file: &SegmentFile) -> io::Result<Arc<dyn ReadFile>> {
        if let Some(open) = lock(&self.recent).get(file.id) {
            return Ok(open);
        }
        // Not under the lock; two threads may both open it, and one of the two stays.
        let open = self.disk.open(&file.path)?;
        lock(&self.recent).insert(file.id, Arc::clone(&open));
        Ok(open)
    }
}

impl SealedSegment {
    pub(super) fn new(pool: &Arc<SealedPool>, topic: TopicId, meta: Arc<SegmentMeta>) -> Self {
        let file = SegmentFile {
            files: Arc::clone(&pool.files),
            id: meta.id,
            path: segment_file(topic, &meta),
            bytes: meta.bytes,
        };
        Self {
            meta,
            pool: Arc::clone(pool),
            file: Arc::new(file),
            damage: Mutex::default(),
            reader: Mutex::default(),
        }
    }

    /// Its reader, whose footer is read now if it is not in memory.
    pub(super) fn open(&self) -> Result<Arc<SegmentReader>, StoreError> {
        if let SegmentHealth::Damaged(what) = self.health() {
            return Err(self.file.unusable(&what));
        }
        let pool = &self.pool;
        if let Some(reader) = pool.reader(self.meta.id) {
            return Ok(reader);
        }
        let reader = self.open_with(Arc::clone(&pool.pages))?;
        pool.keep(self.meta.id, &reader);
        *lock(&self.reader) = Arc::downgrade(&reader);
        Ok(reader)
    }

    /// A reader of its own for one pass over everything, which leaves nothing in memory behind.
    ///
    /// It reads what the file's name leads to now. The pool's open file would not do: it reads on
    /// when its name is gone or leads to another file, which is what such a pass has to find.
    pub(super) fn open_aside(&self) -> Result<Arc<SegmentReader>, StoreError> {
        self.note_damage(self.try_open_aside())
    }

    /// A reader of its own, which keeps pages in `pages` and is gone with its last user.
    pub(super) fn open_with(
        &self,
        pages: Arc<PageCache>,
    ) -> Result<Arc<SegmentReader>, StoreError> {
        let open: Arc<dyn ReadFile> = Arc::clone(&self.file) as _;
        self.note_damage(self.try_open(open, pages))
    }

    fn try_open_aside(&self) -> Result<Arc<SegmentReader>, StoreError> {
        let file = &self.file;
        let opened = file.files.disk.open(&file.path);
        let open = FileAside {
            open: opened.map_err(StoreError::io("open", &file.path))?,
            name: Arc::clone(file),
        };
        self.try_open(Arc::new(open), Arc::new(PageCache::new(0)))
    }

    fn try_open(
        &self,
        open: Arc<dyn ReadFile>,
        pages: Arc<PageCache>,
    ) -> Result<Arc<SegmentReader>, StoreError> {
        let file = &self.file;
        let found = open
            .len_bytes()
            .map_err(StoreError::io("open", &file.path))?;
        if found != file.bytes {
            return Err(file.unusable(&format!("has {found} bytes instead of {}", file.bytes)));
        }
        let reader = SegmentReader::open_with_cache(open, pages);
        Ok(Arc::new(reader.map_err(StoreError::segment(&file.path))?))
    }

    fn note_damage<T>(&self, opened: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &opened
            && error.is_damage()
        {
            self.set_health(&SegmentHealth::Damaged(error.to_string().into()));
        }
        opened
    }

    /// Says that reading its rows ended with `error`.
    pub(super) fn unreadable(&self, error: SegmentError) -> StoreError {
        self.note_met_damage();
        StoreError::segment(&self.file.path)(error)
    }

    /// Whether its reader has met damage that nobody knew of; it takes part in no answer then.
    pub(super) fn note_met_damage(&self) -> bool {
        let reader = lock(&self.reader).upgrade();
        let met = reader.as_ref().and_then(|reader| reader.damage());
        let (Some(met), SegmentHealth::Sound) = (met, self.health()) else {
            return false;
        };
        let what = format!("segment '{}': {met}", self.file.path);
        self.set_health(&SegmentHealth::Damaged(what.into()));
        true
    }

    pub(super) fn file(&self) -> &Arc<SegmentFile> {
        &self.file
    }

    pub(super) fn health(&self) -> SegmentHealth {
        match &*lock(&self.damage) {
            None => SegmentHealth::Sound,
            Some(what) => SegmentHealth::Damaged(Arc::clone(what)),
        }
    }

    pub(super) fn set_health(&self, health: &SegmentHealth) {
        let mut damage = lock(&self.damage);
        // A mended segment has a new reader.
        *lock(&self.reader) = Weak::new();
        *damage = match health {
            SegmentHealth::Sound => None,
            SegmentHealth::Damaged(what) => Some(Arc::clone(what)),
        };
        // What was read before says nothing any more; nobody may take a mended segment for sound
        // and still get the damaged file.
        self.pool.forget(self.meta.id);
    }
}

impl SegmentFile {
    /// Whether anybody but the one who asks may still read it. Nobody new can come when it is in
    /// no view any more.
    pub(super) fn is_read(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    fn unusable(&self, what: &str) -> StoreError {
        StoreError::SegmentFile {
            file: self.path.to_string(),
            what: what.into(),
        }
    }
}

impl ReadFile for SegmentFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.files.file(self)?.len_bytes()
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.files.file(self)?.read_exact_at(offset, out)
    }
}

impl ReadFile for FileAside {
    fn len_bytes(&self) -> io::Result<u64> {
        self.open.len_bytes()
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.open.read_exact_at(offset, out)
    }
}

impl fmt::Debug for FileAside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(formatter)
    }
}

impl fmt::Debug for SegmentFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SegmentFile")
            .field("path", &self.path.as_str())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is whole after each step, whoever panicked elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
