//! Searches: an index expression and a question become one answer over one instant.

use query::request::SearchRequest;
use query::response::SearchResponse;
use storage::store::TopicSnapshot;

use super::Db;
use crate::elastic::{
    self, ElasticError, ParsedSearch, SearchParams, SearchTarget, parse_count, parse_search,
};
use crate::error::{Error, Result};
use crate::options::Stopwatch;

impl Db {
    /// Answers a search in Elasticsearch's JSON. `index` may be a pattern such as `logs-*`, or
    /// several names with commas.
    ///
    /// # Errors
    /// When there is no such index, or the search makes no sense.
    pub fn search(&self, index: &str, json: &str) -> Result<String> {
        let answer = self.search_elastic(index, json.as_bytes(), &SearchParams::default())?;
        Ok(String::from_utf8(answer).expect("answers are printed as UTF-8"))
    }

    /// Answers a typed search over one topic.
    ///
    /// # Errors
    /// When there is no such topic, or the search would pass a limit.
    pub fn aggregate(&self, topic: &str, request: &SearchRequest) -> Result<SearchResponse> {
        let id = self
            .catalog()
            .topic_named(topic)
            .map(|state| state.topic.id);
        let snapshot = id.and_then(|id| self.core().store.snapshot(id));
        let snapshot = snapshot.ok_or_else(|| ElasticError::index_not_found(topic))?;
        Ok(query::search(request, &snapshot, &self.core().scans)?)
    }

    /// `_search` with the parameters of its URL.
    pub(crate) fn search_elastic(
        &self,
        index: &str,
        body: &[u8],
        params: &SearchParams,
    ) -> Result<Vec<u8>> {
        let watch = Stopwatch::start();
        let (parsed, response) = self.run(index, body, params, parse_search)?;
        Ok(elastic::render_search(
            &parsed.shape,
            response.as_ref(),
            watch.elapsed_ms(),
        ))
    }

    /// `_count` with the parameters of its URL.
    pub(crate) fn count_elastic(
        &self,
        index: &str,
        body: &[u8],
        params: &SearchParams,
    ) -> Result<Vec<u8>> {
        let (parsed, response) = self.run(index, body, params, parse_count)?;
        let count = response.map_or(0, |response| response.matched);
        Ok(elastic::render_count(count, parsed.requests.len()))
    }

    /// Finds the topics, takes a snapshot of each, reads the question against their mappings and
    /// answers it.
    fn run(
        &self,
        index: &str,
        body: &[u8],
        params: &SearchParams,
        parse: Parse,
    ) -> Result<(ParsedSearch, Option<SearchResponse>)> {
        let topics = self.topics(index, params.indices.options())?;
        // A topic that is deleted right now has no snapshot and takes no part.
        let snapshots: Vec<TopicSnapshot> = topics
            .iter()
            .filter_map(|topic| self.core().store.snapshot(topic.id))
            .collect();
        let targets: Vec<SearchTarget<'_>> = snapshots
            .iter()
            .map(|snapshot| SearchTarget {
                index: snapshot.topic.name.as_str(),
                mapping: &snapshot.topic.mapping,
            })
            .collect();
        let parsed = parse(body, params, &targets, self.core().now_ms())?;
        let Some(first) = snapshots
            .first()
            .map(|snapshot| snapshot.topic.name.clone())
        else {
            return Ok((parsed, None));
        };
        let parts: Vec<_> = parsed.requests.iter().cloned().zip(snapshots).collect();
        match query::search_many(&parts, &self.core().scans) {
            Ok(response) => Ok((parsed, Some(response))),
            Err(error) => {
                let error = Error::from(error).into_elastic().on_shard(first.as_str());
                Err(error.into())
            }
        }
    }
}

type Parse =
    fn(&[u8], &SearchParams, &[SearchTarget<'_>], i64) -> Result<ParsedSearch, ElasticError>;
