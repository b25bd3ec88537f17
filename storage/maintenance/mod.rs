//! What should be done to the segments of a topic: decisions as pure functions of what the catalog
//! says. Carrying them out is the store's matter, when to ask is the shell's.

mod merging;

#[cfg(test)]
mod tests;

pub use merging::{MERGE_BYTES_MAX, MERGE_INPUTS_MAX, MERGE_ROWS_MAX, MergePolicy};
