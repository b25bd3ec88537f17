//! What a document costs to decode to a row, on one thread.
//!
//! `cargo bench -p siltstone-ingest --bench decode`: synthetic transactions of 326 bytes, a batch of
//! rows at a time, as the materializer does it. `examples/decode` does the same with a file.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use self::documents::{BATCH_ROWS, decode, transactions};

mod documents;
mod transactions;

fn decoding(criterion: &mut Criterion) {
    let documents = transactions(BATCH_ROWS);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(documents.len() as u64));
    group.bench_function("transactions", |bencher| {
        bencher.iter(|| decode(&documents, |rows| drop(black_box(rows))));
    });
}

criterion_group!(benches, decoding);
criterion_main!(benches);
