//! The checkpoint as one small file that is replaced as a whole: for tests, tools and libraries
//! that do without a database.
//!
//! ```text
//! magic "SILTCKPT" · version u32 · CRC-32 of the rest u32 · entry count u32 ·
//! each entry: key length u32, key, value length u32, value           (little-endian)
//! ```

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{CatalogError, CheckpointStore, Entries, EntryChange};
use crate::disk::{Disk, FilePath};

/// First bytes of the file.
const MAGIC: &[u8; 8] = b"SILTCKPT";

/// Version of the file's layout.
const FILE_FORMAT_VERSION: u32 = 1;

/// Magic, version, checksum.
const HEADER_BYTES: usize = 16;

/// A checkpoint in the file `catalog/checkpoint`, held in memory while it is open.
#[derive(Debug)]
pub struct MemoryCheckpoint {
    disk: Arc<dyn Disk>,
    path: FilePath,
    /// What the file holds; `None` when that must be read first.
    entries: Mutex<Option<Entries>>,
}

impl MemoryCheckpoint {
    /// The checkpoint of `disk`; nothing is read or written yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            path: FilePath::parse("catalog/checkpoint").expect("a plain path"),
            entries: Mutex::new(None),
        }
    }

    fn read(&self) -> Result<Entries, CatalogError> {
        let mut entries = Entries::new();
        match self.read_file()? {
            Some(bytes) => decode(&bytes, &mut entries).map(|()| entries),
            None => Ok(entries),
        }
    }

    /// The file's bytes; `None` when there is no file.
    fn read_file(&self) -> Result<Option<Vec<u8>>, CatalogError> {
        let file = match self.disk.open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CatalogError::io("open")(error)),
        };
        let len = file.len_bytes().map_err(CatalogError::io("read"))?;
        let len = usize::try_from(len).map_err(|_| damaged("larger than memory"))?;
        let mut bytes = vec![0; len];
        file.read_exact_at(0, &mut bytes)
            .map_err(CatalogError::io("read"))?;
        Ok(Some(bytes))
    }

    /// What can be read of the file, and what is wrong with it; nothing is changed or kept.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub fn load_sound(&self) -> Result<(Entries, Option<CatalogError>), CatalogError> {
        let mut entries = Entries::new();
        let damage = match self.read_file()? {
            Some(bytes) => decode(&bytes, &mut entries).err(),
            None => None,
        };
        Ok((entries, damage))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Entries>> {
        self.entries
            .lock()
            .expect("nothing panics while the entries are locked")
    }
}

impl CheckpointStore for MemoryCheckpoint {
    fn load(&self) -> Result<Entries, CatalogError> {
        let mut entries = self.lock();
        if let Some(entries) = &*entries {
            return Ok(entries.clone());
        }
        Ok(entries.insert(self.read()?).clone())
    }

    fn commit(&self, changes: &[EntryChange]) -> Result<(), CatalogError> {
        let mut entries = self.lock();
        // Taken out: after a failure only the file knows what it holds.
        let mut next = match entries.take() {
            Some(entries) => entries,
            None => self.read()?,
        };
        for (key, value) in changes {
            match value {
                Some(value) => next.insert(key.clone(), value.clone()),
                None => next.remove(key),
            };
        }
        let written = self.disk.replace(&self.path, &encode(&next));
        // After a failure the next commit reads what the file holds.
        written.map_err(CatalogError::io("write"))?;
        *entries = Some(next);
        Ok(())
    }
}

fn encode(entries: &Entries) -> Vec<u8> {
    let mut body = Vec::new();
    push_len(&mut body, entries.len());
    for (key, value) in entries {
        push_len(&mut body, key.len());
        body.extend_from_slice(key);
        push_len(&mut body, value.len());
        body.extend_from_slice(value);
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FILE_FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn push_len(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).expect("a checkpoint entry stays below 4 GiB");
    out.extend_from_slice(&len.to_le_bytes());
}

/// Fills `entries` from a file. When it is damaged they are what could be told apart before the
/// damage was met; only those who want to look at it use them then.
fn decode(bytes: &[u8], entries: &mut Entries) -> Result<(), CatalogError> {
    let mut rest = bytes;
    if take(&mut rest, MAGIC.len())? != MAGIC {
        return Err(damaged("it does not start as a checkpoint does"));
    }
    let found = take_u32(&mut rest)?;
    if found != FILE_FORMAT_VERSION {
        return Err(CatalogError::Version {
            found,
            known: FILE_FORMAT_VERSION,
        });
    }
    let holds = take_u32(&mut rest)? == crc32fast::hash(rest);
    let read = decode_entries(rest, entries);
    match holds {
        true => read,
        false => Err(damaged("its checksum does not match")),
    }
}

fn decode_entries(mut rest: &[u8], entries: &mut Entries) -> Result<(), CatalogError> {
    for _ in 0..take_u32(&mut rest)? {
        let key = take_sized(&mut rest)?.to_vec();
        let value = take_sized(&mut rest)?.to_vec();
        entries.insert(key, value);
    }
    match rest.is_empty() {
        true => Ok(()),
        false => Err(damaged("bytes behind its last entry")),
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], CatalogError> {
    let (head, tail) = rest
        .split_at_checked(len)
        .ok_or_else(|| damaged("it ends early"))?;
    *rest = tail;
    Ok(head)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, CatalogError> {
    let bytes = take(rest, 4)?;
    let bytes = bytes.try_into().expect("four bytes were taken");
    Ok(u32::from_le_bytes(bytes))
}

fn take_sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], CatalogError> {
    let len = take_u32(rest)?;
    let len = usize::try_from(len).map_err(|_| damaged("an entry larger than memory"))?;
    take(rest, len)
}

fn damaged(what: &str) -> CatalogError {
    CatalogError::Damaged(what.into())
}
