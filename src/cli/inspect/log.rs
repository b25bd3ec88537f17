//! `siltstone inspect log`.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use storage::catalog::Edit;
use storage::log::{BatchHeader, IndexState, LogFileReport, LogSight};
use storage::model::{Partition, PartitionId};
use storage::store::{CatalogSight, Damage, Inspection, JournalEntry, JournalItem};

use super::table::{Answer, time};
use super::{Kept, Place, unreadable};
use crate::error::{Error, ErrorKind, Result};

const PARTITIONS: &[&str] = &[
    "PARTITION",
    "TOPIC",
    ">FILES",
    ">BATCHES",
    ">RECORDS",
    ">BYTES",
    ">START",
    ">END",
    ">DURABLE",
    ">NEXT",
    ">DAMAGES",
];
const FILES: &[&str] = &[
    "FILE", ">BYTES", ">START", ">END", ">BATCHES", ">RECORDS", "INDEX", ">DAMAGES",
];
const BATCHES: &[&str] = &[
    "PARTITION",
    ">POSITION",
    ">OFFSET",
    ">RECORDS",
    ">BYTES",
    "CODEC",
    "FIRST TIME",
    "LATEST TIME",
    ">PRODUCER",
    ">EPOCH",
    ">SEQUENCE",
    ">LEADER EPOCH",
];
const JOURNAL_FILES: &[&str] = &[
    "JOURNAL FILE",
    ">BYTES",
    ">FROM",
    ">TO",
    ">GROUPS",
    ">RECORDS",
    ">TORN",
    ">DAMAGES",
];
const JOURNAL_RECORDS: &[&str] = &["JOURNAL", ">BEFORE", ">BYTES", "RECORD"];

/// Show partitions, their files and batches, and the journal
///
/// Reads all files and checks the checksum of every batch and group. NEXT is the offset that the
/// next record gets, by checkpoint and journal; DURABLE is how far the files are synced, and what
/// they hold beyond it the next start takes from the journal again.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone inspect log --data /var/lib/siltstone --topic trades --partition 0 --batches
  siltstone inspect log --data /var/lib/siltstone --journal --json")]
pub(super) struct Log {
    #[command(flatten)]
    place: Place,
    /// Only the partitions of this topic, by name or number
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only the partition with this number
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
    /// List every batch
    #[arg(long)]
    batches: bool,
    /// List every record of the journal, and no partitions
    #[arg(long)]
    journal: bool,
}

impl Log {
    pub(super) fn run(&self) -> Result<u64> {
        let (inspection, problem, mut answer) = self.place.open()?;
        let sight = inspection.catalog().map_err(unreadable)?;
        let mut damages = 0;
        if let Some(problem) = problem {
            damages += 1;
            show_problem(&mut answer, &problem)?;
        }
        if !self.journal {
            for partition in self.chosen(&inspection, &sight)? {
                damages += self.show_partition(&inspection, &sight, partition, &mut answer)?;
            }
        }
        damages += self.show_journal(&inspection, &mut answer)?;
        answer.finish()?;
        Ok(damages)
    }

    fn chosen(&self, inspection: &Inspection, sight: &CatalogSight) -> Result<Vec<Partition>> {
        let mut partitions = inspection.partitions().map_err(unreadable)?;
        if let Some(wanted) = &self.topic {
            let named = sight.catalog.topic_named(wanted);
            let number = named.map_or_else(|| wanted.parse().ok(), |state| Some(state.topic.id.0));
            partitions.retain(|partition| Some(partition.topic.0) == number);
        }
        if let Some(wanted) = self.partition {
            partitions.retain(|partition| partition.id == PartitionId(wanted));
        }
        let is_narrowed = self.topic.is_some() || self.partition.is_some();
        if partitions.is_empty() && is_narrowed {
            let text = "no partition with files is what --topic and --partition name";
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(partitions)
    }

    fn show_partition(
        &self,
        inspection: &Inspection,
        sight: &CatalogSight,
        partition: Partition,
        answer: &mut Answer,
    ) -> Result<u64> {
        let mut kept = Kept(Ok(()));
        let mut damages = Vec::new();
        let files = inspection.log(partition, &mut |seen| match seen {
            LogSight::Batch { position, header } if self.batches => {
                kept.then(|| show_batch(answer, partition, position, &header));
            }
            LogSight::Batch { .. } => {}
            LogSight::Damage(damage) => damages.push(damage),
        });
        let files = files.map_err(unreadable)?;
        kept.0?;
        show_totals(answer, sight, partition, &files, damages.len())?;
        for file in &files {
            show_file(answer, file)?;
        }
        for damage in &damages {
            show_damage(answer, damage)?;
        }
        if !answer.is_json {
            answer.line("")?;
        }
        Ok(damages.len() as u64)
    }

    fn show_journal(&self, inspection: &Inspection, answer: &mut Answer) -> Result<u64> {
        let mut kept = Kept(Ok(()));
        let mut damages = 0;
        let files = inspection.journal(&mut |item| match item {
            JournalItem::Entry {
                position,
                length_bytes,
                entry,
            } if self.journal => {
                kept.then(|| show_entry(answer, position.0, length_bytes, &entry));
            }
            JournalItem::Entry { .. } => {}
            JournalItem::Damage(damage) => {
                damages += 1;
                kept.then(|| show_damage(answer, &damage));
            }
        });
        let files = files.map_err(unreadable)?;
        kept.0?;
        for file in files {
            if answer.is_json {
                answer.json(&json!({
                    "kind": "journal_file", "file": file.path.as_str(), "bytes": file.length_bytes,
                    "from": file.first.0, "to": file.end.0, "groups": file.groups,
                    "records": file.payloads, "torn_bytes": file.torn_bytes,
                    "damages": file.damages,
                }))?;
                continue;
            }
            let row = [
                file.length_bytes,
                file.first.0,
                file.end.0,
                file.groups,
                file.payloads,
            ];
            let mut cells = vec![file.path.to_string()];
            cells.extend(row.iter().map(ToString::to_string));
            cells.extend([file.torn_bytes.to_string(), file.damages.to_string()]);
            answer.row(JOURNAL_FILES, cells)?;
        }
        Ok(damages)
    }
}

fn show_totals(
    answer: &mut Answer,
    sight: &CatalogSight,
    partition: Partition,
    files: &[LogFileReport],
    damages: usize,
) -> Result<()> {
    let state = sight.catalog.topic(partition.topic);
    let topic = state.map(|state| state.topic.name.as_str());
    let ends = sight.partitions.get(&partition);
    let durable = ends.and_then(|ends| ends.durable).map(|end| end.offset.0);
    let next = ends.map(|ends| ends.next.0);
    let sum = |of: fn(&LogFileReport) -> u64| files.iter().map(of).sum::<u64>();
    let (batches, records) = (sum(|file| file.batches), sum(|file| file.records));
    let bytes = sum(|file| file.length_bytes);
    let start = files.first().map_or(0, |file| file.base.0);
    let end = files.last().map_or(0, |file| file.end.0);
    if answer.is_json {
        return answer.json(&json!({
            "kind": "partition", "partition": partition.to_string(), "topic": topic,
            "files": files.len(), "batches": batches, "records": records, "bytes": bytes,
            "start": start, "end": end, "durable": durable, "next": next, "damages": damages,
        }));
    }
    let optional = |number: Option<u64>| number.map_or_else(|| "-".into(), |n| n.to_string());
    let mut cells = vec![partition.to_string(), topic.unwrap_or("-").into()];
    cells.extend([
        files.len().to_string(),
        batches.to_string(),
        records.to_string(),
    ]);
    cells.extend([bytes.to_string(), start.to_string(), end.to_string()]);
    cells.extend([optional(durable), optional(next), damages.to_string()]);
    answer.row(PARTITIONS, cells)
}

fn show_file(answer: &mut Answer, file: &LogFileReport) -> Result<()> {
    let index = match file.index {
        IndexState::Absent => "absent",
        IndexState::Sound => "sound",
        IndexState::Damaged => "damaged",
    };
    if answer.is_json {
        return answer.json(&json!({
            "kind": "file", "partition": file.partition.to_string(), "file": file.path.as_str(),
            "bytes": file.length_bytes, "start": file.base.0, "end": file.end.0,
            "batches": file.batches, "records": file.records, "index": index,
            "damages": file.damages,
        }));
    }
    let numbers = [
        file.length_bytes,
        file.base.0,
        file.end.0,
        file.batches,
        file.records,
    ];
    let mut cells = vec![file.path.to_string()];
    cells.extend(numbers.iter().map(ToString::to_string));
    cells.extend([index.into(), file.damages.to_string()]);
    answer.row(FILES, cells)
}

fn show_batch(
    answer: &mut Answer,
    partition: Partition,
    position: u64,
    header: &BatchHeader,
) -> Result<()> {
    if answer.is_json {
        let mut object = batch_json(partition, header);
        object["kind"] = "batch".into();
        object["position"] = position.into();
        return answer.json(&object);
    }
    let producer = |number: i64| match header.producer_id {
        0.. => number.to_string(),
        _ => "-".into(),
    };
    answer.row(
        BATCHES,
        vec![
            partition.to_string(),
            position.to_string(),
            header.base_offset.to_string(),
            header.record_count.to_string(),
            header.batch_bytes.to_string(),
            header.codec.to_string(),
            time(header.base_timestamp_ms),
            time(header.max_timestamp_ms),
            producer(header.producer_id),
            producer(header.producer_epoch.into()),
            producer(header.base_sequence.into()),
            header.leader_epoch.0.to_string(),
        ],
    )
}

fn batch_json(partition: Partition, header: &BatchHeader) -> Value {
    json!({
        "partition": partition.to_string(), "offset": header.base_offset.0,
        "next": header.next_offset().0, "records": header.record_count,
        "bytes": header.batch_bytes, "codec": header.codec.to_string(),
        "base_timestamp_ms": header.base_timestamp_ms,
        "max_timestamp_ms": header.max_timestamp_ms, "producer_id": header.producer_id,
        "producer_epoch": header.producer_epoch, "base_sequence": header.base_sequence,
        "leader_epoch": header.leader_epoch.0,
    })
}

fn show_entry(
    answer: &mut Answer,
    position: u64,
    length_bytes: usize,
    entry: &JournalEntry,
) -> Result<()> {
    if answer.is_json {
        let (name, content) = match entry {
            JournalEntry::Batch {
                partition,
                append_ms,
                header,
            } => {
                let mut batch = batch_json(*partition, header);
                batch["append_ms"] = (*append_ms).into();
                ("batch", batch)
            }
            JournalEntry::Edit(edit) => ("edit", changes(edit).into()),
            JournalEntry::Groups(of) => ("groups", plain_changes(of).into()),
            JournalEntry::Transactions(of) => ("transactions", plain_changes(of).into()),
            JournalEntry::Unknown(why) => ("unknown", why.as_str().into()),
        };
        return answer.json(&json!({
            "kind": "journal_record", "before": position, "bytes": length_bytes, name: content,
        }));
    }
    let text = match entry {
        JournalEntry::Batch {
            partition, header, ..
        } => format!(
            "batch of {partition}: offsets {}..{}, {} records, {}, up to {}",
            header.base_offset,
            header.next_offset(),
            header.record_count,
            header.codec,
            time(header.max_timestamp_ms)
        ),
        JournalEntry::Edit(edit) => {
            let changes: Vec<String> = changes(edit).iter().map(in_words).collect();
            format!("edit: {}", changes.join("; "))
        }
        JournalEntry::Groups(of) => {
            let changes: Vec<String> = plain_changes(of).iter().map(in_words).collect();
            format!("groups: {}", changes.join("; "))
        }
        JournalEntry::Transactions(of) => {
            let changes: Vec<String> = plain_changes(of).iter().map(in_words).collect();
            format!("transactions: {}", changes.join("; "))
        }
        JournalEntry::Unknown(why) => format!("not understood: {why}"),
    };
    let cells = vec![
        "record".into(),
        position.to_string(),
        length_bytes.to_string(),
        text,
    ];
    answer.row(JOURNAL_RECORDS, cells)
}

/// The changes of an edit as the journal writes them, so that new kinds are shown, too.
fn changes(edit: &Edit) -> Vec<Value> {
    let changes = edit.changes.iter();
    changes
        .map(|change| serde_json::to_value(change).unwrap_or_default())
        .collect()
}

/// Changes of groups or transactions as the journal writes them.
fn plain_changes(changes: &[impl Serialize]) -> Vec<Value> {
    let changes = changes.iter();
    changes
        .map(|change| serde_json::to_value(change).unwrap_or_default())
        .collect()
}

/// A change in a few words: what it is called, and what it is about.
fn in_words(change: &Value) -> String {
    let Some((name, content)) = change.as_object().and_then(|object| object.iter().next()) else {
        return change.to_string();
    };
    let mut words = name.replace('_', " ");
    let about = |key: &str| match &content[key] {
        Value::Null | Value::Object(_) | Value::Array(_) => String::new(),
        Value::String(text) => format!(" {key} '{text}'"),
        other => format!(" {key} {other}"),
    };
    for key in ["topic", "id", "name", "group", "partitions", "next"] {
        words.push_str(&about(key));
    }
    if content.is_number() {
        words.push_str(&format!(" {content}"));
    }
    if let Some(segment) = content.get("segment").filter(|segment| segment.is_object()) {
        let (id, rows) = (&segment["id"], &segment["row_count"]);
        words.push_str(&format!(" segment {id} of {rows} rows"));
    }
    words
}

pub(super) fn show_problem(answer: &mut Answer, problem: &str) -> Result<()> {
    match answer.is_json {
        true => answer.json(&json!({ "kind": "problem", "what": problem })),
        false => answer.line(&format!("problem: {problem}")),
    }
}

fn show_damage(answer: &mut Answer, damage: &Damage) -> Result<()> {
    if answer.is_json {
        return answer.json(&json!({
            "kind": "damage", "file": damage.path.as_str(), "offset": damage.offset,
            "bytes": damage.length_bytes, "what": damage.what,
        }));
    }
    answer.line(&format!("damage: {damage}"))
}
