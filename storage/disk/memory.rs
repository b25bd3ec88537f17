//! A disk that lives as long as the process.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{AppendFile, Disk, FilePath, ReadFile};

/// Files in memory: nothing is ever lost before the process ends, and nothing survives it.
/// Clones share the files.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<FilePath, Content>>>,
}

type Content = Arc<RwLock<Vec<u8>>>;

#[derive(Debug)]
struct MemoryAppend {
    content: Content,
    len: usize,
}

#[derive(Debug)]
struct MemoryRead(Content);

impl MemoryDisk {
    /// A disk without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<FilePath, Content>> {
        // No code between lock and unlock can leave the map half changed.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, path: &FilePath) -> io::Result<Content> {
        let found = self.files().get(path).cloned();
        found.ok_or_else(|| not_found(path))
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let mut files = self.files();
        if files.contains_key(path) {
            return Err(already_exists(path));
        }
        let content = Content::default();
        files.insert(path.clone(), Arc::clone(&content));
        Ok(Box::new(MemoryAppend { content, len: 0 }))
    }

    fn append(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let content = self.find(path)?;
        let len = read(&content).len();
        Ok(Box::new(MemoryAppend { content, len }))
    }

    fn overwrite(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let content = self.find(path)?;
        Ok(Box::new(MemoryAppend { content, len: 0 }))
    }

    fn open(&self, path: &FilePath) -> io::Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(MemoryRead(self.find(path)?)))
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        let mut files = self.files();
        let content = files.remove(from).ok_or_else(|| not_found(from))?;
        files.insert(to.clone(), content);
        Ok(())
    }

    fn remove(&self, path: &FilePath) -> io::Result<()> {
        match self.files().remove(path) {
            Some(_) => Ok(()),
            None => Err(not_found(path)),
        }
    }

    fn list(&self, directory: &FilePath) -> io::Result<Vec<FilePath>> {
        Ok(files_inside(self.files().keys(), directory))
    }

    fn list_directories(&self, directory: &FilePath) -> io::Result<Vec<FilePath>> {
        Ok(directories_inside(self.files().keys(), directory))
    }

    fn remove_directory(&self, directory: &FilePath) -> io::Result<()> {
        must_be_empty(self.files().keys(), directory)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn sync_directory(&self, _directory: &FilePath) -> io::Result<()> {
        Ok(())
    }
}

fn read(content: &Content) -> RwLockReadGuard<'_, Vec<u8>> {
    content.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(content: &Content) -> RwLockWriteGuard<'_, Vec<u8>> {
    content.write().unwrap_or_else(PoisonError::into_inner)
}

impl AppendFile for MemoryAppend {
    fn append_with_rest(&mut self, bytes: &[u8], counted: usize) -> io::Result<()> {
        self.append(&bytes[..counted])
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_at(&mut write(&self.content), self.len, bytes);
        self.len += bytes.len();
        Ok(())
    }

    fn reserve(&mut self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    /// Memory grows as cheaply as it is written over.
    fn prepare(&mut self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn len_bytes(&self) -> u64 {
        self.len as u64
    }

    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        // A length beyond the address space is beyond the file's end too.
        let len = usize::try_from(len_bytes).unwrap_or(usize::MAX);
        if len <= self.len {
            write(&self.content).truncate(len);
            self.len = len;
        }
        Ok(())
    }
}

impl ReadFile for MemoryRead {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(read(&self.0).len() as u64)
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        copy_exact(&read(&self.0), offset, out)
    }
}

/// Fills `out` from `bytes` at `offset`, as a file would.
pub(super) fn copy_exact(bytes: &[u8], offset: u64, out: &mut [u8]) -> io::Result<()> {
    let wanted = usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..start.checked_add(out.len())?));
    match wanted {
        Some(found) => {
            out.copy_from_slice(found);
            Ok(())
        }
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Puts `bytes` at `start`, over what is there and beyond it.
pub(super) fn write_at(content: &mut Vec<u8>, start: usize, bytes: &[u8]) {
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

/// The files among sorted `paths` that lie directly inside `directory`.
pub(super) fn files_inside<'a>(
    paths: impl Iterator<Item = &'a FilePath>,
    directory: &FilePath,
) -> Vec<FilePath> {
    let inside = |path: &&FilePath| path.parent().as_ref() == Some(directory);
    paths.filter(inside).cloned().collect()
}

/// The folders directly inside `directory` that hold some of `paths`.
pub(super) fn directories_inside<'a>(
    paths: impl Iterator<Item = &'a FilePath>,
    directory: &FilePath,
) -> Vec<FilePath> {
    let mut found = BTreeSet::new();
    for path in paths {
        let rest = path.as_str().strip_prefix(directory.as_str());
        let below = rest.and_then(|rest| rest.strip_prefix('/')).unwrap_or("");
        if let Some((name, _)) = below.split_once('/') {
            found.insert(directory.join(name));
        }
    }
    found.into_iter().collect()
}

/// Folders of disks in memory exist while they hold a file, so that removing one only checks it.
pub(super) fn must_be_empty<'a>(
    mut paths: impl Iterator<Item = &'a FilePath>,
    directory: &FilePath,
) -> io::Result<()> {
    let prefix = format!("{directory}/");
    if paths.any(|path| path.as_str().starts_with(&prefix)) {
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    Ok(())
}

pub(super) fn not_found(path: &FilePath) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("there is no file '{path}'"),
    )
}

pub(super) fn already_exists(path: &FilePath) -> io::Error {
    let text = format!("there is a file '{path}' already");
    io::Error::new(io::ErrorKind::AlreadyExists, text)
}
