//! Changes applied, written and read back.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::catalog::Entries;
use crate::model::{Partition, PartitionId, TopicId};

fn partition(topic: u32, id: u32) -> Partition {
    Partition::new(TopicId(topic), PartitionId(id))
}

fn at(offset: i64) -> CommittedOffset {
    CommittedOffset {
        offset,
        leader_epoch: 0,
        metadata: "note".to_owned(),
        committed_ms: 5,
        expires_ms: None,
    }
}

fn commit(group: &str, offsets: &[(Partition, i64)]) -> GroupChange {
    GroupChange::Commit {
        group: group.to_owned(),
        offsets: offsets
            .iter()
            .map(|(it, offset)| (*it, at(*offset)))
            .collect(),
    }
}

fn describe(group: &str) -> GroupChange {
    GroupChange::Describe {
        group: group.to_owned(),
        description: Arc::new(json!({"generation": 3})),
    }
}

/// Topic 9 does not exist.
fn after(changes: &[GroupChange]) -> Groups {
    let mut groups = Groups::default();
    for change in changes {
        groups.apply(change, |partition| partition.topic != TopicId(9));
    }
    groups
}

fn shown(groups: &Groups) -> String {
    let offsets = |state: &GroupState| -> Vec<String> {
        let offsets = state.offsets.iter();
        offsets
            .map(|(partition, it)| format!("{partition}={}", it.offset))
            .collect()
    };
    let lines = groups.iter().map(|(name, state)| {
        let described = state.description.is_some();
        format!(
            "{name}: described {described}, {}",
            offsets(state).join(" ")
        )
    });
    format!(
        "{} {}",
        groups.offset_bytes() / 100,
        lines.collect::<Vec<_>>().join("; ")
    )
}

#[test]
fn changes_do_what_they_say() {
    let (first, second, gone) = (partition(1, 0), partition(1, 1), partition(9, 0));
    let mut changes = vec![
        commit("b", &[(first, 5), (second, 6), (gone, 7)]),
        commit("b", &[(first, 8)]),
        describe("a"),
        commit("", &[(partition(2, 0), -7)]),
    ];
    assert_eq!(
        shown(&after(&changes)),
        "3 : described false, 2-0=-7; a: described true, ; b: described false, 1-0=8 1-1=6"
    );
    changes.push(GroupChange::Forget {
        group: "b".to_owned(),
        partitions: vec![second, gone],
    });
    changes.push(GroupChange::Delete {
        group: "a".to_owned(),
    });
    changes.push(GroupChange::Delete {
        group: "nobody".to_owned(),
    });
    let mut groups = after(&changes);
    assert_eq!(
        shown(&groups),
        "2 : described false, 2-0=-7; b: described false, 1-0=8"
    );
    groups.forget_topic(TopicId(1));
    assert_eq!(
        shown(&groups),
        "1 : described false, 2-0=-7; b: described false, "
    );
}

#[test]
fn entries_and_journal_records_are_read_back() {
    let changes = [
        describe("a/b"),
        commit("a/b", &[(partition(1, 0), 5), (partition(1, 11), 6)]),
        commit("", &[(partition(2, 0), 1)]),
    ];
    assert_eq!(
        GroupChange::decode_all(&GroupChange::encode_all(&changes)).unwrap(),
        changes
    );
    let groups = after(&changes);
    let mut entries = Entries::new();
    entries.insert("groups".into(), b"another's".to_vec());
    entries.insert("grou".into(), b"another's".to_vec());
    groups.write_entries(&mut entries);
    assert_eq!(Groups::read_entries(&entries).unwrap(), groups);
    entries.insert("group/x".into(), b"{".to_vec());
    let error = Groups::read_entries(&entries).unwrap_err().to_string();
    assert!(error.contains("group/x"), "{error}");
}

#[test]
fn a_later_version_is_refused_by_name() {
    let error = GroupChange::decode_all(br#"{"version":2,"changes":[{"new":1}]}"#).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}
