//! Failures of a search in Elasticsearch's words.

use query::QueryError;

use super::ElasticError;

/// Fails while it runs: the caller names the index with `on_shard`.
impl From<&QueryError> for ElasticError {
    fn from(error: &QueryError) -> Self {
        match error {
            QueryError::TooManyBuckets { buckets_max } => Self::too_many_buckets(*buckets_max),
            QueryError::StateTooLarge { .. } => {
                Self::new(429, "circuit_breaking_exception", error.to_string())
            }
            QueryError::Pattern { .. }
            | QueryError::PatternOverNumbers { .. }
            | QueryError::WrongKind { .. }
            | QueryError::DifferentShapes { .. } => Self::illegal_argument(error.to_string()),
            other => Self::new(500, "exception", other.to_string()),
        }
    }
}
