//! Merging: the policy is asked, the store carries it out.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use storage::catalog::{SegmentId, SegmentMeta};
use storage::maintenance::MergePolicy;
use storage::model::TopicId;
use storage::store::{Merged, SegmentHealth, StoreError};

use super::{Core, Progress};
use crate::error::Result;
use crate::options::Stopwatch;

/// How long no merge is tried after one that the disk had no room or no strength for.
const PAUSE_MS: i64 = 30_000;

/// What merging remembers between its steps.
#[derive(Debug, Default)]
pub(super) struct MergeMemory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Segments of merges that failed for a reason that stays: they are left as they are until
    /// the next start.
    failed: BTreeSet<SegmentId>,
    not_before_ms: i64,
}

/// What a merge is told on its way: how many bytes it has written. It may wait, or stop it.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

impl Core {
    /// Merges once, in the first topic that needs it.
    pub(crate) fn merge_step(&self, watch: Watch<'_>) -> Result<Progress> {
        self.store.remove_retired_files()?;
        if !self.options.merge || self.now_ms() < self.merging.lock().not_before_ms {
            return Ok(Progress::Idle);
        }
        let catalog = self.store.catalog();
        let next = catalog.topics().find_map(|state| {
            let topic = state.topic.id;
            let chosen = self.policy().next(&self.mergeable(topic))?;
            Some((topic, chosen))
        });
        let Some((topic, chosen)) = next else {
            return Ok(Progress::Idle);
        };
        let Err(error) = self.merge(topic, &chosen, watch) else {
            return Ok(Progress::More);
        };
        let mut state = self.merging.lock();
        if matches!(error, StoreError::Stopped(_) | StoreError::Closed) {
            return Err(error.into());
        }
        if matches!(error, StoreError::Io { .. } | StoreError::DiskFull { .. }) {
            state.not_before_ms = self.now_ms() + PAUSE_MS;
        } else {
            // The same again would fail again; answers go on from the segments as they are.
            state.failed.extend(chosen);
        }
        tracing::warn!(topic = topic.0, %error, "segments could not be merged");
        Ok(Progress::More)
    }

    /// Seals a topic's rows, then merges its segments until at most `segments_max` are left, or as
    /// few as the bounds allow; without a number, until the policy is content.
    pub(super) fn force_merge(&self, topic: TopicId, segments_max: Option<usize>) -> Result<()> {
        self.refresh(topic)?;
        self.seal(topic)?;
        loop {
            self.health.check()?;
            let segments = self.mergeable(topic);
            let chosen = match segments_max {
                Some(max) => self.policy().next_towards(max, &segments),
                None => self.policy().next(&segments),
            };
            let Some(chosen) = chosen else {
                break;
            };
            self.merge(topic, &chosen, &mut |_| match self.health.check() {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })?;
        }
        self.store.remove_retired_files()?;
        Ok(())
    }

    fn policy(&self) -> MergePolicy {
        MergePolicy {
            rows_max: self.options.merge_rows,
            bytes_max: self.options.merge_bytes,
        }
    }

    /// The segments of a topic that can be read.
    fn mergeable(&self, topic: TopicId) -> Vec<SegmentMeta> {
        let segments = self.store.segment_health(topic).into_iter();
        let state = self.merging.lock();
        segments
            .filter(|(meta, health)| {
                *health == SegmentHealth::Sound && !state.failed.contains(&meta.id)
            })
            .map(|(meta, _)| SegmentMeta::clone(&meta))
            .collect()
    }

    fn merge(
        &self,
        topic: TopicId,
        chosen: &[SegmentId],
        watch: Watch<'_>,
    ) -> std::result::Result<(), StoreError> {
        let stopwatch = Stopwatch::start();
        tracing::debug!(topic = topic.0, segments = chosen.len(), "merging");
        match self.store.merge(topic, chosen, watch)? {
            Merged::Done(segment) => {
                self.merges.fetch_add(1, Ordering::Relaxed);
                tracing::info!(
                    topic = topic.0,
                    segments = chosen.len(),
                    rows = segment.row_count,
                    bytes = segment.bytes,
                    took_ms = stopwatch.elapsed_ms(),
                    "segments merged"
                );
            }
            Merged::Outdated | Merged::Stopped => {}
        }
        Ok(())
    }
}

impl MergeMemory {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // What is remembered is whole after each step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
