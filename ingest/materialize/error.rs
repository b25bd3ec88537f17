//! Why rows cannot be made.

use storage::log::BatchError;
use storage::model::{Offset, Partition};
use storage::store::{ReadError, StoreError};
use thiserror::Error;

/// Why rows cannot be made. Records that cannot become rows are none of these: they are rejected.
#[derive(Debug, Error)]
pub enum MaterializeError {
    /// The store as a whole.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log holds something that is no batch.
    #[error("log of partition {partition} from offset {from}: {source}")]
    Batch {
        /// The partition.
        partition: Partition,
        /// Where reading began.
        from: Offset,
        /// What is wrong.
        source: BatchError,
    },
    /// The log has no batch where one must be.
    #[error("log of partition {partition}: no batch holds offset {from}")]
    Hole {
        /// The partition.
        partition: Partition,
        /// The offset.
        from: Offset,
    },
}
