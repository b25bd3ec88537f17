//! A disk for rehearsing disasters.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory::{
    already_exists, copy_exact, directories_inside, files_inside, must_be_empty, not_found,
};
use super::remains::{Content, NameChange, Names};
use super::seeded::Seeded;
use super::{AppendFile, Disk, FilePath, ReadFile};

/// A disk in memory that knows which bytes and names are durable, counts the operations that
/// change something, and fails at the ones it is told to. Clones are the same disk.
///
/// A crash test runs until a [`Fault::PowerCut`] (or as far as it likes), calls
/// [`FaultyDisk::crash`], and recovers from the disk that this returns. To rehearse the death of
/// the process alone (`kill -9`), recover from a clone of the same disk.
#[derive(Debug, Clone, Default)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation reports an input/output error and changes nothing. A failed sync of a file
    /// moreover drops its unsynced bytes as the kernel does: they can be read until the power
    /// cut, and later syncs succeed without writing them.
    InputOutput,
    /// The disk is full: a part of the bytes may have been written, and the operation fails.
    Full,
    /// The operation happens in part, and nothing works any more until [`FaultyDisk::crash`].
    PowerCut,
}

#[derive(Debug, Default)]
struct State {
    names: Names,
    files: Vec<Content>,
    operation_count: u64,
    faults: BTreeMap<u64, Fault>,
    unreadable: BTreeSet<FilePath>,
    capacity_bytes: Option<u64>,
    /// How far files may grow whatever else is written, by number.
    reserved: BTreeMap<usize, usize>,
    powered_off: bool,
}

#[derive(Debug)]
struct FaultyAppend {
    disk: FaultyDisk,
    file: usize,
    len: usize,
    sync_failed: bool,
}

#[derive(Debug)]
struct FaultyRead {
    disk: FaultyDisk,
    file: usize,
    path: FilePath,
}

impl FaultyDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many operations so far changed something or would have: creates, appends, truncations,
    /// renames, removals, and syncs of files and folders. The next one has this number.
    #[must_use]
    pub fn operation_count(&self) -> u64 {
        self.state().operation_count
    }

    /// Makes operation number `operation` fail; the first operation of a disk has the number 0.
    pub fn inject(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// Makes every read of the file at `path` fail.
    pub fn make_unreadable(&self, path: &FilePath) {
        self.state().unreadable.insert(path.clone());
    }

    /// Makes appends fail that would take all files together beyond `capacity_bytes`.
    pub fn limit_capacity(&self, capacity_bytes: Option<u64>) {
        self.state().capacity_bytes = capacity_bytes;
    }

    /// Flips bit `bit` (modulo 8) of a byte of a file, as a worn medium does.
    ///
    /// # Errors
    /// When there is no such file or no such byte.
    pub fn flip_bit(&self, path: &FilePath, byte: usize, bit: u32) -> io::Result<()> {
        let mut state = self.state();
        let file = state.find(path)?;
        if state.files[file].flip_bit(byte, bit) {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Cuts the power: this disk and its open files fail from now on, and the disk that is
    /// returned holds what is left. Which unsynced things are left is up to `seed`.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let mut state = self.state();
        state.powered_off = true;
        let mut seeded = Seeded::new(seed);
        let mut names = state.names.remains(&mut seeded);
        let mut files = Vec::with_capacity(names.len());
        for file in names.values_mut() {
            let other = seeded.below(state.files.len());
            let bytes = state.files[*file].remains(state.files[other].current(), &mut seeded);
            *file = files.len();
            files.push(Content::after_crash(bytes));
        }
        let state = State {
            names: Names::after_crash(names),
            files,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panics may hold the lock; what follows is the test's own business.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, file: usize, len: usize) -> Box<dyn AppendFile> {
        Box::new(FaultyAppend {
            disk: self.clone(),
            file,
            len,
            sync_failed: false,
        })
    }

    /// Counts an operation on names and makes `change` unless a fault prevents it.
    fn change_names(&self, change: impl FnOnce(&mut State) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state();
        match state.begin()? {
            None => change(&mut state),
            Some(Fault::PowerCut) => {
                change(&mut state)?;
                Err(Fault::PowerCut.error())
            }
            Some(fault @ (Fault::InputOutput | Fault::Full)) => Err(fault.error()),
        }
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::InputOutput => io::Error::other("injected input/output error"),
            Self::Full => io::Error::new(io::ErrorKind::StorageFull, "injected: disk full"),
            Self::PowerCut => io::Error::other("injected: the power is off"),
        }
    }
}

impl State {
    /// Counts an operation and says what is to go wrong with it.
    fn begin(&mut self) -> io::Result<Option<Fault>> {
        self.must_be_on()?;
        let fault = self.faults.remove(&self.operation_count);
        self.operation_count += 1;
        self.powered_off = fault == Some(Fault::PowerCut);
        Ok(fault)
    }

    fn must_be_on(&self) -> io::Result<()> {
        if self.powered_off {
            Err(Fault::PowerCut.error())
        } else {
            Ok(())
        }
    }

    fn find(&self, path: &FilePath) -> io::Result<usize> {
        self.must_be_on()?;
        let file = self.names.current().get(path).copied();
        file.ok_or_else(|| not_found(path))
    }

    /// How many bytes may still be written.
    fn free_bytes(&self) -> usize {
        let Some(capacity_bytes) = self.capacity_bytes else {
            return usize::MAX;
        };
        usize::try_from(capacity_bytes.saturating_sub(self.used_bytes())).unwrap_or(usize::MAX)
    }

    /// How many bytes may still be written to `file` from `len` on.
    fn free_bytes_of(&self, file: usize, len: usize) -> usize {
        let reserved = self.reserved.get(&file).copied().unwrap_or(0);
        self.free_bytes()
            .saturating_add(reserved.saturating_sub(len))
    }

    /// What files take, with what is reserved for them.
    fn used_bytes(&self) -> u64 {
        let files = self.names.current().values().map(|file| {
            let reserved = self.reserved.get(file).copied().unwrap_or(0);
            self.files[*file].current().len().max(reserved) as u64
        });
        files.sum()
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let mut file = 0;
        self.change_names(|state| {
            if state.names.current().contains_key(path) {
                return Err(already_exists(path));
            }
            file = state.files.len();
            state.files.push(Content::default());
            state.names.change(NameChange::Create {
                path: path.clone(),
                file,
            });
            Ok(())
        })?;
        Ok(self.handle(file, 0))
    }

    fn append(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let state = self.state();
        let file = state.find(path)?;
        let len = state.files[file].current().len();
        drop(state);
        Ok(self.handle(file, len))
    }

    fn overwrite(&self, path: &FilePath) -> io::Result<Box<dyn AppendFile>> {
        let file = self.state().find(path)?;
        Ok(self.handle(file, 0))
    }

    fn open(&self, path: &FilePath) -> io::Result<Arc<dyn ReadFile>> {
        let file = self.state().find(path)?;
        Ok(Arc::new(FaultyRead {
            disk: self.clone(),
            file,
            path: path.clone(),
        }))
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        self.change_names(|state| {
            let file = *state
                .names
                .current()
                .get(from)
                .ok_or_else(|| not_found(from))?;
            let (from, to) = (from.clone(), to.clone());
            state.names.change(NameChange::Rename { from, to, file });
            Ok(())
        })
    }

    fn remove(&self, path: &FilePath) -> io::Result<()> {
        self.change_names(|state| {
            if !state.names.current().contains_key(path) {
                return Err(not_found(path));
            }
            state
                .names
                .change(NameChange::Remove { path: path.clone() });
            Ok(())
        })
    }

    fn list(&self, directory: &FilePath) -> io::Result<Vec<FilePath>> {
        let state = self.state();
        state.must_be_on()?;
        Ok(files_inside(state.names.current().keys(), directory))
    }

    fn list_directories(&self, directory: &FilePath) -> io::Result<Vec<FilePath>> {
        let state = self.state();
        state.must_be_on()?;
        Ok(directories_inside(state.names.current().keys(), directory))
    }

    fn remove_directory(&self, directory: &FilePath) -> io::Result<()> {
        let state = self.state();
        state.must_be_on()?;
        must_be_empty(state.names.current().keys(), directory)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        state.must_be_on()?;
        Ok(state.free_bytes() as u64)
    }

    fn sync_directory(&self, directory: &FilePath) -> io::Result<()> {
        let mut state = self.state();
        match state.begin()? {
            None => {
                state.names.sync(directory);
                Ok(())
            }
            Some(fault) => Err(fault.error()),
        }
    }
}

impl FaultyAppend {
    fn must_be_sound(&self) -> io::Result<()> {
        if self.sync_failed {
            return Err(io::Error::other("an earlier sync of this file failed"));
        }
        Ok(())
    }
}

impl AppendFile for FaultyAppend {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.append_with_rest(bytes, bytes.len())
    }

    fn append_with_rest(&mut self, bytes: &[u8], counted: usize) -> io::Result<()> {
        self.must_be_sound()?;
        let mut state = self.disk.state();
        let fault = state.begin()?;
        let free_bytes = state.free_bytes_of(self.file, self.len);
        let (part, result) = match fault {
            None if bytes.len() > free_bytes => (free_bytes, Err(Fault::Full.error())),
            None => (bytes.len(), Ok(())),
            Some(Fault::InputOutput) => (0, Err(Fault::InputOutput.error())),
            Some(Fault::Full) => (bytes.len() / 2, Err(Fault::Full.error())),
            // Nothing of it is synced, so that the crash decides how much of it is left.
            Some(Fault::PowerCut) => (bytes.len(), Err(Fault::PowerCut.error())),
        };
        state.files[self.file].write(self.len, &bytes[..part]);
        drop(state);
        if result.is_ok() {
            self.len += bytes[..counted].len();
        }
        result
    }

    /// Counts as no operation: it changes nothing that a crash could leave.
    fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        self.must_be_sound()?;
        let mut state = self.disk.state();
        state.must_be_on()?;
        let end = self.len + usize::try_from(bytes).unwrap_or(usize::MAX - self.len);
        let before = state.reserved.insert(self.file, end);
        if state.used_bytes() > state.capacity_bytes.unwrap_or(u64::MAX) {
            state.reserved.insert(self.file, before.unwrap_or(0));
            return Err(Fault::Full.error());
        }
        Ok(())
    }

    /// Counts as no operation: only what is written there later may be missed.
    fn prepare(&mut self, bytes: u64) -> io::Result<()> {
        self.must_be_sound()?;
        let mut state = self.disk.state();
        state.must_be_on()?;
        let bytes_free = state.free_bytes_of(self.file, self.len);
        let held = state.files[self.file].current().len() - self.len;
        let missing = usize::try_from(bytes)
            .unwrap_or(usize::MAX)
            .saturating_sub(held);
        if missing > bytes_free {
            return Err(Fault::Full.error());
        }
        state.files[self.file].write(self.len + held, &vec![0; missing]);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.must_be_sound()?;
        let mut state = self.disk.state();
        let result = match state.begin()? {
            None => {
                state.files[self.file].sync();
                Ok(())
            }
            Some(fault @ (Fault::InputOutput | Fault::Full)) => {
                state.files[self.file].fail_sync();
                Err(fault.error())
            }
            Some(Fault::PowerCut) => Err(Fault::PowerCut.error()),
        };
        drop(state);
        self.sync_failed = result.is_err();
        result
    }

    fn len_bytes(&self) -> u64 {
        self.len as u64
    }

    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        self.must_be_sound()?;
        let len = usize::try_from(len_bytes)
            .unwrap_or(usize::MAX)
            .min(self.len);
        let mut state = self.disk.state();
        let fault = state.begin()?;
        match fault {
            None | Some(Fault::PowerCut) => state.files[self.file].truncate(len),
            Some(Fault::InputOutput | Fault::Full) => {}
        }
        drop(state);
        match fault {
            None => {
                self.len = len;
                Ok(())
            }
            Some(fault) => Err(fault.error()),
        }
    }
}

impl ReadFile for FaultyRead {
    fn len_bytes(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.must_be_on()?;
        Ok(state.files[self.file].current().len() as u64)
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        state.must_be_on()?;
        if state.unreadable.contains(&self.path) {
            return Err(Fault::InputOutput.error());
        }
        copy_exact(state.files[self.file].current(), offset, out)
    }
}
