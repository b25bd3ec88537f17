//! What a reader wants to know of transactions.

use storage::model::Offset;
use storage::store::LogBounds;

/// Kafka's number for readers that want committed records only.
const COMMITTED: i8 = 1;

/// Which records a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// All that is durable.
    Uncommitted,
    /// Nothing of transactions that are open or were aborted.
    Committed,
}

impl Isolation {
    /// By Kafka's number.
    pub(super) fn of(level: i8) -> Self {
        match level {
            COMMITTED => Self::Committed,
            _ => Self::Uncommitted,
        }
    }

    /// Where the log ends for such a reader.
    pub(super) fn end(self, bounds: &LogBounds) -> Offset {
        match self {
            Self::Uncommitted => bounds.high_watermark,
            Self::Committed => bounds.last_stable,
        }
    }
}
