//! Rows that are replaced and removed, through seals, merges, crashes and restarts: what is live is
//! what a plain reading of the log says, and cells say the same as rows.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::fixture::*;
use super::world::{Random, options, seeds};
use crate::catalog::{Rejected, SegmentId};
use crate::disk::{Fault, FaultyDisk};
use crate::memory::MemoryUse;
use crate::model::{
    Column, ColumnBatch, DictionaryBuilder, Exponents, HOUR_MS, NumberColumn, Occurrence, Offset,
    Partition, PartitionId, SourceColumn, TextColumn, TopicId, name_of_origin,
};
use crate::segment::RowSource;
use crate::store::{Merged, NewRows, Removal, Store, StoreError};

/// Stores that go through all this.
const STORES: u64 = 150;

/// Lives of each store.
const LIVES: u64 = 4;

const PARTITIONS: u32 = 2;

/// What a record of these tests says: `put x 5`, `del x`, or `row 5` for a row without an id.
fn parts(value: &[u8]) -> (String, String, i64) {
    let text = std::str::from_utf8(value).unwrap();
    let mut words = text.split(' ');
    let operation = words.next().unwrap().to_owned();
    let id = match operation.as_str() {
        "row" => String::new(),
        _ => words.next().unwrap().to_owned(),
    };
    let number = words.next().map_or(0, |number| number.parse().unwrap());
    (operation, id, number)
}

pub(super) fn new_rows(partition: Partition, records: &[(u64, Vec<u8>)]) -> NewRows {
    let mut batch = ColumnBatch::default();
    let mut sources = SourceColumn::default();
    let (mut ids, mut id_codes, mut id_words) = (DictionaryBuilder::default(), vec![], vec![]);
    let (mut kinds, mut kind_codes) = (DictionaryBuilder::default(), vec![]);
    let mut numbers = vec![];
    let mut removals = vec![];
    for (offset, value) in records {
        let (operation, id, number) = parts(value);
        if operation == "del" {
            removals.push(Removal {
                partition: partition.id,
                offset: Offset(*offset),
                id: id.into_bytes(),
            });
            continue;
        }
        let row = batch.times_ms.len();
        if row.is_multiple_of(64) {
            id_words.push(0);
        }
        if operation == "put" {
            id_words[row / 64] |= 1_u64 << (row % 64);
            id_codes.push(ids.code(id.as_bytes()));
        }
        batch.times_ms.push(number.rem_euclid(7) * HOUR_MS / 2);
        batch.partitions.push(partition.id.0);
        batch.offsets.push(*offset);
        sources.push(value);
        numbers.push(number);
        kind_codes.push(kinds.code(if number % 3 == 0 { b"a" } else { b"b" }));
    }
    if !id_codes.is_empty() {
        batch.ids = Some(TextColumn {
            dictionary: Arc::new(ids.finish()),
            codes: id_codes,
            occurrence: Occurrence::Optional(id_words),
        });
    }
    if !numbers.is_empty() {
        let kind = Column::Text(TextColumn {
            dictionary: Arc::new(kinds.finish()),
            codes: kind_codes,
            occurrence: Occurrence::One,
        });
        let number = Column::Integer(NumberColumn {
            mantissas: numbers,
            exponents: Exponents::Uniform(0),
            occurrence: Occurrence::One,
        });
        batch.columns = vec![("kind".into(), kind), ("number".into(), number)];
    }
    batch.sources = sources;
    NewRows {
        rows: batch,
        removals,
    }
}

/// The live rows after `records`: offset and value.
fn expected(partition: PartitionId, records: &[(u64, Vec<u8>)]) -> BTreeMap<u64, Vec<u8>> {
    let mut live: BTreeMap<String, (u64, Vec<u8>)> = BTreeMap::new();
    for (offset, value) in records {
        let (operation, id, _) = parts(value);
        match operation.as_str() {
            "row" => {
                let name = name_of_origin(partition, Offset(*offset));
                live.insert(name, (*offset, value.clone()));
            }
            "put" => {
                live.insert(id, (*offset, value.clone()));
            }
            _ => {
                live.remove(&id);
            }
        }
    }
    live.into_values().collect()
}

struct Life {
    store: Store,
    topic: TopicId,
    random: Random,
}

impl Life {
    fn partition(&mut self) -> Partition {
        partition(self.topic, self.random.below(PARTITIONS.into()) as u32)
    }

    fn step(&mut self) -> Result<(), StoreError> {
        match self.random.below(12) {
            0..4 => self.append(),
            4..8 => self.materialize(),
            8..10 => self.store.seal(self.topic).map(drop),
            10 => self.merge(),
            _ => self.store.checkpoint(),
        }
    }

    fn append(&mut self) -> Result<(), StoreError> {
        let partition = self.partition();
        let next = self.store.log_bounds(partition).unwrap().high_watermark.0;
        let count = 1 + self.random.below(12);
        let mut values = vec![];
        for _ in 0..count {
            let number = self.random.below(1000);
            // Few ids, so that they meet; some name rows that have none.
            let id = match self.random.below(4) {
                0 => name_of_origin(partition.id, Offset(self.random.below(next + 1))),
                _ => format!("id{}", self.random.below(20)),
            };
            values.push(match self.random.below(6) {
                0 => format!("del {id}"),
                1 => format!("row {number}"),
                _ => format!("put {id} {number}"),
            });
        }
        match self.store.stage_batch(partition, batch(&values, None), 0) {
            Ok(_) => self.store.commit().map(drop),
            Err(crate::store::StageError::Store(error)) => Err(error),
            Err(_full) => self.store.commit().map(drop),
        }
    }

    fn materialize(&mut self) -> Result<(), StoreError> {
        let partition = self.partition();
        let from = self.store.materialized(partition);
        let mut fresh = records(&self.store, partition);
        fresh.retain(|(offset, _)| *offset >= from.0);
        fresh.truncate(1 + self.random.below(30) as usize);
        let next = Offset(from.0 + fresh.len() as u64);
        let rows = new_rows(partition, &fresh);
        // They have values here, which a delete has not: `verify` must know what became of them.
        let removals = rows.removals.iter();
        let removals = removals
            .map(|removal| Rejected::new(removal.partition, removal.offset, "a delete"))
            .collect();
        let next = [(partition.id, next)];
        self.store.publish(self.topic, rows, &next, removals, 0)
    }

    fn merge(&mut self) -> Result<(), StoreError> {
        let catalog = self.store.catalog();
        let state = catalog.topic(self.topic).unwrap();
        let mut chosen: Vec<SegmentId> = state.segments.iter().map(|meta| meta.id).collect();
        chosen.retain(|_| self.random.below(2) == 0);
        if chosen.is_empty() {
            return Ok(());
        }
        let memory = Arc::clone(self.store.memory());
        let merged = self.store.merge(self.topic, &chosen, &mut |_| {
            assert!(memory.used_bytes_for(MemoryUse::Merges) > 0, "it counts");
            ControlFlow::Continue(())
        })?;
        assert_eq!(memory.used_bytes_for(MemoryUse::Merges), 0, "it is over");
        assert!(merged != Merged::Stopped);
        self.store.remove_retired_files().map(drop)
    }

    fn check(&self) {
        let mut rows = BTreeMap::new();
        let snapshot = self.store.snapshot(self.topic).unwrap();
        assert_eq!(snapshot.failures, []);
        for source in &snapshot.sources {
            let live = live_rows(source);
            check_cells(source, &live);
            for (partition, offset, value) in live {
                let before = rows.insert((partition, offset), value);
                assert_eq!(before, None, "two rows of {partition} {offset}");
            }
        }
        let mut wanted = BTreeMap::new();
        for id in 0..PARTITIONS {
            let partition = partition(self.topic, id);
            let end = self.store.materialized(partition);
            let mut records = records(&self.store, partition);
            records.retain(|(offset, _)| *offset < end.0);
            let live = expected(partition.id, &records).into_iter();
            wanted.extend(live.map(|(offset, value)| ((id, offset), value)));
        }
        assert_eq!(rows, wanted);
        let instant = self.store.instant(self.topic).unwrap();
        assert_eq!(instant.row_count(), wanted.len() as u64);
    }
}

fn live_rows(source: &RowSource) -> Vec<(u32, u64, Vec<u8>)> {
    let rows = (0..source.row_count()).filter(|row| source.is_live(*row));
    rows.map(|row| {
        let (partition, offset) = source.origin(row).unwrap();
        let value = source.source(row).unwrap();
        let id = source.id(row).unwrap();
        assert_eq!(id.unwrap_or_default(), parts(&value).1.into_bytes());
        (partition.0, offset.0, value)
    })
    .collect()
}

/// Whether the cells of a source, where it has some, are those of its live rows.
fn check_cells(source: &RowSource, live: &[(u32, u64, Vec<u8>)]) {
    let Some(cells) = source.cells().unwrap() else {
        return;
    };
    let mut hours: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
    for (_, _, value) in live {
        let number = parts(value).2;
        let hour = number.rem_euclid(7) * HOUR_MS / 2 / HOUR_MS * HOUR_MS;
        let (count, sum) = hours.entry(hour).or_default();
        *count += 1;
        *sum += number;
    }
    for set in &cells.sets {
        let mut found: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
        for (cell, hour) in set.hours_ms.iter().enumerate() {
            let (count, sum) = found.entry(*hour).or_default();
            *count += set.row_counts[cell];
            *sum += set.measures[0].sums[cell].to_f64() as i64;
        }
        assert_eq!(found, hours, "cells by {:?}", set.dimension);
    }
}

fn live_and_die(disk: &FaultyDisk, seed: u64, random: &mut Random) -> FaultyDisk {
    let (store, _) = open(disk.clone(), options());
    let topic = match store.catalog().topic_named("t") {
        Some(state) => state.topic.id,
        None => create_topic(&store, "t", PARTITIONS).unwrap(),
    };
    let random_steps = Random::new(random.number());
    let mut life = Life {
        store,
        topic,
        random: random_steps,
    };
    life.check();
    if random.below(3) > 0 {
        disk.inject(disk.operation_count() + random.below(200), Fault::PowerCut);
    }
    for _ in 0..1 + random.below(60) {
        if life.step().is_err() {
            break;
        }
        life.check();
    }
    drop(life);
    disk.crash(seed)
}

#[test]
fn what_is_live_follows_from_the_log() {
    for seed in seeds("DELETE_SEEDS", STORES) {
        let mut random = Random::new(seed);
        let mut disk = FaultyDisk::new();
        for _ in 0..LIVES {
            disk = live_and_die(&disk, seed, &mut random);
        }
        let (store, _) = open(disk.clone(), options());
        let report = store.verify(&mut |_| {});
        assert!(report.is_ok(), "seed {seed}: {:?}", report.problems);
        let Some(state) = store.catalog().topic_named("t").cloned() else {
            continue;
        };
        let life = Life {
            store,
            topic: state.topic.id,
            random,
        };
        life.check();
    }
}
