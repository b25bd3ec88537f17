//! Every search has a second answer: a plain loop over rows, written for obviousness. Random rows,
//! cut into chunks and segments at random, merged and with deleted rows among them, must give that
//! answer bit for bit, with cells and without.

mod cases;
mod estimates;
mod generate;
mod hits;
mod naive;
mod random;
mod row_groups;
mod rows;
mod sources;
mod tallies;
mod windows;

use std::num::NonZero;
use std::ops::Range;
use std::sync::LazyLock;

use storage::segment::RowSource;

use crate::QueryError;
use crate::ScanPool;
use crate::request::{RollupUse, SearchRequest};
use crate::response::{AggregationResult, Bucket, Profile, SearchResponse};
use crate::scan::Part;
use crate::search::run;
use generate::{request, topic_rows};
use random::Random;
use rows::TIME_FIELD;
pub(crate) use rows::text_column as text_source;
use sources::split_into_sources;

const SEEDS: u64 = 600;

/// On one thread and on several, with groups that are all there and with groups that are found.
static POOLS: LazyLock<[ScanPool; 3]> = LazyLock::new(|| {
    let eager = || {
        let mut pool = ScanPool::new(NonZero::new(3).expect("not 0")).expect("threads");
        pool.thread_rows_min = 1;
        pool
    };
    let mut found = eager();
    found.dense_groups_max = 0;
    [ScanPool::single(), eager(), found]
});

fn answer(request: &SearchRequest, sources: &[RowSource]) -> Result<SearchResponse, QueryError> {
    answer_on(&POOLS[0], request, sources)
}

fn answer_on(
    pool: &ScanPool,
    request: &SearchRequest,
    sources: &[RowSource],
) -> Result<SearchResponse, QueryError> {
    run(
        &[Part {
            request,
            time_field: Some(TIME_FIELD),
            sources,
        }],
        pool,
    )
}

/// Says how the answer was made.
fn check(
    request: &SearchRequest,
    expected: &naive::Answer,
    sources: &[RowSource],
    pool: &ScanPool,
    label: &str,
) -> Option<Profile> {
    let found = match answer_on(pool, request, sources) {
        Ok(found) => found,
        Err(QueryError::TooManyBuckets { .. }) => return None,
        Err(error) => panic!("{label}: {error:?}"),
    };
    let context = || format!("{label}\n{request:#?}");
    assert_eq!(found.matched, expected.matched, "{}", context());
    if let Some(difference) = difference(&found.aggregations, &expected.aggregations) {
        panic!("{difference}\n{}", context());
    }
    assert_eq!(naive::shown(&found.hits), expected.hits, "{}", context());
    Some(found.profile)
}

/// Where two answers first differ, innermost first.
fn difference(found: &[AggregationResult], expected: &[AggregationResult]) -> Option<String> {
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        if found == expected {
            continue;
        }
        let inner = match (found, expected) {
            (AggregationResult::Single(found), AggregationResult::Single(expected)) => {
                bucket_difference(found, expected)
            }
            (
                AggregationResult::Buckets { buckets: found, .. },
                AggregationResult::Buckets {
                    buckets: expected, ..
                },
            ) if found.len() == expected.len() => {
                let mut pairs = found.iter().zip(expected);
                pairs.find_map(|(found, expected)| bucket_difference(found, expected))
            }
            _ => None,
        };
        let inner = inner.unwrap_or_else(|| format!("found {found:?}\nexpected {expected:?}"));
        return Some(format!("{inner}\nin aggregation {index}"));
    }
    None
}

fn bucket_difference(found: &Bucket, expected: &Bucket) -> Option<String> {
    if (&found.key, found.count) != (&expected.key, expected.count) {
        return Some(format!("found {found:?}\nexpected {expected:?}"));
    }
    let inner = difference(&found.aggregations, &expected.aggregations)?;
    Some(format!("{inner}\nin bucket {:?}", found.key))
}

/// How many of the four answers of a seed were made by cells alone, and by cells and rows.
#[derive(Debug, Default)]
struct Coverage {
    answered: u64,
    by_cells: u64,
    by_both: u64,
}

fn check_seed(seed: u64, coverage: &mut Coverage) {
    let mut random = Random::new(seed);
    let topic = topic_rows(&mut random);
    let mut request = request(&mut random, &topic);
    let expected = naive::answer(&request, &topic.rows);
    for split in 0..2 {
        let sources = split_into_sources(&topic.rows, &mut random);
        for rollup in [RollupUse::WhereExact, RollupUse::Never] {
            request.rollup = rollup;
            let pool = &POOLS[random.below(POOLS.len())];
            let label = format!("seed {seed}, split {split}, {rollup:?}");
            if seed.is_multiple_of(4) {
                // What repeats may be kept: the answer of the third time must be that of the first.
                check(&request, &expected, &sources, pool, &label);
                check(&request, &expected, &sources, pool, &label);
            }
            if let Some(profile) = check(&request, &expected, &sources, pool, &label) {
                coverage.answered += 1;
                let (cells, rows) = (profile.cells_used > 0, profile.rows_scanned > 0);
                coverage.by_cells += u64::from(cells && !rows);
                coverage.by_both += u64::from(cells && rows);
            }
        }
    }
}

/// What `ORACLE_SEEDS` asks for, `7` or `600..900000`, else the first few.
fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("ORACLE_SEEDS") else {
        return 0..SEEDS;
    };
    let number = |text: &str| text.parse().expect("ORACLE_SEEDS has numbers");
    match asked.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&asked)..number(&asked) + 1,
    }
}

#[test]
fn any_search_over_any_split_is_the_naive_answer() {
    let seeds = seeds();
    let mut coverage = Coverage::default();
    for seed in seeds.clone() {
        check_seed(seed, &mut coverage);
    }
    let count = seeds.end - seeds.start;
    if count >= SEEDS {
        // The choices reach every way to answer.
        assert!(coverage.answered > count * 4 * 9 / 10, "{coverage:?}");
        assert!(coverage.by_cells > count / 20, "{coverage:?}");
        assert!(coverage.by_both > count / 10, "{coverage:?}");
    }
}
