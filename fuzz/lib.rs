//! One function for each decoder of bytes from outside. None may panic or ask for memory out of
//! proportion, whatever it is given.
//!
//! `cargo test` runs each for a moment; `PROPTEST_CASES=10000000 cargo test --release -p siltstone-fuzz`
//! for as long as one likes.

mod seeds;

use bytes::Bytes;
use storage::log::{DecompressionBuffer, RecordBatch};

pub use seeds::{batch, mutate, reseal_batch};

/// A Kafka request frame.
pub fn wire_request(input: &[u8]) {
    // Either answer will do; what counts is that there is one.
    let _ = ingest::wire::decode_request(&Bytes::copy_from_slice(input));
}

/// A record batch of a producer: parsed, and every record of it read.
pub fn record_batch(input: &[u8]) {
    let Ok(batch) = RecordBatch::parse(Bytes::copy_from_slice(input)) else {
        return;
    };
    let mut buffer = DecompressionBuffer::default();
    let Ok(records) = batch.records(&mut buffer) else {
        return;
    };
    for record in records {
        if record.is_err() {
            return;
        }
    }
}
