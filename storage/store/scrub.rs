//! Scrubbing: every page of every segment and every batch of every log, read and checked in small
//! steps, so that damage is found before somebody needs what it has destroyed.
//!
//! A pass is a list of pieces that is made when it starts; what is written or removed meanwhile is
//! left to the next one. The caller decides how many bytes a step may read and how long to wait
//! between two, so that scrubbing takes its share of the disk and no more.

use std::sync::Arc;

use super::sealed::{SealedSegment, SegmentHealth};
use super::{ReadError, Store};
use crate::catalog::SegmentMeta;
use crate::log::Batches;
use crate::model::{Offset, Partition, TopicId};
use crate::segment::{SegmentError, SegmentReader};

/// One pass over everything, as far as it has come.
#[derive(Debug)]
pub struct ScrubPass {
    /// What is still to be read, the next one last.
    pieces: Vec<Piece>,
    open: Option<OpenSegment>,
    progress: ScrubProgress,
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubProgress {
    /// Bytes of files that were read.
    pub bytes: u64,
    /// Bytes that there were when the pass began, about.
    pub bytes_total: u64,
    /// Segments read to their end.
    pub segments: u64,
    /// Partitions read to their end.
    pub partitions: u64,
    /// Findings.
    pub findings: u64,
}

/// Something that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScrubFinding {
    /// A segment; it takes part in no answer from now on.
    Segment {
        /// Its topic.
        topic: TopicId,
        /// What the catalog says about it.
        segment: Arc<SegmentMeta>,
        /// What does not hold.
        what: String,
    },
    /// The overlay of a segment, which says what of it is deleted. It is in memory, so answers are
    /// what they were.
    Overlay {
        /// Its topic.
        topic: TopicId,
        /// What the catalog says about the segment.
        segment: Arc<SegmentMeta>,
        /// What does not hold.
        what: String,
        /// Whether it was written anew from memory.
        is_mended: bool,
    },
    /// A partition's log; what lies behind the damage was not read.
    Log {
        /// The partition.
        partition: Partition,
        /// Where in the log it is.
        offset: Offset,
        /// What does not hold.
        what: String,
    },
}

#[derive(Debug)]
enum Piece {
    Segment(TopicId, Arc<SealedSegment>),
    Overlay(TopicId, Arc<SealedSegment>),
    Log(Partition, Offset),
}

#[derive(Debug)]
struct OpenSegment {
    topic: TopicId,
    segment: Arc<SealedSegment>,
    reader: Arc<SegmentReader>,
    page: usize,
}

impl ScrubPass {
    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> ScrubProgress {
        self.progress
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pieces.is_empty() && self.open.is_none()
    }
}

impl Store {
    /// Begins a pass over everything that there is now.
    #[must_use]
    pub fn begin_scrub(&self) -> ScrubPass {
        let view = self.view();
        let mut progress = ScrubProgress::default();
        let mut pieces = Vec::new();
        for state in view.catalog.topics() {
            let Some((_, topic)) = view.topic(state.topic.id) else {
                continue;
            };
            for partition in state.topic.partitions() {
                pieces.push(Piece::Log(partition, Offset::default()));
            }
            for segment in topic.segments.iter() {
                progress.bytes_total += segment.meta.bytes;
                pieces.push(Piece::Overlay(state.topic.id, Arc::clone(segment)));
                pieces.push(Piece::Segment(state.topic.id, Arc::clone(segment)));
            }
        }
        ScrubPass {
            pieces,
            open: None,
            progress,
        }
    }

    /// Reads about `bytes_max` bytes more, at least one page or batch. What is found damaged is
    /// returned, and a damaged segment is marked as such.
    pub fn scrub(&self, pass: &mut ScrubPass, bytes_max: usize) -> Vec<ScrubFinding> {
        let mut findings = Vec::new();
        let end = pass.progress.bytes + bytes_max as u64;
        while pass.progress.bytes < end && !pass.is_done() {
            if pass.open.is_some() {
                findings.extend(scrub_page(pass));
                continue;
            }
            match pass.pieces.pop() {
                Some(Piece::Segment(topic, segment)) => {
                    findings.extend(self.scrub_segment(pass, topic, segment));
                }
                Some(Piece::Overlay(topic, segment)) => {
                    findings.extend(self.scrub_overlay(topic, &segment));
                }
                Some(Piece::Log(partition, from)) => {
                    findings.extend(self.scrub_log(pass, partition, from, bytes_max));
                }
                None => {}
            }
        }
        pass.progress.findings += findings.len() as u64;
        findings
    }

    /// Reads the next batches of a log.
    fn scrub_log(
        &self,
        pass: &mut ScrubPass,
        partition: Partition,
        from: Offset,
        bytes_max: usize,
    ) -> Option<ScrubFinding> {
        // A topic that was deleted meanwhile has nothing to check any more.
        let bounds = self.log_bounds(partition)?;
        let from = from.max(bounds.start);
        if from >= bounds.high_watermark {
            pass.progress.partitions += 1;
            return None;
        }
        let damaged = |offset, what: &dyn ToString| ScrubFinding::Log {
            partition,
            offset,
            what: what.to_string(),
        };
        let bytes = match self.read(partition, from, bytes_max) {
            Ok(bytes) if bytes.is_empty() => {
                return Some(damaged(from, &"no batch holds this offset"));
            }
            Ok(bytes) => bytes,
            // Trimmed or deleted since.
            Err(ReadError::OutOfRange { .. } | ReadError::UnknownPartition(_)) => return None,
            Err(error) => return Some(damaged(from, &error)),
        };
        pass.progress.bytes += bytes.len() as u64;
        let mut next = from;
        for batch in Batches::new(bytes) {
            match batch {
                Ok(batch) => {
                    if let Err(what) = self.check_header(partition, batch.header(), next) {
                        return Some(damaged(next, &what));
                    }
                    next = batch.header().next_offset();
                }
                Err(error) => return Some(damaged(next, &error)),
            }
        }
        pass.pieces.push(Piece::Log(partition, next));
        None
    }

    /// Reads the overlay that a segment has now, if it has one.
    fn scrub_overlay(&self, topic: TopicId, segment: &SealedSegment) -> Option<ScrubFinding> {
        let found = |what, is_mended| ScrubFinding::Overlay {
            topic,
            segment: Arc::clone(&segment.meta),
            what,
            is_mended,
        };
        match self.check_overlay(topic, segment) {
            Ok(None) => None,
            Ok(Some((what, is_mended))) => Some(found(what, is_mended)),
            Err(_) if self.catalog().topic(topic).is_none() => None,
            Err(error) => Some(found(error.to_string(), false)),
        }
    }

    /// Opens the next segment of a pass.
    fn scrub_segment(
        &self,
        pass: &mut ScrubPass,
        topic: TopicId,
        segment: Arc<SealedSegment>,
    ) -> Option<ScrubFinding> {
        if let SegmentHealth::Damaged(_) = segment.health() {
            // Known already, and told when it was found.
            return None;
        }
        match segment.open_aside() {
            Ok(reader) => {
                pass.open = Some(OpenSegment {
                    topic,
                    segment,
                    reader,
                    page: 0,
                });
                None
            }
            // Unreadable for a while is not damaged. The file of a segment that was merged away
            // stays as long as the pass holds it; those of a deleted topic go without waiting.
            Err(error) if !error.is_damage() => None,
            Err(_) if self.catalog().topic(topic).is_none() => None,
            Err(error) => Some(ScrubFinding::Segment {
                topic,
                segment: Arc::clone(&segment.meta),
                what: error.to_string(),
            }),
        }
    }
}

/// Checks the next page of the open segment.
fn scrub_page(pass: &mut ScrubPass) -> Option<ScrubFinding> {
    let open = pass.open.as_mut()?;
    match open.reader.check_page(open.page) {
        Ok(Some(bytes)) => {
            open.page += 1;
            pass.progress.bytes += bytes;
            None
        }
        Ok(None) => {
            pass.open = None;
            pass.progress.segments += 1;
            None
        }
        // The disk refuses for now: the next pass tries again.
        Err(SegmentError::Io { .. }) => {
            pass.open = None;
            None
        }
        Err(error) => {
            let OpenSegment { topic, segment, .. } = pass.open.take()?;
            let what = error.to_string();
            segment.set_health(&SegmentHealth::Damaged(what.as_str().into()));
            Some(ScrubFinding::Segment {
                topic,
                segment: Arc::clone(&segment.meta),
                what,
            })
        }
    }
}
