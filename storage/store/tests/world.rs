//! A store, what was done to it, and what must therefore be true of it after a crash.
//!
//! Every record has a value of its own. A batch is *unknown* from its staging until the store says
//! that its place in the order is durable; after a restart it is either there or gone for good.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use super::fixture::*;
use crate::catalog::{CatalogChange, Edit, Rejected};
use crate::disk::{Disk, FaultyDisk, FilePath};
use crate::log::{JournalOptions, LogOptions, ProducerStamp};
use crate::model::{Offset, Partition, PartitionId, TopicId};
use crate::store::{Lsn, Merged, Outcome, ReadError, StageError, Store, StoreError, StoreOptions};

/// The seeds that `variable` asks for, `600..9000`, else the first `count`: long runs need no other
/// test.
pub(super) fn seeds(variable: &str, count: u64) -> Range<u64> {
    let Ok(asked) = std::env::var(variable) else {
        return 0..count;
    };
    let (first, end) = asked.split_once("..").expect("a range of seeds");
    first.parse().expect("a number")..end.parse().expect("a number")
}

/// Numbers that a seed decides.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(items.len().max(1) as u64);
        items.get(usize::try_from(index).unwrap())
    }
}

/// What can be done to a store.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Produce,
    ProduceIdempotent,
    PutTemplate,
    CreateTopic,
    DeleteTopic,
    Publish,
    Seal,
    Merge,
    Commit,
    Checkpoint,
    Restart,
}

/// A batch that was staged.
#[derive(Debug, Clone)]
struct Sent {
    values: Vec<Vec<u8>>,
    base: Offset,
    /// `None` once it is known to be durable.
    unknown: Option<Lsn>,
}

/// An idempotent producer of one partition: it sends a batch again until it is acknowledged.
#[derive(Debug)]
struct Producer {
    id: i64,
    partition: Partition,
    next_sequence: i32,
    /// Sent and not acknowledged, in order.
    waiting: Vec<(ProducerStamp, Vec<Vec<u8>>)>,
}

#[derive(Debug)]
struct TopicModel {
    id: TopicId,
    name: String,
    partitions: u32,
    /// `None` once it is known to be durable.
    unknown: Option<Lsn>,
    deleted: Option<Lsn>,
}

/// What a template may hold: values of unknown edits in order, behind the last durable one.
type Possible = Vec<(Lsn, Option<u64>)>;

pub(super) struct World {
    pub(super) disk: FaultyDisk,
    pub(super) store: Option<Store>,
    random: Random,
    counter: u64,
    topics: Vec<TopicModel>,
    sent: BTreeMap<Partition, Vec<Sent>>,
    producers: Vec<Producer>,
    templates: BTreeMap<String, Possible>,
    producer_ids: i64,
    /// Merges that came to an end.
    pub(super) merge_count: usize,
}

/// Small files, so that they roll; small staging, so that it fills.
pub(super) fn options() -> StoreOptions {
    StoreOptions {
        staged_bytes_max: 8 * 1024,
        journal: JournalOptions { file_bytes: 3000 },
        log: LogOptions {
            file_bytes: 1000,
            index_interval_bytes: 100,
        },
        ..StoreOptions::default()
    }
}

impl World {
    /// A world before anything: its store is not open yet.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            disk: FaultyDisk::new(),
            store: None,
            random: Random::new(seed),
            counter: 0,
            topics: Vec::new(),
            sent: BTreeMap::new(),
            producers: Vec::new(),
            templates: BTreeMap::new(),
            producer_ids: 0,
            merge_count: 0,
        }
    }

    pub(super) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Does something at random.
    pub(super) fn step(&mut self) -> Result<(), StoreError> {
        let step = match self.random.below(100) {
            0..40 => Step::Produce,
            40..55 => Step::ProduceIdempotent,
            55..60 => Step::PutTemplate,
            60..64 => Step::CreateTopic,
            64..66 => Step::DeleteTopic,
            66..80 => Step::Publish,
            80..86 => Step::Seal,
            86..90 => Step::Merge,
            90..92 => Step::Commit,
            92..97 => Step::Checkpoint,
            _ => Step::Restart,
        };
        self.take(step)
    }

    /// Does `step` with something at random.
    pub(super) fn take(&mut self, step: Step) -> Result<(), StoreError> {
        let result = match step {
            Step::Produce => self.produce(),
            Step::ProduceIdempotent => self.produce_idempotent(),
            Step::PutTemplate => self.put_template(),
            Step::CreateTopic => self.create_topic(),
            Step::DeleteTopic => self.delete_topic(),
            Step::Publish => self.publish(),
            Step::Seal => self.seal(),
            Step::Merge => self.merge(),
            Step::Commit => self.store().commit().map(drop),
            Step::Checkpoint => self.store().checkpoint(),
            Step::Restart => self.restart_in_order(),
        };
        self.learn();
        result
    }

    /// Waits for `lsn`, or sometimes leaves it to a later commit.
    fn wait(&mut self, lsn: Lsn) -> Result<(), StoreError> {
        match self.random.below(10) {
            0..3 => Ok(()),
            _ => self.store().wait_durable(lsn),
        }
    }

    /// What the store calls durable is unknown no more.
    fn learn(&mut self) {
        let Some(store) = &self.store else {
            return;
        };
        let is = |lsn: Lsn, outcome| store.outcome(lsn) == outcome;
        let settle = |unknown: &mut Option<Lsn>| {
            if unknown.is_some_and(|lsn| is(lsn, Outcome::Durable)) {
                *unknown = None;
            }
        };
        let is_refused =
            |unknown: &Option<Lsn>| unknown.is_some_and(|lsn| is(lsn, Outcome::Refused));
        let mut gone = Vec::new();
        for topic in &mut self.topics {
            settle(&mut topic.unknown);
            topic.deleted = topic.deleted.filter(|lsn| !is(*lsn, Outcome::Refused));
            let is_deleted = topic.deleted.is_some_and(|lsn| is(lsn, Outcome::Durable));
            if is_deleted || is_refused(&topic.unknown) {
                gone.push(topic.id);
            }
        }
        for sent in self.sent.values_mut() {
            sent.retain(|sent| !is_refused(&sent.unknown));
            for sent in sent {
                settle(&mut sent.unknown);
            }
        }
        for possible in self.templates.values_mut() {
            possible.retain(|(lsn, _)| !is(*lsn, Outcome::Refused));
            let known = possible
                .iter()
                .rposition(|(lsn, _)| is(*lsn, Outcome::Durable));
            possible.drain(..known.unwrap_or(0));
        }
        self.forget(&gone);
    }

    fn forget(&mut self, gone: &[TopicId]) {
        self.topics.retain(|topic| !gone.contains(&topic.id));
        self.sent
            .retain(|partition, _| !gone.contains(&partition.topic));
        self.producers
            .retain(|producer| !gone.contains(&producer.partition.topic));
    }

    fn values(&mut self) -> Vec<Vec<u8>> {
        let count = 1 + self.random.below(3);
        let values = (0..count).map(|_| {
            self.counter += 1;
            let bad = if self.random.below(10) == 0 {
                "bad"
            } else {
                ""
            };
            let filler = match self.random.below(8) {
                0 => self.random.below(1500),
                _ => self.random.below(20),
            };
            let filler = ".".repeat(usize::try_from(filler).unwrap());
            format!("{bad}{} {filler}", self.counter).into_bytes()
        });
        values.collect()
    }

    fn live_partitions(&self) -> Vec<Partition> {
        let live = self.topics.iter().filter(|topic| topic.deleted.is_none());
        live.flat_map(|topic| (0..topic.partitions).map(|id| partition(topic.id, id)))
            .collect()
    }

    fn produce(&mut self) -> Result<(), StoreError> {
        let partitions = self.live_partitions();
        let Some(partition) = self.random.pick(&partitions).copied() else {
            return self.create_topic();
        };
        let values = self.values();
        let lsn = self.stage(partition, values, None)?;
        self.wait(lsn)
    }

    fn stage(
        &mut self,
        partition: Partition,
        values: Vec<Vec<u8>>,
        stamp: Option<ProducerStamp>,
    ) -> Result<Lsn, StoreError> {
        let staged = self
            .store()
            .stage_batch(partition, batch(&values, stamp), 0);
        let staged = staged.map_err(|error| match error {
            StageError::Store(error) => error,
            other => panic!("{other}"),
        })?;
        let sent = self.sent.entry(partition).or_default();
        if staged.is_duplicate {
            let original = sent.iter().find(|sent| sent.values == values);
            let original = original.expect("a duplicate repeats what was sent");
            assert_eq!(
                original.base, staged.base,
                "a duplicate has the first offset"
            );
        } else {
            let twice = stamp.is_some() && sent.iter().any(|sent| sent.values == values);
            assert!(
                !twice,
                "a batch of an idempotent producer was accepted twice"
            );
            let unknown = Some(staged.lsn);
            let base = staged.base;
            sent.push(Sent {
                values,
                base,
                unknown,
            });
        }
        Ok(staged.lsn)
    }

    /// Sends the oldest batch that is not acknowledged again, or a new one.
    fn produce_idempotent(&mut self) -> Result<(), StoreError> {
        let partitions = self.live_partitions();
        let Some(partition) = self.random.pick(&partitions).copied() else {
            return self.create_topic();
        };
        let known = self
            .producers
            .iter()
            .position(|known| known.partition == partition);
        let index = known.unwrap_or_else(|| {
            self.producers.push(Producer {
                id: 1000 + i64::try_from(self.counter).unwrap(),
                partition,
                next_sequence: 0,
                waiting: Vec::new(),
            });
            self.counter += 1;
            self.producers.len() - 1
        });
        if self.producers[index].waiting.len() < 3 && self.random.below(2) == 0 {
            let values = self.values();
            let producer = &mut self.producers[index];
            let stamp = ProducerStamp {
                producer_id: producer.id,
                producer_epoch: 0,
                base_sequence: producer.next_sequence,
            };
            producer.next_sequence += i32::try_from(values.len()).unwrap();
            producer.waiting.push((stamp, values));
        }
        for (stamp, values) in self.producers[index].waiting.clone() {
            let lsn = self.stage(partition, values, Some(stamp))?;
            // Without an acknowledgement it comes again.
            if self.random.below(4) > 0 {
                self.store().wait_durable(lsn)?;
                self.producers[index].waiting.remove(0);
            } else {
                break;
            }
        }
        Ok(())
    }

    fn put_template(&mut self) -> Result<(), StoreError> {
        self.counter += 1;
        let (name, value) = (format!("t{}", self.random.below(3)), self.counter);
        let lsn = self.store().stage_edit::<StoreError>(|_| {
            Ok(Edit {
                changes: vec![
                    CatalogChange::PutTemplate {
                        name: name.clone(),
                        body: value.into(),
                    },
                    CatalogChange::ReserveProducerIds {
                        next: i64::try_from(value).unwrap(),
                    },
                ],
            })
        })?;
        let possible = self
            .templates
            .entry(name)
            .or_insert_with(|| vec![(Lsn(0), None)]);
        possible.push((lsn, Some(value)));
        self.wait(lsn)
    }

    fn create_topic(&mut self) -> Result<(), StoreError> {
        if self.topics.len() > 4 {
            return Ok(());
        }
        self.counter += 1;
        let name = format!("topic-{}", self.counter);
        let partitions = 1 + u32::try_from(self.random.below(3)).unwrap();
        let mut id = TopicId(0);
        let lsn = self.store().stage_edit::<StoreError>(|catalog| {
            let topic = topic(catalog, &name, partitions);
            id = topic.id;
            Ok(Edit::of(CatalogChange::CreateTopic(topic)))
        })?;
        self.topics.push(TopicModel {
            id,
            name,
            partitions,
            unknown: Some(lsn),
            deleted: None,
        });
        self.wait(lsn)
    }

    fn delete_topic(&mut self) -> Result<(), StoreError> {
        let count = self.topics.len() as u64;
        if count < 2 {
            return Ok(());
        }
        let index = usize::try_from(self.random.below(count)).unwrap();
        let topic = &self.topics[index];
        if topic.deleted.is_some() {
            return Ok(());
        }
        let edit = Edit::of(CatalogChange::DeleteTopic(topic.id));
        let lsn = self.store().stage_edit::<StoreError>(|_| Ok(edit))?;
        self.topics[index].deleted = Some(lsn);
        self.wait(lsn)
    }

    /// Partitions that can be read.
    fn visible_partitions(&self) -> Vec<Partition> {
        let catalog = self.store().catalog();
        let topics = catalog.topics();
        topics.flat_map(|state| state.topic.partitions()).collect()
    }

    fn publish(&mut self) -> Result<(), StoreError> {
        let partitions = self.visible_partitions();
        match self.random.pick(&partitions).copied() {
            Some(partition) => {
                let max = 1 + usize::try_from(self.random.below(6)).unwrap();
                publish(self.store(), partition, max)
            }
            None => Ok(()),
        }
    }

    fn seal(&mut self) -> Result<(), StoreError> {
        let partitions = self.visible_partitions();
        match self.random.pick(&partitions).copied() {
            Some(partition) => match self.store().seal(partition.topic) {
                // Its deletion is staged.
                Err(StoreError::UnknownTopic(_)) => Ok(()),
                result => result.map(drop),
            },
            None => Ok(()),
        }
    }

    /// Merges some neighbours of a topic that has several segments, or stops half way. Rows are
    /// the same before and after.
    fn merge(&mut self) -> Result<(), StoreError> {
        let catalog = self.store().catalog();
        let several: Vec<_> = catalog.topics().filter(|s| s.segments.len() > 1).collect();
        let Some(state) = self.random.pick(&several) else {
            return Ok(());
        };
        let topic = state.topic.id;
        let first = self.random.below(state.segments.len() as u64 - 1);
        let chosen = state.segments.iter().map(|meta| meta.id);
        let chosen = chosen.skip(usize::try_from(first).unwrap());
        let count = 2 + usize::try_from(self.random.below(3)).unwrap();
        let chosen: Vec<_> = chosen.take(count).collect();
        let must_stop = self.random.below(8) == 0;
        let store = self.store.as_ref().unwrap();
        let before = all_rows(store, topic);
        let merged = store.merge(topic, &chosen, &mut |_| match must_stop {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        match merged {
            // Its deletion is staged.
            Err(StoreError::UnknownTopic(_)) => return Ok(()),
            Err(error) => return Err(error),
            Ok(Merged::Stopped) => assert!(must_stop),
            Ok(Merged::Outdated) => panic!("nobody else merges"),
            Ok(Merged::Done(segment)) => {
                self.merge_count += 1;
                assert_eq!(
                    store.catalog().topic(topic).unwrap().segments.last(),
                    Some(&segment)
                );
            }
        }
        assert_eq!(all_rows(store, topic), before);
        store.remove_retired_files().map(drop)
    }

    fn restart_in_order(&mut self) -> Result<(), StoreError> {
        self.store().close()?;
        self.learn();
        self.store = None;
        let (store, recovery) = try_open(self.disk.clone(), options())?;
        assert!(recovery.was_closed);
        assert_eq!(recovery.replayed_records, 0);
        self.store = Some(store);
        self.settle();
        Ok(())
    }

    /// Whether the store still works.
    pub(super) fn is_alive(&self) -> bool {
        let store = self.store.as_ref();
        store.is_some_and(|store| store.check().is_ok())
    }

    /// Opens what a crash left, and checks it against all that is known.
    pub(super) fn reopen(&mut self, disk: FaultyDisk) -> Result<(), StoreError> {
        self.disk = disk;
        self.store = None;
        let (store, _) = try_open(self.disk.clone(), options())?;
        self.store = Some(store);
        self.settle();
        Ok(())
    }

    /// Everything that was unknown is decided now.
    fn settle(&mut self) {
        self.settle_topics();
        let mut fates = Vec::new();
        let mut sent = std::mem::take(&mut self.sent);
        for (partition, sent) in &mut sent {
            settle_partition(self.store(), *partition, sent, &mut fates);
        }
        self.sent = sent;
        for (name, possible) in &mut self.templates {
            let catalog = self.store.as_ref().unwrap().catalog();
            let found = catalog.template(name).map(|body| body.as_u64().unwrap());
            let place = possible.iter().rposition(|(_, value)| *value == found);
            let place =
                place.unwrap_or_else(|| panic!("template {name}: {found:?} of {possible:?}"));
            for (index, (lsn, _)) in possible.iter().enumerate() {
                fates.push((*lsn, index <= place));
            }
            *possible = vec![(Lsn(0), found)];
        }
        // What was staged later is not there when something earlier is gone.
        fates.sort();
        let first_lost = fates.iter().find(|(_, is_there)| !is_there);
        if let Some((lost, _)) = first_lost {
            let later = fates.iter().find(|(lsn, is_there)| *is_there && lsn > lost);
            assert_eq!(later, None, "{lost:?} is gone");
        }
        let next = self.store().catalog().next_producer_id();
        assert!(next >= self.producer_ids, "producer ids went back");
        self.producer_ids = next;
    }

    fn settle_topics(&mut self) {
        let catalog = self.store().catalog();
        let mut gone = Vec::new();
        for topic in &mut self.topics {
            let state = catalog.topic_named(&topic.name);
            let is_there = state.is_some_and(|state| state.topic.id == topic.id);
            let may_be_gone = topic.unknown.is_some() || topic.deleted.is_some();
            assert!(is_there || may_be_gone, "{topic:?} is gone");
            (topic.unknown, topic.deleted) = (None, None);
            if !is_there {
                gone.push(topic.id);
            }
        }
        self.forget(&gone);
        assert_eq!(
            catalog.topics().len(),
            self.topics.len(),
            "a deleted topic is back"
        );
        for state in catalog.topics() {
            let folder = FilePath::parse(&format!("segments/{}", state.topic.id.0)).unwrap();
            let files = self.disk.list(&folder).unwrap();
            let mut found: Vec<_> = files.iter().map(FilePath::name).collect();
            let mut known: Vec<_> = state.segments.iter().map(|meta| &*meta.file).collect();
            found.sort_unstable();
            known.sort_unstable();
            assert_eq!(found, known, "segment files that no edit names");
        }
        for root in ["log", "segments"] {
            let root = FilePath::parse(root).unwrap();
            for folder in self.disk.list_directories(&root).unwrap() {
                let name = folder.name().split('-').next().unwrap();
                let id = name.parse().ok().map(TopicId);
                let is_known = id.is_none_or(|id| catalog.topic(id).is_some());
                assert!(is_known, "{folder} belongs to no topic");
            }
        }
    }

    /// Whether rows are the records, each once, and everything on disk holds.
    pub(super) fn check_rows(&mut self) {
        let store = self.store();
        let catalog = store.catalog();
        for state in catalog.topics() {
            let topic = state.topic.id;
            for partition in state.topic.partitions() {
                let end = store.log_bounds(partition).unwrap().high_watermark;
                while store.materialized(partition) < end {
                    publish(store, partition, 10).unwrap();
                }
            }
            let mut expected = Vec::new();
            let mut rejected = 0;
            for partition in state.topic.partitions() {
                for (offset, value) in records(store, partition) {
                    match value.starts_with(b"bad") {
                        true => rejected += 1,
                        false => expected.push((partition.id.0, offset, value)),
                    }
                }
            }
            assert_eq!(all_rows(store, topic), expected, "rows of {topic:?}");
            assert_eq!(store.snapshot(topic).unwrap().rejected.total(), rejected);
        }
        let report = store.verify(&mut |_| {});
        assert!(report.is_ok(), "{report:?}");
    }
}

/// Compares a partition's records with what was sent to it; notes which batches were unknown and
/// whether they are there.
fn settle_partition(
    store: &Store,
    partition: Partition,
    sent: &mut Vec<Sent>,
    fates: &mut Vec<(Lsn, bool)>,
) {
    let found = records(store, partition);
    let mut next = 0;
    sent.retain_mut(|batch| {
        let values = found[next..].iter().map(|(_, value)| value);
        let is_there = values.take(batch.values.len()).eq(&batch.values);
        if let Some(lsn) = batch.unknown.take() {
            fates.push((lsn, is_there));
        } else {
            assert!(
                is_there,
                "acknowledged {batch:?} of {partition} is not at {next}"
            );
        }
        if is_there {
            assert_eq!(
                batch.base.0, next as u64,
                "offset of a batch of {partition}"
            );
            next += batch.values.len();
        }
        is_there
    });
    assert_eq!(
        next,
        found.len(),
        "{partition} has records that were never sent"
    );
}

/// Makes rows of up to `max` records of `partition`; values that start with `bad` are rejected.
fn publish(store: &Store, partition: Partition, max: usize) -> Result<(), StoreError> {
    let from = store.materialized(partition);
    let fresh = try_records(store, partition);
    let mut fresh = fresh.map_err(|error| match error {
        ReadError::Log { partition, source } => StoreError::Log { partition, source },
        other => panic!("{other}"),
    })?;
    fresh.retain(|(offset, _)| *offset >= from.0);
    fresh.truncate(max);
    let next = Offset(from.0 + fresh.len() as u64);
    let is_bad = |(_, value): &(u64, Vec<u8>)| value.starts_with(b"bad");
    let rejected = fresh.iter().filter(|record| is_bad(record));
    let rejected = rejected
        .map(|(offset, _)| Rejected::new(PartitionId(partition.id.0), Offset(*offset), "bad"));
    let rejected = rejected.collect();
    fresh.retain(|record| !is_bad(record));
    let rows = rows(partition, &fresh);
    store.publish(partition.topic, rows, &[(partition.id, next)], rejected, 0)
}
