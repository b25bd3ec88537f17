//! Changing or copying every document that a query finds: `_delete_by_query`, `_update_by_query`
//! and `_reindex`. What is found is fixed at the start; what is done are writes by id like any
//! others, each under the condition that the document still is the one that was found.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::documents::{self, Action, Condition, WriteOutcome};
use query::Stop;
use query::request::{After, HitPlace};
use query::response::{Hit, SearchResponse};
use storage::model::{Offset, origin_of_name};

use super::search::Sight;
use super::{Db, DocumentWrite, TaskStart};
use crate::elastic::{
    BulkOperation, ByQueryDone, ByQueryKind, ByQueryRequest, DocumentScript, ElasticError,
    ScriptPlace, ScriptResult, SearchParams, Target, WriteAnswer, WriteCondition, parse_count,
};
use crate::error::Result;
use crate::options::Stopwatch;

/// A request by query with what its URL says.
#[derive(Debug, Clone)]
pub(crate) struct ByQuery {
    pub(crate) request: ByQueryRequest,
    pub(crate) params: SearchParams,
    /// Whether documents that are changed meanwhile are passed over.
    pub(crate) goes_on: bool,
    /// Whether what was written is visible before the end.
    pub(crate) refreshes: bool,
}

/// What is to be done with a hit.
enum Step {
    Write(Action),
    Nothing,
}

impl Db {
    /// Does what `work` says with the documents that it finds now, and tells `report` after each
    /// round how far it is.
    pub(crate) fn by_query(
        &self,
        work: &ByQuery,
        stop: &Stop,
        mut report: impl FnMut(&ByQueryDone),
    ) -> Result<ByQueryDone> {
        let index = work.request.index.as_str();
        for topic in self.topics(index, work.params.indices.options())? {
            self.refresh_topic(topic.id)?;
        }
        let sights = self.sights(index, &work.params)?;
        Self::check_sources(work, &sights)?;
        let mut done = ByQueryDone::default();
        let mut left = work.request.documents_max.unwrap_or(u64::MAX);
        let mut after = None;
        while left > 0 {
            if stop.is_set() {
                done.canceled = Some("by user request");
                break;
            }
            let Some(page) = self.page(work, &sights, after.as_ref())? else {
                break;
            };
            let failures = page.failures.iter().map(|failure| {
                let index = sights[failure.part].instant.topic.name.as_str();
                (index.to_owned(), Arc::clone(&failure.reason))
            });
            done.note_unread(failures.collect());
            if done.batches == 0 {
                done.total = page.matched.min(left);
            }
            let wanted = usize::try_from(left).unwrap_or(usize::MAX);
            let hits = &page.hits[..page.hits.len().min(wanted)];
            let Some(last) = hits.last() else { break };
            after = Some(After {
                sort: last.sort.clone(),
                row: Some(HitPlace {
                    part: last.part,
                    partition: last.partition,
                    offset: last.offset,
                }),
            });
            left = left.saturating_sub(hits.len() as u64);
            done.batches += 1;
            let conflicts = done.version_conflicts;
            match &work.request.target {
                Some(target) => self.copy(work, target, &sights, hits, &mut done),
                None => self.change(work, &sights, hits, &mut done)?,
            }
            report(&done);
            let conflicted = done.version_conflicts > conflicts;
            if !done.failures.is_empty() || conflicted && !work.goes_on {
                break;
            }
        }
        if work.refreshes {
            let written = work.request.target.as_ref();
            let written = written.map_or(index, |target| target.index.as_str());
            // A target that nothing was written to need not be there.
            if work.request.kind != ByQueryKind::Reindex || done.created + done.updated > 0 {
                self.refresh(written)?;
            }
        }
        Ok(done)
    }

    /// The same after the answer; the number of the task.
    pub(crate) fn start_by_query(&self, work: ByQuery, start: TaskStart) -> Result<u64> {
        let db = self.clone();
        let watch = Stopwatch::start();
        self.tasks()
            .spawn(start, self.core().now_ms(), move |task| {
                let stop = &task.start.stop;
                let done = db.by_query(&work, stop, |done| task.report(done.to_status()))?;
                task.report(done.to_status());
                Ok(done.to_value(work.request.kind, watch.elapsed_ms()))
            })
    }

    /// The next documents behind `after`.
    fn page(
        &self,
        work: &ByQuery,
        sights: &[Sight],
        after: Option<&After>,
    ) -> Result<Option<SearchResponse>> {
        let size = work.request.batch_documents;
        let search = &work.request.search;
        let ran = self.run_with(sights, search, &work.params, parse_count, |requests| {
            for request in requests {
                request.hits.size = size;
                request.hits.after = after.cloned();
            }
        })?;
        Ok(ran.1)
    }

    /// Writes what becomes of `hits` where they are.
    fn change(
        &self,
        work: &ByQuery,
        sights: &[Sight],
        hits: &[Hit],
        done: &mut ByQueryDone,
    ) -> Result<()> {
        let mut writes: BTreeMap<usize, Vec<documents::DocumentWrite>> = BTreeMap::new();
        for hit in hits {
            let index = sights[hit.part].instant.topic.name.as_str();
            let action = match self.step(work, index, hit) {
                Ok(Step::Write(action)) => action,
                Ok(Step::Nothing) => {
                    done.noops += 1;
                    continue;
                }
                Err(error) => {
                    done.failures.push((index.into(), hit.id.clone(), error));
                    break;
                }
            };
            let condition = Condition::After {
                offset: Offset(hit.offset),
                term: self.primary_term(),
            };
            writes
                .entry(hit.part)
                .or_default()
                .push(documents::DocumentWrite {
                    id: Some(hit.id.clone()),
                    routing: hit.routing.clone(),
                    action,
                    condition,
                });
        }
        let core = self.core();
        for (part, writes) in writes {
            let topic = &sights[part].instant.topic;
            let written = core
                .documents
                .write(&core.store, topic.id, &writes, core.now_ms())?;
            for (write, outcome) in writes.iter().zip(written) {
                match outcome {
                    WriteOutcome::Done { .. } if write.action == Action::Delete => {
                        done.deleted += 1;
                    }
                    WriteOutcome::Done { .. } => done.updated += 1,
                    WriteOutcome::Conflict { .. } | WriteOutcome::Missing { .. } => {
                        done.version_conflicts += 1;
                    }
                    WriteOutcome::Refused(refusal) => {
                        let error = super::documents::refused(&refusal, topic);
                        let id = write.id.clone().unwrap_or_default();
                        done.failures.push((topic.name.to_string(), id, error));
                    }
                }
            }
        }
        Ok(())
    }

    fn step(&self, work: &ByQuery, index: &str, hit: &Hit) -> Result<Step, ElasticError> {
        if work.request.kind == ByQueryKind::Delete {
            return Ok(Step::Write(Action::Delete));
        }
        let Some(script) = &work.request.script else {
            return Ok(Step::Write(Action::Index(hit.source.clone().into())));
        };
        Ok(match self.changed(script, index, hit)? {
            ScriptResult::Document(source) => Step::Write(Action::Index(source.into())),
            ScriptResult::Delete => Step::Write(Action::Delete),
            ScriptResult::Nothing => Step::Nothing,
        })
    }

    /// Refuses to read documents that their index does not show.
    fn check_sources(work: &ByQuery, sights: &[Sight]) -> Result<(), ElasticError> {
        let mut topics = sights.iter().map(|sight| &sight.instant.topic);
        match topics.find(|topic| topic.mapping.hides_source) {
            Some(topic) if work.request.kind != ByQueryKind::Delete => {
                let index = topic.name.as_str();
                let reason = format!("[{index}] didn't store _source");
                Err(ElasticError::illegal_argument(reason))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn changed(
        &self,
        script: &DocumentScript,
        index: &str,
        hit: &Hit,
    ) -> Result<ScriptResult, ElasticError> {
        let place = ScriptPlace {
            index,
            id: &hit.id,
            version: hit.version,
            now_ms: self.core().now_ms(),
            operation: "index",
        };
        script.apply(&hit.source, &place)
    }

    /// Writes `hits` to another index.
    fn copy(
        &self,
        work: &ByQuery,
        target: &Target,
        sights: &[Sight],
        hits: &[Hit],
        done: &mut ByQueryDone,
    ) {
        let mut writes = Vec::with_capacity(hits.len());
        for hit in hits {
            let index = sights[hit.part].instant.topic.name.as_str();
            let changed = match &work.request.script {
                None => Ok(ScriptResult::Document(hit.source.clone())),
                Some(script) => self.changed(script, index, hit),
            };
            let (operation, document) = match changed {
                Ok(ScriptResult::Document(source)) if target.creates_only => {
                    (BulkOperation::Create, source)
                }
                Ok(ScriptResult::Document(source)) => (BulkOperation::Index, source),
                Ok(ScriptResult::Delete) => (BulkOperation::Delete, Vec::new()),
                Ok(ScriptResult::Nothing) => {
                    done.noops += 1;
                    continue;
                }
                Err(error) => {
                    done.failures.push((index.into(), hit.id.clone(), error));
                    break;
                }
            };
            writes.push(copy_of(hit, target, operation, document));
        }
        for (number, written) in self.write_documents(writes).into_iter().enumerate() {
            match written.map(|written| written.answer) {
                Ok(WriteAnswer::Created) => done.created += 1,
                Ok(WriteAnswer::Updated | WriteAnswer::Noop) => done.updated += 1,
                Ok(WriteAnswer::Deleted | WriteAnswer::NotFound) => done.deleted += 1,
                Err(error) if error.status() == 409 => done.version_conflicts += 1,
                Err(error) => {
                    let id = hits.get(number).map_or("", |hit| hit.id.as_str());
                    done.failures.push((target.index.clone(), id.into(), error));
                }
            }
        }
    }
}

/// The write of `hit` to `target`. A row that nobody gave an id gets a new one there too: its name
/// says where it is.
fn copy_of(
    hit: &Hit,
    target: &Target,
    operation: BulkOperation,
    document: Vec<u8>,
) -> DocumentWrite {
    let has_own_id = origin_of_name(hit.id.as_bytes()).is_none();
    DocumentWrite {
        index: target.index.clone(),
        id: has_own_id.then(|| hit.id.clone()),
        routing: hit.routing.clone(),
        operation,
        document: document.into(),
        condition: match target.keeps_versions {
            true => WriteCondition::External(hit.version),
            false => WriteCondition::Always,
        },
        update: None,
        require_alias: false,
        refused: None,
    }
}
