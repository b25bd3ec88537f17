//! Looking at a directory that no process has open, without recovering or writing anything.

use std::io;
use std::path::Path;
use std::sync::Arc;

use storage::catalog::Entries;
use storage::disk::{Disk, FileDisk};
use storage::store::Inspection;

use crate::error::{Error, ErrorKind, Result};

/// The store in `path` to look at, and what is wrong with its checkpoint as a whole.
///
/// # Errors
/// When a process has it open, or nothing of it can be read.
pub(crate) fn inspect(path: &Path) -> Result<(Inspection, Option<String>)> {
    let disk = FileDisk::open_to_read(path).map_err(|error| {
        let (kind, then) = match error.kind() {
            io::ErrorKind::WouldBlock => {
                let then = "; stop that process first, or ask it by HTTP";
                (ErrorKind::Unavailable, then)
            }
            _ => (ErrorKind::Invalid, ""),
        };
        let text = format!("cannot look at '{}': {error}{then}", path.display());
        Error::new(kind, text)
    })?;
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let (entries, problem) = load(path, &disk)?;
    Ok((Inspection::new(disk, entries), problem))
}

#[cfg(not(feature = "rocksdb"))]
fn load(path: &Path, disk: &Arc<dyn Disk>) -> Result<(Entries, Option<String>)> {
    use storage::catalog::MemoryCheckpoint;

    if path.join("catalog/CURRENT").exists() {
        let text = "the catalog is kept in RocksDB, which this build has not: topics have numbers \
                    and no names";
        return Ok((Entries::new(), Some(text.into())));
    }
    let (entries, damage) = MemoryCheckpoint::new(Arc::clone(disk)).load_sound()?;
    Ok((entries, damage.map(|damage| damage.to_string())))
}

#[cfg(feature = "rocksdb")]
fn load(path: &Path, _disk: &Arc<dyn Disk>) -> Result<(Entries, Option<String>)> {
    use storage::catalog::{CheckpointStore, RocksCheckpoint};

    if !path.join("catalog/CURRENT").exists() {
        let text = "there is no catalog in RocksDB: topics have numbers and no names";
        return Ok((Entries::new(), Some(text.into())));
    }
    let loaded = RocksCheckpoint::open_to_read(path.join("catalog"));
    match loaded.and_then(|checkpoint| checkpoint.load()) {
        Ok(entries) => Ok((entries, None)),
        Err(error) => Ok((Entries::new(), Some(error.to_string()))),
    }
}
