//! What rows score, over one source.

use std::ops::Range;

use storage::model::{Decimal, GeoPoint};
use storage::segment::RowSource;

use super::scoring::{Origin, Scoring, ValueChange, ValueScoring, WordScoring};
use super::words::{BoundWords, WordCounts, WordWeights};
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::{Binder, BoundFilter};
use crate::frame::{Columns, Frame, NumberSlot, RowFrame};
use crate::selection::Selection;

/// Scorings over one source.
#[derive(Debug, Clone)]
pub(super) struct BoundScoring {
    roots: Vec<Node>,
    /// In the order in which they are found.
    words: Vec<Option<BoundWords>>,
}

#[derive(Debug, Clone)]
enum Node {
    Always(f64),
    Matching(BoundFilter, f64),
    When(BoundFilter, Box<Node>),
    /// Which of the words.
    Words(usize),
    Sum(Vec<Node>),
    Best(Vec<Node>, f64),
    Times(f64, Box<Node>),
    Product(Vec<Node>),
    Near {
        numbers: Option<NumberSlot>,
        is_time: bool,
        origin: Origin,
        pivot: f64,
        score: f64,
    },
    Value {
        numbers: Option<NumberSlot>,
        is_time: bool,
        by: ValueScoring,
    },
}

/// The words that a scoring looks for, in the order in which they are found.
pub(super) fn words_of<'s>(scoring: &'s Scoring, found: &mut Vec<&'s WordScoring>) {
    match scoring {
        Scoring::Words(words) => found.push(words),
        Scoring::When { of, .. } | Scoring::Times { of, .. } => words_of(of, found),
        Scoring::Sum(of) | Scoring::Best { of, .. } | Scoring::Product(of) => {
            of.iter().for_each(|of| words_of(of, found));
        }
        Scoring::Always(_)
        | Scoring::Matching { .. }
        | Scoring::Near { .. }
        | Scoring::Value(_) => {}
    }
}

impl BoundScoring {
    pub(super) fn bind(
        scorings: &[&Scoring],
        binder: &mut Binder<'_>,
        budget: &Budget,
    ) -> Result<Self, QueryError> {
        let mut words = Vec::new();
        let roots = scorings
            .iter()
            .map(|scoring| bind(scoring, binder, budget, &mut words))
            .collect::<Result<_, _>>()?;
        Ok(Self { roots, words })
    }

    /// Counts how words occur in the rows of a source.
    pub(super) fn count(
        &self,
        source: &RowSource,
        columns: &Columns,
        counts: &mut [WordCounts],
    ) -> Result<(), QueryError> {
        if self.words.iter().all(Option::is_none) {
            return Ok(());
        }
        let mut frame = RowFrame::new(source, columns);
        for vector in 0..source.vector_count() {
            frame.move_to(vector);
            let rows = Selection::live(source, vector)
                .unwrap_or_else(|| Selection::first(frame.entry_count()));
            for (words, counts) in self.words.iter().zip(counts.iter_mut()) {
                if let Some(words) = words {
                    words.count(&mut frame, &rows, counts)?;
                }
            }
        }
        Ok(())
    }

    /// What each row of a frame scores by one of the scorings.
    pub(super) fn scores<F: Frame>(
        &self,
        number: usize,
        frame: &mut F,
        weights: &[WordWeights],
    ) -> Result<Vec<f64>, QueryError> {
        self.node(&self.roots[number], frame, weights)
    }

    fn node<F: Frame>(
        &self,
        node: &Node,
        frame: &mut F,
        weights: &[WordWeights],
    ) -> Result<Vec<f64>, QueryError> {
        let count = frame.entry_count();
        let mut scores = vec![0.0; count];
        let mut sums = scores.clone();
        match node {
            Node::Always(score) => scores.fill(*score),
            Node::Matching(filter, score) => {
                for entry in filter.select(frame)?.rows() {
                    scores[entry] = *score;
                }
            }
            Node::When(filter, of) => {
                let rows = filter.select(frame)?;
                if !rows.is_empty() {
                    let all = self.node(of, frame, weights)?;
                    for entry in rows.rows() {
                        scores[entry] = all[entry];
                    }
                }
            }
            Node::Words(place) => {
                if let Some(words) = &self.words[*place] {
                    words.score(frame, &weights[*place], &mut scores)?;
                }
            }
            Node::Sum(of) => {
                for node in of {
                    let more = self.node(node, frame, weights)?;
                    scores
                        .iter_mut()
                        .zip(more)
                        .for_each(|(all, one)| *all += one);
                }
            }
            Node::Best(of, others) => {
                for node in of {
                    let one = self.node(node, frame, weights)?;
                    add_best(&mut scores, &mut sums, &one);
                }
                for (best, sum) in scores.iter_mut().zip(&sums) {
                    *best += (sum - *best) * others;
                }
            }
            Node::Times(factor, of) => {
                scores = self.node(of, frame, weights)?;
                scores.iter_mut().for_each(|score| *score *= factor);
            }
            Node::Product(of) => {
                scores.fill(1.0);
                for node in of {
                    let more = self.node(node, frame, weights)?;
                    scores
                        .iter_mut()
                        .zip(more)
                        .for_each(|(all, one)| *all *= one);
                }
            }
            Node::Near { .. } | Node::Value { .. } => score_values(node, frame, &mut scores)?,
        }
        Ok(scores)
    }
}

/// Keeps the best score of each row, and the sum of all.
fn add_best(best: &mut [f64], sums: &mut [f64], scores: &[f64]) {
    for (entry, score) in scores.iter().enumerate() {
        best[entry] = score.max(best[entry]);
        sums[entry] += score;
    }
}

/// Scores that are made of the rows' own values.
fn score_values<F: Frame>(
    node: &Node,
    frame: &mut F,
    scores: &mut [f64],
) -> Result<(), QueryError> {
    match node {
        Node::Near {
            numbers,
            is_time,
            origin,
            pivot,
            score,
        } => each_value(frame, *numbers, *is_time, |entry, values| {
            let distances = values.map(|value| match origin {
                Origin::Number(origin) => (value.to_f64() - origin).abs(),
                Origin::Place(origin) => origin.distance_m(GeoPoint::of_code(value.mantissa)),
            });
            if let Some(distance) = distances.min_by(f64::total_cmp) {
                scores[entry] = score * pivot / (pivot + distance);
            }
        })?,
        Node::Value {
            numbers,
            is_time,
            by,
        } => each_value(frame, *numbers, *is_time, |entry, values| {
            let value = values.next().map(Decimal::to_f64).or(by.missing);
            if let Some(value) = value {
                scores[entry] = changed(value * by.factor, by.change).max(0.0);
            }
        })?,
        Node::Always(_)
        | Node::Matching(..)
        | Node::When(..)
        | Node::Words(_)
        | Node::Sum(_)
        | Node::Best(..)
        | Node::Times(..)
        | Node::Product(_) => {}
    }
    Ok(())
}

/// Shows the numbers of every row.
fn each_value<F: Frame>(
    frame: &mut F,
    numbers: Option<NumberSlot>,
    is_time: bool,
    mut visit: impl FnMut(usize, &mut dyn Iterator<Item = Decimal>),
) -> Result<(), QueryError> {
    let count = frame.entry_count();
    if is_time {
        let times_ms = frame.times_ms()?;
        for (entry, time_ms) in times_ms.iter().enumerate().take(count) {
            visit(entry, &mut std::iter::once(Decimal::from_i64(*time_ms)));
        }
        return Ok(());
    }
    let Some(slot) = numbers else {
        (0..count).for_each(|entry| visit(entry, &mut std::iter::empty()));
        return Ok(());
    };
    let numbers = frame.numbers(slot)?;
    for entry in 0..count {
        let values: Range<usize> = numbers.index.values(entry);
        visit(entry, &mut values.map(|value| numbers.value(value)));
    }
    Ok(())
}

fn changed(value: f64, change: ValueChange) -> f64 {
    let value = match change {
        ValueChange::None => value,
        ValueChange::Log => value.log10(),
        ValueChange::Log1p => (value + 1.0).log10(),
        ValueChange::Log2p => (value + 2.0).log10(),
        ValueChange::Ln => value.ln(),
        ValueChange::Ln1p => value.ln_1p(),
        ValueChange::Ln2p => (value + 2.0).ln(),
        ValueChange::Square => value * value,
        ValueChange::Sqrt => value.sqrt(),
        ValueChange::Reciprocal => 1.0 / value,
    };
    if value.is_finite() { value } else { 0.0 }
}

fn bind(
    scoring: &Scoring,
    binder: &mut Binder<'_>,
    budget: &Budget,
    words: &mut Vec<Option<BoundWords>>,
) -> Result<Node, QueryError> {
    let mut all = |of: &[Scoring], binder: &mut Binder<'_>| {
        of.iter()
            .map(|of| bind(of, binder, budget, words))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match scoring {
        Scoring::Always(score) => Node::Always(*score),
        Scoring::Matching { filter, score } => Node::Matching(binder.filter(filter)?, *score),
        Scoring::Sum(of) => Node::Sum(all(of, binder)?),
        Scoring::Best { of, others } => Node::Best(all(of, binder)?, *others),
        Scoring::Product(of) => Node::Product(all(of, binder)?),
        Scoring::When { filter, of } => {
            let filter = binder.filter(filter)?;
            Node::When(filter, Box::new(bind(of, binder, budget, words)?))
        }
        Scoring::Times { factor, of } => {
            Node::Times(*factor, Box::new(bind(of, binder, budget, words)?))
        }
        Scoring::Words(by) => {
            let bound = BoundWords::bind(by, binder, budget)?;
            words.push(bound);
            Node::Words(words.len() - 1)
        }
        Scoring::Near {
            field,
            origin,
            pivot,
            score,
        } => {
            let is_time = binder.is_sort_key(field);
            Node::Near {
                numbers: if is_time {
                    None
                } else {
                    binder.numbers(field)?
                },
                is_time,
                origin: *origin,
                pivot: *pivot,
                score: *score,
            }
        }
        Scoring::Value(by) => {
            let field = by.field.as_ref();
            let is_time = field.is_some_and(|field| binder.is_sort_key(field));
            let numbers = match field {
                Some(field) if !is_time => binder.numbers(field)?,
                Some(_) | None => None,
            };
            Node::Value {
                numbers,
                is_time,
                by: by.clone(),
            }
        }
    })
}
