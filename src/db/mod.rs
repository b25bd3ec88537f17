//! The facade: one store, opened by a path, used from any thread, with no port and no runtime.
//!
//! [`Db`] joins arrival (`ingest`), state (`storage`) and answers (`query`) for embedders; the
//! server uses the same calls. It knows no socket.

mod aliases;
mod append;
mod async_searches;
mod builder;
mod by_query;
mod contexts;
mod core;
mod dead_letters;
mod documents;
mod export;
mod figures;
mod identity;
mod inspect;
mod memory;
mod merge;
mod names;
mod rollover;
mod scrub;
mod search;
mod settings;
mod slow;
mod streams;
mod tasks;
mod templates;
mod topics;
mod verify;

#[cfg(test)]
mod damage_tests;

use std::path::Path;
use std::sync::Arc;

use storage::catalog::{Catalog, RejectedRecords};
use storage::model::TopicId;

pub use append::{Record, RecordPlace};
pub use builder::DbBuilder;
pub use scrub::{RepairReport, ScrubStatus};
pub use verify::Verdict;

pub(crate) use async_searches::{AsyncView, KEEP_ALIVE_MS};
pub(crate) use by_query::ByQuery;
pub(crate) use contexts::ContextKind;
pub(crate) use core::{Core, Progress};
pub(crate) use dead_letters::{DeadLetter, DeadLetterPage};
pub(crate) use documents::DocumentWrite;
pub(crate) use figures::{Figures, TopicFigures};
pub(crate) use inspect::inspect;
pub(crate) use settings::{Existing, SERVER_SETTINGS};
pub(crate) use tasks::{Ended, Found, Task, TaskStart};
pub(crate) use templates::{Replace, templates};
pub(crate) use topics::Wildcards;

use crate::background::Workers;
use crate::elastic::IndexOptions;
use crate::error::Result;

/// An open store. A clone is another handle of the same store and costs next to nothing.
///
/// Records that `append` returned for are on disk. They become rows in the background, at the
/// latest when `refresh` returns.
///
/// ```
/// use siltstone::Db;
///
/// let db = Db::builder().in_memory().open()?;
/// db.append("trades", [r#"{"@timestamp": "2026-01-02T03:04:05Z", "price": 0.1}"#])?;
/// db.append("trades", [r#"{"@timestamp": "2026-01-02T03:04:06Z", "price": 0.2}"#])?;
/// db.refresh("trades")?;
/// let question = r#"{"size": 0, "aggs": {"sum": {"sum": {"field": "price"}}}}"#;
/// let answer = db.search("trades", question)?;
/// assert!(answer.contains(r#""sum":{"value":0.3}"#), "{answer}");
/// db.close()?;
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

/// Ends the threads when the last handle goes.
#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
    workers: Workers,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.workers.stop();
    }
}

impl Db {
    /// Opens the store in the directory `path`, which is made when it is missing.
    ///
    /// # Errors
    /// When another process has it open, when its bytes are damaged, or when the directory cannot
    /// be used.
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("siltstone-doc-{}", std::process::id()));
    /// let db = siltstone::Db::open(&folder)?;
    /// db.append("greetings", [r#"{"text": "hello"}"#])?;
    /// db.close()?;
    /// # std::fs::remove_dir_all(&folder).ok();
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().path(path).open()
    }

    /// A store with options of your own, or one in memory.
    #[must_use]
    pub fn builder() -> DbBuilder {
        DbBuilder::default()
    }

    /// Makes every record of `index` that was acknowledged before this call visible to searches.
    /// `index` may be a pattern or several names with commas.
    ///
    /// # Errors
    /// When there is no such index, or the store has stopped.
    pub fn refresh(&self, index: &str) -> Result<()> {
        for topic in self.topics(index, IndexOptions::default())? {
            self.refresh_topic(topic.id)?;
        }
        Ok(())
    }

    /// Seals all rows of `index` into segments; afterwards their rollup cells answer.
    ///
    /// # Errors
    /// When there is no such index, or the store has stopped.
    pub fn flush(&self, index: &str) -> Result<()> {
        for topic in self.topics(index, IndexOptions::default())? {
            self.flush_topic(topic.id)?;
        }
        Ok(())
    }

    /// Seals all rows of `index` and merges its segments until each topic has at most
    /// `segments_max`, or as few as [`crate::Options::merge_rows`] allows; without a number, until
    /// the merge policy is content.
    ///
    /// # Errors
    /// When there is no such index, a segment cannot be read or written, or the store has stopped.
    pub fn merge(&self, index: &str, segments_max: Option<usize>) -> Result<()> {
        for topic in self.topics(index, IndexOptions::default())? {
            self.merge_topic(topic.id, segments_max)?;
        }
        Ok(())
    }

    /// Ends the store in good order: what is staged becomes durable, and a checkpoint makes the
    /// next opening quick. Other handles answer [`crate::ErrorKind::Closed`] from then on.
    ///
    /// # Errors
    /// When the last writes fail. What was acknowledged is durable all the same.
    pub fn close(self) -> Result<()> {
        self.inner.core.tasks.stop_all();
        self.inner.workers.stop();
        self.inner.core.close()
    }

    /// Calls `callback` with a message when the store stops because of a failure; at once when it
    /// has stopped already.
    pub fn on_failure(&self, callback: impl Fn(&str) + Send + Sync + 'static) {
        self.inner.core.health.on_failure(Box::new(callback));
    }

    pub(crate) fn refresh_topic(&self, topic: TopicId) -> Result<()> {
        self.core().refresh(topic)
    }

    pub(crate) fn flush_topic(&self, topic: TopicId) -> Result<()> {
        self.core().refresh(topic)?;
        self.core().seal(topic)
    }

    pub(crate) fn merge_topic(&self, topic: TopicId, segments_max: Option<usize>) -> Result<()> {
        self.core().force_merge(topic, segments_max)
    }

    /// Number of visible rows.
    pub(crate) fn row_count(&self, topic: TopicId) -> usize {
        let instant = self.core().store.instant(topic);
        let rows = instant.map_or(0, |instant| instant.row_count());
        usize::try_from(rows).unwrap_or(usize::MAX)
    }

    /// Records that could not become rows.
    pub(crate) fn rejected_records(&self, topic: TopicId) -> Arc<RejectedRecords> {
        let instant = self.core().store.instant(topic);
        instant.map_or_else(Arc::default, |instant| instant.rejected)
    }

    /// What exists, as far as it is durable.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.core().store.catalog()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }
}
