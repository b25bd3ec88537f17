//! Tests of the store.

mod basic;
mod crash;
mod fixture;
mod world;
