//! Searches: an index expression and a question become one answer over one instant.

use query::request::SearchRequest;
use query::response::SearchResponse;
use query::{QueryError, Stop};
use serde_json::{Value, json};
use storage::catalog::TimeField;
use storage::store::{TopicInstant, TopicSnapshot};

use super::{Db, slow};
use crate::elastic::{
    self, ElasticError, IndexFacts, IndexOptions, Lookup, LookupSource, ParsedSearch,
    RESULT_WINDOW_MAX, SearchParams, SearchTarget, SlowWork, parse_count, parse_search, values_at,
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
        let instant = id.and_then(|id| self.core().store.instant(id));
        let instant = instant.ok_or_else(|| ElasticError::index_not_found(topic))?;
        Ok(self.search_instant(&instant, request)?)
    }

    /// Answers `request` over one topic at an instant. A segment that is found damaged on the way
    /// is left out, and the answer says so.
    pub(super) fn search_instant(
        &self,
        instant: &TopicInstant,
        request: &SearchRequest,
    ) -> std::result::Result<SearchResponse, QueryError> {
        loop {
            let snapshot = open(instant, request);
            match query::search(request, &snapshot, &self.core().scans) {
                Err(QueryError::Rows(error)) if instant.note_met_damage() => {
                    tracing::error!(%error, "a segment is left out of answers");
                }
                answer => return answer,
            }
        }
    }

    /// `_search` with the parameters of its URL.
    pub(crate) fn search_elastic(
        &self,
        index: &str,
        body: &[u8],
        params: &SearchParams,
    ) -> Result<Vec<u8>> {
        let watch = Stopwatch::start();
        if let Some(keep_alive) = &params.scroll {
            return self.scroll_start(index, body, params, keep_alive);
        }
        if let Some((id, sights, tie_break)) = self.pit_sights(body)? {
            let params = SearchParams {
                tie_break,
                has_pit: true,
                ..params.clone()
            };
            let (parsed, response) = self.run_over(&sights, body, &params, parse_search)?;
            let took_ms = watch.elapsed_ms();
            let answer = elastic::render_search(&parsed.shape, response.as_ref(), took_ms);
            return Ok(elastic::with_id(&answer, "pit_id", &id));
        }
        let sights = self.sights(index, params)?;
        for name in elastic::boosted_indices(body)? {
            self.named(&name, params.indices.options())?;
        }
        let (mut parsed, response) = self.run_over(&sights, body, params, parse_search)?;
        if params.says_early_end {
            // OpenSearch counts no rows one by one where it knows that all of them match.
            let rows: u64 = sights.iter().map(|sight| sight.instant.row_count()).sum();
            let wants_hits = parsed.requests.iter().any(|request| request.hits.size > 0);
            let all = response
                .as_ref()
                .is_some_and(|response| response.matched == rows);
            parsed.shape.set_ended_early(all && rows > 0 && !wants_hits);
        }
        let took_ms = watch.elapsed_ms();
        let opaque_id = params.opaque_id.as_deref();
        for sight in &sights {
            let topic = &sight.instant.topic;
            slow::tell(topic, SlowWork::Search, took_ms, opaque_id, body);
        }
        let answer = elastic::render_search(&parsed.shape, response.as_ref(), took_ms);
        Ok(answer)
    }

    /// `_count` with the parameters of its URL.
    pub(crate) fn count_elastic(
        &self,
        index: &str,
        body: &[u8],
        params: &SearchParams,
    ) -> Result<Vec<u8>> {
        let (parsed, response) = self.run(index, body, params, parse_count)?;
        Ok(elastic::render_count(&parsed.shape, response.as_ref()))
    }

    /// `_validate/query`: how many indices the query was read against.
    pub(crate) fn validate_elastic(
        &self,
        index: &str,
        body: &[u8],
        params: &SearchParams,
    ) -> Result<Vec<String>> {
        let sights = self.sights(index, params)?;
        let targets = sights.iter().map(|sight| sight.target(false));
        let targets: Vec<SearchTarget<'_>> = targets.collect();
        parse_count(body, params, &targets, self.core().now_ms())?;
        let names = targets.iter().map(|target| target.index.to_owned());
        Ok(names.collect())
    }

    /// Whether an index has rows that match the query of `body`.
    pub(crate) fn has_rows(&self, index: &str, body: &[u8]) -> Result<bool> {
        let params = SearchParams::default();
        let (_, response) = self.run(index, body, &params, parse_count)?;
        Ok(response.is_some_and(|response| response.matched > 0))
    }

    /// `_explain`: whether one document matches a query, and what it scores.
    pub(crate) fn explain_elastic(
        &self,
        index: &str,
        id: &str,
        body: &[u8],
        params: &SearchParams,
    ) -> Result<(u16, Value)> {
        let topic = self.only_index(index)?;
        let body = elastic::explain_body(body, id)?;
        let params = SearchParams {
            explain: true,
            ..params.clone()
        };
        let (parsed, response) = self.run(index, &body, &params, parse_search)?;
        let found = elastic::render_search(&parsed.shape, response.as_ref(), 0);
        let stored = self.stored_document(index, id, params.routing.as_deref())?;
        Ok(elastic::render_explained(
            topic.name.as_str(),
            id,
            &found,
            stored.is_some(),
            params.wants_source(),
        ))
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
        let sights = self.sights(index, params)?;
        self.run_over(&sights, body, params, parse)
    }

    /// What an index expression names, each at this instant.
    pub(super) fn sights(&self, index: &str, params: &SearchParams) -> Result<Vec<Sight>> {
        self.sights_with(index, params.indices.options())
    }

    pub(super) fn sights_with(&self, index: &str, options: IndexOptions) -> Result<Vec<Sight>> {
        let named = self.named(index, options)?;
        // A topic that is deleted right now has no instant and takes no part.
        let sights = named.into_iter().filter_map(|named| {
            Some(Sight {
                instant: self.core().store.instant(named.state.topic.id)?,
                filters: named.filters,
                aliases: named.state.aliases.keys().cloned().collect(),
            })
        });
        Ok(sights.collect())
    }

    /// Reads the question against what is in sight and answers it.
    pub(super) fn run_over(
        &self,
        sights: &[Sight],
        body: &[u8],
        params: &SearchParams,
        parse: Parse,
    ) -> Result<(ParsedSearch, Option<SearchResponse>)> {
        self.run_with(sights, body, params, parse, |_| {})
    }

    /// The same, with the requests changed before they run.
    pub(super) fn run_with(
        &self,
        sights: &[Sight],
        body: &[u8],
        params: &SearchParams,
        parse: Parse,
        change: impl FnOnce(&mut [SearchRequest]),
    ) -> Result<(ParsedSearch, Option<SearchResponse>)> {
        let looked_up = elastic::resolve_lookups(body, |lookup| self.looked_up(lookup))?;
        let body = looked_up.as_deref().unwrap_or(body);
        let cheap_only = self.server_setting("search.allow_expensive_queries");
        let cheap_only = cheap_only.as_deref() == Some("false");
        let targets = sights.iter().map(|sight| sight.target(cheap_only));
        let targets: Vec<SearchTarget<'_>> = targets.collect();
        let mut parsed = parse(body, params, &targets, self.core().now_ms())?;
        let buckets_max = self.server_setting("search.max_buckets");
        if let Some(buckets_max) = buckets_max.and_then(|text| text.parse().ok()) {
            let requests = parsed.requests.iter_mut();
            for request in requests.chain(&mut parsed.unfiltered) {
                request.limits.buckets_max = buckets_max;
            }
        }
        change(&mut parsed.requests);
        let Some(first) = sights.first().map(|sight| sight.instant.topic.name.clone()) else {
            return Ok((parsed, None));
        };
        let failed = |error| Error::from(error).into_elastic().on_shard(first.as_str());
        let response = self
            .answer_parsed(&parsed, sights, &params.stop)
            .map_err(failed)?;
        let inner = std::mem::take(&mut parsed.inner);
        elastic::answer_inner(&inner, &response, &mut parsed.shape, |requests| {
            self.answer(requests, sights, &params.stop).map_err(failed)
        })?;
        Ok((parsed, Some(response)))
    }

    /// The values that a lookup of `terms` names.
    fn looked_up(&self, lookup: &Lookup) -> Result<Vec<Value>> {
        match &lookup.source {
            LookupSource::Id { id, routing } => {
                let stored = self.stored_document(&lookup.index, id, routing.as_deref())?;
                // A document that is not there has no values.
                let values = stored.map(|stored| values_at(&stored.source, &lookup.path));
                Ok(values.unwrap_or_default())
            }
            LookupSource::Query(query) => {
                let body = json!({ "query": query, "size": RESULT_WINDOW_MAX, "sort": ["_doc"] });
                let body = body.to_string();
                let params = SearchParams::default();
                let (_, response) =
                    self.run(&lookup.index, body.as_bytes(), &params, parse_search)?;
                let hits = response.map(|response| response.hits).unwrap_or_default();
                let values = hits.iter().map(|hit| values_at(&hit.source, &lookup.path));
                Ok(values.flatten().collect())
            }
        }
    }

    /// Answers a search: its hits, and aggregations that may take more rows than hits show.
    fn answer_parsed(
        &self,
        parsed: &ParsedSearch,
        sights: &[Sight],
        stop: &Stop,
    ) -> std::result::Result<SearchResponse, QueryError> {
        let mut response = self.answer(&parsed.requests, sights, stop)?;
        if !parsed.unfiltered.is_empty() {
            let unfiltered = self.answer(&parsed.unfiltered, sights, stop)?;
            response.aggregations = unfiltered.aggregations;
            response.profile = unfiltered.profile;
        }
        Ok(response)
    }

    /// Answers `requests`, each over its sight. A segment that a scan finds damaged is left out,
    /// and the answer says so: each try finds another one, or is the last.
    fn answer(
        &self,
        requests: &[SearchRequest],
        sights: &[Sight],
        stop: &Stop,
    ) -> std::result::Result<SearchResponse, QueryError> {
        loop {
            let parts = requests.iter().zip(sights);
            let parts: Vec<_> = parts
                .map(|(request, sight)| (request.clone(), open(&sight.instant, request)))
                .collect();
            match query::search_many_until(&parts, &self.core().scans, stop) {
                Err(QueryError::Rows(error)) => {
                    // Before the readers go that have met it.
                    let known = sights.iter().map(|sight| sight.instant.note_met_damage());
                    if !known.fold(false, |some, one| some | one) {
                        return Err(QueryError::Rows(error));
                    }
                    tracing::error!(%error, "a segment is left out of answers");
                }
                answer => return answer,
            }
        }
    }
}

/// A topic at an instant, as an index expression named it.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(super) instant: TopicInstant,
    /// Filters of the aliases that named it.
    pub(super) filters: Vec<Value>,
    /// Its other names.
    pub(super) aliases: Vec<String>,
}

impl Sight {
    fn target(&self, cheap_only: bool) -> SearchTarget<'_> {
        SearchTarget {
            index: self.instant.topic.name.as_str(),
            mapping: &self.instant.topic.mapping,
            filters: &self.filters,
            facts: IndexFacts {
                settings: Some(&self.instant.topic.settings),
                aliases: &self.aliases,
                shards: self.instant.topic.partitions,
                cheap_only,
            },
        }
    }
}

/// Opens what `request` can need of a topic.
fn open(instant: &TopicInstant, request: &SearchRequest) -> TopicSnapshot {
    let time_field = match &instant.topic.time_field {
        Some(TimeField::Field(path)) => Some(path.as_str()),
        Some(TimeField::RecordTime) | None => None,
    };
    instant.open(query::times_needed(request, time_field))
}

pub(super) type Parse =
    fn(&[u8], &SearchParams, &[SearchTarget<'_>], i64) -> Result<ParsedSearch, ElasticError>;
