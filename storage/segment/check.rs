//! Whether the parts of a batch fit together.

use super::SegmentError;
use crate::model::{Column, ColumnBatch, Exponents, NumberColumn, Occurrence, TextColumn};

/// Checks everything that the rest of this module relies on when it indexes.
pub(super) fn check_batch(batch: &ColumnBatch) -> Result<(), SegmentError> {
    let rows = batch.row_count();
    let ensure = |holds: bool, reason: &'static str| match holds {
        true => Ok(()),
        false => Err(SegmentError::Inconsistent { rows, reason }),
    };
    ensure(u32::try_from(rows).is_ok(), "it has 2^32 rows or more")?;
    ensure(
        batch.partitions.len() == rows,
        "partitions and times differ in number",
    )?;
    ensure(
        batch.offsets.len() == rows,
        "offsets and times differ in number",
    )?;
    let (codes, ends) = (&batch.sources.codes, &batch.sources.ends);
    let shapes = batch.sources.shapes.len();
    ensure(
        [0, rows].contains(&ends.len()) && [0, rows].contains(&codes.len()),
        "documents and times differ in number",
    )?;
    ensure(
        codes.len() == rows || ends.is_empty(),
        "documents have no shapes",
    )?;
    ensure(
        codes.iter().all(|code| (*code as usize) < shapes),
        "a document has a shape that is not there",
    )?;
    ensure(ends.is_sorted(), "documents overlap")?;
    ensure(
        ends.last().copied().unwrap_or(0) == batch.sources.bytes.len() as u64,
        "documents end elsewhere than their bytes",
    )?;
    ensure(
        batch.columns.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "columns do not ascend by path",
    )?;
    if let Some(ids) = &batch.ids {
        ensure(texts_fit(ids, rows), "ids do not fit the rows")?;
        ensure(
            !matches!(ids.occurrence, Occurrence::Many(_)),
            "a row has several ids",
        )?;
    }
    for (_, column) in &batch.columns {
        let fits = match column {
            Column::Integer(numbers) => {
                numbers_fit(numbers, rows) && numbers.exponents == Exponents::Uniform(0)
            }
            Column::Decimal(numbers) => numbers_fit(numbers, rows),
            Column::Text(texts) => texts_fit(texts, rows),
        };
        ensure(fits, "a column does not fit the rows")?;
    }
    Ok(())
}

fn numbers_fit(numbers: &NumberColumn, rows: usize) -> bool {
    let values = numbers.mantissas.len();
    let exponents_fit = match &numbers.exponents {
        Exponents::Uniform(_) => true,
        Exponents::Each(exponents) => exponents.len() == values,
    };
    exponents_fit && occurrence_fits(&numbers.occurrence, rows, values)
}

fn texts_fit(texts: &TextColumn, rows: usize) -> bool {
    let terms = texts.dictionary.len();
    texts.codes.iter().all(|code| (*code as usize) < terms)
        && occurrence_fits(&texts.occurrence, rows, texts.codes.len())
}

fn occurrence_fits(occurrence: &Occurrence, rows: usize, values: usize) -> bool {
    match occurrence {
        Occurrence::One => values == rows,
        Occurrence::Optional(words) => {
            let tail_bits = (rows % 64) as u32;
            let tail_is_clear = match words.last() {
                Some(word) if tail_bits > 0 => *word >> tail_bits == 0,
                Some(_) | None => true,
            };
            let present: usize = words.iter().map(|word| word.count_ones() as usize).sum();
            words.len() == rows.div_ceil(64) && tail_is_clear && present == values
        }
        Occurrence::Many(starts) => {
            starts.len() == rows + 1
                && starts.first() == Some(&0)
                && starts.is_sorted()
                && starts.last().is_some_and(|end| *end as usize == values)
        }
    }
}
