//! `siltstone inspect segment`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use storage::disk::open_file;
use storage::model::ColumnKind;
use storage::segment::{ColumnOccurrence, ColumnSight, SegmentError, SegmentReader, SegmentSight};

use super::table::{Answer, ratio, time};
use crate::error::{Error, ErrorKind, Result};

const COLUMNS: &[&str] = &[
    "COLUMN",
    "KIND",
    "VALUES",
    ">PAGES",
    ">BYTES",
    ">B/ROW",
    ">TERMS",
    ">TERM BYTES",
    "ENCODINGS (vectors)",
];
const ORIGINS: &[&str] = &[">PARTITION", ">FIRST", ">LAST", ">ROWS"];
const CELLS: &[&str] = &["CELLS BY HOUR AND", ">CELLS", ">ROWS/CELL", ">MEASURES"];

/// Show footer, columns, encodings and sizes of segment files
///
/// Segment files never change, so this works while a server runs. Every page is read and its
/// checksum compared; `siltstone verify` also derives what is derived from rows again.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone inspect segment /var/lib/siltstone/segments/1/*.segment
  siltstone inspect segment --json x.segment")]
pub(super) struct Segment {
    /// Segment files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// An object a line, for programs
    #[arg(long)]
    json: bool,
}

impl Segment {
    pub(super) fn run(&self) -> Result<u64> {
        let mut answer = Answer::new(self.json);
        let mut damages = 0;
        for path in &self.files {
            damages += show(&mut answer, path)?;
        }
        answer.finish()?;
        Ok(damages)
    }
}

fn show(answer: &mut Answer, path: &Path) -> Result<u64> {
    let unreadable = |error: std::io::Error| {
        Error::caused(ErrorKind::Invalid, error)
            .while_doing(format!("cannot read '{}'", path.display()))
    };
    let file = open_file(path).map_err(unreadable)?;
    let file_bytes = file.len_bytes().map_err(unreadable)?;
    let seen = SegmentReader::open(file).and_then(|reader| reader.describe());
    let shown = path.display().to_string();
    match seen {
        Ok(sight) => {
            match answer.is_json {
                true => show_json(answer, &shown, file_bytes, &sight)?,
                false => show_text(answer, &shown, file_bytes, &sight)?,
            }
            Ok(sight.damages.len() as u64)
        }
        Err(error) => {
            show_unopened(answer, &shown, file_bytes, &error)?;
            Ok(1)
        }
    }
}

/// Without a footer nothing is known of the pages.
fn show_unopened(
    answer: &mut Answer,
    path: &str,
    file_bytes: u64,
    error: &SegmentError,
) -> Result<()> {
    let what = error.to_string();
    match answer.is_json {
        true => answer.json(&json!({
            "kind": "segment", "file": path, "bytes": file_bytes, "damage": what,
        })),
        false => answer.line(&format!("damage: '{path}' ({file_bytes} bytes): {what}")),
    }
}

fn show_text(answer: &mut Answer, path: &str, file_bytes: u64, sight: &SegmentSight) -> Result<()> {
    let summary = &sight.summary;
    let rows = summary.row_count;
    answer.line(&format!(
        "{path}: {rows} rows, {file_bytes} bytes, {} bytes a row, format {}, written by {}",
        ratio(file_bytes, rows),
        summary.format_version,
        sight.creator
    ))?;
    let keys = match sight.times_are_field {
        true => "the time field",
        false => "a time of their own",
    };
    answer.line(&format!(
        "times {} to {}; rows are sorted by {keys}",
        time(summary.time_first_ms),
        time(summary.time_last_ms)
    ))?;
    for column in &sight.columns {
        show_column(answer, rows, column)?;
    }
    for origin in &summary.origins {
        let numbers = [
            origin.partition.0.into(),
            origin.first.0,
            origin.last.0,
            origin.row_count,
        ];
        answer.row(ORIGINS, numbers.iter().map(u64::to_string).collect())?;
    }
    for (dimension, cells, measures) in sight.cells.iter().flat_map(|cells| &cells.sets) {
        let name = dimension.as_deref().unwrap_or("(nothing)");
        let numbers = [
            cells.to_string(),
            ratio(rows, *cells as u64),
            measures.to_string(),
        ];
        let mut row = vec![name.to_owned()];
        row.extend(numbers);
        answer.row(CELLS, row)?;
    }
    for damage in &sight.damages {
        answer.line(&format!(
            "damage: '{path}' at byte {} ({} bytes): {}",
            damage.offset, damage.stored_bytes, damage.what
        ))?;
    }
    Ok(())
}

fn show_column(answer: &mut Answer, rows: u64, column: &ColumnSight) -> Result<()> {
    let encodings = column.encodings.iter();
    let encodings: Vec<String> = encodings
        .map(|(name, count)| format!("{name} ({count})"))
        .collect();
    let how = match &column.stored_as {
        Some(other) => format!("as {other}"),
        None => encodings.join(", "),
    };
    let is_text = column.kind == Some(ColumnKind::Text);
    let of_text = |number: u64| match is_text {
        true => number.to_string(),
        false => "-".into(),
    };
    let pages: u64 = column.sections.iter().map(|(_, pages, _)| pages).sum();
    answer.row(
        COLUMNS,
        vec![
            column.name.to_string(),
            column.kind.map_or("-", kind).into(),
            column.occurrence.map_or("-", occurrence).into(),
            pages.to_string(),
            column.stored_bytes().to_string(),
            ratio(column.stored_bytes(), rows),
            of_text(column.term_count.into()),
            of_text(column.text_bytes),
            how,
        ],
    )
}

fn show_json(answer: &mut Answer, path: &str, file_bytes: u64, sight: &SegmentSight) -> Result<()> {
    let summary = &sight.summary;
    let origins = summary.origins.iter().map(|origin| {
        json!({
            "partition": origin.partition.0, "first": origin.first.0, "last": origin.last.0,
            "rows": origin.row_count,
        })
    });
    let cells = sight.cells.iter().flat_map(|cells| &cells.sets);
    let cells = cells.map(|(dimension, cells, measures)| {
        json!({ "dimension": dimension.as_deref(), "cells": cells, "measures": measures })
    });
    let damages = sight.damages.iter().map(|damage| {
        json!({
            "page": damage.page.to_string(), "offset": damage.offset,
            "bytes": damage.stored_bytes, "what": damage.what,
        })
    });
    answer.json(&json!({
        "kind": "segment", "file": path, "bytes": file_bytes, "rows": summary.row_count,
        "format_version": summary.format_version, "creator": sight.creator,
        "time_first_ms": summary.time_first_ms, "time_last_ms": summary.time_last_ms,
        "times_are_field": sight.times_are_field, "origins": origins.collect::<Vec<_>>(),
        "columns": sight.columns.iter().map(column_json).collect::<Vec<_>>(),
        "hours": sight.cells.as_ref().map(|cells| cells.hours),
        "cells": cells.collect::<Vec<_>>(), "damages": damages.collect::<Vec<_>>(),
    }))?;
    Ok(())
}

fn column_json(column: &ColumnSight) -> Value {
    let sections: Map<String, Value> = column
        .sections
        .iter()
        .map(|(section, pages, bytes)| {
            let sizes = json!({ "pages": pages, "bytes": bytes });
            (section.label().replace(' ', "_"), sizes)
        })
        .collect();
    let encodings: Map<String, Value> = column
        .encodings
        .iter()
        .map(|(name, count)| (name.clone(), (*count).into()))
        .collect();
    json!({
        "name": column.name.as_ref(), "kind": column.kind.map(kind),
        "values": column.occurrence.map(occurrence), "stored_as": column.stored_as.as_deref(),
        "bytes": column.stored_bytes(), "sections": sections, "encodings": encodings,
        "terms": column.term_count, "term_bytes": column.text_bytes,
    })
}

fn kind(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Integer => "integer",
        ColumnKind::Decimal => "decimal",
        ColumnKind::Text => "text",
    }
}

fn occurrence(occurrence: ColumnOccurrence) -> &'static str {
    match occurrence {
        ColumnOccurrence::One => "one",
        ColumnOccurrence::Optional => "optional",
        ColumnOccurrence::Many => "many",
    }
}
