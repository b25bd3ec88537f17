//! How fast documents become rows, on one thread, without a log.
//!
//! `cargo run --profile quick -p siltstone-ingest --example decode -- [FILE.ndjson]`: documents of
//! the file (its first 2,000,000 lines), or synthetic transactions.

use std::io::{BufRead, BufReader};
use std::time::Instant;

use self::documents::{BATCH_ROWS, decode, transactions};

mod documents;
mod transactions;

const DOCUMENTS: usize = 2_000_000;

const ROUNDS: usize = 3;

fn main() {
    let documents = match std::env::args().nth(1) {
        Some(path) => {
            let file = std::fs::File::open(path).expect("the file can be read");
            let lines = BufReader::new(file).lines().take(DOCUMENTS);
            lines.map(|line| line.expect("a line of text")).collect()
        }
        None => transactions(DOCUMENTS),
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
    let (mut own_bytes, mut memory, mut batches) = (0, 0, 0);
    let start = Instant::now();
    decode(documents, |rows| {
        own_bytes += rows.sources.bytes.len();
        memory += storage::segment::ActiveChunk::new(rows).memory_bytes();
        batches += 1;
    });
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:.2} M documents/s, {:.0} MB/s; {:.2} own bytes and {:.1} bytes of memory a row",
        documents.len() as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6,
        own_bytes as f64 / f64::from(batches * BATCH_ROWS as i32),
        memory as f64 / f64::from(batches * BATCH_ROWS as i32),
    );
}
