//! The rows that are returned: the first of an order, their documents read last.

mod best;
mod keys;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use storage::segment::{DocumentReader, RowSource};

use crate::QueryError;
use crate::budget::Budget;
use crate::filter::{Binder, BoundFilter, Decision};
use crate::frame::{Columns, Frame, RowFrame};
use crate::request::{HitsRequest, SortBy, SortKey};
use crate::response::{Hit, SortValue};
use crate::scan::Part;
use crate::selection::Selection;
use best::{Best, Candidate};

pub(crate) use best::Place;
pub(crate) use keys::{BoundKey, Keys, directed, keep, kept};

/// The rows that `parts`, searched as one, return.
pub(crate) fn collect(parts: &[Part<'_>], budget: &Budget) -> Result<Vec<Hit>, QueryError> {
    let Some(hits) = parts.first().map(|part| &part.request.hits) else {
        return Ok(Vec::new());
    };
    if hits.size == 0 {
        return Ok(Vec::new());
    }
    let by_row = [SortKey {
        by: SortBy::Row,
        descending: false,
        missing_first: false,
    }];
    let sort = if hits.sort.is_empty() {
        &by_row
    } else {
        hits.sort.as_slice()
    };
    let mut sources = bind(parts, sort)?;
    let count_max = hits.from.saturating_add(hits.size);
    let mut best = Best::new(Keys::new(sort), count_max, hits.after.as_ref());
    for task in tasks(parts, &sources, sort) {
        if let Some(bound) = &task.bound
            && best.is_beyond(bound, budget)
        {
            // Tasks that could be better were done before.
            break;
        }
        budget.check_stop()?;
        let source = &mut sources[task.source];
        take_vector(parts, source, task.vector, &mut best, budget)?;
    }
    fetch(parts, hits, best)
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
}

/// One vector to look through.
#[derive(Debug)]
struct Task {
    source: usize,
    vector: usize,
    /// No row of it comes before one with this first key; `None` when nothing is known.
    bound: Option<i64>,
}

fn bind(parts: &[Part<'_>], sort: &[SortKey]) -> Result<Vec<BoundSource>, QueryError> {
    let mut bound = Vec::new();
    for (part_index, part) in parts.iter().enumerate() {
        // Each topic names its own fields, in the same places.
        let own = &part.request.hits.sort;
        let sort = if own.len() == sort.len() { own } else { sort };
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
            bound.push(BoundSource {
                part: part_index,
                source: source_index,
                columns: binder.into_columns(),
                filter,
                keys,
            });
        }
    }
    Ok(bound)
}

/// All vectors, those that may hold the first rows of the order first.
fn tasks(parts: &[Part<'_>], sources: &[BoundSource], sort: &[SortKey]) -> Vec<Task> {
    let descending = sort.first().is_some_and(|key| key.descending);
    let mut tasks = Vec::new();
    for (index, bound) in sources.iter().enumerate() {
        let source = &parts[bound.part].sources[bound.source];
        let is_by_time = matches!(bound.keys.first(), Some(BoundKey::Time));
        for vector in 0..source.vector_count() {
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
    vector: usize,
    best: &mut Best<'_>,
    budget: &Budget,
) -> Result<(), QueryError> {
    let source = &parts[bound.part].sources[bound.source];
    let mut frame = RowFrame::new(source, &bound.columns);
    frame.move_to(vector);
    if bound.filter.decide(&frame) == Decision::None {
        return Ok(());
    }
    let mut selection = bound.filter.select(&mut frame)?;
    if let Some(live) = Selection::live(source, vector) {
        selection = selection.and(&live);
    }
    let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
    let first_row = frame.first_entry();
    for entry in selection.rows() {
        let first_key = match bound.keys.first() {
            Some(key) => key.value(&mut frame, entry)?,
            None => None,
        };
        if best.is_worse(first_key) {
            continue;
        }
        if partitions.is_empty() {
            source.origins(vector, &mut partitions, &mut offsets)?;
        }
        let mut sort = Vec::with_capacity(bound.keys.len());
        for key in &bound.keys {
            sort.push(key.value(&mut frame, entry)?.map(keep));
        }
        let candidate = Candidate {
            sort,
            place: Place {
                part: bound.part,
                partition: partitions[entry],
                offset: offsets[entry],
            },
            source: bound.source,
            row: first_row + entry,
        };
        best.offer(candidate, budget)?;
    }
    Ok(())
}

/// Reads the documents of the rows that are returned.
fn fetch(parts: &[Part<'_>], hits: &HitsRequest, best: Best<'_>) -> Result<Vec<Hit>, QueryError> {
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
        found.push(hit);
    }
    Ok(found)
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
        source: match with_document {
            true => source.source(row)?,
            false => Vec::new(),
        },
        sort,
    })
}
