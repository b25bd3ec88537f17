//! The whole way from request to response.

use storage::catalog::TimeField;
use storage::store::TopicSnapshot;

use crate::QueryError;
use crate::adaptive;
use crate::aggregate::{finish, name_part, plan, unify};
use crate::budget::Budget;
use crate::estimate;
use crate::global;
use crate::hits;
use crate::pipeline;
use crate::pool::ScanPool;
use crate::request::SearchRequest;
use crate::response::{Failure, Profile, SearchResponse};
use crate::scan::{Part, scan};
use crate::stop::Stop;

/// Answers `request` from `snapshot`, on the threads of `pool`.
///
/// # Errors
/// When the request does not fit the fields of the topic, when the answer or the state would pass
/// a limit, or when rows cannot be read.
pub fn search(
    request: &SearchRequest,
    snapshot: &TopicSnapshot,
    pool: &ScanPool,
) -> Result<SearchResponse, QueryError> {
    let mut response = run(&[part(request, snapshot)], pool)?;
    response.failures = failures([snapshot]);
    Ok(response)
}

/// Answers a search over several topics as one: rows count together, buckets merge. The requests
/// ask for the same, each in the fields of its own topic; limits, hits and orders are those of the
/// first.
///
/// # Errors
/// As [`search`], and when aggregations do not fit together.
pub fn search_many(
    parts: &[(SearchRequest, TopicSnapshot)],
    pool: &ScanPool,
) -> Result<SearchResponse, QueryError> {
    search_many_until(parts, pool, &Stop::default())
}

/// As [`search_many`], but ends between two pieces of work once `stop` is set.
///
/// # Errors
/// As [`search_many`], and [`QueryError::Stopped`].
pub fn search_many_until(
    parts: &[(SearchRequest, TopicSnapshot)],
    pool: &ScanPool,
    stop: &Stop,
) -> Result<SearchResponse, QueryError> {
    let snapshots = parts.iter().map(|(_, snapshot)| snapshot);
    let failures = failures(snapshots);
    let parts: Vec<_> = parts
        .iter()
        .map(|(request, snapshot)| part(request, snapshot))
        .collect();
    let mut response = run_until(&parts, pool, stop)?;
    response.failures = failures;
    Ok(response)
}

/// What the answer over `snapshots` lacks.
fn failures<'a>(snapshots: impl IntoIterator<Item = &'a TopicSnapshot>) -> Vec<Failure> {
    let parts = snapshots.into_iter().enumerate();
    let failures = parts.flat_map(|(part, snapshot)| {
        snapshot.failures.iter().map(move |failure| Failure {
            part,
            reason: failure.reason.clone(),
        })
    });
    failures.collect()
}

fn part<'a>(request: &'a SearchRequest, snapshot: &'a TopicSnapshot) -> Part<'a> {
    let time_field = match &snapshot.topic.time_field {
        Some(TimeField::Field(path)) => Some(path.as_str()),
        Some(TimeField::RecordTime) | None => None,
    };
    Part {
        request,
        time_field,
        sources: &snapshot.sources,
    }
}

/// Answers `parts`, which ask the same of several topics, as one.
///
/// 1. Plan: boundaries, patterns and kinds of terms, once.
/// 2. Scan every source: prune by time, bind to its columns, merge cells where they are exact, read
///    rows elsewhere, on several threads.
/// 3. Pick the rows to return, and read their documents.
/// 4. Finish: fill gaps, order, cut, round sums once.
/// 5. Run pipelines over the results.
///
/// Aggregations whose buckets depend on the rows add searches of their own before and after.
pub(crate) fn run(parts: &[Part<'_>], pool: &ScanPool) -> Result<SearchResponse, QueryError> {
    run_until(parts, pool, &Stop::default())
}

/// As [`run`], until `stop` is set.
pub(crate) fn run_until(
    parts: &[Part<'_>],
    pool: &ScanPool,
    stop: &Stop,
) -> Result<SearchResponse, QueryError> {
    let run_plain = |parts: &[Part<'_>]| {
        let run = |parts: &[Part<'_>]| run_one(parts, pool, stop);
        estimate::answer(parts, |parts| adaptive::answer(parts, run))
    };
    let mut response = if global::is_asked(parts) {
        global::answer(parts, run_plain)?
    } else {
        run_plain(parts)?
    };
    if let Some(first) = parts.first() {
        pipeline::apply(&first.request.aggregations, &mut response.aggregations)?;
    }
    Ok(response)
}

fn run_one(parts: &[Part<'_>], pool: &ScanPool, stop: &Stop) -> Result<SearchResponse, QueryError> {
    let Some(first) = parts.first() else {
        return Ok(SearchResponse {
            matched: 0,
            hits: Vec::new(),
            score_max: None,
            aggregations: Vec::new(),
            profile: Profile::default(),
            failures: Vec::new(),
        });
    };
    let aggregations = &first.request.aggregations;
    let budget = Budget::new(first.request.limits, pool.memory()).until(stop.clone());
    let mut plans = Vec::with_capacity(parts.len());
    for part in parts {
        let times_ms = part.time_bounds_ms().unwrap_or((0, 0));
        let mut own = plan(&part.request.aggregations, times_ms)?;
        name_part(&mut own, plans.len());
        plans.push(own);
    }
    unify(&mut plans, aggregations)?;
    let found = scan(parts, &plans, pool, &budget)?;
    let shown = hits::collect(parts, &budget)?;
    Ok(SearchResponse {
        matched: shown.matched.unwrap_or(found.matched),
        hits: shown.hits,
        score_max: shown.score_max,
        aggregations: finish(aggregations, &found.states, &budget)?,
        profile: found.profile,
        failures: Vec::new(),
    })
}
