//! Consumer groups as far as they must outlive the process: what each group has read, and what is
//! known of its members.
//!
//! A [`GroupChange`] is a record of the journal; applying one to [`Groups`] never fails, so that
//! commits need no check under a lock. What a description of a group means is the matter of
//! whoever wrote it; here it is a JSON value that is kept.
//!
//! Nothing here knows the group protocol, time-outs or clients.

mod change;
mod entries;
mod state;

#[cfg(test)]
mod tests;

pub use change::{CommittedOffset, GROUP_CHANGE_VERSION, GroupChange, GroupChangeError};
pub use state::{GroupState, Groups};
