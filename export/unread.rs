//! What an export lacks because it cannot be read: it goes on without, and says so.

use std::fmt;
use std::sync::Arc;

use storage::segment::RowSource;
use storage::store::TopicSnapshot;

/// Rows that are not in an export because they cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// At most so many.
    pub rows: u64,
    /// What is damaged.
    pub reason: Arc<str>,
}

impl fmt::Display for Unread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, reason } = self;
        write!(
            formatter,
            "up to {rows} rows are missing because they cannot be read ({reason}); `siltstone \
             repair` makes their segment anew as far as the log reaches back"
        )
    }
}

/// What `snapshot` lacks from the start.
pub(crate) fn unread_of(snapshot: &TopicSnapshot) -> Vec<Unread> {
    let failures = snapshot.failures.iter();
    failures
        .map(|failure| Unread {
            rows: failure.segment.row_count,
            reason: failure.reason.clone(),
        })
        .collect()
}

/// What was found damaged of `source`, after a read of it has failed; `None` when it was something
/// else that failed.
pub(crate) fn damage_of(source: &RowSource) -> Option<Arc<str>> {
    match source {
        RowSource::Segment(rows) => rows.damage().cloned(),
        RowSource::Active(_) => None,
    }
}
