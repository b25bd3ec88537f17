//! Documents that are appended by the library, the same in every run.

use std::ops::Range;

use siltstone::{Db, Result};

/// Documents of one append.
pub(crate) const APPEND_ROWS: usize = 10_000;

/// The documents of `rows`.
pub(crate) fn documents(rows: Range<usize>) -> Vec<String> {
    rows.map(document).collect()
}

fn document(row: usize) -> String {
    let (minute, second) = (row / 60 % 1440, row % 60);
    let (hour, minute) = (minute / 60, minute % 60);
    let (miner, fee) = (row * 7919 % 200, row % 100_000);
    format!(
        r#"{{"@timestamp":"2026-01-02T{hour:02}:{minute:02}:{second:02}Z","block":{row},"miner":"miner-{miner}","fee":{fee},"address":"bc1q{:032x}"}}"#,
        (row as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834)
    )
}

/// Appends documents by one call.
pub(crate) fn append(db: &Db, documents: &[String]) -> Result<()> {
    db.append("t", documents.iter().map(String::as_str))?;
    Ok(())
}
