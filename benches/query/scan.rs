//! How long do the aggregations of a dashboard take over many segments?
//!
//! `cargo run --profile quick -p siltstone-query --example scan -- \
//!  FOLDER [SEGMENTS] [ROWS] [NAME] [SPACING_MS]`
//!
//! FOLDER keeps the segments for the next run. Answers are from rows alone, but for the questions
//! that begin with `cells_`, whose answers must equal those from rows; all on every core. NAME picks
//! the questions that begin with it, SPACING_MS puts rows further apart.

use std::env;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::time::Instant;

use siltstone_query::request::{RollupUse, SearchRequest};
use siltstone_query::{ScanPool, search};
use storage::segment::RowSource;

use self::chain::Outcome;

mod chain;
mod questions;

const REPEATS: usize = 15;

fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("say in which folder segments are kept")?;
    let segments: usize = arguments.next().map_or(Ok(16), |text| text.parse())?;
    let rows: usize = arguments
        .next()
        .map_or(Ok(20_000_000), |text| text.parse())?;
    let wanted = arguments.next().unwrap_or_default();
    let spacing_ms: f64 = arguments.next().map_or(Ok(300.0), |text| text.parse())?;
    let sources = chain::segments(Path::new(&folder), segments, rows, spacing_ms)?;
    let snapshot = chain::snapshot(sources);
    let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let pool = ScanPool::new(threads)?;
    println!(
        "{} rows in {segments} segments, {threads} threads",
        snapshot
            .sources
            .iter()
            .map(RowSource::row_count)
            .sum::<usize>()
    );
    println!(
        "{:<18} {:>9} {:>9} {:>9} {:>9}",
        "question", "first ms", "median ms", "best ms", "cpu ms"
    );
    for (name, request) in questions::questions() {
        if !name.starts_with(&wanted) {
            continue;
        }
        if request.rollup == RollupUse::WhereExact {
            let rows = SearchRequest {
                rollup: RollupUse::Never,
                ..request.clone()
            };
            let by_rows = search(&rows, &snapshot, &pool)?.aggregations;
            let by_cells = search(&request, &snapshot, &pool)?;
            assert!(by_cells.profile.cells_used > 0, "{name}: no cells");
            assert_eq!(by_cells.aggregations, by_rows, "{name}");
        }
        let mut times_ms = Vec::new();
        let mut cpu_ms = 0.0;
        for repeat in 0..=REPEATS {
            if repeat == 1 {
                cpu_ms = cpu_time_ms()?;
            }
            let start = Instant::now();
            search(&request, &snapshot, &pool)?;
            times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let cpu_ms = (cpu_time_ms()? - cpu_ms) / REPEATS as f64;
        let first_ms = times_ms.remove(0);
        times_ms.sort_by(f64::total_cmp);
        println!(
            "{name:<18} {first_ms:>9.1} {:>9.1} {:>9.1} {cpu_ms:>9.1}",
            times_ms[REPEATS / 2],
            times_ms[0],
        );
    }
    println!("{} MiB resident at most", resident_max_mib()?);
    Ok(())
}

/// What all threads of this process have computed; other processes do not show in it.
fn cpu_time_ms() -> Outcome<f64> {
    const TICK_MS: f64 = 10.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let ticks: Vec<f64> = behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() * TICK_MS)
}

/// The most memory that this process ever had.
fn resident_max_mib() -> Outcome<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kibibytes.ok_or("no VmHWM")?.parse::<usize>()? / 1024)
}
