//! Opening a store: where, how, and what is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::catalog::{CheckpointStore, MemoryCheckpoint};
use storage::disk::{Disk, FileDisk, MemoryDisk};
use storage::store::{Store, StoreOptions};

use super::identity::random_uuid;
use super::{Core, Db, Inner};
use crate::background::Workers;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{Options, Work};

/// How a store is opened.
///
/// ```
/// use siltstone::{Db, Options};
///
/// let options = Options { seal_rows: 100_000, ..Options::default() };
/// let db = Db::builder().in_memory().options(options).open()?;
/// # db.close()?;
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct DbBuilder {
    place: Option<Place>,
    options: Options,
}

#[derive(Debug)]
enum Place {
    Directory(PathBuf),
    Memory,
    Disk(Arc<dyn Disk>),
}

impl DbBuilder {
    /// In the directory `path`, which is made when it is missing.
    #[must_use]
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.place = Some(Place::Directory(path.as_ref().into()));
        self
    }

    /// In memory: gone with the last handle.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.place = Some(Place::Memory);
        self
    }

    /// On a disk of your own, for tests.
    #[must_use]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.place = Some(Place::Disk(disk));
        self
    }

    /// With these options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Opens the store, recovering what the last process left.
    ///
    /// # Errors
    /// When no place was named, another process has it open, its bytes are damaged, or it cannot
    /// be used.
    pub fn open(mut self) -> Result<Db> {
        self.options.fit_memory();
        let (disk, checkpoint) = match self.place {
            None => {
                let text = "say where the store is: path, in_memory or disk";
                return Err(Error::new(ErrorKind::Invalid, text));
            }
            Some(Place::Directory(path)) => open_directory(&path)?,
            Some(Place::Memory) => with_file_checkpoint(Arc::new(MemoryDisk::default())),
            Some(Place::Disk(disk)) => with_file_checkpoint(disk),
        };
        let store_options = StoreOptions {
            store_uuid: random_uuid()?,
            disk_reserve_bytes: self.options.disk_reserve_bytes,
            memory_bytes: self.options.memory_bytes,
            staged_bytes_max: self.options.staged_bytes_max(),
            ..StoreOptions::default()
        };
        let now_ms = self.options.clock.now_ms();
        let (store, recovery) = Store::open(disk, checkpoint, store_options, now_ms)?;
        tracing::info!(?recovery, "store is open");
        let work = self.options.work;
        let core = Arc::new(Core::new(Arc::new(store), self.options)?);
        let workers = match work {
            Work::Background => Workers::start(&core)?,
            Work::Caller => Workers::none(),
        };
        Ok(Db {
            inner: Arc::new(Inner { core, workers }),
        })
    }
}

type Opened = (Arc<dyn Disk>, Box<dyn CheckpointStore>);

fn open_directory(path: &Path) -> Result<Opened> {
    let disk = FileDisk::open(path).map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::WouldBlock => ErrorKind::Unavailable,
            _ => ErrorKind::Invalid,
        };
        Error::caused(kind, error).while_doing(format!("cannot open '{}'", path.display()))
    })?;
    open_checkpoint(path, Arc::new(disk))
}

/// The two kinds of checkpoint live in the same folder and must never be taken for each other: an
/// absent one of the other kind would look like a new store.
#[cfg(not(feature = "rocksdb"))]
fn open_checkpoint(path: &Path, disk: Arc<dyn Disk>) -> Result<Opened> {
    if path.join("catalog/CURRENT").exists() {
        let text = format!(
            "the catalog in '{}' is kept in RocksDB, which this build has not; open it with a \
             build that has the feature 'rocksdb'",
            path.display()
        );
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    Ok(with_file_checkpoint(disk))
}

/// See the other build's function of this name.
#[cfg(feature = "rocksdb")]
fn open_checkpoint(path: &Path, disk: Arc<dyn Disk>) -> Result<Opened> {
    if path.join("catalog/checkpoint").exists() {
        let text = format!(
            "the catalog in '{}' is kept in one file, which this build does not read; open it \
             with a build that lacks the feature 'rocksdb'",
            path.display()
        );
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    let checkpoint = storage::catalog::RocksCheckpoint::open(&path.join("catalog"))?;
    Ok((disk, Box::new(checkpoint)))
}

fn with_file_checkpoint(disk: Arc<dyn Disk>) -> Opened {
    let checkpoint = MemoryCheckpoint::new(Arc::clone(&disk));
    (disk, Box::new(checkpoint))
}
