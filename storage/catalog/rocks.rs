//! The checkpoint in RocksDB, in one column family.
//!
//! Its own write-ahead log is off: the journal is the log, and two logs cannot commit together.
//! A commit is one write batch, which enters one memtable as a whole, and a flush, which makes
//! that memtable one file and names it in the manifest by one synced write: all or nothing.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DB, DBCompressionType, Error, ErrorKind,
    FlushOptions, IteratorMode, Options, WriteBatch,
};

use super::{CatalogError, CheckpointStore, Entries};

/// Bytes of decoded blocks kept in memory.
const BLOCK_CACHE_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of changes that are gathered before they are written; a commit writes them anyway.
const WRITE_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Files that may be open at once.
const OPEN_FILES_MAX: i32 = 256;

/// What its errors say of a full disk, in the system's words.
const DISK_FULL: &str = "No space left on device";

/// A checkpoint in a RocksDB folder.
#[derive(Debug)]
pub struct RocksCheckpoint {
    database: DB,
    /// Held for a commit: a flush must not carry half of what another commit means.
    committing: Mutex<()>,
}

impl RocksCheckpoint {
    /// Opens the database in `folder`, or makes it there.
    ///
    /// # Errors
    /// When it cannot be opened; another process may have it.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, CatalogError> {
        let database = DB::open(&options(), folder).map_err(database_error("open"))?;
        Ok(Self {
            database,
            committing: Mutex::new(()),
        })
    }

    /// Opens the database in `folder` to look at it: nothing in it is changed, and commits fail.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_to_read(folder: impl AsRef<Path>) -> Result<Self, CatalogError> {
        let database = DB::open_for_read_only(&options(), folder, false);
        Ok(Self {
            database: database.map_err(database_error("open"))?,
            committing: Mutex::new(()),
        })
    }
}

impl CheckpointStore for RocksCheckpoint {
    fn load(&self) -> Result<Entries, CatalogError> {
        let mut entries = Entries::new();
        for entry in self.database.iterator(IteratorMode::Start) {
            let (key, value) = entry.map_err(database_error("read"))?;
            entries.insert(key.into_vec(), value.into_vec());
        }
        Ok(entries)
    }

    fn commit(&self, changes: &[super::EntryChange]) -> Result<(), CatalogError> {
        let _committing = self
            .committing
            .lock()
            .expect("nothing panics while a commit is under way");
        let mut batch = WriteBatch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        self.database
            .write_without_wal(batch)
            .map_err(database_error("write"))?;
        let mut flush = FlushOptions::default();
        flush.set_wait(true);
        self.database
            .flush_opt(&flush)
            .map_err(database_error("flush"))
    }
}

/// Small and careful: the catalog is kilobytes to megabytes and read once, at the start.
fn options() -> Options {
    let mut table = BlockBasedOptions::default();
    // Without these a small cache reads multi-megabyte index blocks again for each lookup.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_bloom_filter(10.0, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_top_level_index_and_filter(true);
    table.set_block_cache(&Cache::new_lru_cache(BLOCK_CACHE_BYTES));

    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_paranoid_checks(true);
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    options
}

fn database_error(action: &'static str) -> impl FnOnce(Error) -> CatalogError {
    move |error| {
        if matches!(error.kind(), ErrorKind::Corruption) {
            return CatalogError::Damaged(error.into_string());
        }
        let message = error.into_string();
        // A full disk has no kind of its own. Once there is room the database goes on by itself.
        if message.contains(DISK_FULL) {
            let source = io::Error::new(io::ErrorKind::StorageFull, message);
            return CatalogError::Io { action, source };
        }
        CatalogError::Database { action, message }
    }
}
