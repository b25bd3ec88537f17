//! Every search has a second answer: a plain loop over rows, written for obviousness. Random rows,
//! cut into chunks and segments at random, must give that answer bit for bit, with cells and
//! without.

mod generate;
mod naive;
mod random;
mod rows;

use storage::segment::RowSource;

use crate::QueryError;
use crate::request::{RollupUse, SearchRequest};
use crate::response::{AggregationResult, Bucket, SearchResponse};
use crate::scan::Part;
use crate::search::run;
use generate::{request, topic_rows};
use random::Random;
use rows::{TIME_FIELD, split_into_sources};

const CASES: u64 = 1_500;

fn answer(request: &SearchRequest, sources: &[RowSource]) -> Result<SearchResponse, QueryError> {
    run(&[Part {
        request,
        time_field: Some(TIME_FIELD),
        sources,
    }])
}

fn check(
    request: &SearchRequest,
    expected: &naive::Answer,
    sources: &[RowSource],
    label: &str,
) -> bool {
    let found = match answer(request, sources) {
        Ok(found) => found,
        Err(QueryError::TooManyBuckets { .. }) => return false,
        Err(error) => panic!("{label}: {error:?}"),
    };
    let context = || format!("{label}\n{request:#?}");
    assert_eq!(found.matched, expected.matched, "{}", context());
    if let Some(difference) = difference(&found.aggregations, &expected.aggregations) {
        panic!("{difference}\n{}", context());
    }
    assert_eq!(naive::shown(&found.hits), expected.hits, "{}", context());
    true
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

fn check_seed(seed: u64) -> bool {
    let mut random = Random::new(seed);
    let topic = topic_rows(&mut random);
    let mut request = request(&mut random, &topic);
    let expected = naive::answer(&request, &topic.rows);
    let mut is_answered = true;
    for split in 0..2 {
        let sources = split_into_sources(&topic.rows, &mut random);
        for rollup in [RollupUse::WhereExact, RollupUse::Never] {
            request.rollup = rollup;
            let label = format!("seed {seed}, split {split}, {rollup:?}");
            is_answered &= check(&request, &expected, &sources, &label);
        }
    }
    is_answered
}

#[test]
fn any_search_over_any_split_is_the_naive_answer() {
    let seeds = match std::env::var("ORACLE_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("ORACLE_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..CASES,
    };
    let count = seeds.end - seeds.start;
    let answered = seeds.filter(|seed| check_seed(*seed)).count() as u64;
    assert!(
        answered * 10 >= count * 9,
        "only {answered} of {count} were answered"
    );
}
