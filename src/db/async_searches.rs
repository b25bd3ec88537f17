//! Searches that go on after their answer: `_async_search`. They live in memory until their time
//! is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use query::Stop;

use super::identity::random_uuid;
use super::{Db, TaskStart};
use crate::elastic::{ElasticError, SearchParams, uuid_text};
use crate::error::Result;

/// Most searches that are kept.
const KEPT_MAX: usize = 500;

/// Bytes of answers that are kept, together.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// Longest time that an answer may be kept for: Elasticsearch's default, five days.
pub(crate) const KEEP_ALIVE_MS: i64 = 5 * 24 * 60 * 60 * 1000;

/// Searches by id.
#[derive(Debug, Default)]
pub(crate) struct AsyncSearches {
    known: Mutex<BTreeMap<String, Arc<AsyncSearch>>>,
}

/// A search that somebody comes back for.
#[derive(Debug)]
pub(crate) struct AsyncSearch {
    pub(crate) started_ms: i64,
    stop: Stop,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    expires_ms: i64,
    end: Option<End>,
}

/// How a search ended.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) ended_ms: i64,
    pub(crate) answer: std::result::Result<Arc<[u8]>, ElasticError>,
}

/// A search as it is at a moment.
#[derive(Debug, Clone)]
pub(crate) struct AsyncView {
    pub(crate) id: String,
    pub(crate) started_ms: i64,
    pub(crate) expires_ms: i64,
    /// `None` while it runs.
    pub(crate) end: Option<End>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn missing(id: &str) -> ElasticError {
    ElasticError::new(404, "resource_not_found_exception", id)
}

impl AsyncSearch {
    fn view(&self, id: &str, wait: Duration) -> AsyncView {
        let waited = self
            .ended
            .wait_timeout_while(lock(&self.state), wait, |state| state.end.is_none());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        AsyncView {
            id: id.into(),
            started_ms: self.started_ms,
            expires_ms: state.expires_ms,
            end: state.end.clone(),
        }
    }

    fn bytes(&self) -> usize {
        match &lock(&self.state).end {
            Some(End {
                answer: Ok(answer), ..
            }) => answer.len(),
            Some(_) | None => 0,
        }
    }
}

impl AsyncSearches {
    fn with<T>(
        &self,
        now_ms: i64,
        act: impl FnOnce(&mut BTreeMap<String, Arc<AsyncSearch>>) -> T,
    ) -> T {
        let mut known = lock(&self.known);
        known.retain(|_, search| {
            let is_kept = lock(&search.state).expires_ms > now_ms;
            if !is_kept {
                search.stop.set();
            }
            is_kept
        });
        act(&mut known)
    }
}

impl Db {
    /// Starts a search and waits for its end up to `wait`. It is kept for `keep_ms`; when it ends
    /// in time and `keeps_ended` is not set, it is forgotten at once.
    pub(crate) fn start_async_search(
        &self,
        index: &str,
        params: SearchParams,
        start: TaskStart,
        wait: Duration,
        keep_ms: i64,
        keeps_ended: bool,
    ) -> Result<AsyncView> {
        let core = self.core();
        let id = uuid_text(random_uuid()?) + &uuid_text(random_uuid()?);
        let now_ms = core.now_ms();
        let search = Arc::new(AsyncSearch {
            started_ms: now_ms,
            stop: start.stop.clone(),
            state: Mutex::new(State {
                expires_ms: now_ms.saturating_add(keep_ms),
                end: None,
            }),
            ended: Condvar::new(),
        });
        core.async_searches.with(now_ms, |known| {
            let bytes: usize = known.values().map(|search| search.bytes()).sum();
            if known.len() >= KEPT_MAX || bytes > KEPT_BYTES_MAX {
                let reason = "too many asynchronous searches are kept; delete some of them";
                return Err(ElasticError::new(
                    429,
                    "rejected_execution_exception",
                    reason,
                ));
            }
            known.insert(id.clone(), Arc::clone(&search));
            Ok(())
        })?;
        let (db, index, own) = (self.clone(), index.to_owned(), Arc::clone(&search));
        let submitted = core.tasks.submit(move || {
            let running = db.begin_task(start);
            let start = &running.task.start;
            let answer = match start.stop.is_set() {
                true => Err(ElasticError::canceled(
                    "the search was deleted before it ran",
                )),
                false => db
                    .search_elastic(&index, &start.body, &params)
                    .map_err(crate::error::Error::into_elastic),
            };
            let ended_ms = db.core().now_ms();
            let answer = answer.map(Arc::from);
            lock(&own.state).end = Some(End { ended_ms, answer });
            own.ended.notify_all();
        });
        if let Err(error) = submitted {
            core.async_searches.with(now_ms, |known| known.remove(&id));
            return Err(error);
        }
        let view = search.view(&id, wait);
        if view.end.is_some() && !keeps_ended {
            core.async_searches.with(now_ms, |known| known.remove(&id));
        }
        Ok(view)
    }

    /// How the search is, once it has ended or `wait` is over; kept for `keep_ms` from now on.
    pub(crate) fn async_search(
        &self,
        id: &str,
        wait: Duration,
        keep_ms: Option<i64>,
    ) -> Result<AsyncView> {
        let now_ms = self.core().now_ms();
        let found = self.core().async_searches.with(now_ms, |known| {
            let search = known.get(id).map(Arc::clone)?;
            if let Some(keep_ms) = keep_ms {
                lock(&search.state).expires_ms = now_ms.saturating_add(keep_ms);
            }
            Some(search)
        });
        let search = found.ok_or_else(|| missing(id))?;
        Ok(search.view(id, wait))
    }

    /// Forgets the search, and ends it when it runs.
    pub(crate) fn delete_async_search(&self, id: &str) -> Result<()> {
        let now_ms = self.core().now_ms();
        let removed = self
            .core()
            .async_searches
            .with(now_ms, |known| known.remove(id));
        match removed {
            Some(search) => {
                search.stop.set();
                Ok(())
            }
            None => Err(missing(id).into()),
        }
    }
}
