//! Rows that arrive while dashboards look, through Kafka.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use storage::log::{BatchBuilder, Codec, NewRecord};

use super::{Clock, Options, Outcome, connect};

const PARTITIONS: usize = 6;
const BATCH_ROWS: usize = 500;
/// Rows of the file that are written again and again.
const ROWS_MAX: usize = 500_000;

/// What was written.
#[derive(Debug)]
pub(super) struct Fed {
    documents: usize,
    seconds: f64,
    acknowledged_ms: Vec<f64>,
}

impl fmt::Display for Fed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "written: {} documents, {:.0} a second; acknowledged p50 {:.1} ms, p99 {:.1} ms",
            self.documents,
            self.documents as f64 / self.seconds,
            super::at(&self.acknowledged_ms, 0.5),
            super::at(&self.acknowledged_ms, 0.99),
        )
    }
}

/// Writes rows of *now* at the wanted rate, one request after another, until `done`.
pub(super) fn run(options: &Options, clock: Clock, done: &AtomicBool) -> Outcome<Fed> {
    let rows = rows(options)?;
    let mut stream = connect(&options.kafka)?;
    let began = Instant::now();
    let mut documents = 0;
    let mut acknowledged_ms = Vec::new();
    let mut text = String::new();
    while !done.load(Ordering::Relaxed) {
        let due = Duration::from_secs_f64(documents as f64 / options.rate as f64);
        thread::sleep(due.saturating_sub(began.elapsed()));
        let now_ms = clock.now_ms();
        let time = jiff::Timestamp::from_millisecond(now_ms)?;
        let mut batch = BatchBuilder::new();
        for row in rows
            .iter()
            .cycle()
            .skip(documents % rows.len())
            .take(BATCH_ROWS)
        {
            text.clear();
            use std::fmt::Write;
            write!(text, "{{\"ts\":\"{time:.3}\"{row}")?;
            batch.push(NewRecord {
                timestamp_ms: now_ms,
                value: Some(text.as_bytes()),
                ..NewRecord::default()
            })?;
        }
        let partition = documents / BATCH_ROWS % PARTITIONS;
        let batch = batch.finish(Codec::Lz4);
        let sent = Instant::now();
        stream.write_all(&request(&options.index, partition, batch.bytes())?)?;
        let throttle_ms = answer(&mut stream, &options.index)?;
        acknowledged_ms.push(sent.elapsed().as_secs_f64() * 1e3);
        documents += BATCH_ROWS;
        thread::sleep(Duration::from_millis(throttle_ms));
    }
    acknowledged_ms.sort_by(f64::total_cmp);
    Ok(Fed {
        documents,
        seconds: began.elapsed().as_secs_f64(),
        acknowledged_ms,
    })
}

/// What follows the time in rows of T20.
fn rows(options: &Options) -> Outcome<Vec<String>> {
    let path = options
        .rows
        .as_ref()
        .ok_or("rows=FILE names rows to write")?;
    let lines = BufReader::with_capacity(1 << 20, File::open(path)?).lines();
    let mut rows = Vec::new();
    for line in lines.take(ROWS_MAX) {
        let line = line?;
        let comma = line.find(',').ok_or("a row has fields")?;
        rows.push(line[comma..].to_owned());
    }
    Ok(rows)
}

/// A Produce request of version 7 with one batch.
fn request(topic: &str, partition: usize, batch: &[u8]) -> Outcome<Vec<u8>> {
    let mut body = Vec::with_capacity(batch.len() + 64);
    body.extend([0, 0, 0, 7]);
    body.extend(0_i32.to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    body.extend(30_000_i32.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(u16::try_from(topic.len())?.to_be_bytes());
    body.extend(topic.as_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(u32::try_from(partition)?.to_be_bytes());
    body.extend(u32::try_from(batch.len())?.to_be_bytes());
    body.extend(batch);
    let mut framed = u32::try_from(body.len())?.to_be_bytes().to_vec();
    framed.append(&mut body);
    Ok(framed)
}

/// Reads one answer; says how long the server wants to hear nothing.
fn answer(stream: &mut TcpStream, topic: &str) -> Outcome<u64> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    stream.read_exact(&mut answer)?;
    // Correlation, topics, name, partitions, index.
    let code_at = 4 + 4 + 2 + topic.len() + 4 + 4;
    if answer.get(code_at..code_at + 2) != Some(&[0, 0]) {
        return Err(format!("refused: {answer:?}").into());
    }
    let throttle = answer.last_chunk().copied().ok_or("a short answer")?;
    Ok(u64::try_from(i32::from_be_bytes(throttle))?)
}
