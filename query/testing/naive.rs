//! The second answer: a plain loop over rows. Slow, and obvious.

mod buckets;
mod hits;
mod metrics;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use num_bigint::BigInt;
use storage::model::{Decimal, ExactSum, FieldType};

use super::generate::SCRIPT_ADDEND;
use super::rows::{Row, Value};
use crate::distribution::Distribution;
use crate::pattern::CompiledPattern;
use crate::request::{
    Aggregation, BucketBy, Cardinality, DateHistogram, FieldRef, Filter, Filters, HitsRequest,
    Input, Metric, MetricKind, MetricValue, MissingPlace, NamedAggregation, NumberHistogram, Order,
    OrderBy, Pattern, ScriptMetric, SearchRequest, SortBy, TermSelection, TermValue, Terms,
    TextPredicate, TokenMatch, TopRows, TupleBy, TupleSource, Tuples, WeightedAvg,
};
use crate::response::{
    AggregationResult, Bucket, BucketKey, BucketsNote, ExtendedStats, Hit, MetricResult,
    RowsResult, SortValue,
};
use crate::rounding::Rounding;
use crate::rounding::tests::oracle;

use buckets::{compare_keys, filters, histogram, number_histogram, row_terms, terms, tuples};
use hits::{hits, top_rows};
use metrics::{cardinality, measure, plain, scripted, weighted};

/// What tests look at of a hit.
pub(super) type ShownHit = (String, u32, u64, Vec<u8>, Vec<Option<SortValue>>);

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) matched: u64,
    pub(super) aggregations: Vec<AggregationResult>,
    pub(super) hits: Vec<ShownHit>,
}

pub(super) fn shown(hits: &[Hit]) -> Vec<ShownHit> {
    hits.iter()
        .map(|hit| {
            let (id, source) = (hit.id.clone(), hit.source.clone());
            (id, hit.partition, hit.offset, source, hit.sort.clone())
        })
        .collect()
}

pub(super) fn answer(request: &SearchRequest, rows: &[Row]) -> Answer {
    let all: Vec<&Row> = rows.iter().collect();
    let matching: Vec<&Row> = rows
        .iter()
        .filter(|row| matches(&request.filter, row))
        .collect();
    Answer {
        matched: matching.len() as u64,
        aggregations: aggregate(&request.aggregations, &matching, &all),
        hits: hits(&request.hits, &matching),
    }
}

// Filters.

/// The numbers of a row as `field` reads them: integers of a decimal field are doubles.
fn numbers(row: &Row, field: &FieldRef) -> Vec<Decimal> {
    let is_decimal = field.field_type == FieldType::Double;
    let read = |value: Decimal| match is_decimal {
        true => Decimal::from_f64(value.to_f64()).expect("a finite number"),
        false => value,
    };
    row.numbers(&field.column).into_iter().map(read).collect()
}

fn matches(filter: &Filter, row: &Row) -> bool {
    match filter {
        Filter::All => true,
        Filter::None => false,
        Filter::And(inner) => inner.iter().all(|filter| matches(filter, row)),
        Filter::AtLeast { count, of } => {
            of.iter().filter(|filter| matches(filter, row)).count() >= *count
        }
        Filter::Not(inner) => !matches(inner, row),
        Filter::Exists(field) => !row.values(&field.column).is_empty(),
        Filter::NumberRange {
            field,
            lower,
            upper,
        } => numbers(row, field).iter().any(|value| {
            let is_above = match lower {
                Bound::Unbounded => true,
                Bound::Included(bound) => value.compare(*bound).is_ge(),
                Bound::Excluded(bound) => value.compare(*bound).is_gt(),
            };
            let is_below = match upper {
                Bound::Unbounded => true,
                Bound::Included(bound) => value.compare(*bound).is_le(),
                Bound::Excluded(bound) => value.compare(*bound).is_lt(),
            };
            is_above && is_below
        }),
        Filter::NumberIn { field, values } => numbers(row, field)
            .iter()
            .any(|value| values.iter().any(|one| one.compare(*value).is_eq())),
        Filter::Text { field, predicate } => row
            .texts(&field.column)
            .iter()
            .any(|text| text_matches(predicate, text)),
        Filter::Ids(ids) => ids.contains(&row.name()),
        Filter::Distance { .. } | Filter::Script(_) => panic!("they are not dealt"),
        Filter::Slice(slice) => slice.contains(&row.name()),
        Filter::Place { field, area } => numbers(row, field)
            .iter()
            .any(|value| area.contains(storage::model::GeoPoint::of_code(value.mantissa))),
    }
}

fn text_matches(predicate: &TextPredicate, text: &str) -> bool {
    let words = crate::text::tokens(text);
    match predicate {
        TextPredicate::In(terms) => terms.iter().any(|term| term == text.as_bytes()),
        TextPredicate::Range { lower, upper } => {
            (lower.clone(), upper.clone()).contains(&text.as_bytes().to_vec())
        }
        TextPredicate::Address { first, last } => text
            .parse::<std::net::Ipv6Addr>()
            .is_ok_and(|address| (*first..=*last).contains(&address.to_bits())),
        TextPredicate::Pattern { pattern, tokens } => match tokens {
            true => words.iter().any(|word| fits(pattern, word.as_bytes())),
            false => fits(pattern, text.as_bytes()),
        },
        TextPredicate::Tokens { tokens, how } => match how {
            TokenMatch::Any => tokens.iter().any(|token| words.contains(token)),
            TokenMatch::All => tokens.iter().all(|token| words.contains(token)),
            TokenMatch::Phrase { .. } => {
                let (text, phrase) = (words.join(" "), tokens.join(" "));
                format!(" {text} ").contains(&format!(" {phrase} "))
            }
        },
        TextPredicate::Intervals(_) | TextPredicate::Analyzed { .. } => {
            panic!("places of words have tests of their own")
        }
        TextPredicate::Span { .. } => panic!("spans have tests of their own"),
    }
}

thread_local! {
    /// Whether a text fits a pattern; asked a million times of a hundred pairs.
    static FITS: RefCell<HashMap<(String, Vec<u8>), bool>> = RefCell::default();
}

fn fits(pattern: &Pattern, text: &[u8]) -> bool {
    let asked = (format!("{pattern:?}"), text.to_vec());
    FITS.with_borrow_mut(|fits| {
        *fits.entry(asked).or_insert_with(|| {
            CompiledPattern::new(pattern)
                .expect("a pattern")
                .matches(text)
        })
    })
}

// Aggregations.

fn aggregate(named: &[NamedAggregation], rows: &[&Row], all: &[&Row]) -> Vec<AggregationResult> {
    named
        .iter()
        .map(|named| match &named.aggregation {
            Aggregation::Metric(metric) => AggregationResult::Metric(measure(metric, rows)),
            Aggregation::Cardinality(by) => AggregationResult::Metric(cardinality(by, rows)),
            Aggregation::WeightedAvg(by) => AggregationResult::Metric(weighted(by, rows)),
            Aggregation::TopRows(by) => AggregationResult::Rows(top_rows(by, rows)),
            Aggregation::Script(by) => AggregationResult::Metric(scripted(by, rows)),
            Aggregation::Places(_) | Aggregation::Moments(_) => panic!("they are not dealt"),
            Aggregation::Pipeline(_) => panic!("pipelines are no matter of rows"),
            Aggregation::Bucket { by, children } => match by {
                BucketBy::Tuples(by) => tuples(by, children, rows, all),
                BucketBy::Adaptive(_) => panic!("it becomes another"),
                BucketBy::DateHistogram(by) => histogram(by, children, rows, all),
                BucketBy::NumberHistogram(by) => number_histogram(by, children, rows, all),
                BucketBy::Terms(by) => terms(by, children, rows, all),
                BucketBy::Global => {
                    AggregationResult::Single(bucket(BucketKey::None, all, children, all))
                }
                BucketBy::Filter(filter) => {
                    let inside: Vec<_> = rows
                        .iter()
                        .copied()
                        .filter(|row| matches(filter, row))
                        .collect();
                    AggregationResult::Single(bucket(BucketKey::None, &inside, children, all))
                }
                BucketBy::Filters(by) => filters(by, children, rows, all),
            },
        })
        .collect()
}

fn bucket(key: BucketKey, rows: &[&Row], children: &[NamedAggregation], all: &[&Row]) -> Bucket {
    Bucket {
        key,
        count: rows.len() as u64,
        aggregations: aggregate(children, rows, all),
    }
}

// Hits.
