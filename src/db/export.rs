//! Rows and rollups of a topic as Arrow record batches.

use std::sync::Arc;

use export::{RollupBatches, RollupChoice, RowBatches, RowChoice};
use query::request::Filter;
use storage::model::TopicId;
use storage::store::TopicSnapshot;

use super::Db;
use crate::elastic::{ElasticError, SearchParams, SearchTarget, parse_search};
use crate::error::Result;

impl Db {
    /// The rows of `topic` that are visible now, as Arrow record batches of bounded size.
    ///
    /// ```
    /// use siltstone::Db;
    /// use siltstone::export::RowChoice;
    ///
    /// let db = Db::builder().in_memory().open()?;
    /// db.append("trades", [r#"{"@timestamp": "2026-01-02T03:04:05Z", "price": 0.1}"#])?;
    /// db.refresh("trades")?;
    /// let filter = db.filter("trades", r#"{"query": {"range": {"price": {"lt": 1}}}}"#)?;
    /// for batch in db.rows("trades", RowChoice { filter, ..RowChoice::default() })? {
    ///     assert_eq!(batch?.num_rows(), 1);
    /// }
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such topic, or no such field.
    pub fn rows(&self, topic: &str, choice: RowChoice) -> Result<RowBatches> {
        Ok(RowBatches::new(self.snapshot_of(topic)?, choice)?)
    }

    /// The hourly cells of `topic`, by one dimension or none, as Arrow record batches.
    ///
    /// # Errors
    /// When there is no such topic, or a field cannot be used so.
    pub fn rollup(&self, topic: &str, choice: RollupChoice) -> Result<RollupBatches> {
        let snapshot = self.snapshot_of(topic)?;
        let pool = Arc::clone(&self.core().scans);
        Ok(RollupBatches::new(snapshot, choice, pool)?)
    }

    /// The filter that a search body in Elasticsearch's JSON means for `topic`.
    ///
    /// # Errors
    /// When there is no such topic, or the search makes no sense.
    pub fn filter(&self, topic: &str, json: &str) -> Result<Filter> {
        let snapshot = self.snapshot_of(topic)?;
        let targets = [SearchTarget {
            index: topic,
            mapping: &snapshot.topic.mapping,
            filters: &[],
            facts: crate::elastic::IndexFacts::default(),
        }];
        let params = SearchParams::default();
        let parsed = parse_search(json.as_bytes(), &params, &targets, self.core().now_ms())?;
        let request = parsed.requests.into_iter().next();
        Ok(request.map_or(Filter::All, |request| request.filter))
    }

    /// The field that rows of `topic` are sorted by.
    pub(crate) fn time_field(&self, topic: &str) -> Result<Option<String>> {
        use storage::catalog::TimeField;
        Ok(match &self.snapshot_of(topic)?.topic.time_field {
            Some(TimeField::Field(path)) => Some(path.clone()),
            Some(TimeField::RecordTime) | None => None,
        })
    }

    fn snapshot_of(&self, topic: &str) -> Result<TopicSnapshot> {
        let catalog = self.catalog();
        let id: Option<TopicId> = catalog.topic_named(topic).map(|state| state.topic.id);
        let snapshot = id.and_then(|id| self.core().store.snapshot(id));
        snapshot.ok_or_else(|| ElasticError::index_not_found(topic).into())
    }
}
