//! Keeping no more than topics want: old records go from logs, old rows with their segments, and
//! records that have a later one with their key from compacted logs.
//!
//! Each call looks at everything once; when it is called is the caller's matter. The start of a
//! log moves first, by an edit. Its files go when a checkpoint knows that and all their records
//! are rows; see [`crate::log::PartitionLog::settle`].

use super::{Store, StoreError};
use crate::catalog::{CatalogChange, Edit, LogRules, SegmentMeta};
use crate::log::FileFigures;
use crate::model::{Offset, Partition, PartitionId, TopicId};

/// What a pass of compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactedLog {
    /// Records that are gone.
    pub records: u64,
    /// Bytes that are gone.
    pub bytes: u64,
}

impl Store {
    /// Moves the starts of logs behind files whose records are older, or that make a log longer,
    /// than their topic wants. How many logs were cut.
    ///
    /// # Errors
    /// When an edit cannot be committed.
    pub fn expire_records(&self, now_ms: i64) -> Result<usize, StoreError> {
        let mut cut = 0;
        for state in self.catalog().topics() {
            let rules = state.topic.log_rules();
            if !rules.deletes {
                continue;
            }
            let topic = state.topic.id;
            let moved = state.topic.partitions().filter_map(|partition| {
                let start = self.expired(partition, &rules, now_ms)?;
                (start > state.log_start(partition.id)).then_some((partition.id, start))
            });
            let starts: Vec<(PartitionId, Offset)> = moved.collect();
            if starts.is_empty() {
                continue;
            }
            cut += starts.len();
            let staged = self.stage_edit::<StoreError>(|catalog| {
                // The topic may be gone by now.
                let changes = match catalog.topic(topic) {
                    Some(_) => vec![CatalogChange::MoveLogStarts { topic, starts }],
                    None => Vec::new(),
                };
                Ok(Edit { changes })
            });
            self.wait_durable(staged?)?;
        }
        Ok(cut)
    }

    /// Where the log of `partition` ought to start, if a file has expired.
    fn expired(&self, partition: Partition, rules: &LogRules, now_ms: i64) -> Option<Offset> {
        let (files, high_watermark) = {
            let view = self.view();
            let shown = view.partition(partition)?;
            (shown.log.file_figures(), shown.high_watermark)
        };
        let start = first_kept(&files, rules, now_ms)?;
        Some(start.min(high_watermark))
    }

    /// Compacts one log, if one is worth it; `None` when none is.
    ///
    /// # Errors
    /// What the disk reports; damage of a log.
    pub fn compact_one(&self, now_ms: i64) -> Result<Option<CompactedLog>, StoreError> {
        for state in self.catalog().topics() {
            let rules = state.topic.log_rules();
            if !rules.compacts {
                continue;
            }
            for partition in state.topic.partitions() {
                let limit = state.watermark(partition.id);
                let log = self.committer().durable.logs.get(&partition).cloned();
                let Some(log) = log else {
                    continue;
                };
                let plan =
                    log.log
                        .lock()
                        .plan_compaction(rules.compaction, &log.aborted, limit, now_ms);
                let Some(plan) = plan else {
                    continue;
                };
                let compacted = plan.run().map_err(StoreError::log(partition))?;
                let done = CompactedLog {
                    records: compacted.removed_records,
                    bytes: compacted.removed_bytes,
                };
                let exchanged = log.log.lock().exchange(compacted);
                exchanged.map_err(StoreError::log(partition))?;
                return Ok(Some(done));
            }
        }
        Ok(None)
    }

    /// Drops the segments of `topic` whose rows are all before `before_ms`, with their cells. How
    /// many rows are gone.
    ///
    /// # Errors
    /// When the edit cannot be committed.
    pub fn expire_rows(&self, topic: TopicId, before_ms: i64) -> Result<u64, StoreError> {
        let work = self.topic_work(topic)?;
        let _merging = work.merging.lock().expect(NOBODY_PANICS);
        let _sealing = work.sealing.lock().expect(NOBODY_PANICS);
        let _publishing = work.publishing.lock().expect(NOBODY_PANICS);
        let _moving = work.moving.lock().expect(NOBODY_PANICS);
        let mut rows = 0;
        let is_old = |segment: &&std::sync::Arc<SegmentMeta>| segment.time_last_ms < before_ms;
        let staged = self.stage_edit::<StoreError>(|catalog| {
            let Some(state) = catalog.topic(topic) else {
                return Err(StoreError::UnknownTopic(topic));
            };
            let old = || state.segments.iter().filter(is_old);
            rows = old().map(|segment| segment.row_count).sum();
            let removed: Vec<_> = old().map(|segment| segment.id).collect();
            let changes = match removed.is_empty() {
                true => Vec::new(),
                false => vec![CatalogChange::DropSegments { topic, removed }],
            };
            Ok(Edit { changes })
        });
        self.wait_durable(staged?)?;
        Ok(rows)
    }
}

/// The first offset that stays of a log with these files; `None` when all of it does.
fn first_kept(files: &[FileFigures], rules: &LogRules, now_ms: i64) -> Option<Offset> {
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let mut kept = None;
    for (index, file) in files.iter().enumerate() {
        let is_last = index + 1 == files.len();
        let is_old = rules
            .retention_ms
            .zip(file.latest_ms)
            .is_some_and(|(keep_ms, latest_ms)| {
                latest_ms >= 0 && now_ms.saturating_sub(latest_ms) > keep_ms
            });
        bytes -= file.bytes;
        // As Kafka counts: what is left must still have as much as is wanted.
        let is_much = !is_last && rules.retention_bytes.is_some_and(|keep| bytes >= keep);
        if !is_old && !is_much {
            break;
        }
        kept = Some(file.end);
    }
    kept
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;

const NOBODY_PANICS: &str = "nothing panics while a topic's rows are being changed";
