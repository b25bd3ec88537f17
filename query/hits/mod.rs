//! The rows that are returned: the first of an order, their documents read last.

mod best;
mod keys;
pub(crate) mod request;
mod score;
pub(crate) mod scoring;
mod words;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use storage::model::VECTOR_ROWS;
use storage::segment::{DocumentReader, RowSource};

use crate::QueryError;
use crate::budget::Budget;
use crate::filter::{Binder, BoundFilter, Decision};
use crate::frame::{Columns, Frame, RowFrame};
use crate::request::{Collapse, HitsRequest, Scoring, SortBy, SortKey};
use crate::response::{Hit, SortValue};
use crate::scan::Part;
use crate::selection::Selection;
use crate::window;
use best::{Best, Candidate};
use score::{BoundScoring, words_of};
use words::{WordCounts, WordWeights};

pub(crate) use best::Place;
pub(crate) use keys::{BoundKey, Keys, directed, keep, kept};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct FoundHits {
    pub(crate) hits: Vec<Hit>,
    /// The best score of all rows that match, where rows are scored.
    pub(crate) score_max: Option<f32>,
    /// How many rows match, where those that score too little are left out.
    pub(crate) matched: Option<u64>,
}

/// The rows that `parts`, searched as one, return.
pub(crate) fn collect(parts: &[Part<'_>], budget: &Budget) -> Result<FoundHits, QueryError> {
    let Some(hits) = parts.first().map(|part| &part.request.hits) else {
        return Ok(FoundHits::default());
    };
    if hits.size == 0 && hits.score_min.is_none() {
        return Ok(FoundHits::default());
    }
    let sort = order(hits);
    let mut sources = bind(parts, &sort, budget)?;
    let weights = weigh(parts, &sources)?;
    let mut best = Best::new(Keys::new(&sort), hits);
    let mut scored = Scored::default();
    for task in tasks(parts, &sources, &sort) {
        if let Some(bound) = &task.bound
            && hits.score.is_none()
            && best.is_beyond(bound, budget)
        {
            // Tasks that could be better were done before.
            break;
        }
        budget.check_stop()?;
        let source = &mut sources[task.source];
        let weights = &weights[source.part];
        let place = (task.vector, weights.as_slice());
        take_vector(parts, source, place, &mut best, &mut scored, budget)?;
    }
    let mut found = fetch(parts, hits, best)?;
    name(parts, &sources, &weights, &mut found)?;
    Ok(FoundHits {
        hits: found.into_iter().map(|(_, hit)| hit).collect(),
        score_max: scored.max,
        matched: hits.score_min.map(|_| scored.matched),
    })
}

/// Rows that were scored.
#[derive(Debug, Default)]
struct Scored {
    max: Option<f32>,
    matched: u64,
}

impl Scored {
    /// Counts a row, unless it scores too little.
    fn note(&mut self, score: f32, least: Option<f64>) -> bool {
        if least.is_some_and(|least| f64::from(score) < least) {
            return false;
        }
        self.matched += 1;
        self.max = Some(self.max.map_or(score, |max| max.max(score)));
        true
    }
}

/// The criteria; without any the best come first, then those that were written first.
fn order(hits: &HitsRequest) -> Vec<SortKey> {
    if !hits.sort.is_empty() {
        return hits.sort.clone();
    }
    let mut keys = Vec::new();
    if hits.score.is_some() {
        keys.push(SortKey {
            by: SortBy::Score,
            descending: true,
            ..SortKey::default()
        });
    }
    keys.push(SortKey::default());
    keys
}

/// What words weigh in each part.
fn weigh(parts: &[Part<'_>], sources: &[BoundSource]) -> Result<Vec<Vec<WordWeights>>, QueryError> {
    let mut weights = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let mut words = Vec::new();
        for scoring in scorings(&part.request.hits) {
            words_of(scoring, &mut words);
        }
        let mut counts = vec![WordCounts::default(); words.len()];
        for bound in sources.iter().filter(|bound| bound.part == index) {
            if let Some(scores) = &bound.scores {
                scores.count(&part.sources[bound.source], &bound.columns, &mut counts)?;
            }
        }
        let both = words.into_iter().zip(&counts);
        weights.push(
            both.map(|(by, counts)| WordWeights::new(by, counts))
                .collect(),
        );
    }
    Ok(weights)
}

/// What scores hits, then what scores them by named filters.
fn scorings(hits: &HitsRequest) -> impl Iterator<Item = &Scoring> {
    let named = hits.named.iter().map(|named| &named.score);
    hits.score.iter().chain(named)
}

/// A source with what hits read of it.
#[derive(Debug)]
struct BoundSource {
    part: usize,
    /// Its number in the part.
    source: usize,
    columns: Columns,
    filter: BoundFilter,
    keys: Vec<BoundKey>,
    /// By what rows are taken together.
    group: Option<BoundKey>,
    /// What rows score, and what they score by each named filter.
    scores: Option<BoundScoring>,
    named: Vec<BoundFilter>,
}

/// One vector to look through.
#[derive(Debug)]
struct Task {
    source: usize,
    vector: usize,
    /// No row of it comes before one with this first key; `None` when nothing is known.
    bound: Option<i64>,
}

fn bind(
    parts: &[Part<'_>],
    sort: &[SortKey],
    budget: &Budget,
) -> Result<Vec<BoundSource>, QueryError> {
    let mut bound = Vec::new();
    for (part_index, part) in parts.iter().enumerate() {
        // Each topic names its own fields, in the same places.
        let hits = &part.request.hits;
        let own = &hits.sort;
        let sort = if own.len() == sort.len() { own } else { sort };
        let roots: Vec<&Scoring> = scorings(hits).collect();
        for (source_index, source) in part.sources.iter().enumerate() {
            if part.is_pruned(source) {
                continue;
            }
            let mut binder = Binder::new(source, part.time_field);
            let filter = binder.filter(&part.request.filter)?;
            let keys = sort
                .iter()
                .map(|key| BoundKey::bind(key, &mut binder))
                .collect::<Result<_, _>>()?;
            let group = match &hits.collapse {
                Some(by) => Some(BoundKey::bind(&group_key(by), &mut binder)?),
                None => None,
            };
            let scores = match roots.is_empty() {
                true => None,
                false => Some(BoundScoring::bind(&roots, &mut binder, budget)?),
            };
            let named = hits.named.iter().map(|named| binder.filter(&named.filter));
            let named = named.collect::<Result<_, _>>()?;
            bound.push(BoundSource {
                part: part_index,
                source: source_index,
                columns: binder.into_columns(),
                filter,
                keys,
                group,
                scores,
                named,
            });
        }
    }
    Ok(bound)
}

/// How the values that rows are taken together by are read.
fn group_key(by: &Collapse) -> SortKey {
    SortKey {
        by: SortBy::Field(by.field.clone()),
        ..SortKey::default()
    }
}

/// All vectors, those that may hold the first rows of the order first.
fn tasks(parts: &[Part<'_>], sources: &[BoundSource], sort: &[SortKey]) -> Vec<Task> {
    let descending = sort.first().is_some_and(|key| key.descending);
    let mut tasks = Vec::new();
    for (index, bound) in sources.iter().enumerate() {
        let source = &parts[bound.part].sources[bound.source];
        let is_by_time = bound.keys.first().is_some_and(BoundKey::is_time);
        for vector in window::vectors(source, &bound.filter) {
            let (first_ms, last_ms) = source.vector_time_bounds_ms(vector);
            let best_ms = if descending { last_ms } else { first_ms };
            tasks.push(Task {
                source: index,
                vector,
                bound: is_by_time.then_some(best_ms),
            });
        }
    }
    // `None` first: what is not known may be anything.
    tasks.sort_by_key(|task| {
        task.bound
            .map(|best_ms| if descending { !best_ms } else { best_ms })
    });
    tasks
}

/// Offers the rows of one vector that match.
fn take_vector(
    parts: &[Part<'_>],
    bound: &mut BoundSource,
    (vector, weights): (usize, &[WordWeights]),
    best: &mut Best<'_>,
    scored: &mut Scored,
    budget: &Budget,
) -> Result<(), QueryError> {
    let part = &parts[bound.part];
    let source = &part.sources[bound.source];
    let hits = &part.request.hits;
    let mut frame = RowFrame::new(source, &bound.columns);
    frame.move_to(vector);
    if bound.filter.decide(&frame) == Decision::None {
        return Ok(());
    }
    let selection = bound.filter.select(&mut frame)?;
    let selection = match Selection::live(source, vector) {
        Some(live) => selection.and(&live),
        None => selection,
    };
    let scores = match (&bound.scores, &hits.score) {
        (Some(scores), Some(_)) if !selection.is_empty() => {
            Some(scores.scores(0, &mut frame, weights)?)
        }
        _unscored => None,
    };
    let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
    let first_row = frame.first_entry();
    for entry in selection.rows() {
        let score = scores
            .as_ref()
            .map_or(0.0, |scores| narrowed(scores[entry]));
        if scores.is_some() && !scored.note(score, hits.score_min) {
            continue;
        }
        let first_key = match bound.keys.first() {
            Some(key) => key.scored_value(&mut frame, entry, score)?,
            None => None,
        };
        if hits.size == 0 || best.is_worse(first_key) {
            continue;
        }
        if partitions.is_empty() {
            source.origins(vector, &mut partitions, &mut offsets)?;
        }
        let mut sort = Vec::with_capacity(bound.keys.len());
        for key in &bound.keys {
            sort.push(key.scored_value(&mut frame, entry, score)?.map(keep));
        }
        let group = match &bound.group {
            Some(key) => key.value(&mut frame, entry)?.map(keep),
            None => None,
        };
        let candidate = Candidate {
            sort,
            place: Place {
                part: bound.part,
                partition: partitions[entry],
                offset: offsets[entry],
            },
            source: bound.source,
            row: first_row + entry,
            score,
            group,
        };
        best.offer(candidate, budget)?;
    }
    Ok(())
}

/// A score as it is answered: sums are rounded once.
#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are answered with fewer digits"
)]
fn narrowed(score: f64) -> f32 {
    score as f32
}

/// Where a row is: its source and its number there.
#[derive(Debug, Clone, Copy)]
struct RowPlace {
    part: usize,
    source: usize,
    row: usize,
}

/// Reads the documents of the rows that are returned.
fn fetch(
    parts: &[Part<'_>],
    hits: &HitsRequest,
    best: Best<'_>,
) -> Result<Vec<(RowPlace, Hit)>, QueryError> {
    let mut found = Vec::new();
    let mut readers: BTreeMap<(usize, usize), DocumentReader<'_>> = BTreeMap::new();
    for candidate in best.finish().into_iter().skip(hits.from) {
        let place = candidate.place;
        let source = &parts[place.part].sources[candidate.source];
        let sort = match hits.sort.is_empty() {
            true => Vec::new(),
            false => candidate.sort,
        };
        // What a reader decoded for one document serves its neighbours.
        let reader = match readers.entry((place.part, candidate.source)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(source.document_reader()?),
        };
        let mut hit = read_hit(source, candidate.row, place, sort, false)?;
        hit.source = reader.document(candidate.row)?;
        hit.score = hits.score.is_some().then_some(candidate.score);
        hit.group = candidate.group;
        let place = RowPlace {
            part: place.part,
            source: candidate.source,
            row: candidate.row,
        };
        found.push((place, hit));
    }
    Ok(found)
}

/// Says of each hit which named filters it matches.
fn name(
    parts: &[Part<'_>],
    sources: &[BoundSource],
    weights: &[Vec<WordWeights>],
    found: &mut [(RowPlace, Hit)],
) -> Result<(), QueryError> {
    for (place, hit) in found {
        let is_its =
            |bound: &&BoundSource| (bound.part, bound.source) == (place.part, place.source);
        let bound = sources.iter().find(is_its);
        let bound = bound.expect("hits come from sources that were bound");
        if bound.named.is_empty() {
            continue;
        }
        let part = &parts[place.part];
        let mut frame = RowFrame::new(&part.sources[place.source], &bound.columns);
        frame.move_to(place.row / VECTOR_ROWS);
        let entry = place.row % VECTOR_ROWS;
        let first = usize::from(part.request.hits.score.is_some());
        for (number, filter) in bound.named.iter().enumerate() {
            if !filter.select(&mut frame)?.contains(entry) {
                continue;
            }
            let score = match &bound.scores {
                Some(scores) => {
                    scores.scores(first + number, &mut frame, &weights[place.part])?[entry]
                }
                None => 1.0,
            };
            hit.named.push((number, narrowed(score)));
        }
    }
    Ok(())
}

/// Row `row` of `source`, with its document if it is asked for.
pub(crate) fn read_hit(
    source: &RowSource,
    row: usize,
    place: Place,
    sort: Vec<Option<SortValue>>,
    with_document: bool,
) -> Result<Hit, QueryError> {
    let id = match source.id(row)? {
        Some(id) => String::from_utf8_lossy(&id).into_owned(),
        None => format!("{}-{}", place.partition, place.offset),
    };
    Ok(Hit {
        part: place.part,
        id,
        partition: place.partition,
        offset: place.offset,
        version: source.version(row)?,
        routing: source.routing(row)?,
        ignored: source.ignored(row)?,
        source: match with_document {
            true => source.source(row)?,
            false => Vec::new(),
        },
        sort,
        score: None,
        group: None,
        named: Vec::new(),
    })
}
