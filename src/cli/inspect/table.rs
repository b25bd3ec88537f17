//! Rows under a heading, in columns as wide as they must be.

use std::io::{self, BufWriter, StdoutLock, Write};

use jiff::Timestamp;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// Rows that are held to find the widths of columns; later ones use those of the rows before.
const ROWS_HELD_MAX: usize = 1000;

/// Where answers go: lines of JSON for programs, tables for people.
pub(super) struct Answer {
    out: BufWriter<StdoutLock<'static>>,
    pub(super) is_json: bool,
    /// A reader that has gone away has seen enough.
    is_over: bool,
    table: Option<Table>,
}

struct Table {
    headings: &'static [&'static str],
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
    is_begun: bool,
}

impl Answer {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            out: BufWriter::new(io::stdout().lock()),
            is_json,
            is_over: false,
            table: None,
        }
    }

    /// One object on a line of its own.
    pub(super) fn json(&mut self, object: &Value) -> Result<()> {
        self.write(&format!("{object}\n"))
    }

    /// A line of text.
    pub(super) fn line(&mut self, text: &str) -> Result<()> {
        self.end_table()?;
        self.write(&format!("{text}\n"))
    }

    /// A row below `headings`; a heading that starts with `>` is that of numbers.
    pub(super) fn row(
        &mut self,
        headings: &'static [&'static str],
        row: Vec<String>,
    ) -> Result<()> {
        if !self
            .table
            .as_ref()
            .is_some_and(|table| std::ptr::eq(table.headings, headings))
        {
            self.end_table()?;
            self.table = Some(Table::new(headings));
        }
        let table = self.table.as_mut().expect("it was just made");
        table.rows.push(row);
        if table.rows.len() == ROWS_HELD_MAX {
            let text = table.take();
            self.write(&text)?;
        }
        Ok(())
    }

    fn end_table(&mut self) -> Result<()> {
        match self.table.take() {
            Some(mut table) => self.write(&table.take()),
            None => Ok(()),
        }
    }

    /// Writes what is held.
    pub(super) fn finish(mut self) -> Result<()> {
        self.end_table()?;
        let flushed = self.out.flush();
        self.note(flushed)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        if self.is_over {
            return Ok(());
        }
        let written = self.out.write_all(text.as_bytes());
        self.note(written)
    }

    fn note(&mut self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_over = true;
                Ok(())
            }
            Err(error) => {
                Err(Error::caused(ErrorKind::Internal, error).while_doing("cannot print"))
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Table {
    fn new(headings: &'static [&'static str]) -> Self {
        let widths = headings.iter().map(|heading| name(heading).chars().count());
        Self {
            headings,
            widths: widths.collect(),
            rows: Vec::new(),
            is_begun: false,
        }
    }

    /// The rows held so far as text.
    fn take(&mut self) -> String {
        for row in &self.rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        if !self.is_begun {
            self.is_begun = true;
            let headings: Vec<String> = self.headings.iter().map(|one| name(one).into()).collect();
            self.push_row(&headings, &mut text);
        }
        for row in std::mem::take(&mut self.rows) {
            self.push_row(&row, &mut text);
        }
        text
    }

    fn push_row(&self, row: &[String], text: &mut String) {
        let mut line = String::new();
        for ((cell, width), heading) in row.iter().zip(&self.widths).zip(self.headings) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            match heading.starts_with('>') {
                true => line.push_str(&format!("{gap}{cell}")),
                false => line.push_str(&format!("{cell}{gap}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn name(heading: &'static str) -> &'static str {
    heading.trim_start_matches('>')
}

/// An instant as people read it; the number where the calendar ends.
pub(super) fn time(time_ms: i64) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => time.to_string(),
        Err(_) => time_ms.to_string(),
    }
}

/// `part` of `whole` with two digits behind the point; `-` of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".into(),
        _ => format!("{:.2}", part as f64 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut table = Table::new(&["name", ">rows"]);
        table.rows.push(vec!["a".into(), "1000000".into()]);
        table.rows.push(vec!["longer".into(), "2".into()]);
        assert_eq!(
            table.take(),
            "name       rows\na       1000000\nlonger        2\n"
        );
        table.rows.push(vec!["b".into(), "3".into()]);
        assert_eq!(table.take(), "b             3\n");
    }

    #[test]
    fn times_beyond_the_calendar_are_numbers() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(i64::MAX), "9223372036854775807");
    }
}
