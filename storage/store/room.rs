//! Room on the disk: before it ends, writes are refused, and once it is back they go on.
//!
//! The reserve is what everything else needs that must not fail: the group that is staged, a
//! checkpoint, which gives the journal's room back, and a seal under way. While less is free,
//! nothing new is staged, and nothing is sealed or merged; reads go on.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Store, StoreError};

/// Room beyond the reserve that must be free again before writes go on, as a part of the reserve:
/// so that a disk at its edge does not take every second record.
const RELIEF_PART: u64 = 16;

/// With so much free beyond the reserve, room for each write is taken for granted. Below, a group
/// first reserves what it needs, so that it cannot find the disk full half way.
const PLENTY_BYTES: u64 = 1 << 30;

/// Whether there is room.
#[derive(Debug, Default)]
pub(super) struct Room {
    is_low: AtomicBool,
    /// So much is free that one group cannot end it.
    is_plenty: AtomicBool,
}

impl Room {
    /// Whether room need not be asked for piece by piece.
    pub(super) fn is_plenty(&self) -> bool {
        self.is_plenty.load(Ordering::Relaxed)
    }
}

impl Store {
    /// Whether there is room for writes. Looks at the disk.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] while there is not. A disk that cannot say has room.
    pub fn check_room(&self) -> Result<(), StoreError> {
        let reserve_bytes = self.options.disk_reserve_bytes;
        let wanted_bytes = match self.room.is_low.load(Ordering::Relaxed) {
            true => reserve_bytes.saturating_add(reserve_bytes / RELIEF_PART),
            false => reserve_bytes,
        };
        let free_bytes = self.disk.free_bytes().unwrap_or(u64::MAX);
        let is_low = free_bytes < wanted_bytes;
        self.room.is_low.store(is_low, Ordering::Relaxed);
        let is_plenty = free_bytes >= reserve_bytes.saturating_add(PLENTY_BYTES);
        self.room.is_plenty.store(is_plenty, Ordering::Relaxed);
        match is_low {
            true => Err(StoreError::DiskFull {
                free_bytes,
                reserve_bytes,
            }),
            false => Ok(()),
        }
    }

    /// As [`Store::check_room`], but looks at the disk only while there is too little, so that it
    /// costs nothing before each write. Commits look after each group.
    pub(super) fn has_room(&self) -> Result<(), StoreError> {
        match self.room.is_low.load(Ordering::Relaxed) {
            true => self.check_room(),
            false => Ok(()),
        }
    }

    /// Whether `bytes` can be written and the reserve stays.
    pub(super) fn has_room_for(&self, bytes: u64) -> Result<(), StoreError> {
        let reserve_bytes = self.options.disk_reserve_bytes;
        let free_bytes = self.disk.free_bytes().unwrap_or(u64::MAX);
        match free_bytes < reserve_bytes.saturating_add(bytes) {
            true => Err(StoreError::DiskFull {
                free_bytes,
                reserve_bytes,
            }),
            false => Ok(()),
        }
    }

    /// How many bytes of the disk are free, and how many there are; 0 where it does not say.
    #[must_use]
    pub fn disk_room(&self) -> (u64, u64) {
        let free_bytes = self.disk.free_bytes().unwrap_or(0);
        let size_bytes = self.disk.size_bytes().unwrap_or(0);
        (free_bytes, size_bytes.max(free_bytes))
    }

    /// A write has found the disk full, whatever it says of itself.
    pub(super) fn ran_out_of_room(&self) -> StoreError {
        self.room.is_low.store(true, Ordering::Relaxed);
        self.room.is_plenty.store(false, Ordering::Relaxed);
        self.disk_full()
    }

    /// What who finds the disk full is told.
    pub(super) fn disk_full(&self) -> StoreError {
        StoreError::DiskFull {
            free_bytes: self.disk.free_bytes().unwrap_or(0),
            reserve_bytes: self.options.disk_reserve_bytes,
        }
    }
}
