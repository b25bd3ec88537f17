//! The sources that hold some rows: chunks and segments, fresh and merged, with rows among them
//! that were deleted since.

use std::sync::Arc;

use storage::segment::{
    ActiveChunk, ColumnRoles, DeletedRows, MergeInput, Overlay, RowSource, SegmentOptions,
    SegmentReader, SourceRows, cells_without, encode_overlay, merge_segments,
};

use super::random::Random;
use super::rows::{BytesFile, Row, batch, roles, write};

/// Offsets of rows that are there to be deleted begin here; live rows have smaller ones.
const GHOST_OFFSET: u64 = 1 << 32;

/// Name that overlays know their segment by.
const SEGMENT_NAME: &str = "segment";

/// The rows, dealt out to chunks and segments in any order.
pub(super) fn split_into_sources(rows: &[Row], random: &mut Random) -> Vec<RowSource> {
    let count = 1 + random.below(5);
    let parts = deal(rows, count, random);
    parts.iter().map(|part| source(part, random)).collect()
}

/// Deals `rows` out to `count` places: those of one time to one place, or all over the place.
fn deal(rows: &[Row], count: usize, random: &mut Random) -> Vec<Vec<Row>> {
    let mut parts = vec![Vec::new(); count];
    let scatter = random.once_in(2);
    for (index, row) in rows.iter().enumerate() {
        let part = if scatter {
            random.below(count)
        } else {
            index * count / rows.len().max(1)
        };
        parts[part].push(row.clone());
    }
    parts
}

fn source(rows: &[Row], random: &mut Random) -> RowSource {
    let mut rows = rows.to_vec();
    if random.once_in(3) {
        haunt(&mut rows, random);
    }
    if random.once_in(3) {
        // In no order.
        rows.sort_by_key(|row| row.offset.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    if rows.is_empty() || random.once_in(3) {
        let chunk = Arc::new(ActiveChunk::new(batch(&rows, random)));
        let deleted = ghosts(&RowSource::from(Arc::clone(&chunk)));
        return RowSource::Active(SourceRows::new(chunk, Some(Arc::new(deleted))));
    }
    let mut roles = roles();
    if random.once_in(2) {
        roles.decimals.insert("grown".into());
    }
    // Cells even where they are hardly fewer than rows.
    let cell_rows_percent_max = if random.once_in(8) { 25 } else { 1_000 };
    let reader = if random.once_in(4) {
        merged(&rows, &roles, cell_rows_percent_max, random)
    } else {
        write(&batch(&rows, random), &roles, cell_rows_percent_max)
    };
    without_ghosts(&Arc::new(reader), random)
}

/// Puts rows among `rows` that answers must not show: what updates replaced and deletes removed.
fn haunt(rows: &mut Vec<Row>, random: &mut Random) {
    // Few, or so many that whole vectors and hours are gone.
    let count = match random.below(4) {
        0..3 => 1 + random.below(20),
        _ => 2 * rows.len(),
    };
    for ghost in 0..count {
        let Some(row) = rows.get(random.below(rows.len().max(1))) else {
            return;
        };
        let mut row = row.clone();
        row.offset = GHOST_OFFSET + ghost as u64;
        let place = random.below(rows.len() + 1);
        rows.insert(place, row);
    }
}

fn ghosts(source: &RowSource) -> DeletedRows {
    let mut deleted = DeletedRows::new(source.row_count());
    for row in 0..source.row_count() {
        let (_, offset) = source.origin(row).expect("a fresh source");
        if offset.0 >= GHOST_OFFSET {
            deleted.insert(row);
        }
    }
    deleted
}

/// One segment of several with those rows. Merging drops their ghosts; some of `rows` stay.
fn merged(
    rows: &[Row],
    roles: &ColumnRoles,
    cell_rows_percent_max: usize,
    random: &mut Random,
) -> SegmentReader {
    let count = 1 + random.below(4);
    let mut parts = deal(rows, count, random);
    // A part of ghosts alone leaves nothing, and a segment is not empty.
    parts.retain(|rows| rows.iter().any(|row| row.offset < GHOST_OFFSET));
    let inputs: Vec<(SegmentReader, Option<DeletedRows>)> = parts
        .iter()
        .map(|rows| {
            let reader = Arc::new(write(&batch(rows, random), roles, cell_rows_percent_max));
            let deleted = ghosts(&RowSource::from(Arc::clone(&reader)));
            let reader = Arc::into_inner(reader).expect("nobody else has it");
            // A deletion that arrives later is carried over to the merged segment.
            (reader, random.once_in(2).then_some(deleted))
        })
        .collect();
    let inputs: Vec<MergeInput<'_>> = inputs
        .iter()
        .map(|(reader, deleted)| MergeInput {
            reader,
            deleted: deleted.as_ref(),
        })
        .collect();
    let options = SegmentOptions {
        cell_rows_percent_max,
        ..SegmentOptions::default()
    };
    let mut bytes = Vec::new();
    merge_segments(&inputs, roles, &options, &mut bytes).expect("consistent segments");
    SegmentReader::open(Arc::new(BytesFile(bytes))).expect("a fresh segment")
}

/// The segment without its ghosts: with their overlay, or before one was written.
fn without_ghosts(reader: &Arc<SegmentReader>, random: &mut Random) -> RowSource {
    let deleted = Arc::new(ghosts(&RowSource::from(Arc::clone(reader))));
    let rows = SourceRows::new(Arc::clone(reader), Some(Arc::clone(&deleted)));
    if deleted.is_empty() || random.once_in(3) {
        return RowSource::Segment(rows);
    }
    let cells = cells_without(reader, &deleted).expect("a fresh segment");
    let (bytes, _) = encode_overlay(SEGMENT_NAME, &deleted, Some(&cells)).expect("few cells");
    let file = Arc::new(BytesFile(bytes));
    let overlay = Overlay::open(file, SEGMENT_NAME, deleted.row_count()).expect("it is fresh");
    RowSource::Segment(rows.with_overlay(Some(Arc::new(overlay))))
}
