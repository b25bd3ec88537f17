//! One function for each decoder of bytes from outside. None may panic or ask for memory out of
//! proportion, whatever it is given.
//!
//! - from a Kafka client: [`wire_request`], [`record_batch`], [`document`]
//! - from an Elasticsearch client: [`search_body`], [`query_string`], [`bulk`], [`index_body`],
//!   [`dates`]
//! - from the disk: [`journal`], [`segment`], [`edit`], [`store`]
//!
//! `cargo test` runs each for a moment. For as long as one likes, by seconds of the processor:
//! `cargo run -p siltstone-fuzz --profile quick -- segment --seconds 480` (see [`runner`]).

mod arrival;
mod elastic;
pub mod runner;
mod seeds;
mod state;

pub use arrival::{document, record_batch, wire_request};
pub use elastic::{bulk, dates, index_body, query_string, search_body};
pub use seeds::{
    SEGMENT, batch, edit_bytes, journal_file, mutate, reseal_batch, reseal_checkpoint,
    reseal_journal, reseal_pages, reseal_segment, store_files,
};
pub use state::{edit, journal, segment, segment_fault, store};
