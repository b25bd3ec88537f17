//! Edits, their effects, and checkpoints of both kinds.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::sync::Arc;

use expect_test::expect;

use super::*;
use crate::disk::{Disk, FaultyDisk, FilePath, MemoryDisk};
use crate::model::{
    Field, FieldType, Mapping, Offset, OffsetRange, PartitionId, TopicId, TopicName,
};

/// A topic that uses every member.
fn topic(id: u32, name: &str) -> Box<Topic> {
    let mut mapping = Mapping::default();
    let field = Field::new(FieldType::Date);
    mapping.fields.insert("time".into(), field);
    Box::new(Topic {
        id: TopicId(id),
        name: TopicName::parse(name).unwrap(),
        uuid: [7; 16],
        partitions: 2,
        routing_partitions: None,
        created_ms: 1_700_000_000_000,
        config: [("retention.ms".into(), "-1".into())].into(),
        settings: [("index.number_of_shards".into(), 2.into())].into(),
        dynamic: Dynamic::Strict,
        mapping: Arc::new(mapping),
        time_field: Some(TimeField::Field("time".into())),
        materialize: Materialize::Json,
    })
}

fn segment(id: u64) -> SegmentMeta {
    SegmentMeta {
        id: SegmentId(id),
        file: format!("{id:064x}.segment"),
        bytes: 1000,
        row_count: 10,
        time_first_ms: -5,
        time_last_ms: 5,
        format_version: 1,
        has_ids: false,
        overlay: None,
        times_are_field: true,
        offsets: vec![(PartitionId(0), OffsetRange::new(Offset(0), Offset(10)))],
    }
}

fn seal(topic: u32, segment: Option<SegmentMeta>, end: u64) -> CatalogChange {
    let mut rejected = RejectedRecords::default();
    rejected.add(Rejected::new(PartitionId(0), Offset(3), "no JSON"));
    CatalogChange::Seal {
        topic: TopicId(topic),
        segment,
        watermarks: vec![(PartitionId(0), Offset(end))],
        rejected,
        deletions: Vec::new(),
        dropped: 0,
    }
}

/// Segment `id` of `rows` rows takes the place of `removed`.
fn merge(topic: u32, removed: &[u64], id: u64, rows: u64) -> CatalogChange {
    CatalogChange::Merge {
        topic: TopicId(topic),
        removed: removed.iter().copied().map(SegmentId).collect(),
        segment: SegmentMeta {
            row_count: rows,
            ..segment(id)
        },
    }
}

/// A life in which everything happens.
fn busy_life() -> Vec<CatalogChange> {
    vec![
        CatalogChange::CreateTopic(topic(1, "first")),
        CatalogChange::CreateTopic(topic(2, "second")),
        CatalogChange::DeleteTopic(TopicId(1)),
        CatalogChange::CreateTopic(topic(3, "first")),
        seal(2, Some(segment(1)), 10),
        seal(2, Some(segment(2)), 11),
        seal(2, None, 12),
        seal(2, Some(segment(3)), 20),
        merge(2, &[2, 3], 4, 20),
        CatalogChange::PutTemplate {
            name: "all".into(),
            body: serde_json::json!({"index_patterns": ["*"]}),
        },
        CatalogChange::PutDefinition {
            kind: DefinitionKind::LegacyTemplate,
            name: "a/b".into(),
            body: serde_json::json!({"order": 1}),
        },
        CatalogChange::PutDefinition {
            kind: DefinitionKind::DataStream,
            name: "gone".into(),
            body: true.into(),
        },
        CatalogChange::DeleteDefinition {
            kind: DefinitionKind::DataStream,
            name: "gone".into(),
        },
        CatalogChange::ChangeAliases {
            topic: TopicId(2),
            aliases: [("other".into(), serde_json::json!({}))].into(),
        },
        CatalogChange::ReserveProducerIds { next: 1000 },
    ]
}

/// A catalog in which everything has happened.
fn busy() -> Catalog {
    let edit = Edit {
        changes: busy_life(),
    };
    Catalog::new([9; 16]).apply(&edit).unwrap()
}

#[test]
fn changed_entries_turn_one_checkpoint_into_the_next() {
    let entries_of = |catalog: &Catalog| {
        let mut entries = Entries::new();
        catalog.write_entries(&mut entries);
        entries
    };
    let mut states = vec![Catalog::new([9; 16])];
    for change in busy_life() {
        let next = states.last().unwrap().apply(&Edit::of(change)).unwrap();
        states.push(next);
    }
    for (from, before) in states.iter().enumerate() {
        for after in &states[from..] {
            let mut entries = entries_of(before);
            for (key, value) in after.changed_entries(before) {
                match value {
                    Some(value) => entries.insert(key, value),
                    None => Some(entries.remove(&key).expect("it was there")),
                };
            }
            assert_eq!(entries, entries_of(after));
        }
    }
    // What has not changed is not written again.
    let last = states.last().unwrap();
    let sealed = last
        .apply(&Edit::of(seal(2, Some(segment(5)), 30)))
        .unwrap();
    let keys = sealed.changed_entries(last).into_iter();
    let keys: Vec<_> = keys
        .map(|(key, _)| String::from_utf8(key).unwrap())
        .collect();
    assert_eq!(
        keys,
        [
            "rejected/0000000002",
            "watermarks/0000000002",
            "segment/0000000002/00000000000000000005",
            "catalog",
        ]
    );
}

#[test]
fn an_edit_survives_the_journal() {
    let edit = Edit {
        changes: vec![
            CatalogChange::CreateTopic(topic(1, "a")),
            seal(1, Some(segment(1)), 10),
            merge(1, &[1], 2, 10),
            CatalogChange::DeleteTemplate { name: "x".into() },
            CatalogChange::DeleteDefinition {
                kind: DefinitionKind::ServerSettings,
                name: "x".into(),
            },
        ],
    };
    assert_eq!(Edit::decode(&edit.encode()).unwrap(), edit);
}

#[test]
fn an_edit_of_a_later_release_is_refused_by_its_version() {
    let later = br#"{"version":2,"changes":[{"split_topic":1}]}"#;
    let error = Edit::decode(later).unwrap_err().to_string();
    assert_eq!(
        error,
        "catalog edit has version 2, this release reads version 1"
    );
    assert!(Edit::decode(b"{").is_err());
}

#[test]
fn a_catalog_survives_a_checkpoint() {
    let catalog = busy();
    let mut entries = Entries::new();
    catalog.write_entries(&mut entries);
    let segment = &entries[b"segment/0000000002/00000000000000000001".as_slice()];
    let expected = expect![[r#"
        {
          "id": 1,
          "file": "0000000000000000000000000000000000000000000000000000000000000001.segment",
          "bytes": 1000,
          "row_count": 10,
          "time_first_ms": -5,
          "time_last_ms": 5,
          "format_version": 1,
          "has_ids": false,
          "times_are_field": true,
          "offsets": [
            [
              0,
              {
                "start": 0,
                "end": 10
              }
            ]
          ]
        }"#]];
    let segment: serde_json::Value = serde_json::from_slice(segment).unwrap();
    expected.assert_eq(&serde_json::to_string_pretty(&segment).unwrap());
    // Entries of the store lie between those of the catalog.
    entries.insert(b"partition/0000000002/0000000000".to_vec(), b"{}".to_vec());
    assert_eq!(Catalog::read_entries(&entries).unwrap(), Some(catalog));
    assert_eq!(Catalog::read_entries(&Entries::new()).unwrap(), None);
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let mut entries = Entries::new();
    busy().write_entries(&mut entries);
    for key in entries.keys() {
        for value in [&b"7"[..], b"", b"{\"format_version\":2}"] {
            let mut damaged = entries.clone();
            damaged.insert(key.clone(), value.to_vec());
            let key = String::from_utf8_lossy(key);
            // They hold whatever object was given.
            let is_free = ["template/", "definition/", "aliases/"];
            let is_free = is_free.iter().any(|prefix| key.starts_with(prefix));
            let result = Catalog::read_entries(&damaged);
            assert!(result.is_err() || is_free, "{key}");
        }
    }
    let mut headless = entries.clone();
    headless.remove(b"catalog".as_slice());
    assert!(Catalog::read_entries(&headless).is_err());
    let mut orphaned = entries;
    orphaned.remove(b"topic/0000000002".as_slice());
    assert!(Catalog::read_entries(&orphaned).is_err());
}

#[test]
fn changes_that_do_not_fit_change_nothing() {
    let catalog = busy();
    let mut no_partition = topic(4, "none");
    no_partition.partitions = 0;
    let cases = [
        CatalogChange::CreateTopic(topic(4, "second")),
        CatalogChange::CreateTopic(topic(5, "new")),
        CatalogChange::CreateTopic(no_partition),
        CatalogChange::DeleteTopic(TopicId(1)),
        CatalogChange::ChangeFields {
            topic: TopicId(2),
            mapping: Arc::default(),
            time_field: None,
            dynamic: None,
        },
        seal(1, None, 20),
        seal(2, Some(segment(2)), 20),
        seal(2, None, 11),
        // Gone, twice, of another topic, none, a used number, more rows than before.
        merge(2, &[2, 4], 5, 20),
        merge(2, &[1, 1], 5, 20),
        merge(3, &[1], 5, 10),
        merge(2, &[], 5, 0),
        merge(2, &[1, 4], 4, 30),
        merge(2, &[1, 4], 5, 31),
        CatalogChange::DeleteTemplate {
            name: "none".into(),
        },
        CatalogChange::DeleteDefinition {
            kind: DefinitionKind::DataStream,
            name: "gone".into(),
        },
        CatalogChange::ChangeAliases {
            topic: TopicId(1),
            aliases: std::collections::BTreeMap::new(),
        },
        CatalogChange::ReserveProducerIds { next: 999 },
    ];
    for change in cases {
        let put = CatalogChange::PutTemplate {
            name: "half".into(),
            body: true.into(),
        };
        let edit = Edit {
            changes: vec![put, change.clone()],
        };
        assert!(catalog.apply(&edit).is_err(), "{change:?}");
        assert_eq!(catalog, busy());
    }
}

#[test]
fn a_merge_swaps_segments() {
    let merged = busy().apply(&Edit::of(merge(2, &[1, 4], 5, 29))).unwrap();
    let segments = &merged.topic(TopicId(2)).unwrap().segments;
    let ids: Vec<_> = segments.iter().map(|meta| meta.id.0).collect();
    assert_eq!(ids, [5]);
    assert_eq!(merged.next_segment_id(), SegmentId(6));
}

#[test]
fn rejected_records_are_all_counted_and_few_are_kept() {
    let mut all = RejectedRecords::default();
    for number in 0..1000_u64 {
        let reason = format!("reason {}", number % 200);
        all.add(Rejected::new(PartitionId(0), Offset(number), &reason));
    }
    assert_eq!(all.total(), 1000);
    assert_eq!(all.counts().len(), REJECTED_REASONS_MAX + 1);
    let newest: Vec<_> = all.newest().map(|record| record.offset.0).collect();
    assert_eq!(newest, (900..1000).collect::<Vec<_>>());
    let long = Rejected::new(PartitionId(0), Offset(0), &"ä".repeat(10_000));
    assert!(long.reason.len() <= 512);
}

/// What every kind of checkpoint must do; `open` gives one with what the last one left.
fn check_checkpoint(open: &dyn Fn() -> Box<dyn CheckpointStore>) {
    let set = |key: &str, value: &str| (key.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
    let remove = |key: &str| (key.as_bytes().to_vec(), None);
    let expect = |store: &dyn CheckpointStore, expected: &[(&str, &str)]| {
        let expected: Entries = expected
            .iter()
            .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(store.load().unwrap(), expected);
    };
    let store = open();
    expect(&*store, &[]);
    store.commit(&[]).unwrap();
    store
        .commit(&[set("b", "1"), set("a", "2"), set("c", "")])
        .unwrap();
    expect(&*store, &[("a", "2"), ("b", "1"), ("c", "")]);
    store
        .commit(&[remove("b"), set("a", "3"), remove("x")])
        .unwrap();
    // The last change of a key counts.
    store
        .commit(&[set("d", "1"), remove("d"), remove("e"), set("e", "5")])
        .unwrap();
    expect(&*store, &[("a", "3"), ("c", ""), ("e", "5")]);
    drop(store);
    let store = open();
    expect(&*store, &[("a", "3"), ("c", ""), ("e", "5")]);
    // Keys and values are any bytes; a commit may come before a load.
    drop(store);
    let key = vec![0, 255, 10];
    let value = vec![0; 300_000];
    open()
        .commit(&[(key.clone(), Some(value.clone()))])
        .unwrap();
    let store = open();
    assert_eq!(store.load().unwrap().get(&key), Some(&value));
    assert_eq!(store.load().unwrap().len(), 4);
}

#[test]
fn the_file_is_a_checkpoint() {
    let disk = MemoryDisk::new();
    check_checkpoint(&|| Box::new(MemoryCheckpoint::new(Arc::new(disk.clone()))));
}

#[cfg(feature = "rocksdb")]
#[test]
fn the_database_is_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog");
    check_checkpoint(&|| Box::new(RocksCheckpoint::open(&path).unwrap()));
}

#[test]
fn a_damaged_file_is_refused() {
    let disk = FaultyDisk::new();
    let store = MemoryCheckpoint::new(Arc::new(disk.clone()));
    store
        .commit(&[(b"key".to_vec(), Some(b"value".to_vec()))])
        .unwrap();
    let path = FilePath::parse("catalog/checkpoint").unwrap();
    let len = disk.open(&path).unwrap().len_bytes().unwrap();
    for byte in 0..usize::try_from(len).unwrap() {
        disk.flip_bit(&path, byte, 3).unwrap();
        let fresh = MemoryCheckpoint::new(Arc::new(disk.clone()));
        assert!(fresh.load().is_err(), "byte {byte}");
        disk.flip_bit(&path, byte, 3).unwrap();
    }
    let mut file = disk.append(&path).unwrap();
    file.truncate(len - 1).unwrap();
    assert!(MemoryCheckpoint::new(Arc::new(disk)).load().is_err());
}
