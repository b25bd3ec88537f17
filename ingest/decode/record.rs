//! What a record of the log says: nothing, a document, or an operation on one.

use storage::log::Record;

/// Header of records that are writes of documents by id. Other producers' records have none; their
/// keys are theirs and no ids.
pub const OPERATION_HEADER: &str = "siltstone.op";

/// What a write of a document does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The document, whether there is one with its id or not.
    Index,
    /// The document, when there is none with its id.
    Create,
    /// No document with this id any more.
    Delete,
}

impl Operation {
    /// The header's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        [Self::Index, Self::Create, Self::Delete]
            .into_iter()
            .find(|operation| operation.as_str().as_bytes() == text)
    }
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// Nothing: a tombstone.
    Nothing,
    /// A document.
    Document {
        /// The id that its writer gave.
        id: Option<&'a [u8]>,
        /// Its bytes.
        source: &'a [u8],
    },
    /// An operation that rows do not follow yet, or one nobody knows.
    Unsupported,
}

impl<'a> Meaning<'a> {
    /// What `record` says.
    #[must_use]
    pub fn of(record: &Record<'a>) -> Self {
        let header = match record.headers.count() {
            0 => None,
            _ => record.headers.last(OPERATION_HEADER.as_bytes()),
        };
        let operation = header.map(|value| value.and_then(Operation::parse));
        match (operation, record.value) {
            (None | Some(Some(Operation::Index | Operation::Create)), None) => Self::Nothing,
            (None, Some(source)) => Self::Document { id: None, source },
            (Some(Some(Operation::Index | Operation::Create)), Some(source)) => Self::Document {
                id: record.key,
                source,
            },
            (Some(Some(Operation::Delete) | None), _) => Self::Unsupported,
        }
    }
}
