//! What the store can say about itself in numbers, as of one moment.

use std::sync::atomic::Ordering;

use storage::catalog::RejectKind;

use super::Db;

/// Numbers about the store.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Topics by name.
    pub(crate) topics: Vec<TopicFigures>,
    /// Group, topic, partition, and how many records the group has not read.
    pub(crate) lags: Vec<(String, String, u32, u64)>,
    pub(crate) groups: u64,
    /// Starts behind a process that had not closed the store.
    pub(crate) unclean_starts: u64,
    pub(crate) merges: u64,
    /// Whether the store works.
    pub(crate) is_healthy: bool,
}

/// Numbers about a topic.
#[derive(Debug, Default)]
pub(crate) struct TopicFigures {
    pub(crate) name: String,
    /// Of each partition: first offset, high watermark, and how far its records are rows.
    pub(crate) partitions: Vec<(u64, u64, u64)>,
    pub(crate) rows: u64,
    pub(crate) segments: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) rejected: Vec<(&'static str, u64)>,
    pub(crate) dead_letters: Vec<(&'static str, u64)>,
}

impl Db {
    /// The numbers of now.
    pub(crate) fn figures(&self) -> Figures {
        let store = &self.core().store;
        let catalog = store.catalog();
        let mut figures = Figures {
            unclean_starts: u64::try_from(store.epoch().0).unwrap_or(0),
            merges: self.core().merges.load(Ordering::Relaxed),
            is_healthy: self.core().health.check().is_ok(),
            ..Figures::default()
        };
        let named = |counts: &std::collections::BTreeMap<RejectKind, u64>| {
            let counts = counts.iter();
            counts
                .map(|(kind, count)| (kind.as_str(), *count))
                .collect()
        };
        for state in catalog.topics_by_name() {
            let topic = &state.topic;
            let mut found = TopicFigures {
                name: topic.name.as_str().into(),
                segments: state.segments.len() as u64,
                segment_bytes: state.segments.iter().map(|segment| segment.bytes).sum(),
                dead_letters: named(&state.dead_letters.counts),
                ..TopicFigures::default()
            };
            for partition in topic.partitions() {
                if let Some(bounds) = store.log_bounds(partition) {
                    let materialized = store.materialized(partition);
                    let offsets = (bounds.start.0, bounds.high_watermark.0, materialized.0);
                    found.partitions.push(offsets);
                }
                found.log_bytes += store.log_bytes(partition).unwrap_or(0);
            }
            if let Some(instant) = store.instant(topic.id) {
                found.rows = instant.row_count();
                found.rejected = named(instant.rejected.kinds());
            }
            figures.topics.push(found);
        }
        let groups = store.groups();
        figures.groups = groups.iter().len() as u64;
        for (group, state) in groups.iter() {
            for (partition, committed) in &state.offsets {
                let Some(topic) = catalog.topic(partition.topic) else {
                    continue;
                };
                let bounds = store.log_bounds(*partition);
                let Some((bounds, offset)) = bounds.zip(u64::try_from(committed.offset).ok())
                else {
                    continue;
                };
                let lag = bounds.high_watermark.0.saturating_sub(offset);
                let name = topic.topic.name.as_str().to_owned();
                figures
                    .lags
                    .push((group.to_owned(), name, partition.id.0, lag));
            }
        }
        figures
    }
}
