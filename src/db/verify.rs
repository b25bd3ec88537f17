//! Whether the directory still holds what was written.

use std::fmt::Write;

use storage::store::VerifyProgress;

use super::Db;
use crate::error::Result;

/// What [`Db::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was looked at, in words.
    pub checked: String,
    /// What is wrong, in words; empty when all of it holds.
    pub problems: Vec<String>,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Db {
    /// Reads every page and footer, derives rollup cells again from rows, and compares rows with
    /// the log as far as it reaches. Says what it looks at next through `progress`.
    ///
    /// # Errors
    /// When the store has stopped.
    pub fn verify(&self, mut progress: impl FnMut(&str)) -> Result<Verdict> {
        self.core().health.check()?;
        let report = self.core().store.verify(&mut |now| {
            progress(&match now {
                VerifyProgress::Segment { topic, file } => format!("{topic}: segment {file}"),
                VerifyProgress::Partition { topic, partition } => {
                    format!("{topic}: partition {}", partition.id.0)
                }
            });
        });
        let mut checked = format!("{} segments, {} rows", report.segments, report.rows);
        let _ = write!(
            checked,
            ", {} records; {} rows compared with their records",
            report.records, report.rows_compared
        );
        let mut problems = report.problems;
        let described = u64::try_from(problems.len()).unwrap_or(u64::MAX);
        if report.problem_count > described {
            problems.push(format!("and {} more", report.problem_count - described));
        }
        Ok(Verdict { checked, problems })
    }
}
