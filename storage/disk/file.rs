//! A folder of the operating system: the only place that calls it for files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{AppendFile, Disk, FilePath, ReadFile, ReadOnlyDisk};

/// Held by the process that uses a folder. Never removed: a second process could otherwise lock
/// a file that has no name any more.
const LOCK_FILE: &str = "LOCK";

/// What files are prepared with.
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];

/// A folder that this process owns as long as the value lives.
#[derive(Debug)]
pub struct FileDisk {
    root: PathBuf,
    /// The operating system lets go of the lock when the file is closed, even by `kill -9`. A
    /// folder that is only looked at may lack the file.
    _lock: Option<File>,
}

#[derive(Debug)]
struct FileAppend {
    file: File,
    len_bytes: u64,
    /// How long the file is for the operating system: what stands behind `len_bytes` is old.
    held_bytes: u64,
    /// After a failed sync the kernel may drop the bytes and report success the next time.
    sync_failed: bool,
}

#[derive(Debug)]
struct FileRead(File);

impl FileDisk {
    /// Makes the folder where it is missing and takes it for this process.
    ///
    /// # Errors
    /// `WouldBlock` when another process (or another `FileDisk` of this one) holds the folder;
    /// what the operating system reports otherwise.
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref().to_path_buf();
        create_folders_durably(&root)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join(LOCK_FILE))?;
        held(lock.try_lock(), &root)?;
        Ok(Self {
            root,
            _lock: Some(lock),
        })
    }

    /// Looks at a folder that no process changes: nothing is made or written, and others may look
    /// at the same time.
    ///
    /// # Errors
    /// `WouldBlock` when a process has the folder open for its work; what the operating system
    /// reports otherwise.
    pub fn open_to_read(root: impl AsRef<Path>) -> io::Result<ReadOnlyDisk> {
        let root = root.as_ref().to_path_buf();
        let lock = match File::open(root.join(LOCK_FILE)) {
            Ok(lock) => {
                held(lock.try_lock_shared(), &root)?;
                Some(lock)
            }
            // A copy of a store may have been made without it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(ReadOnlyDisk::new(Arc::new(Self { root, _lock: lock })))
    }

    fn absolute(&self, path: &FilePath) -> PathBuf {
        self.root.join(path.as_str())
    }

    fn open_to_write(&self, path: &FilePath) -> io::Result<File> {
        let file = OpenOptions::new().write(true).open(self.absolute(path));
        file.map_err(|error| named(&error, "open", path))
    }

    /// The names inside a folder that are folders, or those that are not.
    fn names(&self, directory: &FilePath, kind: EntryKind) -> io::Result<Vec<FilePath>> {
        let entries = match fs::read_dir(self.absolute(directory)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() != (kind == EntryKind::Folder) {
                continue;
            }
            // Names that the store cannot have made are none of its business.
            let name = entry.file_name();
            let path = name.to_str().map(|name| format!("{directory}/{name}"));
            found.extend(path.and_then(|path| FilePath::parse(&path).ok()));
        }
        found.sort();
        Ok(found)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    File,
    Folder,
}

impl Disk for FileDisk {
    fn create(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let absolute = self.absolute(path);
        let make = || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&absolute)
        };
        let file = match make() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = absolute.parent() {
                    create_folders_durably(parent)?;
                }
                make()
            }
            result => result,
        };
        let file = file.map_err(|error| named(&error, "create", path))?;
        Ok(Box::new(FileAppend::at(file, 0, 0)))
    }

    fn append(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let file = self.open_to_write(path)?;
        let len_bytes = file.metadata()?.len();
        Ok(Box::new(FileAppend::at(file, len_bytes, len_bytes)))
    }

    fn overwrite(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let file = self.open_to_write(path)?;
        let held_bytes = file.metadata()?.len();
        Ok(Box::new(FileAppend::at(file, 0, held_bytes)))
    }

    fn open(&self, path: &FilePath) -> io::Result<Arc<dyn ReadFile>> {
        let file = File::open(self.absolute(path)).map_err(|error| named(&error, "open", path))?;
        Ok(Arc::new(FileRead(file)))
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        fs::rename(self.absolute(from), self.absolute(to))
            .map_err(|error| named(&error, "rename", from))
    }

    fn remove(&self, path: &FilePath) -> io::Result<()> {
        fs::remove_file(self.absolute(path)).map_err(|error| named(&error, "remove", path))
    }

    fn list(&self, directory: &FilePath) -> io::Result<Vec<FilePath>> {
        self.names(directory, EntryKind::File)
    }

    fn list_directories(&self, directory: &FilePath) -> io::Result<Vec<FilePath>> {
        self.names(directory, EntryKind::Folder)
    }

    fn remove_directory(&self, directory: &FilePath) -> io::Result<()> {
        match fs::remove_dir(self.absolute(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|error| named(&error, "remove folder", directory)),
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let room = rustix::fs::statvfs(&self.root)?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }

    fn size_bytes(&self) -> io::Result<u64> {
        let room = rustix::fs::statvfs(&self.root)?;
        Ok(room.f_blocks.saturating_mul(room.f_frsize))
    }

    fn sync_directory(&self, directory: &FilePath) -> io::Result<()> {
        sync_folder(&self.absolute(directory))
            .map_err(|error| named(&error, "sync folder", directory))
    }
}

/// Opens a single file for reading, wherever it lies.
///
/// # Errors
/// What the operating system reports.
pub fn open_file(path: impl AsRef<Path>) -> io::Result<Arc<dyn ReadFile>> {
    Ok(Arc::new(FileRead(File::open(path)?)))
}

/// Says whose folder it is when a lock is not to be had.
fn held(locked: Result<(), TryLockError>, root: &Path) -> io::Result<()> {
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            format!(
                "the folder '{}' is in use by another process, which holds its file {LOCK_FILE}",
                root.display()
            ),
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl FileAppend {
    fn at(file: File, len_bytes: u64, held_bytes: u64) -> Self {
        Self {
            file,
            len_bytes,
            held_bytes,
            sync_failed: false,
        }
    }

    /// Gives back the room behind the end where that is possible: half of a failed write takes it.
    fn give_back_rest(&mut self) {
        if self.file.set_len(self.len_bytes).is_ok() {
            self.held_bytes = self.len_bytes;
        }
    }

    fn must_be_sound(&self) -> io::Result<()> {
        if self.sync_failed {
            return Err(io::Error::other(
                "an earlier sync of this file failed: which bytes are durable is unknown",
            ));
        }
        Ok(())
    }
}

impl AppendFile for FileAppend {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.append_with_rest(bytes, bytes.len())
    }

    fn append_with_rest(&mut self, bytes: &[u8], counted: usize) -> io::Result<()> {
        assert!(counted <= bytes.len(), "{counted} of {} bytes", bytes.len());
        self.must_be_sound()?;
        // Written at our own idea of the end, so that half of a failed append is overwritten.
        if let Err(error) = self.file.write_all_at(bytes, self.len_bytes) {
            self.give_back_rest();
            return Err(error);
        }
        self.held_bytes = self.held_bytes.max(self.len_bytes + bytes.len() as u64);
        self.len_bytes += counted as u64;
        Ok(())
    }

    fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        self.must_be_sound()?;
        let flags = rustix::fs::FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, flags, self.len_bytes, bytes) {
            // A file system that promises nothing says so when it is written to.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            result => Ok(result?),
        }
    }

    fn prepare(&mut self, bytes: u64) -> io::Result<()> {
        self.must_be_sound()?;
        let wanted_bytes = self.len_bytes.saturating_add(bytes);
        let mut at = self.held_bytes.max(self.len_bytes);
        while at < wanted_bytes {
            let zeros = usize::try_from(wanted_bytes - at).unwrap_or(usize::MAX);
            let zeros = &ZEROS[..zeros.min(ZEROS.len())];
            if let Err(error) = self.file.write_all_at(zeros, at) {
                self.give_back_rest();
                return Err(error);
            }
            at += zeros.len() as u64;
            self.held_bytes = at;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.must_be_sound()?;
        let result = self.file.sync_data();
        self.sync_failed = result.is_err();
        result
    }

    fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        self.must_be_sound()?;
        // Even where that is the length: a failed append may have left bytes behind it.
        if len_bytes <= self.len_bytes {
            self.file.set_len(len_bytes)?;
            self.len_bytes = len_bytes;
            self.held_bytes = len_bytes;
        }
        Ok(())
    }
}

impl ReadFile for FileRead {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }
}

/// Makes a folder and those above it, and syncs the name of each new one into the folder above.
fn create_folders_durably(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder
        .parent()
        .filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        create_folders_durably(above)?;
    }
    match fs::create_dir(folder) {
        // Another thread made it first; it syncs the name as we do.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !folder.is_dir() => {
            return Err(error);
        }
        Ok(()) | Err(_) => {}
    }
    sync_folder(above.unwrap_or(Path::new(".")))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn named(error: &io::Error, verb: &str, path: &FilePath) -> io::Error {
    io::Error::new(error.kind(), format!("could not {verb} '{path}': {error}"))
}
