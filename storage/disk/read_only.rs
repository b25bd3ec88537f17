//! A disk that is looked at and never changed.

use std::io;
use std::sync::Arc;

use super::{AppendFile, Disk, FilePath, ReadFile};

/// Another disk whose every change is refused: what inspects a store goes through it, so that
/// nothing it calls can write by mistake.
#[derive(Debug)]
pub struct ReadOnlyDisk(Arc<dyn Disk>);

impl ReadOnlyDisk {
    /// `disk`, for reading.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self(disk)
    }
}

impl Disk for ReadOnlyDisk {
    fn create(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        Err(refused("create", path))
    }

    fn append(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        Err(refused("append to", path))
    }

    fn overwrite(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        Err(refused("write over", path))
    }

    fn open(&self, path: &FilePath) -> io::Result<Arc<dyn ReadFile>> {
        self.0.open(path)
    }

    fn rename(&self, from: &FilePath, _to: &FilePath) -> io::Result<()> {
        Err(refused("rename", from))
    }

    fn remove(&self, path: &FilePath) -> io::Result<()> {
        Err(refused("remove", path))
    }

    fn list(&self, directory: &FilePath) -> io::Result<Vec<FilePath>> {
        self.0.list(directory)
    }

    fn list_directories(&self, directory: &FilePath) -> io::Result<Vec<FilePath>> {
        self.0.list_directories(directory)
    }

    fn remove_directory(&self, directory: &FilePath) -> io::Result<()> {
        Err(refused("remove", directory))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn sync_directory(&self, directory: &FilePath) -> io::Result<()> {
        Err(refused("sync", directory))
    }
}

fn refused(verb: &str, path: &FilePath) -> io::Error {
    let text = format!("will not {verb} '{path}': the store was opened for reading only");
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, text)
}
