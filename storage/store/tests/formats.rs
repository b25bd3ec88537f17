//! Bytes on disk that later releases must still read; `docs/formats/catalog.md` describes them.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use expect_test::{Expect, expect};

use super::fixture::*;
use crate::catalog::{CatalogChange, CheckpointStore, Edit, MemoryCheckpoint, Rejected};
use crate::disk::{Disk, FileDisk, MemoryDisk};
use crate::log::ProducerStamp;
use crate::model::{Offset, PartitionId, TopicId};
use crate::store::journal_record::JournalRecord;
use crate::store::{Store, StoreError, StoreOptions};

/// Does a little of everything; as many records become rows as `rows_max` says, the rest is
/// rejected.
fn fill(store: &Store, rows_max: usize) {
    let topic = create_topic(store, "events", 1).unwrap();
    let first = partition(topic, 0);
    let stamp = ProducerStamp {
        producer_id: 4,
        producer_epoch: 0,
        base_sequence: 0,
    };
    let staged = store.stage_batch(first, batch(&["a", "b", "c"], Some(stamp)), 9);
    store.wait_durable(staged.unwrap().lsn).unwrap();
    materialize(store, first, rows_max).unwrap();
    let rejected = vec![Rejected::new(PartitionId(0), Offset(2), "no JSON")];
    let next = [(PartitionId(0), Offset(3))];
    store
        .publish(topic, rows(first, &[]), &next, rejected, 0)
        .unwrap();
    store.seal(topic).unwrap();
    let put = Edit::of(CatalogChange::PutTemplate {
        name: "all".into(),
        body: serde_json::json!({"index_patterns": ["*"]}),
    });
    let lsn = store.stage_edit::<StoreError>(|_| Ok(put)).unwrap();
    store.wait_durable(lsn).unwrap();
}

fn check(found: &str, expected: &Expect) {
    expected.assert_eq(found);
}

#[test]
fn entries_of_a_checkpoint_stay_readable() {
    let disk = MemoryDisk::new();
    let (store, _) = open(disk.clone(), StoreOptions::default());
    // Without rows: the bytes of segments are not this test's matter.
    fill(&store, 0);
    store.close().unwrap();
    let entries = MemoryCheckpoint::new(Arc::new(disk)).load().unwrap();
    let mut text = String::new();
    for (key, value) in entries {
        let (key, value) = (
            String::from_utf8(key).unwrap(),
            String::from_utf8(value).unwrap(),
        );
        writeln!(text, "{key} {value}").unwrap();
    }
    check(
        &text,
        &expect![[r#"
            catalog {"format_version":1,"store_uuid":"00000000000000000000000000000000","edit_count":3,"next_topic_id":2,"next_segment_id":1,"next_producer_id":0}
            partition/0000000001/0000000000 {"next":3,"end":{"offset":3,"file":0,"file_bytes":117},"producers":[{"id":4,"epoch":0,"last_append_ms":9,"batches":[{"first_sequence":0,"last_sequence":2,"base_offset":0}]}],"epochs":[[0,0]]}
            rejected/0000000001 {"counts":{"no JSON":1},"kinds":{"other":1},"newest":[{"partition":0,"offset":2,"reason":"no JSON","kind":"other"}]}
            store {"journal_position":770,"epoch":0,"is_closed":true}
            template/all {"index_patterns":["*"]}
            topic/0000000001 {"id":1,"name":"events","uuid":"01010101010101010101010101010101","partitions":1,"created_ms":0,"config":{},"settings":{},"dynamic":"true","mapping":{"fields":{}},"time_field":"record_time","materialize":"auto"}
            watermarks/0000000001 [[0,3]]
        "#]],
    );
}

#[test]
fn payloads_of_the_journal_stay_readable() {
    let stamped = batch(&["a"], None);
    let record = JournalRecord::Batch {
        partition: partition(TopicId(3), 2),
        append_ms: 258,
        batch: stamped.clone(),
    };
    let payload = record.encode();
    let (head, rest) = payload.split_at(17);
    assert_eq!(head, [1, 3, 0, 0, 0, 2, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(rest, stamped.bytes());
    let decoded = JournalRecord::decode(payload.into()).unwrap();
    assert!(
        matches!(decoded, JournalRecord::Batch { append_ms: 258, batch, .. } if batch == stamped)
    );
    let edit = JournalRecord::Edit(Edit::of(CatalogChange::ReserveProducerIds { next: 7 }));
    let payload = edit.encode();
    let text = std::str::from_utf8(&payload[1..]).unwrap();
    assert_eq!(payload[0], 2);
    check(
        text,
        &expect![[r#"{"version":1,"changes":[{"reserve_producer_ids":{"next":7}}]}"#]],
    );
    for damaged in [&b""[..], b"\x01\x00", b"\x02{", b"\x03"] {
        assert!(JournalRecord::decode(damaged.to_vec().into()).is_err());
    }
}

/// Opens the checkpoint of the store in a folder, which is this disk.
type OpenCheckpoint = dyn Fn(&Path, Arc<dyn Disk>) -> Box<dyn CheckpointStore>;

/// Lives in a real folder, with the checkpoint that `checkpoint` opens there.
fn check_folder(checkpoint: &OpenCheckpoint) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    let open = || {
        let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&root).unwrap());
        let checkpoint = checkpoint(&root, Arc::clone(&disk));
        Store::open(disk, checkpoint, StoreOptions::default(), 0).unwrap()
    };
    let (mut store, _) = open();
    fill(&store, 2);
    let topic = store.catalog().topic_named("events").unwrap().topic.id;
    let rows = all_rows(&store, topic);
    for is_closed in [false, true, false] {
        if is_closed {
            store.close().unwrap();
        }
        drop(store);
        let (next, recovery) = open();
        assert_eq!(recovery.was_closed, is_closed);
        assert_eq!(all_rows(&next, topic), rows);
        assert!(next.verify(&mut |_| {}).is_ok());
        store = next;
    }
}

#[test]
fn a_folder_with_a_checkpoint_file_is_a_store() {
    check_folder(&|_, disk| Box::new(MemoryCheckpoint::new(disk)));
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_folder_with_a_checkpoint_database_is_a_store() {
    use crate::catalog::RocksCheckpoint;
    check_folder(&|root, _| Box::new(RocksCheckpoint::open(root.join("catalog")).unwrap()));
}
