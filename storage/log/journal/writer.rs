//! Writing groups, starting files and removing them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::JournalError;
use super::format::{JournalPosition, encode_group, group_bytes};
use super::recovery::{
    Files, JournalFile, LastFile, create_file, list_files, make_spare, recover_last, use_spare,
};
use super::replay::Replay;
use crate::disk::{AppendFile, Disk, FilePath};

/// The buffer that groups are put together in is given back beyond this size.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// A file that grows is made longer by its own length at once, but by no less and no more than
/// this: few syncs have to write a new length too, and small stores stay small.
const AHEAD_BYTES: std::ops::RangeInclusive<u64> = 64 << 10..=4 << 20;

/// What the operating system reads and writes at once.
const PAGE_BYTES: u64 = 4096;

/// How many files wait to be used again. A checkpoint covers one or two at a time.
const SPARES_MAX: usize = 2;

/// A file longer than this many times [`JournalOptions::file_bytes`] does not wait: one large
/// group must not keep its room for ever.
const SPARE_LENGTH_MAX: u64 = 2;

/// Room that is not needed yet is taken only where the disk has this many times as much free.
const FREE_PARTS_MIN: u64 = 16;

/// How the journal uses its files.
#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    /// A file that has this many bytes gets no further group. Opening the journal rewrites its
    /// last file, and trimming removes whole files.
    pub file_bytes: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
        }
    }
}

/// The end of the journal, where groups are written.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    /// All files, oldest first; `file` is open at the end of the last one.
    files: VecDeque<JournalFile>,
    file: Box<dyn AppendFile>,
    /// Up to here, groups do not make the file grow as far as known.
    prepared_bytes: u64,
    /// Files that hold nothing of use. Groups are written over them, since a sync is cheaper
    /// where the file need not grow.
    spares: Vec<FilePath>,
    end: JournalPosition,
    torn_bytes: usize,
    buffer: Vec<u8>,
    poisoned: bool,
}

impl Journal {
    /// Opens the journal, or starts one when `from` is the first position of all.
    ///
    /// `from` is the position that the checkpoint covers: the returned [`Replay`] gives
    /// everything after it. The torn tail of the last file is cut off first.
    ///
    /// # Errors
    /// When the disk fails, the last file is damaged before its end or has another format
    /// version, or the journal does not reach from `from` on. Damage in older files is reported
    /// by the replay; the journal must not be written to then.
    pub fn open(
        disk: Arc<dyn Disk>,
        from: JournalPosition,
        options: JournalOptions,
    ) -> Result<(Self, Replay), JournalError> {
        let Files { files, spares } = list_files(disk.as_ref())?;
        let mut files = VecDeque::from(files);
        if files.is_empty() && from == JournalPosition::default() {
            files.push_back(create_file(disk.as_ref(), from)?);
        }
        let (Some(oldest), Some(last)) = (files.front().cloned(), files.back().cloned()) else {
            return Err(JournalError::Lost { from });
        };
        let LastFile {
            bytes,
            end,
            torn_bytes,
        } = recover_last(disk.as_ref(), &last)?;
        // Files below the one that holds `from` are left over from an interrupted trim.
        let older = files.iter().take_while(|file| file.first <= from).count();
        if older == 0 || end < from {
            return Err(JournalError::Missing {
                from,
                start: oldest.first,
                end,
            });
        }
        let needed = files
            .iter()
            .take(files.len() - 1)
            .skip(older - 1)
            .cloned()
            .collect();
        let replay = Replay::new(Arc::clone(&disk), from, needed, (last.clone(), bytes));
        let file = disk
            .append(&last.path)
            .map_err(JournalError::disk("open", &last.path))?;
        let (buffer, poisoned) = (Vec::new(), false);
        let journal = Self {
            disk,
            options,
            files,
            file,
            prepared_bytes: 0,
            spares,
            end,
            torn_bytes,
            buffer,
            poisoned,
        };
        Ok((journal, replay))
    }

    /// Writes the payloads as one group and returns when they are durable, with the position
    /// after them. No payloads are durable already.
    ///
    /// # Errors
    /// [`JournalError::GroupTooLarge`] and [`JournalError::Full`] change nothing. After any other
    /// error nobody knows whether the group is durable, and every later call fails: recover from
    /// the disk.
    pub fn append(
        &mut self,
        payloads: &[impl AsRef<[u8]>],
    ) -> Result<JournalPosition, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if payloads.is_empty() {
            return Ok(self.end);
        }
        let bytes = group_bytes(payloads)?;
        self.roll_when_full()?;
        self.poisoned = true;
        encode_group(self.end, payloads, &mut self.buffer);
        assert_eq!(
            self.buffer.len(),
            bytes,
            "a group has the size that it was checked for"
        );
        self.prepare(bytes as u64)?;
        self.fill_page(bytes);
        let path = &self.files.back().expect("there is always a last file").path;
        let written = self.file.append_with_rest(&self.buffer, bytes);
        let written = written.map_err(JournalError::disk("write", path));
        written.map_err(|error| self.without_rest(error.unsynced()))?;
        let path = &self.files.back().expect("there is always a last file").path;
        self.file.sync().map_err(JournalError::disk("sync", path))?;
        self.poisoned = false;
        self.end = self.end.plus(bytes);
        if self.buffer.capacity() > KEPT_BYTES_MAX {
            self.buffer = Vec::new();
        }
        Ok(self.end)
    }

    /// Makes the file grow by more than the next group where it has to grow.
    fn prepare(&mut self, bytes: u64) -> Result<(), JournalError> {
        let length = self.file.len_bytes();
        let wanted = length.saturating_add(bytes);
        if wanted <= self.prepared_bytes {
            return Ok(());
        }
        let ahead = length.clamp(*AHEAD_BYTES.start(), *AHEAD_BYTES.end());
        let last = self.options.file_bytes.max(wanted);
        let prepared_bytes = wanted.saturating_add(ahead).min(last);
        let prepared = self.is_room_for(ahead).and_then(|is_room| match is_room {
            true => {
                self.file.prepare(prepared_bytes - length)?;
                Ok(prepared_bytes)
            }
            false => Ok(0),
        });
        match prepared {
            Ok(prepared_bytes) => self.prepared_bytes = prepared_bytes,
            // There may be room for the group itself.
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {}
            Err(error) => {
                let path = &self.files.back().expect("there is always a last file").path;
                return Err(JournalError::disk("write", path)(error));
            }
        }
        Ok(())
    }

    /// Adds zeros to the group of `bytes` in the buffer, up to the end of its last page where the
    /// file is prepared for them. A page of a file that is used again need not be in memory, and
    /// would be read from the disk if it were written in part.
    fn fill_page(&mut self, bytes: usize) {
        let end = self.file.len_bytes().saturating_add(bytes as u64);
        let filled = end.next_multiple_of(PAGE_BYTES).min(self.prepared_bytes);
        let zeros = usize::try_from(filled.saturating_sub(end));
        let zeros = zeros.expect("a page is short");
        self.buffer.resize(bytes + zeros, 0);
    }

    /// Whether the disk can do without `bytes` that are not needed yet.
    fn is_room_for(&self, bytes: u64) -> std::io::Result<bool> {
        Ok(self.disk.free_bytes()? >= bytes.saturating_mul(FREE_PARTS_MIN))
    }

    /// Makes sure that the payloads can be appended as one group, as far as the disk can tell.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn reserve(&mut self, payloads: &[impl AsRef<[u8]>]) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let bytes = group_bytes(payloads)?;
        self.roll_when_full()?;
        let path = &self.files.back().expect("there is always a last file").path;
        let reserved = self.file.reserve(bytes as u64);
        let reserved = reserved.map_err(JournalError::disk("reserve room in", path));
        reserved.map_err(JournalError::unsynced)
    }

    /// Starts the next file when the last one gets no further group.
    fn roll_when_full(&mut self) -> Result<(), JournalError> {
        if self.file.len_bytes() < self.options.file_bytes {
            return Ok(());
        }
        self.poisoned = true;
        let rolled = self.roll();
        rolled.map_err(|error| self.sound_if_full(error.unsynced()))?;
        self.poisoned = false;
        Ok(())
    }

    /// Cuts off what a full disk took of a group: the next one may be shorter, and what stands
    /// behind the last group of a file must be nothing once another file follows.
    fn without_rest(&mut self, error: JournalError) -> JournalError {
        let error = self.sound_if_full(error);
        let end = self.file.len_bytes();
        self.prepared_bytes = 0;
        self.poisoned |= self.file.truncate(end).is_err();
        error
    }

    /// After a full disk the journal is what it was before, and gives back what it can do without.
    fn sound_if_full(&mut self, error: JournalError) -> JournalError {
        let is_full = matches!(error, JournalError::Full { .. });
        self.poisoned = !is_full;
        // After any other error the disk is left as it is.
        if is_full {
            self.give_back_spares();
        }
        error
    }

    fn give_back_spares(&mut self) {
        for spare in self.spares.drain(..) {
            // One that stays is found when the journal is opened again.
            let _ = self.disk.remove(&spare);
        }
    }

    /// Starts the next file. All groups before it are synced by now.
    fn roll(&mut self) -> Result<(), JournalError> {
        let (next, file) = match self.spares.last() {
            Some(spare) => use_spare(self.disk.as_ref(), spare, self.end)?,
            None => self.start_file()?,
        };
        self.spares.pop();
        self.file = file;
        self.prepared_bytes = 0;
        self.files.push_back(next);
        Ok(())
    }

    fn start_file(&self) -> Result<(JournalFile, Box<dyn AppendFile>), JournalError> {
        let next = create_file(self.disk.as_ref(), self.end)?;
        // The file is there now: opening it needs no room.
        let file = self.disk.append(&next.path).map_err(|error| {
            JournalError::disk("open", &next.path)(std::io::Error::other(error))
        })?;
        Ok((next, file))
    }

    /// The position after the last durable group.
    #[must_use]
    pub fn end(&self) -> JournalPosition {
        self.end
    }

    /// The position from which the journal could be replayed.
    #[must_use]
    pub fn start(&self) -> JournalPosition {
        self.files
            .front()
            .expect("there is always a last file")
            .first
    }

    /// How many bytes of an unfinished group were cut off when the journal was opened.
    #[must_use]
    pub fn torn_bytes(&self) -> usize {
        self.torn_bytes
    }

    /// Removes the files that hold nothing from `before` on, or sets them aside to write later
    /// groups over them. A durable checkpoint must cover everything before `before`.
    ///
    /// # Errors
    /// When the disk fails. What is left then is removed by the next call.
    pub fn trim(&mut self, before: JournalPosition) -> Result<(), JournalError> {
        while let Some(second) = self.files.get(1)
            && second.first <= before
        {
            let oldest = self.files[0].clone();
            if self.is_worth_keeping(&oldest)? {
                let spare = make_spare(self.disk.as_ref(), &oldest)?;
                self.spares.push(spare);
            } else {
                match self.disk.remove(&oldest.path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(JournalError::disk("remove", &oldest.path)(error));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
            self.files.pop_front();
        }
        // A disk that gets full needs their room more.
        if !self.is_room_for(self.options.file_bytes).unwrap_or(true) {
            self.give_back_spares();
        }
        Ok(())
    }

    fn is_worth_keeping(&self, file: &JournalFile) -> Result<bool, JournalError> {
        if self.spares.len() >= SPARES_MAX {
            return Ok(false);
        }
        let fits = || {
            let bytes = match self.disk.open(&file.path) {
                Ok(opened) => opened.len_bytes()?,
                // An interrupted call has taken it away already.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            let longest = self.options.file_bytes.saturating_mul(SPARE_LENGTH_MAX);
            Ok(bytes <= longest && self.is_room_for(bytes)?)
        };
        fits().map_err(JournalError::disk("look at", &file.path))
    }
}
