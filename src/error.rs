//! One error for embedders and for the edges: what a caller can do about it, and a sentence.
//!
//! Each module below has its own error enum; only this file knows them all.

use std::error::Error as StdError;
use std::fmt;

use export::ExportError;
use ingest::materialize::MaterializeError;
use query::QueryError;
use storage::catalog::CatalogError;
use storage::model::NameError;
use storage::store::StoreError;

use crate::elastic::ElasticError;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request makes no sense as it is: change it.
    Invalid,
    /// What it names does not exist.
    NotFound,
    /// What it would create exists.
    Exists,
    /// Another write came first: read again, then decide.
    Conflict,
    /// A named limit would be passed: ask for less.
    LimitExceeded,
    /// Not now: try again later.
    Unavailable,
    /// Bytes on disk are not what was written: run `siltstone verify`.
    Corrupt,
    /// The store was closed or has stopped after a failure: open it again.
    Closed,
    /// A defect of Siltstone or of the machine: report it.
    Internal,
}

/// What went wrong.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A result whose error is `Error`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// An error of `kind` caused by `source`, in its words.
    pub(crate) fn caused(
        kind: ErrorKind,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        Self {
            kind,
            message: source.to_string(),
            source: Some(source),
        }
    }

    /// The same error with what was attempted put in front.
    #[must_use]
    pub fn while_doing(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same in Elasticsearch's words.
    pub(crate) fn into_elastic(self) -> ElasticError {
        let source = self
            .source
            .and_then(|source| source.downcast::<ElasticError>().ok());
        if let Some(error) = source {
            return *error;
        }
        let (status, error_type) = match self.kind {
            ErrorKind::Invalid => (400, "illegal_argument_exception"),
            ErrorKind::NotFound => (404, "resource_not_found_exception"),
            ErrorKind::Exists => (400, "resource_already_exists_exception"),
            ErrorKind::Conflict => (409, "version_conflict_engine_exception"),
            ErrorKind::LimitExceeded => (413, "illegal_argument_exception"),
            ErrorKind::Unavailable => (429, "es_rejected_execution_exception"),
            ErrorKind::Closed => (503, "node_closed_exception"),
            ErrorKind::Corrupt | ErrorKind::Internal => (500, "exception"),
        };
        ElasticError::new(status, error_type, self.message)
    }

    /// Whether it says that the disk has no room, and nothing else is wrong.
    pub(crate) fn is_disk_full(&self) -> bool {
        let source = self.source.as_ref();
        let error = source.and_then(|source| source.downcast_ref::<ElasticError>());
        error.is_some_and(ElasticError::is_disk_full)
    }

    /// What can be done about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message repeats the direct cause's words, so the chain goes on below it.
        self.source.as_ref().and_then(|source| source.source())
    }
}

impl From<ElasticError> for Error {
    fn from(error: ElasticError) -> Self {
        let kind = match (error.status(), error.error_type()) {
            (_, "resource_already_exists_exception") => ErrorKind::Exists,
            (_, "too_many_buckets_exception") | (413, _) => ErrorKind::LimitExceeded,
            (404, _) => ErrorKind::NotFound,
            (409, _) => ErrorKind::Conflict,
            (429 | 503, _) => ErrorKind::Unavailable,
            (400..500, _) => ErrorKind::Invalid,
            _ => ErrorKind::Internal,
        };
        Self::caused(kind, error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if error.is_disk_full() {
            return ElasticError::disk_full(&error.to_string()).into();
        }
        let kind = match &error {
            StoreError::Stopped(_) | StoreError::Closed => ErrorKind::Closed,
            StoreError::UnknownTopic(_) => ErrorKind::NotFound,
            StoreError::Edit(_) => ErrorKind::Invalid,
            StoreError::EditTooLarge { .. } => ErrorKind::LimitExceeded,
            StoreError::Io { .. } | StoreError::DiskFull { .. } => ErrorKind::Unavailable,
            StoreError::NotNext { .. } | StoreError::ActiveRows(_) => ErrorKind::Internal,
            StoreError::Catalog(_)
            | StoreError::Journal(_)
            | StoreError::JournalRecord { .. }
            | StoreError::JournalGap { .. }
            | StoreError::Log { .. }
            | StoreError::Segment { .. }
            | StoreError::SegmentFile { .. } => ErrorKind::Corrupt,
        };
        Self::caused(kind, error)
    }
}

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        Self::caused(ErrorKind::Corrupt, error)
    }
}

impl From<MaterializeError> for Error {
    fn from(error: MaterializeError) -> Self {
        match error {
            MaterializeError::Store(error) => error.into(),
            error => Self::caused(ErrorKind::Internal, error),
        }
    }
}

impl From<ExportError> for Error {
    fn from(error: ExportError) -> Self {
        let kind = match &error {
            ExportError::Field { .. } | ExportError::NoTimeField => ErrorKind::Invalid,
            ExportError::TooManyCells { .. } => ErrorKind::LimitExceeded,
            ExportError::Rows(_) => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        };
        match error {
            ExportError::Query(error) => error.into(),
            other => Self::caused(kind, other),
        }
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        ElasticError::new(400, "invalid_index_name_exception", error.to_string()).into()
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        let reason = error.to_string();
        match error {
            QueryError::TooManyBuckets { buckets_max } => {
                ElasticError::too_many_buckets(buckets_max).into()
            }
            QueryError::StateTooLarge {
                state_bytes,
                state_bytes_max,
            } => ElasticError::circuit_broken("request", state_bytes, state_bytes_max).into(),
            QueryError::Memory(error) => {
                let wanted = error.used_bytes + error.wanted_bytes;
                ElasticError::circuit_broken("parent", wanted, error.limit_bytes).into()
            }
            QueryError::Rows(error) => Self::caused(ErrorKind::Corrupt, error),
            QueryError::Stopped => ElasticError::canceled(&reason).into(),
            QueryError::ScriptWithoutValue { .. } => script_failed(
                "illegal_state_exception",
                "A document doesn't have a value for a field! Use doc[<field>].size()==0 to check \
                 if a document is missing a field!",
            )
            .into(),
            QueryError::ScriptDividesByZero => {
                script_failed("arithmetic_exception", "/ by zero").into()
            }
            _ => ElasticError::illegal_argument(reason).into(),
        }
    }
}

/// A script that failed at a row.
fn script_failed(error_type: &str, reason: &str) -> ElasticError {
    ElasticError::new(400, "script_exception", "runtime error")
        .caused_by(ElasticError::new(400, error_type, reason))
}
