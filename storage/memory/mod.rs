//! One account of memory for everything that a store keeps.
//!
//! Whoever keeps something counts it here, and stops counting it by dropping a [`Held`]. What can
//! be made again, the caches, gives way when somebody needs the room; what a search needs beyond
//! that is refused; what exists already is counted in any case, so that arriving records see how
//! much is taken and wait ([`MemoryBudget::is_full`]).
//!
//! Nothing here knows what the bytes are, allocates them, or reads how large the process is.

mod budget;
mod held;

#[cfg(test)]
mod tests;

pub use budget::{GivesWay, MEMORY_BYTES, MemoryBudget, MemoryError, MemoryUse};
pub use held::Held;
