//! A consumer group of the classic protocol as a pure state machine.
//!
//! ```text
//!            join                      all joined, or time is up
//!  Empty ──────────→ PreparingRebalance ───────────────────────→ CompletingRebalance
//!    ↑                  ↑    │ nobody left                         │ the leader's sync
//!    └──────────────────┼────┘                                     ↓
//!                       └────── join, leave, silence ────────── Stable
//! ```
//!
//! [`Group`] takes what members say and the time, and returns what is to be done about it: which
//! of the parked requests are answered with what ([`Effect`]), and when to look again
//! ([`Group::deadline_ms`]). What members read and how it is shared out is theirs alone; the bytes
//! are handed on.
//!
//! Nothing here knows a connection, a store, a clock or Kafka's messages.

mod commit;
pub mod consumer;
mod deadlines;
mod description;
mod join;
mod leave;
mod member;
mod rebalance;
mod state;
mod subscription;
mod sync;

#[cfg(test)]
mod tests;

pub use join::{Join, Joined, JoinedMember};
pub use leave::Leaver;
pub use member::{Member, MemberName, Protocol};
pub use state::{Effect, Group, GroupError, GroupLimits, Phase, Ticket};
pub use sync::{Sync, Synced};
