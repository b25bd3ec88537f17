//! What a search costs: filters (`scan`), aggregations of rows (`aggregate`), answers from cells
//! (`rollup`), and filters that whole row groups are skipped for (`presence`).
//!
//! `cargo bench -p siltstone-query --bench answers -- [NAME]`: a million rows of a chain of blocks in
//! two segments, on every core. `examples/scan` asks the same questions of more rows.

use std::fs::File;
use std::hint::black_box;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use siltstone_query::request::{
    FieldRef, Filter, HitsRequest, Limits, RollupUse, SearchRequest, TextPredicate,
};
use siltstone_query::{ScanPool, search};
use storage::model::{
    Column, ColumnBatch, DictionaryBuilder, FieldType, Occurrence, SourceColumn, TextColumn,
};
use storage::segment::{ColumnRoles, RowSource, SegmentOptions, write_segment};

mod chain;
mod questions;

const ROWS: usize = 1_000_000;
const SEGMENTS: usize = 2;
const SPACING_MS: f64 = 300.0;

fn pool() -> ScanPool {
    let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    ScanPool::new(threads).expect("threads")
}

/// Where segments are kept for the next run.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chain");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The group that a question belongs to.
fn group_of(name: &str) -> &'static str {
    match name {
        _ if name.starts_with("cells_") => "rollup",
        "count_one_addr" | "last100_miner" | "one_miner_hour_sum" => "scan",
        _ => "aggregate",
    }
}

fn questions(criterion: &mut Criterion) {
    let sources = chain::segments(&folder(), SEGMENTS, ROWS, SPACING_MS).expect("segments");
    let (snapshot, pool) = (chain::snapshot(sources), pool());
    for (name, request) in questions::questions() {
        let mut group = criterion.benchmark_group(group_of(name));
        group.throughput(Throughput::Elements(ROWS as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| search(black_box(&request), &snapshot, &pool).expect("an answer"));
        });
    }
}

/// Rows of a row group, as the format of segments says.
const GROUP_ROWS: usize = 1 << 16;

/// A segment of sixteen row groups. One of them has rows with the term `rare`; the others have
/// `term_count` terms in turn.
fn source_with_rare(term_count: usize) -> RowSource {
    let rows = 16 * GROUP_ROWS;
    let mut terms = DictionaryBuilder::default();
    let codes = (0..rows).map(
        |row| match (9 * GROUP_ROWS..9 * GROUP_ROWS + 20).contains(&row) {
            true => terms.code(b"rare"),
            false => terms.code(format!("term-{}", row % term_count).as_bytes()),
        },
    );
    let codes = codes.collect();
    let mut sources = SourceColumn::default();
    (0..rows).for_each(|_| sources.push(b""));
    let terms = TextColumn {
        dictionary: Arc::new(terms.finish()),
        codes,
        occurrence: Occurrence::One,
    };
    let batch = ColumnBatch {
        times_ms: (0..rows as i64).collect(),
        partitions: vec![0; rows],
        offsets: (0..rows as u64).collect(),
        sources,
        columns: vec![("term".into(), Column::Text(terms))],
        ..ColumnBatch::default()
    };
    let path = folder().join(format!("rare-{term_count}.segment"));
    let mut file = File::create(&path).expect("a file");
    let (roles, options) = (ColumnRoles::default(), SegmentOptions::default());
    write_segment(&[&batch], &roles, &options, &mut file).expect("a segment");
    chain::open(&path, &Arc::default()).expect("a segment")
}

fn presence(criterion: &mut Criterion) {
    let request = SearchRequest {
        filter: Filter::Text {
            field: FieldRef {
                column: "term".into(),
                field_type: FieldType::Keyword,
            },
            predicate: TextPredicate::In([b"rare".to_vec()].into()),
        },
        aggregations: Vec::new(),
        hits: HitsRequest::default(),
        rollup: RollupUse::Never,
        limits: Limits {
            counted_rows_max: u64::MAX,
            ..Limits::default()
        },
    };
    let pool = pool();
    let mut group = criterion.benchmark_group("presence");
    // A file says which groups have which of at most 4,096 terms.
    for (name, term_count) in [("known", 4_000), ("unknown", 5_000)] {
        let snapshot = chain::snapshot(vec![source_with_rare(term_count)]);
        group.bench_function(name, |bencher| {
            bencher.iter(|| search(black_box(&request), &snapshot, &pool).expect("an answer"));
        });
    }
}

criterion_group!(benches, questions, presence);
criterion_main!(benches);
