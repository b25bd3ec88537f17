//! The order in which things were staged.

/// A place in the order of staging. What has it is durable once the store's durable [`Lsn`] is
/// not below it. Counts from 1 at each opening; 0 is durable from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Lsn(pub u64);
