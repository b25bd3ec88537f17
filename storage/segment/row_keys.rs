//! Sort times, partitions and offsets: what every row has.

use std::collections::BTreeMap;

use super::cells::{HourCollector, HourRows};
use super::column_writer::{VectorWriter, write_numbers};
use super::encoding::encode_offsets;
use super::input::{KeyPart, NumberName, RowInput};
use super::layout::{OFFSETS, PARTITIONS, TIMES};
use super::pages::{PageWriter, WriteFlaw};
use super::source::vector_rows;
use super::{OriginRange, SEGMENT_FORMAT_VERSION, SegmentSummary};
use crate::model::{NumberVector, Offset, PartitionId, VECTOR_ROWS, VectorOccurrence};

/// What the footer and the cells need to know about the keys.
pub(super) struct WrittenKeys {
    pub(super) summary: SegmentSummary,
    pub(super) vector_times_ms: Vec<(i64, i64)>,
    pub(super) hours: Vec<HourRows>,
}

/// Appends the pages of the row keys.
pub(super) fn write_row_keys(
    input: &dyn RowInput,
    out: &mut PageWriter<'_>,
) -> Result<WrittenKeys, WriteFlaw> {
    let row_count = input.row_count();
    let mut vector_times_ms = Vec::new();
    let mut hours = HourCollector::default();
    let times = input.numbers(NumberName::Key(KeyPart::Times))?;
    write_numbers(times, row_count, TIMES, out, |vector| {
        let times = &vector.mantissas;
        vector_times_ms.push((times[0], times[times.len() - 1]));
        hours.push(times);
    })?;
    let partitions = input.numbers(NumberName::Key(KeyPart::Partitions))?;
    write_numbers(partitions, row_count, PARTITIONS, out, |_| ())?;
    let origins = write_offsets(input, out)?;
    let bounds = vector_times_ms.first().zip(vector_times_ms.last());
    let (first, last) = bounds.expect("a segment has rows");
    Ok(WrittenKeys {
        summary: SegmentSummary {
            row_count: row_count as u64,
            time_first_ms: first.0,
            time_last_ms: last.1,
            format_version: SEGMENT_FORMAT_VERSION,
            origins: origins.into_values().collect(),
        },
        vector_times_ms,
        hours: hours.hours,
    })
}

fn write_offsets(
    input: &dyn RowInput,
    out: &mut PageWriter<'_>,
) -> Result<BTreeMap<u32, OriginRange>, WriteFlaw> {
    let row_count = input.row_count();
    let mut partition_vectors = input.numbers(NumberName::Key(KeyPart::Partitions))?;
    let mut offset_vectors = input.numbers(NumberName::Key(KeyPart::Offsets))?;
    let (mut partitions, mut offsets) = (NumberVector::default(), NumberVector::default());
    let mut origins = BTreeMap::new();
    let mut writer = VectorWriter::new(OFFSETS);
    for number in 0..row_count.div_ceil(VECTOR_ROWS) {
        let rows = vector_rows(row_count, number).len();
        partition_vectors.next(rows, &mut partitions)?;
        offset_vectors.next(rows, &mut offsets)?;
        let (partitions, offsets) = (&partitions.mantissas, &offsets.mantissas);
        let encode = |page: &mut Vec<u8>| encode_offsets(partitions, offsets, page);
        writer.push(&VectorOccurrence::One, rows, encode, out)?;
        add_origins(partitions, offsets, &mut origins);
    }
    writer.finish(out)?;
    Ok(origins)
}

pub(super) fn add_origins(
    partitions: &[i64],
    offsets: &[i64],
    origins: &mut BTreeMap<u32, OriginRange>,
) {
    let mut known: Option<(u32, &mut OriginRange)> = None;
    for (partition, offset) in partitions.iter().zip(offsets) {
        // Partitions come from 32 bits, and offsets are the same bits without a sign.
        let partition = u32::try_from(*partition).unwrap_or(u32::MAX);
        let offset = Offset(offset.cast_unsigned());
        let origin = match known.take() {
            Some((same, origin)) if same == partition => origin,
            Some(_) | None => origins.entry(partition).or_insert(OriginRange {
                partition: PartitionId(partition),
                first: offset,
                last: offset,
                row_count: 0,
            }),
        };
        origin.first = origin.first.min(offset);
        origin.last = origin.last.max(offset);
        origin.row_count += 1;
        known = Some((partition, origin));
    }
}
