//! Why a search has no answer.

use std::sync::Arc;

use storage::memory::MemoryError;
use thiserror::Error;

/// Why a search has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The answer would have more buckets than it may.
    #[error("the answer has more than {buckets_max} buckets; the limit is search.max_buckets")]
    TooManyBuckets {
        /// The limit.
        buckets_max: usize,
    },
    /// The search would hold more state than it may.
    #[error("the search needs more than {state_bytes_max} bytes of state")]
    StateTooLarge {
        /// What it came to.
        state_bytes: usize,
        /// The limit.
        state_bytes_max: usize,
    },
    /// Everything in memory together would be more than it may be.
    #[error("the search needs more memory than there is: {0}")]
    Memory(#[from] MemoryError),
    /// A pattern that cannot be read, or would take too much memory.
    #[error("cannot read pattern '{pattern}'")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// Terms of a number field are chosen by value, never by pattern.
    #[error("a pattern cannot choose terms of the number field '{column}'")]
    PatternOverNumbers {
        /// The field's column.
        column: Arc<str>,
    },
    /// The values of a field are of another kind than the search takes them for.
    #[error("field '{column}' cannot be used here: its values are of another type")]
    WrongKind {
        /// The field's column.
        column: Arc<str>,
    },
    /// A moving function would look at too many values.
    #[error("windows of {window} values over {bucket_count} buckets are too many values")]
    WindowTooLarge {
        /// Values of a window.
        window: usize,
        /// Buckets.
        bucket_count: usize,
    },
    /// A row has several weights.
    #[error("field '{column}' has several values in one row, so none of them is its weight")]
    SeveralWeights {
        /// The field's column.
        column: Arc<str>,
    },
    /// A script reads a value that a row does not have.
    #[error("a row has no value of field '{column}', which a script reads")]
    ScriptWithoutValue {
        /// The field's column.
        column: Arc<str>,
    },
    /// A script divides a whole number by zero.
    #[error("a script divides a whole number by zero")]
    ScriptDividesByZero,
    /// Rows cannot be read.
    #[error("cannot read the rows of the search")]
    Rows(#[from] storage::segment::SegmentError),
    /// Searches over several topics ask for different aggregations, or for terms of fields that are
    /// texts in one and numbers in another.
    #[error("the topics of the search do not fit together at aggregation '{aggregation}'")]
    DifferentShapes {
        /// The aggregation's name.
        aggregation: String,
    },
    /// A column has more distinct terms than can be counted.
    #[error("the sources of the search have more than 2^32 distinct terms")]
    TooManyTerms,
    /// The threads of a pool cannot be started.
    #[error("cannot start {threads} threads for searches")]
    Threads {
        /// How many were wanted.
        threads: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
    /// Nobody waits for the answer any more.
    #[error("the search was ended because nobody waits for its answer")]
    Stopped,
}
