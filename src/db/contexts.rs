//! Instants that clients come back to: scrolls, which remember how far they are, and points in
//! time. Both live in memory until their time is over.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use query::Stop;
use query::request::{After, HitPlace};
use query::response::SortValue;

use super::Db;
use super::identity::random_uuid;
use super::search::Sight;
use crate::elastic::{
    self, ElasticError, IndexOptions, SearchParams, keep_alive_ms, parse_search, pit_of, uuid_text,
};
use crate::error::Result;
use crate::options::Stopwatch;

/// Most contexts at once.
const CONTEXTS_MAX: usize = 500;

/// Longest time that a context may ask for, in milliseconds.
const KEEP_ALIVE_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// What a context is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContextKind {
    Scroll,
    /// An order of hits ends with the row's place there if it says so.
    Pit {
        tie_break: bool,
    },
}

/// An instant, and how far a scroll through it is.
#[derive(Debug, Clone)]
struct Context {
    kind: ContextKind,
    sights: Vec<Sight>,
    created_ms: i64,
    expires_ms: i64,
    scroll: Option<Scroll>,
}

/// A search that goes on.
#[derive(Debug, Clone)]
struct Scroll {
    body: Vec<u8>,
    params: SearchParams,
    after: Option<After>,
}

/// All contexts by id.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    known: Mutex<BTreeMap<String, Context>>,
}

impl Contexts {
    fn with<T>(&self, now_ms: i64, act: impl FnOnce(&mut BTreeMap<String, Context>) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, context| context.expires_ms > now_ms);
        act(&mut known)
    }

    fn add(&self, now_ms: i64, context: Context) -> Result<String> {
        let id = uuid_text(random_uuid()?) + &uuid_text(random_uuid()?);
        let is_full = self.with(now_ms, |known| {
            if known.len() >= CONTEXTS_MAX {
                return true;
            }
            known.insert(id.clone(), context);
            false
        });
        if is_full {
            let reason = format!(
                "Trying to create too many scroll contexts. Must be less than or equal to: \
                 [{CONTEXTS_MAX}]. This limit can be set by changing the \
                 [search.max_open_scroll_context] setting."
            );
            return Err(ElasticError::new(429, "rejected_execution_exception", reason).into());
        }
        Ok(id)
    }
}

fn missing(id: &str) -> ElasticError {
    let reason = format!("No search context found for id [{id}]");
    ElasticError::new(404, "search_context_missing_exception", reason)
}

impl Db {
    fn kept_ms(&self, keep_alive: &str) -> Result<i64> {
        let kept_ms = keep_alive_ms(keep_alive)?;
        let said = self.server_setting("search.max_keep_alive");
        let said_ms = said.as_deref().and_then(|text| keep_alive_ms(text).ok());
        if kept_ms > said_ms.map_or(KEEP_ALIVE_MS_MAX, |ms| ms.min(KEEP_ALIVE_MS_MAX)) {
            let most = said.unwrap_or_else(|| "1d".into());
            let reason = format!(
                "Keep alive for request ({keep_alive}) is too large. It must be less than \
                 ({most}). This limit can be set by changing the [search.max_keep_alive] cluster \
                 level setting."
            );
            return Err(ElasticError::illegal_argument(reason).into());
        }
        Ok(kept_ms)
    }

    /// `_search?scroll=1m`: the first hits, and an id to ask for more with.
    pub(crate) fn scroll_start(
        &self,
        index: &str,
        body: &[u8],
        params: &SearchParams,
        keep_alive: &str,
    ) -> Result<Vec<u8>> {
        let kept_ms = self.kept_ms(keep_alive)?;
        let now_ms = self.core().now_ms();
        let sights = self.sights(index, params)?;
        let mut params = params.clone();
        // What is scrolled through is counted.
        params.track_total_hits = Some("true".into());
        let context = Context {
            kind: ContextKind::Scroll,
            sights,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(kept_ms),
            scroll: None,
        };
        let scroll = Scroll {
            body: body.to_vec(),
            params,
            after: None,
        };
        let id = self.core().contexts.add(now_ms, context.clone())?;
        let answer = self.scroll_page(&id, &context, scroll);
        if answer.is_err() {
            self.close_contexts(Some(std::slice::from_ref(&id)), |_| true);
        }
        answer
    }

    /// `_search/scroll`: the next hits.
    pub(crate) fn scroll_on(
        &self,
        id: &str,
        keep_alive: Option<&str>,
        total_hits_as_int: bool,
    ) -> Result<Vec<u8>> {
        let now_ms = self.core().now_ms();
        let kept_ms = keep_alive.map(|text| self.kept_ms(text)).transpose()?;
        let found = self.core().contexts.with(now_ms, |known| {
            let context = known.get_mut(id)?;
            if let Some(kept_ms) = kept_ms {
                context.expires_ms = now_ms.saturating_add(kept_ms);
            }
            Some(context.clone())
        });
        let mut context = found.ok_or_else(|| missing(id))?;
        let mut scroll = context.scroll.take().ok_or_else(|| missing(id))?;
        scroll.params.total_hits_as_int = total_hits_as_int;
        // Who asked before is not who waits now.
        scroll.params.stop = Stop::default();
        self.scroll_page(id, &context, scroll)
    }

    fn scroll_page(&self, id: &str, context: &Context, mut scroll: Scroll) -> Result<Vec<u8>> {
        let watch = Stopwatch::start();
        let after = scroll.after.clone();
        let is_first = after.is_none();
        let ran = self.run_with(
            &context.sights,
            &scroll.body,
            &scroll.params,
            parse_search,
            |all| {
                for request in all.iter_mut() {
                    request.hits.after.clone_from(&after);
                    if !is_first {
                        request.hits.from = 0;
                        request.aggregations.clear();
                    }
                }
            },
        );
        let (mut parsed, response) = ran?;
        let has_no_size = parsed.requests.iter().any(|request| request.hits.size == 0);
        let wrong = [
            (has_no_size, "[size] cannot be [0] in a scroll context"),
            (
                scroll.params.caches,
                "[request_cache] cannot be used in a scroll context",
            ),
        ];
        let wrong = wrong.into_iter().filter(|(is_so, _)| *is_so);
        let wrong: Vec<String> = wrong.map(|(_, reason)| reason.into()).collect();
        if !wrong.is_empty() {
            return Err(ElasticError::validation(&wrong).into());
        }
        if !is_first {
            parsed.shape.without_aggregations();
        }
        if let Some(last) = response.as_ref().and_then(|response| response.hits.last()) {
            // Without an order of its own, a search goes on by score.
            let score = last
                .score
                .map(|score| Some(SortValue::Float(f64::from(score))));
            let sort = match last.sort.is_empty() {
                true => score.into_iter().collect(),
                false => last.sort.clone(),
            };
            scroll.after = Some(After {
                sort,
                row: Some(HitPlace {
                    part: last.part,
                    partition: last.partition,
                    offset: last.offset,
                }),
            });
        }
        self.core().contexts.with(self.core().now_ms(), |known| {
            if let Some(context) = known.get_mut(id) {
                context.scroll = Some(scroll);
            }
        });
        let took_ms = watch.elapsed_ms();
        let answer = elastic::render_search(&parsed.shape, response.as_ref(), took_ms);
        Ok(elastic::with_id(&answer, "_scroll_id", id))
    }

    /// Keeps this instant; returns its id and when it was.
    pub(crate) fn open_pit(
        &self,
        index: &str,
        options: IndexOptions,
        keep_alive: &str,
        kind: ContextKind,
    ) -> Result<(String, i64, u64)> {
        let kept_ms = self.kept_ms(keep_alive)?;
        let now_ms = self.core().now_ms();
        let sights = self.sights_with(index, options)?;
        let shards = sights
            .iter()
            .map(|sight| u64::from(sight.instant.topic.partitions));
        let shards = shards.sum();
        let context = Context {
            kind,
            sights,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(kept_ms),
            scroll: None,
        };
        let id = self.core().contexts.add(now_ms, context)?;
        Ok((id, now_ms, shards))
    }

    /// What a search over a point in time sees, and whether its order ends with the row's place;
    /// `None` when the body names no point in time.
    pub(super) fn pit_sights(&self, body: &[u8]) -> Result<Option<(String, Vec<Sight>, bool)>> {
        let Some(pit) = pit_of(body)? else {
            return Ok(None);
        };
        let now_ms = self.core().now_ms();
        let kept_ms = pit.keep_alive.as_deref();
        let kept_ms = kept_ms.map(|text| self.kept_ms(text)).transpose()?;
        let found = self.core().contexts.with(now_ms, |known| {
            let context = known.get_mut(&pit.id)?;
            let ContextKind::Pit { tie_break } = context.kind else {
                return None;
            };
            if let Some(kept_ms) = kept_ms {
                // A search may keep it longer, not shorter.
                let until_ms = now_ms.saturating_add(kept_ms);
                context.expires_ms = context.expires_ms.max(until_ms);
            }
            Some((context.sights.clone(), tie_break))
        });
        let (sights, tie_break) = found.ok_or_else(|| missing(&pit.id))?;
        Ok(Some((pit.id, sights, tie_break)))
    }

    /// Forgets the contexts with these ids, or all, of the kinds that `fits`; names them.
    pub(crate) fn close_contexts(
        &self,
        ids: Option<&[String]>,
        fits: impl Fn(ContextKind) -> bool,
    ) -> Vec<String> {
        self.core().contexts.with(self.core().now_ms(), |known| {
            let closed: Vec<String> = known
                .iter()
                .filter(|(id, context)| {
                    fits(context.kind) && ids.is_none_or(|ids| ids.contains(id))
                })
                .map(|(id, _)| id.clone())
                .collect();
            for id in &closed {
                known.remove(id);
            }
            closed
        })
    }

    /// Ids of points in time, when each was made and how long it is kept for.
    pub(crate) fn open_pits(&self) -> Vec<(String, i64, i64)> {
        self.core().contexts.with(self.core().now_ms(), |known| {
            let pits = known
                .iter()
                .filter(|(_, context)| context.kind != ContextKind::Scroll);
            pits.map(|(id, context)| {
                let kept_ms = context.expires_ms - context.created_ms;
                (id.clone(), context.created_ms, kept_ms)
            })
            .collect()
        })
    }
}
