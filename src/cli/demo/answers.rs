//! The demo's questions, and their answers beside the golden figures.

use serde_json::{Value, json};

use super::super::print_line;
use super::super::target::Target;
use super::golden::{self, Hour};
use crate::error::{Error, ErrorKind, Result};

/// Asks everything and prints it; whether all figures are as they must be.
pub(super) fn print(target: &Target) -> Result<bool> {
    let golden = golden::hours();
    print_line("\nTransactions by hour (BTC), checked against independently counted figures:")?;
    let mut all_right = hours(target, "transactions", "time", "amount_btc", &golden)?;

    let day: Vec<Hour> = golden
        .into_iter()
        .filter(|hour| hour.name.starts_with("2017-08-24"))
        .collect();
    print_line("\nThe same hours of 2017-08-24 as an older system's floats (3.7706872799999998):")?;
    all_right &= hours(target, "btc_tx", "btc_timestamp", "tx_btc_amount", &day)?;

    print_line("\nTop three miners by day (blocks):")?;
    miners(target, "1d")?;
    print_line("\nTop three miners by month (blocks):")?;
    miners(target, "1M")?;
    Ok(all_right)
}

/// Prints each hour's figures with ✓ or ✗; whether all are ✓.
fn hours(
    target: &Target,
    index: &str,
    time_field: &str,
    amount_field: &str,
    golden: &[Hour],
) -> Result<bool> {
    let answer = ask(
        target,
        index,
        &json!({
            "date_histogram": { "field": time_field, "fixed_interval": "1h", "min_doc_count": 1 },
            "aggs": {
                "volume": { "sum": { "field": amount_field } },
                "largest": { "max": { "field": amount_field } },
            },
        }),
    )?;
    let buckets = buckets(&answer["aggregations"]["answer"])?;
    let mut all_right = buckets.len() == golden.len();
    for hour in golden {
        let bucket = buckets
            .iter()
            .find(|bucket| bucket["key"].as_i64() == Some(hour.start_ms));
        let got = bucket.map(|bucket| Hour {
            name: hour.name.clone(),
            start_ms: hour.start_ms,
            count: bucket["doc_count"].as_u64().unwrap_or_default(),
            volume: decimals(&bucket["volume"]["value"]),
            largest: decimals(&bucket["largest"]["value"]),
        });
        let right = got.as_ref() == Some(hour);
        all_right &= right;
        let line = |mark: &str, hour: &Hour| {
            let Hour {
                name,
                count,
                volume,
                largest,
                ..
            } = hour;
            print_line(&format!(
                "  {mark} {name} {count:>6} {volume:>18} {largest:>16}"
            ))
        };
        match (&got, right) {
            (Some(got), true) => line("✓", got)?,
            (Some(got), false) => {
                line("✗", got)?;
                line("  wanted", hour)?;
            }
            (None, _) => print_line(&format!("  ✗ {} is missing", hour.name))?,
        }
    }
    if buckets.len() != golden.len() {
        print_line(&format!(
            "  ✗ {} hours instead of {}",
            buckets.len(),
            golden.len()
        ))?;
    }
    how(&answer)?;
    Ok(all_right)
}

fn miners(target: &Target, interval: &str) -> Result<()> {
    let answer = ask(
        target,
        "blocks",
        &json!({
            "date_histogram": {
                "field": "time", "calendar_interval": interval, "min_doc_count": 1,
                "format": if interval == "1M" { "yyyy-MM" } else { "yyyy-MM-dd" },
            },
            "aggs": { "miners": { "terms": { "field": "miner", "size": 3 } } },
        }),
    )?;
    for bucket in buckets(&answer["aggregations"]["answer"])? {
        let miners: Vec<String> = buckets(&bucket["miners"])?
            .iter()
            .map(|miner| {
                let name = miner["key"].as_str().unwrap_or_default();
                format!("{name} {}", miner["doc_count"])
            })
            .collect();
        let period = bucket["key_as_string"].as_str().unwrap_or_default();
        print_line(&format!("  {period:10}  {}", miners.join(", ")))?;
    }
    how(&answer)
}

fn ask(target: &Target, index: &str, aggregation: &Value) -> Result<Value> {
    let search = json!({ "size": 0, "profile": true, "aggs": { "answer": aggregation } });
    target.ask_json(
        "POST",
        &format!("/{index}/_search"),
        search.to_string().as_bytes(),
    )
}

/// Prints how an answer was made.
fn how(answer: &Value) -> Result<()> {
    let profile = &answer["profile"]["siltstone"];
    let mut text = format!(
        "  made of {} hourly cells and {} rows in {} ms",
        profile["rollup_cells"], profile["rows_scanned"], answer["took"]
    );
    for reason in profile["cells_unused_because"]
        .as_array()
        .into_iter()
        .flatten()
    {
        text.push_str("; ");
        text.push_str(reason.as_str().unwrap_or_default());
    }
    print_line(&text)
}

fn buckets(aggregation: &Value) -> Result<&[Value]> {
    let buckets = aggregation["buckets"].as_array().map(Vec::as_slice);
    buckets.ok_or_else(|| Error::new(ErrorKind::Internal, "an answer without buckets"))
}

fn decimals(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "nothing".into(), |value| format!("{value:.8}"))
}
