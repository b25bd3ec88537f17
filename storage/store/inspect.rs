//! Looking at a store that no process has open: the checkpoint, what the journal adds to it, and
//! the files of logs. Nothing is recovered or written, and damage hides nothing but itself.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::StoreError;
use super::checkpoint::{Head, PartitionEntry, head_of, partition_of};
use super::files::{open_overlay, segment_file, segment_folder};
use super::journal_record::JournalRecord;
use crate::catalog::{Catalog, CatalogError, Edit, Entries, SegmentMeta};
use crate::disk::{Disk, FilePath};
use crate::groups::GroupChange;
use crate::log::{
    BatchHeader, JournalFileReport, JournalPosition, JournalSight, LogEnd, LogFileReport, LogSight,
    inspect_journal, inspect_log_file, log_files, log_partitions,
};
use crate::model::{LeaderEpoch, Offset, Partition, TopicId};
use crate::transactions::TransactionChange;

pub use crate::log::Damage;

/// A store to look at.
#[derive(Debug)]
pub struct Inspection {
    disk: Arc<dyn Disk>,
    entries: Entries,
}

/// What the checkpoint and the journal say that there is.
#[derive(Debug)]
pub struct CatalogSight {
    /// What the store knows about itself, as far as the checkpoint tells.
    pub head: Option<HeadSight>,
    /// The catalog after all sound edits; empty when the checkpoint is lost or was never written.
    pub catalog: Catalog,
    /// Where each partition ends.
    pub partitions: BTreeMap<Partition, PartitionSight>,
    /// Edits of the journal that the checkpoint does not hold.
    pub journal_edits: u64,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

/// What the checkpoint says about the store.
#[derive(Debug, Clone, Copy)]
pub struct HeadSight {
    /// The journal counts from here on.
    pub journal_position: JournalPosition,
    /// The epoch of the last process.
    pub epoch: LeaderEpoch,
    /// Whether it closed the store in good order.
    pub is_closed: bool,
}

/// Where a partition ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct PartitionSight {
    /// By the checkpoint: how far its files are durable.
    pub durable: Option<LogEnd>,
    /// By checkpoint and journal: the offset that the next record gets.
    pub next: Offset,
}

/// The state of a segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentFileState {
    /// There, with the length that the catalog says.
    Present,
    /// It is damaged or gone, in words.
    Wrong(String),
}

/// One payload of the journal.
#[derive(Debug)]
pub enum JournalEntry {
    /// Records of a partition.
    Batch {
        /// Where to.
        partition: Partition,
        /// When they were staged, by the clock of the machine.
        append_ms: i64,
        /// What the batch says about itself.
        header: BatchHeader,
    },
    /// A change of the catalog.
    Edit(Edit),
    /// Changes of consumer groups.
    Groups(Vec<GroupChange>),
    /// Changes of transactions.
    Transactions(Vec<TransactionChange>),
    /// It is whole and cannot be understood.
    Unknown(String),
}

/// What is come by in the journal.
#[derive(Debug)]
pub enum JournalItem {
    /// A payload, with the position behind its group.
    Entry {
        /// Behind its group.
        position: JournalPosition,
        /// Its length.
        length_bytes: usize,
        /// What it says.
        entry: JournalEntry,
    },
    /// Something that does not hold.
    Damage(Damage),
}

impl Inspection {
    /// Looks at `disk`, whose checkpoint holds `entries`.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, entries: Entries) -> Self {
        Self { disk, entries }
    }

    /// What there is.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn catalog(&self) -> io::Result<CatalogSight> {
        let (catalog, errors) = Catalog::read_sound_entries(&self.entries);
        let mut problems: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let mut note = |result: Result<Option<Head>, CatalogError>| {
            result.unwrap_or_else(|error| {
                problems.push(error.to_string());
                None
            })
        };
        let head = note(head_of(&self.entries));
        let mut sight = CatalogSight {
            head: head.as_ref().map(|head| HeadSight {
                journal_position: JournalPosition(head.journal_position),
                epoch: head.epoch,
                is_closed: head.is_closed,
            }),
            catalog: catalog.unwrap_or_else(|| Catalog::new([0; 16])),
            partitions: BTreeMap::new(),
            journal_edits: 0,
            problems,
        };
        self.read_partitions(&mut sight);
        let from = sight
            .head
            .map_or_else(JournalPosition::default, |head| head.journal_position);
        self.journal(&mut |item| match item {
            JournalItem::Entry {
                position, entry, ..
            } if position > from => {
                sight.follow(position, entry);
            }
            JournalItem::Entry { .. } => {}
            JournalItem::Damage(damage) => sight.problems.push(damage.to_string()),
        })?;
        Ok(sight)
    }

    fn read_partitions(&self, sight: &mut CatalogSight) {
        let topics = sight
            .catalog
            .topics()
            .flat_map(|state| state.topic.partitions());
        for partition in topics {
            match partition_of(&self.entries, partition) {
                Ok(Some(PartitionEntry { next, end, .. })) => {
                    let durable = Some(end);
                    sight
                        .partitions
                        .insert(partition, PartitionSight { durable, next });
                }
                Ok(None) => {
                    let text = format!("the checkpoint has no entry for partition {partition}");
                    sight.problems.push(text);
                }
                Err(error) => sight.problems.push(error.to_string()),
            }
        }
    }

    /// Whether the file of a segment is there.
    #[must_use]
    pub fn segment_file(&self, topic: TopicId, meta: &SegmentMeta) -> SegmentFileState {
        let path = segment_file(topic, meta);
        let length_bytes = self.disk.open(&path).and_then(|file| file.len_bytes());
        match length_bytes {
            Ok(found) if found == meta.bytes => match self.check_overlay(topic, meta) {
                Ok(()) => SegmentFileState::Present,
                Err(error) => SegmentFileState::Wrong(format!("its overlay: {error}")),
            },
            Ok(found) => {
                let text = format!("has {found} bytes instead of {}", meta.bytes);
                SegmentFileState::Wrong(text)
            }
            Err(error) => SegmentFileState::Wrong(error.to_string()),
        }
    }

    /// Reads every byte of the overlay of a segment, if it has one.
    fn check_overlay(&self, topic: TopicId, meta: &SegmentMeta) -> Result<(), StoreError> {
        let Some(overlay) = open_overlay(&self.disk, topic, meta)? else {
            return Ok(());
        };
        overlay
            .check()
            .map_err(StoreError::segment(&segment_file(topic, meta)))
    }

    /// Files in a topic's folder of segments that `catalog` does not name: the next start removes
    /// them.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn unknown_files(&self, catalog: &Catalog, topic: TopicId) -> io::Result<Vec<FilePath>> {
        let mut files = self.disk.list(&segment_folder(topic))?;
        let state = catalog.topic(topic);
        let segments = state.map_or(&[][..], |state| &state.segments);
        let is_known = |name: &str| {
            let mut files = segments.iter().flat_map(|meta| meta.files());
            files.any(|file| file == name)
        };
        files.retain(|file| !is_known(file.name()));
        Ok(files)
    }

    /// The partitions that have files.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn partitions(&self) -> io::Result<Vec<Partition>> {
        log_partitions(&*self.disk)
    }

    /// Reads the log of `partition` file by file.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn log(
        &self,
        partition: Partition,
        see: &mut dyn FnMut(LogSight),
    ) -> io::Result<Vec<LogFileReport>> {
        let files = log_files(&*self.disk, partition)?.into_iter();
        files
            .map(|base| inspect_log_file(&*self.disk, partition, base, see))
            .collect()
    }

    /// Reads the journal file by file.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn journal(&self, see: &mut dyn FnMut(JournalItem)) -> io::Result<Vec<JournalFileReport>> {
        inspect_journal(&*self.disk, &mut |sight| match sight {
            JournalSight::Damage(damage) => see(JournalItem::Damage(damage)),
            JournalSight::Payload { position, payload } => {
                let length_bytes = payload.len();
                let entry = match JournalRecord::decode(payload) {
                    Ok(JournalRecord::Batch {
                        partition,
                        append_ms,
                        batch,
                    }) => JournalEntry::Batch {
                        partition,
                        append_ms,
                        header: *batch.header(),
                    },
                    Ok(JournalRecord::Edit(edit)) => JournalEntry::Edit(edit),
                    Ok(JournalRecord::Groups(changes)) => JournalEntry::Groups(changes),
                    Ok(JournalRecord::Transactions(changes)) => JournalEntry::Transactions(changes),
                    Err(error) => JournalEntry::Unknown(error.to_string()),
                };
                see(JournalItem::Entry {
                    position,
                    length_bytes,
                    entry,
                });
            }
        })
    }
}

impl CatalogSight {
    fn follow(&mut self, position: JournalPosition, entry: JournalEntry) {
        match entry {
            JournalEntry::Batch {
                partition, header, ..
            } => {
                let next = &mut self.partitions.entry(partition).or_default().next;
                *next = header.next_offset().max(*next);
            }
            JournalEntry::Edit(edit) => {
                self.journal_edits += 1;
                match self.catalog.apply(&edit) {
                    Ok(catalog) => self.catalog = catalog,
                    Err(error) => self.problem_at(position, &error),
                }
                let catalog = &self.catalog;
                self.partitions
                    .retain(|partition, _| catalog.topic(partition.topic).is_some());
            }
            // They concern no file.
            JournalEntry::Groups(_) | JournalEntry::Transactions(_) => {}
            JournalEntry::Unknown(error) => self.problem_at(position, &error),
        }
    }

    fn problem_at(&mut self, position: JournalPosition, what: &dyn ToString) {
        let what = what.to_string();
        self.problems.push(format!(
            "the journal record before position {position}: {what}"
        ));
    }
}
