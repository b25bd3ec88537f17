//! Tests of the store.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

mod basic;
mod crash;
mod fixture;
mod world;
