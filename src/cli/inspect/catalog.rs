//! `siltstone inspect catalog`.

use clap::Args;
use serde_json::{Map, Value, json};
use storage::catalog::{SegmentMeta, TopicState};
use storage::model::{Offset, Partition};
use storage::store::{CatalogSight, Inspection, SegmentFileState};

use super::log::show_problem;
use super::table::{Answer, ratio, time};
use super::{Place, unreadable};
use crate::error::{Error, ErrorKind, Result};

const TOPICS: &[&str] = &[
    ">TOPIC",
    "NAME",
    ">PARTITIONS",
    ">SEGMENTS",
    ">ROWS",
    ">BYTES",
    ">B/ROW",
    ">REJECTED",
    "TIME FIELD",
    "CREATED",
];
const FIELDS: &[&str] = &["FIELD", "TYPE", "FORMAT", "SUBFIELDS"];
const SEGMENTS: &[&str] = &[
    ">SEGMENT",
    "FILE",
    ">ROWS",
    ">BYTES",
    ">B/ROW",
    "FIRST TIME",
    "LAST TIME",
    ">VERSION",
    "STATE",
];
const WATERMARKS: &[&str] = &["PARTITION", ">WATERMARK", ">NEXT", ">BEHIND"];
const REASONS: &[&str] = &[">REJECTED", "REASON"];

/// Show topics, fields, segments, watermarks and rejected records
///
/// What the checkpoint says, with the edits that the journal adds. WATERMARK is how far a
/// partition's records are rows of segments; the next start makes rows of those BEHIND it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone inspect catalog --data /var/lib/siltstone --topic trades
  siltstone inspect catalog --data /var/lib/siltstone --json")]
pub(super) struct Catalog {
    #[command(flatten)]
    place: Place,
    /// One topic with everything about it; without, all topics in brief
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
}

impl Catalog {
    pub(super) fn run(&self) -> Result<u64> {
        let (inspection, problem, mut answer) = self.place.open()?;
        let sight = inspection.catalog().map_err(unreadable)?;
        let mut damages = 0;
        for problem in problem.iter().chain(&sight.problems) {
            damages += 1;
            show_problem(&mut answer, problem)?;
        }
        show_store(&mut answer, &sight)?;
        match &self.topic {
            Some(name) => {
                let state = sight.catalog.topic_named(name).ok_or_else(|| {
                    let text = format!("the catalog has no topic '{name}'");
                    Error::new(ErrorKind::NotFound, text)
                })?;
                damages += show_whole(&mut answer, &inspection, &sight, state)?;
            }
            None if answer.is_json => {
                for state in sight.catalog.topics() {
                    damages += show_whole(&mut answer, &inspection, &sight, state)?;
                }
            }
            None => {
                for state in sight.catalog.topics() {
                    show_topic(&mut answer, state)?;
                }
                for state in sight.catalog.topics() {
                    damages += show_wrong_files(&mut answer, &inspection, state)?;
                }
            }
        }
        answer.finish()?;
        Ok(damages)
    }
}

fn show_store(answer: &mut Answer, sight: &CatalogSight) -> Result<()> {
    let catalog = &sight.catalog;
    let uuid = Value::from(hex(catalog.store_uuid()));
    let position = sight.head.map(|head| head.journal_position.0);
    let closed = sight.head.map(|head| head.is_closed);
    let epoch = sight.head.map(|head| head.epoch.0);
    if answer.is_json {
        return answer.json(&json!({
            "kind": "store", "uuid": uuid, "edits": catalog.edit_count(),
            "journal_edits": sight.journal_edits, "checkpoint_position": position,
            "epoch": epoch, "closed": closed, "topics": catalog.topics().len(),
        }));
    }
    let state = match closed {
        Some(true) => "closed in good order",
        Some(false) => "not closed: the next start recovers",
        None => "no checkpoint yet",
    };
    answer.line(&format!(
        "store {}: {} edits ({} in the journal beyond the checkpoint at {}), epoch {}, {state}",
        uuid.as_str().unwrap_or_default(),
        catalog.edit_count(),
        sight.journal_edits,
        position.unwrap_or(0),
        epoch.unwrap_or(0),
    ))
}

fn show_topic(answer: &mut Answer, state: &TopicState) -> Result<()> {
    let topic = &state.topic;
    let rows: u64 = state.segments.iter().map(|meta| meta.row_count).sum();
    let bytes: u64 = state.segments.iter().map(|meta| meta.bytes).sum();
    answer.row(
        TOPICS,
        vec![
            topic.id.0.to_string(),
            topic.name.to_string(),
            topic.partitions.to_string(),
            state.segments.len().to_string(),
            rows.to_string(),
            bytes.to_string(),
            ratio(bytes, rows),
            state.rejected.total().to_string(),
            time_field(state),
            time(topic.created_ms),
        ],
    )
}

/// Everything about a topic. Returns how many of its files are wrong.
fn show_whole(
    answer: &mut Answer,
    inspection: &Inspection,
    sight: &CatalogSight,
    state: &TopicState,
) -> Result<u64> {
    if answer.is_json {
        return show_json(answer, inspection, sight, state);
    }
    show_topic(answer, state)?;
    answer.line("")?;
    for (path, field) in &state.topic.mapping.fields {
        let subfields: Vec<&str> = field.subfields.keys().map(String::as_str).collect();
        let cells = vec![
            path.clone(),
            name_of(&field.field_type),
            field.format.clone().unwrap_or_else(|| "-".into()),
            subfields.join(", "),
        ];
        answer.row(FIELDS, cells)?;
    }
    answer.line("")?;
    let mut damages = 0;
    for meta in &state.segments {
        let file = inspection.segment_file(state.topic.id, meta);
        damages += u64::from(file != SegmentFileState::Present);
        show_segment(answer, meta, file)?;
    }
    for file in inspection
        .unknown_files(&sight.catalog, state.topic.id)
        .map_err(unreadable)?
    {
        answer.line(&format!("unknown file, removed at the next start: {file}"))?;
    }
    answer.line("")?;
    for partition in state.topic.partitions() {
        let (watermark, next) = ends(sight, state, partition);
        let behind = next.0.saturating_sub(watermark.0);
        let cells = [watermark.0, next.0, behind].map(|number| number.to_string());
        let mut row = vec![partition.to_string()];
        row.extend(cells);
        answer.row(WATERMARKS, row)?;
    }
    if state.rejected.total() > 0 {
        answer.line("")?;
        for (reason, count) in state.rejected.counts() {
            answer.row(REASONS, vec![count.to_string(), reason.to_string()])?;
        }
    }
    Ok(damages)
}

fn show_segment(answer: &mut Answer, meta: &SegmentMeta, file: SegmentFileState) -> Result<()> {
    let state = match file {
        SegmentFileState::Present => "present".into(),
        SegmentFileState::Wrong(what) => format!("DAMAGED: {what}"),
    };
    answer.row(
        SEGMENTS,
        vec![
            meta.id.0.to_string(),
            meta.file.clone(),
            meta.row_count.to_string(),
            meta.bytes.to_string(),
            ratio(meta.bytes, meta.row_count),
            time(meta.time_first_ms),
            time(meta.time_last_ms),
            meta.format_version.to_string(),
            state,
        ],
    )
}

fn show_wrong_files(
    answer: &mut Answer,
    inspection: &Inspection,
    state: &TopicState,
) -> Result<u64> {
    let mut damages = 0;
    for meta in &state.segments {
        let file = inspection.segment_file(state.topic.id, meta);
        if let SegmentFileState::Wrong(what) = file {
            damages += 1;
            let name = &state.topic.name;
            answer.line(&format!(
                "damage: topic '{name}': segment '{}' {what}",
                meta.file
            ))?;
        }
    }
    Ok(damages)
}

fn show_json(
    answer: &mut Answer,
    inspection: &Inspection,
    sight: &CatalogSight,
    state: &TopicState,
) -> Result<u64> {
    let topic = &state.topic;
    answer.json(&json!({
        "kind": "topic", "topic": topic.id.0, "name": topic.name.as_str(),
        "uuid": hex(topic.uuid), "partitions": topic.partitions, "created_ms": topic.created_ms,
        "time_field": time_field(state), "config": topic.config, "settings": topic.settings,
        "fields": topic.mapping.fields, "segments": state.segments.len(),
        "rejected": state.rejected.counts().iter()
            .map(|(reason, count)| (reason.to_string(), Value::from(*count)))
            .collect::<Map<_, _>>(),
    }))?;
    let mut damages = 0;
    for meta in &state.segments {
        let mut object = serde_json::to_value(meta.as_ref()).unwrap_or_default();
        object["kind"] = "segment".into();
        object["topic"] = topic.id.0.into();
        if let SegmentFileState::Wrong(what) = inspection.segment_file(topic.id, meta) {
            damages += 1;
            object["damage"] = what.into();
        }
        answer.json(&object)?;
    }
    for partition in topic.partitions() {
        let (watermark, next) = ends(sight, state, partition);
        answer.json(&json!({
            "kind": "partition", "partition": partition.to_string(),
            "watermark": watermark.0, "next": next.0,
        }))?;
    }
    Ok(damages)
}

/// Up to where records are rows of segments, and where the log ends.
fn ends(sight: &CatalogSight, state: &TopicState, partition: Partition) -> (Offset, Offset) {
    let next = sight.partitions.get(&partition).map(|ends| ends.next);
    (state.watermark(partition.id), next.unwrap_or_default())
}

fn time_field(state: &TopicState) -> String {
    use storage::catalog::TimeField;
    match &state.topic.time_field {
        Some(TimeField::Field(path)) => path.clone(),
        Some(TimeField::RecordTime) => "(record's time)".into(),
        None => "-".into(),
    }
}

/// What a plain enum is called where it is written down.
fn name_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(other) => other.to_string(),
        Err(_) => "?".into(),
    }
}

fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
