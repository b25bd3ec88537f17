//! The broker, asked with bytes and answering with bytes, over a store in memory.

mod fetching;
mod fixture;
mod hostile;
mod idempotence;
mod producing;
mod topics;
