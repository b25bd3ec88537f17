//! The catalog: which topics exist, which segments hold their rows, how far each partition's log
//! has become rows.
//!
//! A [`Catalog`] is an immutable value. An [`Edit`] is one atomic change of it, and applying one
//! is a pure function; where edits are logged and when they count is the store's matter. A
//! [`CheckpointStore`] keeps the encoded state of one instant so that the journal can be trimmed.
//!
//! Nothing here knows what a row holds, what a batch is, or how a query reads either.

mod checkpoint;
mod dead_letters;
mod definition;
mod edit;
mod entries;
mod hex;
mod log_rules;
mod memory;
mod rejected;
#[cfg(feature = "rocksdb")]
mod rocks;
mod segment_meta;
mod state;
mod topic;

#[cfg(test)]
mod tests;

pub use checkpoint::{CatalogError, CheckpointStore, Entries, EntryChange};
pub use dead_letters::{DEAD_LETTER_SUFFIX, DeadLetterState};
pub use definition::DefinitionKind;
pub use edit::{CatalogChange, EDIT_VERSION, Edit, EditDecodeError, EditError};
pub use entries::{CHECKPOINT_FORMAT_VERSION, decode_entry, difference, encode_entry};
pub use log_rules::LogRules;
pub use memory::MemoryCheckpoint;
pub use rejected::{
    REJECTED_KEPT_MAX, REJECTED_REASONS_MAX, RejectKind, Rejected, RejectedRecords,
};
#[cfg(feature = "rocksdb")]
pub use rocks::RocksCheckpoint;
pub use segment_meta::{OverlayMeta, SegmentId, SegmentMeta};
pub use state::{Catalog, PARTITIONS_MAX, TopicState};
pub use topic::{Dynamic, Materialize, TimeField, Topic};
