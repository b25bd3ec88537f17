//! Scrubbing and repair: damage is found while nobody needs the data, and a segment is made anew
//! from the log where that reaches back.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ingest::materialize::RowsAgain;
use storage::catalog::SegmentId;
use storage::model::TopicId;
use storage::store::{Repaired, ScrubFinding, ScrubPass, ScrubProgress};

use super::{Core, Db};
use crate::error::{Error, Result};

/// Bytes that one step of scrubbing reads, about.
const STEP_BYTES: usize = 1 << 20;

/// How often it is looked at whether a pass is due.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// After a start the machine has better things to do, for so many milliseconds.
const FIRST_PASS_AFTER_MS: i64 = 60_000;

/// How many findings are remembered in words; all are counted.
const FINDINGS_KEPT_MAX: usize = 100;

/// What scrubbing has seen since the store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScrubStatus {
    /// How far the pass is that is under way.
    pub running: Option<ScrubProgress>,
    /// Passes that came to their end.
    pub passes: u64,
    /// When the last one did.
    pub finished_ms: Option<i64>,
    /// What the last one read.
    pub last: Option<ScrubProgress>,
    /// Damages found, by scrubbing or by searches.
    pub findings: u64,
    /// Segments that were made anew from the log.
    pub repaired: u64,
    /// The newest findings and what became of them, in words, oldest first.
    pub messages: VecDeque<String>,
}

/// What scrubbing keeps between steps.
#[derive(Debug, Default)]
pub(super) struct Scrubbing {
    pass: Option<ScrubPass>,
    status: ScrubStatus,
    /// When the first pass may begin.
    first_ms: Option<i64>,
    /// Segments that were tried to repair; what does not work once does not work again.
    tried: HashSet<SegmentId>,
}

/// What [`Db::repair`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepairReport {
    /// Segments that answer again, in words.
    pub repaired: Vec<String>,
    /// What stays damaged and what to do about it, in words.
    pub remaining: Vec<String>,
}

impl Core {
    /// Takes a step of scrubbing, if one is due; says how long to wait before the next.
    pub(crate) fn scrub_step(&self) -> Result<Duration> {
        let rate = self.options.scrub_bytes_per_second;
        self.repair_step()?;
        if rate == 0 || !self.begin_pass_if_due() {
            return Ok(IDLE_WAIT);
        }
        let mut scrubbing = self.scrubbing();
        let Some(pass) = &mut scrubbing.pass else {
            return Ok(IDLE_WAIT);
        };
        let before = pass.progress().bytes;
        let findings = self.store.scrub(pass, STEP_BYTES);
        let progress = pass.progress();
        scrubbing.status.running = Some(progress);
        for finding in &findings {
            let text = self.in_words(finding);
            tracing::warn!(finding = %text, "scrubbing has found damage");
            scrubbing.status.note(text);
        }
        if scrubbing.pass.as_ref().is_some_and(ScrubPass::is_done) {
            scrubbing.pass = None;
            scrubbing.status.running = None;
            scrubbing.status.passes += 1;
            scrubbing.status.finished_ms = Some(self.now_ms());
            scrubbing.status.last = Some(progress);
            tracing::info!(?progress, "scrubbing has read everything");
        }
        let read_bytes = progress.bytes - before;
        Ok(Duration::from_secs_f64(read_bytes as f64 / rate as f64))
    }

    /// Whether a pass is under way, which may begin now.
    fn begin_pass_if_due(&self) -> bool {
        let now_ms = self.now_ms();
        let mut scrubbing = self.scrubbing();
        if scrubbing.pass.is_some() {
            return true;
        }
        let first_ms = *scrubbing
            .first_ms
            .get_or_insert(now_ms + FIRST_PASS_AFTER_MS);
        let due_ms = match scrubbing.status.finished_ms {
            Some(finished_ms) => finished_ms.saturating_add(self.options.scrub_interval_ms),
            None => first_ms,
        };
        if now_ms < due_ms {
            return false;
        }
        scrubbing.pass = Some(self.store.begin_scrub());
        true
    }

    /// Tries to repair segments that are known to be damaged, each once.
    fn repair_step(&self) -> Result<()> {
        for (topic, segment, what) in self.store.damaged_segments() {
            if !self.scrubbing().tried.insert(segment.id) {
                continue;
            }
            let file = &segment.file;
            let outcome = self.repair(topic, segment.id);
            // A failure of the store stops it; any other one leaves the segment as it is.
            self.store.check()?;
            let mut scrubbing = self.scrubbing();
            let text = match outcome {
                Ok(Repaired::Done(_)) => {
                    scrubbing.status.repaired += 1;
                    format!("segment '{file}' ({what}) was made anew from the log")
                }
                Ok(Repaired::Outdated) => format!("segment '{file}' ({what}) is gone"),
                Ok(Repaired::Not(why)) => format!("segment '{file}' ({what}) stays out: {why}"),
                Err(error) => format!("segment '{file}' ({what}) stays out: {error}"),
            };
            tracing::warn!(outcome = %text, "a damaged segment");
            scrubbing.status.remember(text);
        }
        Ok(())
    }

    /// Makes a damaged segment anew from the log.
    fn repair(&self, topic: TopicId, segment: SegmentId) -> Result<Repaired> {
        let Some(lost) = self.store.lost_rows(topic, segment)? else {
            return Ok(Repaired::Outdated);
        };
        let lost = match lost {
            Ok(lost) => lost,
            Err(why) => return Ok(Repaired::Not(why)),
        };
        let Some(state) = self.store.catalog().topic(topic).cloned() else {
            return Ok(Repaired::Outdated);
        };
        let mut rows = RowsAgain::new(&self.store, &state.topic, &lost);
        self.store
            .repair(&lost, &mut || Ok::<_, Error>(rows.next_batch()?))
    }

    fn in_words(&self, finding: &ScrubFinding) -> String {
        let catalog = self.store.catalog();
        let name = |topic: TopicId| match catalog.topic(topic) {
            Some(state) => state.topic.name.to_string(),
            None => topic.0.to_string(),
        };
        match finding {
            ScrubFinding::Segment {
                topic,
                segment,
                what,
            } => format!(
                "topic '{}': segment '{}': {what}",
                name(*topic),
                segment.file
            ),
            ScrubFinding::Overlay {
                topic,
                segment,
                what,
                is_mended,
            } => format!(
                "topic '{}': overlay of segment '{}': {what}; {}",
                name(*topic),
                segment.file,
                match is_mended {
                    true => "it was written anew",
                    false => "it is in memory until the next start",
                }
            ),
            ScrubFinding::Log {
                partition,
                offset,
                what,
            } => format!(
                "topic '{}': log of partition {} at offset {offset}: {what}; restore the folder \
                 'log/{partition}' from a copy",
                name(partition.topic),
                partition.id.0
            ),
        }
    }

    fn scrubbing(&self) -> MutexGuard<'_, Scrubbing> {
        lock(&self.scrubbing)
    }
}

impl ScrubStatus {
    fn note(&mut self, text: String) {
        self.findings += 1;
        self.remember(text);
    }

    fn remember(&mut self, text: String) {
        if self.messages.len() == FINDINGS_KEPT_MAX {
            self.messages.pop_front();
        }
        self.messages.push_back(text);
    }
}

impl Db {
    /// What scrubbing has seen since the store was opened.
    #[must_use]
    pub fn scrub_status(&self) -> ScrubStatus {
        self.core().scrubbing().status.clone()
    }

    /// Reads everything once, as fast as the disk allows, and makes damaged segments anew from the
    /// log. Says how many bytes of how many are read through `progress`.
    ///
    /// # Errors
    /// When the store has stopped.
    pub fn repair(&self, mut progress: impl FnMut(u64, u64)) -> Result<RepairReport> {
        let core = self.core();
        core.health.check()?;
        let mut report = RepairReport::default();
        let mut pass = core.store.begin_scrub();
        while !pass.is_done() {
            for finding in core.store.scrub(&mut pass, STEP_BYTES) {
                match finding {
                    ScrubFinding::Overlay {
                        is_mended: true, ..
                    } => report.repaired.push(core.in_words(&finding)),
                    ScrubFinding::Overlay { .. } | ScrubFinding::Log { .. } => {
                        report.remaining.push(core.in_words(&finding));
                    }
                    // Made anew below, or named there.
                    ScrubFinding::Segment { .. } => {}
                }
            }
            let seen = pass.progress();
            progress(seen.bytes, seen.bytes_total.max(seen.bytes));
        }
        for (topic, segment, what) in core.store.damaged_segments() {
            let file = &segment.file;
            match core.repair(topic, segment.id) {
                Ok(Repaired::Done(made)) => {
                    let rows = made.row_count;
                    let text = format!("segment '{file}' ({what}): {rows} rows made anew");
                    report.repaired.push(text);
                }
                Ok(Repaired::Outdated) => {}
                Ok(Repaired::Not(why)) => {
                    report
                        .remaining
                        .push(format!("segment '{file}' ({what}): {why}"));
                }
                Err(error) => {
                    core.store.check()?;
                    report
                        .remaining
                        .push(format!("segment '{file}' ({what}): {error}"));
                }
            }
        }
        core.store.remove_retired_files()?;
        Ok(report)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A step that panicked has at most lost its own finding.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
