//! What the store asks of a disk.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use super::FilePath;

/// Files below one folder.
///
/// Promises that every implementation keeps, and that callers may build on:
/// - bytes survive a power cut once [`AppendFile::sync`] has returned `Ok`;
/// - a new, renamed or removed name survives once [`Disk::sync_directory`] of its folder has
///   returned `Ok`; syncing the file alone does not save its name;
/// - folders appear when a file inside is created, and survive at once;
/// - a rename is atomic, and replaces a file that has the new name;
/// - an open [`ReadFile`] keeps reading its bytes after a rename or removal.
pub trait Disk: Debug + Send + Sync {
    /// Makes an empty file, and its folders where they are missing.
    ///
    /// # Errors
    /// `AlreadyExists` when there is such a file; what the disk reports otherwise.
    fn create(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>>;

    /// Opens an existing file for writing at its end.
    ///
    /// # Errors
    /// `NotFound` when there is no such file; what the disk reports otherwise.
    fn append(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>>;

    /// Opens an existing file for writing over what it holds, from its start. Bytes that were not
    /// written over yet stay. That the file has its blocks already makes syncs cheaper.
    ///
    /// # Errors
    /// `NotFound` when there is no such file; what the disk reports otherwise.
    fn overwrite(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>>;

    /// Opens an existing file for reading.
    ///
    /// # Errors
    /// `NotFound` when there is no such file; what the disk reports otherwise.
    fn open(&self, path: &FilePath) -> io::Result<Arc<dyn ReadFile>>;

    /// Gives a file another name, and replaces a file that had that name.
    ///
    /// # Errors
    /// `NotFound` when there is no file `from`; what the disk reports otherwise.
    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` when there is no such file; what the disk reports otherwise.
    fn remove(&self, path: &FilePath) -> io::Result<()>;

    /// The files directly inside a folder, sorted; none when the folder does not exist.
    ///
    /// # Errors
    /// What the disk reports.
    fn list(&self, directory: &FilePath) -> io::Result<Vec<FilePath>>;

    /// The folders directly inside a folder, sorted; none when the folder does not exist.
    ///
    /// # Errors
    /// What the disk reports.
    fn list_directories(&self, directory: &FilePath) -> io::Result<Vec<FilePath>>;

    /// Removes a folder that holds nothing; nothing happens when it does not exist.
    ///
    /// # Errors
    /// When it is not empty; what the disk reports otherwise.
    fn remove_directory(&self, directory: &FilePath) -> io::Result<()>;

    /// How many bytes can still be written.
    ///
    /// # Errors
    /// What the disk reports.
    fn free_bytes(&self) -> io::Result<u64>;

    /// How many bytes there is room for altogether; where that is not known, what is free.
    ///
    /// # Errors
    /// What the disk reports.
    fn size_bytes(&self) -> io::Result<u64> {
        self.free_bytes()
    }

    /// Makes the names inside a folder durable.
    ///
    /// # Errors
    /// What the disk reports. The names may or may not be durable then.
    fn sync_directory(&self, directory: &FilePath) -> io::Result<()>;

    /// Makes `bytes` the whole content of a file: afterwards, and after a power cut at any moment,
    /// the file has its old content or the new one, and the new one once `Ok` is returned.
    ///
    /// # Errors
    /// `StorageFull` when there was no room: nothing has changed. Else what the disk reports, and
    /// the content is the old or the new one.
    ///
    /// # Panics
    /// When `path` lies directly in the store's folder, which cannot be synced by name.
    fn replace(&self, path: &FilePath, bytes: &[u8]) -> io::Result<()> {
        let directory = path
            .parent()
            .expect("replaced files live in a folder below the store's");
        let temporary = directory.join(&format!("{}.temporary", path.name()));
        match self.remove(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = self.create(&temporary)?;
        file.append(bytes)?;
        file.sync()?;
        drop(file);
        self.rename(&temporary, path).map_err(in_doubt)?;
        self.sync_directory(&directory).map_err(in_doubt)
    }
}

/// A failure behind the point where nothing had changed: a full disk is no harmless reason there.
fn in_doubt(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::StorageFull => io::Error::other(error),
        _ => error,
    }
}

/// A file that is written from front to back. Its end is where the next bytes go: that of the
/// file, or before it when the file is written over.
pub trait AppendFile: Debug + Send {
    /// Writes `bytes` at the end. They survive a power cut after the next [`AppendFile::sync`].
    ///
    /// # Errors
    /// What the disk reports, for instance that it is full; the length is the old one then, and
    /// the next append writes over what this one may have left.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes `bytes` at the end, of which the first `counted` belong to the file. The rest stands
    /// behind the end, where the next append writes over it: with it a write may end where a page
    /// does, and no page has to be read to be written in part.
    ///
    /// # Errors
    /// As [`AppendFile::append`].
    ///
    /// # Panics
    /// When more are counted than there are.
    fn append_with_rest(&mut self, bytes: &[u8], counted: usize) -> io::Result<()>;

    /// Makes sure that the next `bytes` can be appended, as far as the disk can promise that; the
    /// length stays.
    ///
    /// # Errors
    /// What the disk reports, for instance that it is full.
    fn reserve(&mut self, bytes: u64) -> io::Result<()>;

    /// Writes zeros behind the end where the file holds nothing yet, so that the next `bytes` need
    /// not make it grow: a sync is cheaper then. The length stays.
    ///
    /// # Errors
    /// What the disk reports, for instance that it is full; the length is the old one then.
    fn prepare(&mut self, bytes: u64) -> io::Result<()>;

    /// Returns when everything written to this file so far is durable.
    ///
    /// # Errors
    /// What the disk reports. Nobody knows then which of the bytes are durable, and a second try
    /// could succeed without having written them: every later call on this handle fails.
    fn sync(&mut self) -> io::Result<()>;

    /// How long the file is, without what it still holds behind its end from before.
    fn len_bytes(&self) -> u64;

    /// Cuts the file to `len_bytes`; nothing happens when it is shorter already.
    ///
    /// # Errors
    /// What the disk reports.
    fn truncate(&mut self, len_bytes: u64) -> io::Result<()>;
}

/// A file that is read at any place, by many at once.
pub trait ReadFile: Debug + Send + Sync {
    /// How long the file is by now.
    ///
    /// # Errors
    /// What the disk reports.
    fn len_bytes(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before; what the disk reports otherwise.
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}
