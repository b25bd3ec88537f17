//! What it costs to append documents until they are durable, and until they are rows.
//!
//! `cargo bench --bench append`: 10,000 documents of one call of the library, to a store in memory
//! and to one in a folder, where each append waits for the disk's sync.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use siltstone::{Db, Options};
use tempfile::TempDir;

use self::rows::{APPEND_ROWS, documents};

mod rows;

/// Few enough calls that nothing is sealed while they are measured.
const SAMPLES: usize = 10;

fn appends(criterion: &mut Criterion) {
    let documents = documents(0..APPEND_ROWS);
    let options = || Options {
        merge: false,
        scrub_bytes_per_second: 0,
        ..Options::default()
    };
    let append = |db: &Db| rows::append(db, &documents).expect("durable");
    let append_rows = |db: &Db| {
        append(db);
        db.refresh("t").expect("rows");
    };
    let mut group = criterion.benchmark_group("append");
    group.sample_size(SAMPLES);
    group.throughput(Throughput::Elements(APPEND_ROWS as u64));
    let memory = || {
        let db = Db::builder().in_memory().options(options()).open();
        db.expect("a store")
    };
    group.bench_function("memory_durable", |bencher| {
        bencher.iter_batched_ref(memory, |db| append(db), BatchSize::PerIteration);
    });
    group.bench_function("memory_rows", |bencher| {
        bencher.iter_batched_ref(memory, |db| append_rows(db), BatchSize::PerIteration);
    });
    let folder = TempDir::new().expect("a folder");
    let db = Db::builder().path(folder.path()).options(options()).open();
    let db = db.expect("a store");
    group.bench_function("folder_durable", |bencher| bencher.iter(|| append(&db)));
    group.bench_function("folder_rows", |bencher| bencher.iter(|| append_rows(&db)));
    group.finish();
    db.close().expect("closed in good order");
}

criterion_group!(benches, appends);
criterion_main!(benches);
