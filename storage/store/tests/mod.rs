//! Tests of the store.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

mod basic;
mod concurrent;
mod crash;
mod damage;
mod deletes;
mod fixture;
mod formats;
mod repair;
mod retention;
mod rows;
mod transactions;
mod trouble;
mod world;
