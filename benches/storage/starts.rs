//! How long a start takes: with many segments, and with much log that is in no segment yet.
//!
//! ```text
//! cargo run --profile quick --example starts -- segments DIR 1000 2000
//! cargo run --profile quick --example starts -- again DIR
//! cargo run --profile quick --example starts -- log DIR 3000000
//! ```
//!
//! `segments` makes so many segments of so many rows each (one seal each, no merges), closes the
//! store, opens it again and asks; `again` does that last part once more. `log` lets a process append
//! so many documents and die before any of them is sealed, opens what it left and waits until all of
//! them are rows. DIR must not exist.

use std::ops::Range;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use siltstone::{Db, Options, Result};

use self::rows::{APPEND_ROWS, append, documents};

mod rows;

const QUESTION: &str = r#"{"size": 0, "track_total_hits": true, "aggs": {
    "fees": {"sum": {"field": "fee"}}, "miners": {"terms": {"field": "miner.keyword"}}}}"#;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["segments", folder, count, rows] => many_segments(folder, number(count), number(rows)),
        ["again", folder] => start_twice(folder),
        ["log", folder, rows] => much_log(folder, rows),
        ["fill", folder, rows] => fill(folder, number(rows)),
        _ => {
            eprintln!("segments DIR SEGMENTS ROWS | again DIR | log DIR ROWS");
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn append_all(db: &Db, rows: Range<usize>) -> Result<()> {
    for start in rows.clone().step_by(APPEND_ROWS) {
        append(db, &documents(start..rows.end.min(start + APPEND_ROWS)))?;
    }
    Ok(())
}

fn options() -> Options {
    Options {
        merge: false,
        scrub_bytes_per_second: 0,
        ..Options::default()
    }
}

/// Milliseconds that `work` takes, and what it gives.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let done = work()?;
    Ok((start.elapsed().as_secs_f64() * 1000.0, done))
}

fn many_segments(folder: &str, count: usize, rows: usize) -> Result<()> {
    let db = Db::builder().path(folder).options(options()).open()?;
    let mut last_ms = 0.0;
    for segment in 0..count {
        append_all(&db, segment * rows..(segment + 1) * rows)?;
        (last_ms, _) = timed(|| db.flush("t"))?;
    }
    let (close_ms, ()) = timed(|| db.close())?;
    println!("last seal {last_ms:.1} ms, close {close_ms:.1} ms");
    start_twice(folder)
}

/// Opens what `segments` left and asks, two times.
fn start_twice(folder: &str) -> Result<()> {
    for round in ["first", "second"] {
        let (open_ms, db) = timed(|| Db::builder().path(folder).options(options()).open())?;
        let (answer_ms, answer) = timed(|| db.search("t", QUESTION))?;
        let (again_ms, _) = timed(|| db.search("t", QUESTION))?;
        let total = answer.split("\"total\"").nth(1).unwrap_or_default();
        println!(
            "{round} start: open {open_ms:.1} ms, first answer {answer_ms:.1} ms more, the same \
             again {again_ms:.1} ms; total{}",
            total.get(..20).unwrap_or_default()
        );
        db.close()?;
    }
    Ok(())
}

/// Appends without a seal, and dies.
fn fill(folder: &str, rows: usize) -> Result<()> {
    let options = Options {
        seal_rows: usize::MAX,
        seal_bytes: usize::MAX,
        memory_bytes: 1 << 40,
        work: siltstone::options::Work::Caller,
        ..options()
    };
    let db = Db::builder().path(folder).options(options).open()?;
    append_all(&db, 0..rows)?;
    std::process::abort();
}

fn much_log(folder: &str, rows: &str) -> Result<()> {
    let this = std::env::current_exe().expect("this program has a path");
    let filled = Command::new(this).args(["fill", folder, rows]).status();
    assert!(!filled.expect("it runs").success(), "it ends by dying");
    let bytes = folder_bytes(&Path::new(folder).join("log"));
    let (open_ms, db) = timed(|| Db::builder().path(folder).options(options()).open())?;
    let (rows_ms, ()) = timed(|| db.refresh("t"))?;
    let gigabytes = bytes as f64 / 1e9;
    println!(
        "{gigabytes:.2} GB of journal and log: open {open_ms:.0} ms, all queryable {rows_ms:.0} ms \
         later"
    );
    db.close()
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.path() {
        path if path.is_dir() => folder_bytes(&path),
        path => path.metadata().map_or(0, |metadata| metadata.len()),
    });
    sizes.sum()
}
