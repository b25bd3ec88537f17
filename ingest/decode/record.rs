//! What a record of the log says: nothing, a document, or an operation on one.

use storage::log::Record;
use storage::model::{PartitionId, origin_of_name};

use super::routing::Spread;

/// Header of records that are writes of documents by id. Other producers' records have none; their
/// keys are theirs and no ids.
pub const OPERATION_HEADER: &str = "siltstone.op";

/// Header of such records with the version of the document from now on, where it is not 1.
pub const VERSION_HEADER: &str = "siltstone.version";

/// Header of such records with the routing of the document, where it has one.
pub const ROUTING_HEADER: &str = "siltstone.routing";

/// Longest id, in bytes.
pub const ID_BYTES_MAX: usize = 512;

/// What a write of a document does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The document, whether there is one with its id or not.
    Index,
    /// The document, when there was none with its id.
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
        id: Option<&'a str>,
        /// Its version, from 1 on.
        version: u64,
        /// The routing that its writer gave.
        routing: Option<&'a str>,
        /// Its bytes.
        source: &'a [u8],
    },
    /// There is no document with this id any more.
    Delete {
        /// The id.
        id: &'a str,
        /// The version that its deletion has.
        version: u64,
    },
    /// An operation that no writer of ours has written: anybody can give a record these headers.
    Malformed(&'static str),
}

impl<'a> Meaning<'a> {
    /// What `record` says, which lies in `partition` of a topic with this `spread`.
    ///
    /// An operation counts only where its id belongs, so that all records of an id have one order
    /// and whatever a stranger writes is what a writer of ours might have written.
    #[must_use]
    pub fn of(record: &Record<'a>, partition: PartitionId, spread: Spread) -> Self {
        let header = |name: &str| match record.headers.count() {
            0 => None,
            _ => record.headers.last(name.as_bytes()),
        };
        let Some(operation) = header(OPERATION_HEADER) else {
            return match record.value {
                None => Self::Nothing,
                Some(source) => Self::Document {
                    id: None,
                    version: 1,
                    routing: None,
                    source,
                },
            };
        };
        let Some(operation) = operation.and_then(Operation::parse) else {
            return Self::Malformed("an operation on a document that nobody knows");
        };
        let version = match header(VERSION_HEADER) {
            None => Some(1),
            Some(text) => text.and_then(parse_version),
        };
        let Some(version) = version else {
            return Self::Malformed("a version of a document that is no number from 1 on");
        };
        let Ok(routing) = header(ROUTING_HEADER)
            .flatten()
            .map(std::str::from_utf8)
            .transpose()
        else {
            return Self::Malformed("a routing of a document that is no text");
        };
        let id = match record.key.map(std::str::from_utf8) {
            None => None,
            Some(Ok(id)) if !id.is_empty() && id.len() <= ID_BYTES_MAX => Some(id),
            Some(_) => return Self::Malformed("an operation on a document whose id cannot be one"),
        };
        if let Some(id) = id {
            let is_later = |offset| offset >= record.offset;
            let belongs = spread.partition_of(id.as_bytes()) == partition;
            let origin = origin_of_name(id.as_bytes()).filter(|origin| origin.0 == partition);
            if !belongs || origin.is_some_and(|(_, offset)| is_later(offset)) {
                return Self::Malformed("an operation on a document where its id does not belong");
            }
        }
        match (operation, id, record.value) {
            (Operation::Index | Operation::Create, _, None) => Self::Nothing,
            (Operation::Index | Operation::Create, id, Some(source)) => Self::Document {
                id,
                version,
                routing,
                source,
            },
            (Operation::Delete, Some(id), _) => Self::Delete { id, version },
            (Operation::Delete, None, _) => Self::Malformed("a delete of a document without id"),
        }
    }
}

/// Versions are positive and fit the signed integers that clients have.
fn parse_version(text: &[u8]) -> Option<u64> {
    let version: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (version >= 1 && i64::try_from(version).is_ok()).then_some(version)
}
