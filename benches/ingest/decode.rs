//! How fast documents become rows, on one thread, without a log.
//!
//! `cargo run --profile quick -p siltstone-ingest --example decode -- [FILE.ndjson]`: documents of
//! the file (its first 2,000,000 lines), or synthetic transactions.

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Instant;

use siltstone_ingest::decode::{Document, DocumentDecoder};
use storage::catalog::{Dynamic, Materialize, Topic};
use storage::model::{Mapping, Offset, PartitionId, TopicId, TopicName};

mod transactions;

const DOCUMENTS: usize = 2_000_000;

/// Rows of a batch, as the materializer publishes them.
const BATCH_ROWS: usize = 1 << 16;

const ROUNDS: usize = 3;

fn main() {
    let documents = match std::env::args().nth(1) {
        Some(path) => {
            let file = std::fs::File::open(path).expect("the file can be read");
            let lines = BufReader::new(file).lines().take(DOCUMENTS);
            lines.map(|line| line.expect("a line of text")).collect()
        }
        None => {
            let mut source = transactions::Transactions::default();
            let mut next = String::new();
            let mut make = || {
                source.write_next(&mut next);
                next.clone()
            };
            (0..DOCUMENTS).map(|_| make()).collect::<Vec<String>>()
        }
    };
    let bytes: usize = documents.iter().map(String::len).sum();
    println!(
        "{} documents of {:.1} bytes",
        documents.len(),
        bytes as f64 / documents.len() as f64
    );
    for _ in 0..ROUNDS {
        round(&documents, bytes);
    }
}

fn round(documents: &[String], bytes: usize) {
    let mut decoder = DocumentDecoder::new(&topic());
    let (mut own_bytes, mut memory, mut batches) = (0, 0, 0);
    let start = Instant::now();
    for (number, text) in documents.iter().enumerate() {
        let document = Document {
            partition: PartitionId(0),
            offset: Offset(number as u64),
            timestamp_ms: 0,
            id: None,
            source: text.as_bytes(),
        };
        decoder.decode(&document).expect("a document");
        if decoder.row_count() == BATCH_ROWS {
            let rows = decoder.finish().rows;
            own_bytes += rows.sources.bytes.len();
            memory += storage::segment::ActiveChunk::new(rows).memory_bytes();
            batches += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:.2} M documents/s, {:.0} MB/s; {:.2} own bytes and {:.1} bytes of memory a row",
        documents.len() as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6,
        own_bytes as f64 / f64::from(batches * BATCH_ROWS as i32),
        memory as f64 / f64::from(batches * BATCH_ROWS as i32),
    );
}

fn topic() -> Topic {
    Topic {
        id: TopicId(1),
        name: TopicName::parse("bench").expect("a name"),
        uuid: [0; 16],
        partitions: 1,
        routing_partitions: None,
        created_ms: 0,
        config: Default::default(),
        settings: Default::default(),
        dynamic: Dynamic::True,
        mapping: Arc::new(Mapping::default()),
        time_field: None,
        materialize: Materialize::Auto,
    }
}
