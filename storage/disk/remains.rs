//! What a power cut leaves of the things that were not synced.
//!
//! The model is harsher than any one file system, and no harsher than what their documents allow:
//! synced bytes are never touched; unsynced bytes arrive whole, not at all, up to any byte, or
//! sector by sector, where a sector that did not arrive holds what was there before, zeros, or the
//! bytes of another file that once lived there. Unsynced names are kept or forgotten one by one,
//! but no change is kept whose own name depends on a forgotten one.

use std::collections::{BTreeMap, BTreeSet};

use super::FilePath;
use super::memory::write_at;
use super::seeded::Seeded;

/// Sectors that a disk writes as a whole: old disks, and new ones or pages of the kernel.
const SECTOR_BYTES: [usize; 2] = [512, 4096];

/// The kernel forgets what a failed sync could not write page by page.
const PAGE_BYTES: usize = 4096;

/// One file: what a program reads from it, and what would be left if all unsynced bytes were lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// This many first bytes of `current` and `durable` are known to be the same.
    same_bytes: usize,
    /// Pages that a failed sync dropped: readable until the power cut, never written again
    /// unless somebody changes them again.
    dropped_pages: BTreeSet<usize>,
}

impl Content {
    /// What is left after a crash is all there is, and all of it durable.
    pub(super) fn after_crash(bytes: Vec<u8>) -> Self {
        Self {
            durable: bytes.clone(),
            same_bytes: bytes.len(),
            current: bytes,
            dropped_pages: BTreeSet::new(),
        }
    }

    pub(super) fn current(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn write(&mut self, start: usize, bytes: &[u8]) {
        write_at(&mut self.current, start, bytes);
        self.same_bytes = self.same_bytes.min(start);
        for page in start / PAGE_BYTES..(start + bytes.len()).div_ceil(PAGE_BYTES) {
            self.dropped_pages.remove(&page);
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.current.truncate(len);
        self.same_bytes = self.same_bytes.min(len);
    }

    pub(super) fn flip_bit(&mut self, byte: usize, bit: u32) -> bool {
        let mut flipped = false;
        for bytes in [&mut self.current, &mut self.durable] {
            if let Some(value) = bytes.get_mut(byte) {
                *value ^= 1 << (bit % 8);
                flipped = true;
            }
        }
        flipped
    }

    /// A sync that worked: everything is durable but the pages that an earlier one dropped.
    pub(super) fn sync(&mut self) {
        let lost = self.lost_ranges();
        let old = |range: &(usize, usize)| {
            let found = self.durable.get(range.0..).unwrap_or(&[]);
            found[..found.len().min(range.1 - range.0)].to_vec()
        };
        let old: Vec<Vec<u8>> = lost.iter().map(old).collect();
        self.durable.truncate(self.same_bytes);
        self.durable
            .extend_from_slice(&self.current[self.same_bytes..]);
        for ((start, end), old) in lost.iter().zip(old) {
            let place = &mut self.durable[*start..*end];
            place.fill(0);
            place[..old.len()].copy_from_slice(&old);
        }
        self.same_bytes = lost.first().map_or(self.current.len(), |(start, _)| *start);
    }

    /// A sync that failed: the kernel drops what it could not write and calls the pages clean.
    pub(super) fn fail_sync(&mut self) {
        let first = self.same_bytes / PAGE_BYTES;
        self.dropped_pages
            .extend(first..self.current.len().div_ceil(PAGE_BYTES));
    }

    fn lost_ranges(&self) -> Vec<(usize, usize)> {
        let range = |page: &usize| {
            let start = (page * PAGE_BYTES).max(self.same_bytes);
            (start, ((page + 1) * PAGE_BYTES).min(self.current.len()))
        };
        self.dropped_pages
            .iter()
            .map(range)
            .filter(|(start, end)| start < end)
            .collect()
    }

    /// The bytes after a power cut. `other` is an old file whose sectors may show through.
    pub(super) fn remains(&self, other: &[u8], seeded: &mut Seeded) -> Vec<u8> {
        let (durable, current) = (&self.durable, &self.current);
        if self.same_bytes == durable.len() && self.same_bytes == current.len() {
            return durable.clone();
        }
        match seeded.below(4) {
            0 => durable.clone(),
            1 => current.clone(),
            2 => current[..seeded.between(self.same_bytes, current.len())].to_vec(),
            _ => self.sector_by_sector(other, seeded),
        }
    }

    fn sector_by_sector(&self, other: &[u8], seeded: &mut Seeded) -> Vec<u8> {
        let (durable, current) = (&self.durable, &self.current);
        let sector_bytes = SECTOR_BYTES[seeded.below(SECTOR_BYTES.len())];
        let shorter = durable.len().min(current.len());
        let longer = durable.len().max(current.len());
        let len = match seeded.below(3) {
            0 => current.len(),
            1 => seeded.between(shorter, longer),
            _ => longer,
        };
        let mut out = current[..self.same_bytes].to_vec();
        while out.len() < len {
            let start = out.len();
            let end = (start / sector_bytes + 1)
                .saturating_mul(sector_bytes)
                .min(len);
            let from: &[u8] = match seeded.below(8) {
                0..=3 => current,
                4 | 5 => durable,
                6 => &[],
                _ => other,
            };
            let found = from.get(start..from.len().min(end)).unwrap_or(&[]);
            out.extend_from_slice(found);
            out.resize(end, 0);
        }
        out
    }
}

/// A change of names that a sync of its folder makes durable.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Create {
        path: FilePath,
        file: usize,
    },
    Rename {
        from: FilePath,
        to: FilePath,
        file: usize,
    },
    Remove {
        path: FilePath,
    },
}

impl NameChange {
    fn paths(&self) -> Vec<&FilePath> {
        match self {
            Self::Create { path, .. } | Self::Remove { path } => vec![path],
            Self::Rename { from, to, .. } => vec![from, to],
        }
    }

    /// The folder whose sync makes it durable.
    fn directory(&self) -> Option<FilePath> {
        match self {
            Self::Create { path, .. } | Self::Remove { path } => path.parent(),
            Self::Rename { to, .. } => to.parent(),
        }
    }

    fn apply(&self, names: &mut BTreeMap<FilePath, usize>) {
        match self {
            Self::Create { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Rename { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
        }
    }
}

/// Which file each name means: as programs see it, and as a power cut could leave it.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    current: BTreeMap<FilePath, usize>,
    durable: BTreeMap<FilePath, usize>,
    unsynced: Vec<NameChange>,
}

impl Names {
    pub(super) fn after_crash(names: BTreeMap<FilePath, usize>) -> Self {
        Self {
            current: names.clone(),
            durable: names,
            unsynced: Vec::new(),
        }
    }

    pub(super) fn current(&self) -> &BTreeMap<FilePath, usize> {
        &self.current
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.current);
        self.unsynced.push(change);
    }

    /// Makes the changes in `directory` durable, and with them those that they depend on.
    pub(super) fn sync(&mut self, directory: &FilePath) {
        let mut needed: BTreeSet<FilePath> = BTreeSet::new();
        let mut kept = vec![false; self.unsynced.len()];
        for (index, change) in self.unsynced.iter().enumerate().rev() {
            let depended_on = change.paths().into_iter().any(|path| needed.contains(path));
            if change.directory().as_ref() == Some(directory) || depended_on {
                needed.extend(change.paths().into_iter().cloned());
                kept[index] = true;
            }
        }
        for (change, kept) in std::mem::take(&mut self.unsynced).into_iter().zip(kept) {
            if kept {
                change.apply(&mut self.durable);
            } else {
                self.unsynced.push(change);
            }
        }
    }

    /// The names after a power cut.
    pub(super) fn remains(&self, seeded: &mut Seeded) -> BTreeMap<FilePath, usize> {
        let mut names = self.durable.clone();
        let mut forgotten: BTreeSet<&FilePath> = BTreeSet::new();
        // All kept, all forgotten, or each by the toss of a coin.
        let toss = seeded.below(3);
        for change in &self.unsynced {
            let depends = change
                .paths()
                .into_iter()
                .any(|path| forgotten.contains(path));
            let forget = match toss {
                0 => false,
                1 => true,
                _ => seeded.one_in(2),
            };
            if depends || forget {
                forgotten.extend(change.paths());
            } else {
                change.apply(&mut names);
            }
        }
        names
    }
}
