//! Groups through requests: what is durable, what tools see, what expires.

use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};

use super::fixture::*;
use crate::broker::Reply;

fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

/// A commit for partition 0 by somebody who is in no group, with a note.
fn commit(name: &str, topic_name: &str, offset: i64, note: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text(note)));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic(topic_name))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group(name))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

/// Everything that a group has committed: topic, partition, offset and note.
fn committed(fixture: &mut Fixture, name: &str) -> Vec<(String, i32, i64, String)> {
    let request = OffsetFetchRequest::default()
        .with_group_id(group(name))
        .with_topics(None);
    let answer = fixture.ask(&request, 7);
    let mut found = Vec::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            let note = partition.metadata.unwrap().to_string();
            let (index, offset) = (partition.partition_index, partition.committed_offset);
            found.push((topic.name.to_string(), index, offset, note));
        }
    }
    found
}

fn commit_code(fixture: &mut Fixture, request: &OffsetCommitRequest) -> i16 {
    let answer = fixture.ask(request, 8);
    answer.topics[0].partitions[0].error_code
}

#[test]
fn commits_are_durable_and_vanish_with_their_topic() {
    let mut fixture = Fixture::with_topic("events", &[]);
    let Reply::AfterDurable(..) = fixture.reply(&commit("g", "events", 5, "note"), 8) else {
        panic!("a commit waits for the disk");
    };
    assert_eq!(
        committed(&mut fixture, "g"),
        [],
        "what is staged is not shown"
    );
    assert_eq!(
        commit_code(&mut fixture, &commit("g", "events", 6, "more")),
        0
    );
    let disk = std::sync::Arc::clone(&fixture.disk);
    drop(fixture);
    let mut fixture = Fixture::on(disk);
    let expected = ("events".to_owned(), 0, 6, "more".to_owned());
    assert_eq!(committed(&mut fixture, "g"), [expected]);
    assert_eq!(commit_code(&mut fixture, &commit("g", "missing", 6, "")), 3);
    let long = "x".repeat(4_097);
    assert_eq!(
        commit_code(&mut fixture, &commit("g", "events", 6, &long)),
        12
    );
    let request = DeleteGroupsRequest::default().with_groups_names(vec![group("g"), group("h")]);
    let codes = fixture.ask(&request, 1).results;
    let codes: Vec<i16> = codes.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [0, 69]);
    assert_eq!(committed(&mut fixture, "g"), []);
}

/// Joins as the only member and takes its share; gives the member's id.
fn settle(fixture: &mut Fixture, name: &str) -> String {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(bytes::Bytes::from_static(b"\0\0\0\0\0\x01\0\x06events"));
    let request = JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let named = fixture.ask(&request, 5);
    assert_eq!(named.error_code, 79);
    let request = request.with_member_id(named.member_id.clone());
    let joined = fixture.ask(&request, 5);
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    assert_eq!(joined.leader, named.member_id);
    let share = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(bytes::Bytes::from_static(b"share"));
    let request = SyncGroupRequest::default()
        .with_group_id(group(name))
        .with_generation_id(1)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![share]);
    assert_eq!(&fixture.ask(&request, 3).assignment[..], b"share");
    joined.member_id.to_string()
}

fn states(fixture: &mut Fixture) -> Vec<(String, String)> {
    let answer = fixture.ask(&ListGroupsRequest::default(), 4);
    let groups = answer.groups.into_iter();
    groups
        .map(|it| (it.group_id.to_string(), it.group_state.to_string()))
        .collect()
}

#[test]
fn a_group_lives_on_in_the_next_process() {
    let mut fixture = Fixture::with_topic("events", &[]);
    let member = settle(&mut fixture, "g");
    assert!(member.starts_with("test-"), "{member}");
    let disk = std::sync::Arc::clone(&fixture.disk);
    drop(fixture);
    let mut fixture = Fixture::on(disk);
    let request = HeartbeatRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(1)
        .with_member_id(text(&member));
    assert_eq!(fixture.ask(&request, 3).error_code, 0);
    let request = DescribeGroupsRequest::default().with_groups(vec![group("g"), group("x")]);
    let described = fixture.ask(&request, 4).groups;
    assert_eq!(&*described[0].group_state, "Stable");
    assert_eq!(&*described[0].protocol_data, "range");
    assert_eq!(&described[0].members[0].member_assignment[..], b"share");
    assert_eq!(&*described[1].group_state, "Dead");
    // Nobody says anything any more.
    fixture.broker.tick_groups(NOW_MS + 10_000);
    assert_eq!(states(&mut fixture), [("g".to_owned(), "Empty".to_owned())]);
}

#[test]
fn offsets_expire_when_nobody_has_needed_them_for_long() {
    const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
    let mut fixture = Fixture::with_topic("events", &[]);
    settle(&mut fixture, "busy");
    let settled = fixture.ask(&ListGroupsRequest::default(), 4).groups.len();
    assert_eq!(settled, 1);
    assert_eq!(
        commit_code(&mut fixture, &commit("idle", "events", 5, "")),
        0
    );
    let tick = |fixture: &mut Fixture, now_ms| {
        fixture.broker.tick_groups(now_ms);
        fixture.broker.store().commit().unwrap();
    };
    tick(&mut fixture, NOW_MS + WEEK_MS - 1);
    assert_eq!(committed(&mut fixture, "idle").len(), 1);
    tick(&mut fixture, NOW_MS + 2 * WEEK_MS);
    assert_eq!(committed(&mut fixture, "idle").len(), 0);
    assert_eq!(states(&mut fixture), [], "nothing is left of either");
}
