//! What does it cost to make one batch a partition durable, with three layouts of the log?
//!
//! `cargo run -p siltstone-storage --example journal_layouts -- FOLDER [SECONDS] [BATCH_BYTES]`
//!
//! - `journal+files`: one write and one sync of the journal, then one unsynced write a partition
//!   file; these are synced and the journal is trimmed every 64 MiB. What the store does.
//! - `file each`: one write and one sync a partition file.
//! - `journal`: the journal alone, which readers would have to pick their batches from.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use siltstone_storage::disk::{AppendFile, Disk, FileDisk, FilePath};
use siltstone_storage::log::{
    BatchBuilder, Codec, Journal, JournalOptions, JournalPosition, LogOptions, NewRecord,
    PartitionLog, RecordBatch,
};
use siltstone_storage::model::{LeaderEpoch, Offset, Partition, PartitionId, TopicId};

const PARTITIONS: [u32; 3] = [1, 10, 100];
const REPEATS: usize = 3;
const CHECKPOINT_BYTES: u64 = 64 << 20;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A way to keep batches durable.
trait Layout {
    /// Makes one batch for each partition durable.
    fn commit(&mut self, batches: &[RecordBatch]) -> Outcome<()>;
}

struct JournalAndFiles {
    journal: Journal,
    logs: Vec<PartitionLog>,
    checkpoint: JournalPosition,
}

struct FileEach(Vec<Box<dyn AppendFile>>);

struct JournalAlone(Journal);

impl Layout for JournalAndFiles {
    fn commit(&mut self, batches: &[RecordBatch]) -> Outcome<()> {
        let payloads: Vec<_> = batches.iter().map(RecordBatch::bytes).collect();
        let end = self.journal.append(&payloads)?;
        for (log, batch) in self.logs.iter_mut().zip(batches) {
            log.append(batch)?;
        }
        if end.0 - self.checkpoint.0 >= CHECKPOINT_BYTES {
            for log in &mut self.logs {
                log.sync()?;
            }
            self.journal.trim(end)?;
            self.checkpoint = end;
        }
        Ok(())
    }
}

impl Layout for FileEach {
    fn commit(&mut self, batches: &[RecordBatch]) -> Outcome<()> {
        for (file, batch) in self.0.iter_mut().zip(batches) {
            file.append(batch.bytes())?;
        }
        for file in &mut self.0 {
            file.sync()?;
        }
        Ok(())
    }
}

impl Layout for JournalAlone {
    fn commit(&mut self, batches: &[RecordBatch]) -> Outcome<()> {
        let payloads: Vec<_> = batches.iter().map(RecordBatch::bytes).collect();
        self.0.append(&payloads)?;
        Ok(())
    }
}

fn journal(disk: &Arc<dyn Disk>) -> Outcome<Journal> {
    let start = JournalPosition::default();
    Ok(Journal::open(Arc::clone(disk), start, JournalOptions::default())?.0)
}

fn layout(name: &str, disk: &Arc<dyn Disk>, partition_count: u32) -> Outcome<Box<dyn Layout>> {
    let partitions = (0..partition_count).map(|id| Partition::new(TopicId(0), PartitionId(id)));
    Ok(match name {
        "journal+files" => {
            let options = LogOptions::default();
            let create = |partition| PartitionLog::create(Arc::clone(disk), partition, options);
            let logs = partitions.map(create).collect::<Result<_, _>>()?;
            let checkpoint = JournalPosition::default();
            Box::new(JournalAndFiles {
                journal: journal(disk)?,
                logs,
                checkpoint,
            })
        }
        "file each" => {
            let path = |partition| FilePath::parse(&format!("files/{partition}"));
            let files = partitions.map(|partition| Ok(disk.create(&path(partition)?)?));
            Box::new(FileEach(files.collect::<Outcome<_>>()?))
        }
        _ => Box::new(JournalAlone(journal(disk)?)),
    })
}

/// A batch of `bytes` that does not compress, the same for every partition.
fn batch(bytes: usize) -> Outcome<RecordBatch> {
    let mut state = 1_u64;
    let value: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_le_bytes()[7]
        })
        .collect();
    let mut builder = BatchBuilder::new();
    builder.push(NewRecord {
        value: Some(&value),
        ..NewRecord::default()
    })?;
    Ok(builder.finish(Codec::None))
}

/// Commits for a while and returns how long each commit took.
fn measure(
    layout: &mut dyn Layout,
    partitions: u32,
    bytes: usize,
    time: Duration,
) -> Outcome<Vec<Duration>> {
    let mut batches = vec![batch(bytes)?; usize::try_from(partitions)?];
    let mut durations = Vec::new();
    let started = Instant::now();
    while started.elapsed() < time {
        for batch in &mut batches {
            batch.assign(Offset(durations.len() as u64), LeaderEpoch(0));
        }
        let before = Instant::now();
        layout.commit(&batches)?;
        durations.push(before.elapsed());
    }
    Ok(durations)
}

fn run(
    folder: &Path,
    name: &str,
    partitions: u32,
    bytes: usize,
    time: Duration,
) -> Outcome<String> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(folder)?);
    let mut layout = layout(name, &disk, partitions)?;
    let mut durations = measure(layout.as_mut(), partitions, bytes, time)?;
    let total: Duration = durations.iter().sum();
    durations.sort();
    let at = |part: usize| durations[(durations.len() - 1) * part / 100].as_secs_f64() * 1e3;
    let commits = durations.len() as f64 / total.as_secs_f64();
    let megabytes = commits * f64::from(partitions) * bytes as f64 / 1e6;
    fs::remove_dir_all(folder)?;
    Ok(format!(
        "{name:>14} {partitions:>4} partitions  {commits:>7.0} commits/s  {megabytes:>6.1} MB/s  \
         p50 {:>7.2} ms  p99 {:>7.2} ms",
        at(50),
        at(99)
    ))
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let folder = arguments
        .first()
        .ok_or("name a folder on the disk that is to be measured")?;
    let folder = Path::new(folder).join("journal-layouts");
    let seconds = arguments.get(1).map_or(Ok(3), |text| text.parse())?;
    let bytes = arguments.get(2).map_or(Ok(16 << 10), |text| text.parse())?;
    // Interleaved, so that a noisy neighbour does not hit one layout alone.
    for partitions in PARTITIONS {
        for _ in 0..REPEATS {
            for name in ["journal+files", "file each", "journal"] {
                println!(
                    "{}",
                    run(
                        &folder,
                        name,
                        partitions,
                        bytes,
                        Duration::from_secs(seconds)
                    )?
                );
            }
        }
    }
    Ok(())
}
