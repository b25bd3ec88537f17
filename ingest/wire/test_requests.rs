//! Requests about groups and of administrators in which everything that a version has is filled in.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::alter_configs_request as alter;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions as OwnedTopic;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest as ProducersTopic;
use kafka_protocol::messages::describe_topic_partitions_request::{
    Cursor as PartitionCursor, TopicRequest,
};
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_partition_reassignments_request as moving;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest, BrokerId,
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, CreatePartitionsRequest,
    DeleteGroupsRequest, DeleteRecordsRequest, DescribeAclsRequest, DescribeClusterRequest,
    DescribeGroupsRequest, DescribeLogDirsRequest, DescribeProducersRequest,
    DescribeTopicPartitionsRequest, DescribeTransactionsRequest, EndTxnRequest,
    FindCoordinatorRequest, GroupId, HeartbeatRequest, IncrementalAlterConfigsRequest,
    JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListPartitionReassignmentsRequest,
    ListTransactionsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    OffsetForLeaderEpochRequest, ProducerId, SaslHandshakeRequest, SyncGroupRequest, TopicName,
    TransactionalId, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::Api;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn group() -> GroupId {
    GroupId(text("readers"))
}

fn instance(version: i16, from: i16) -> Option<StrBytes> {
    (version >= from).then(|| text("instance"))
}

/// Writes such a request of `api`.
pub(super) fn full_body(api: Api, version: i16, out: &mut BytesMut) {
    let written = match api {
        Api::OffsetCommit => offset_commit(version).encode(out, version),
        Api::OffsetFetch => offset_fetch(version).encode(out, version),
        Api::FindCoordinator => find_coordinator(version).encode(out, version),
        Api::JoinGroup => join_group(version).encode(out, version),
        Api::Heartbeat => HeartbeatRequest::default()
            .with_group_id(group())
            .with_member_id(text("member"))
            .with_group_instance_id(instance(version, 3))
            .encode(out, version),
        Api::LeaveGroup => leave_group(version).encode(out, version),
        Api::SyncGroup => sync_group(version).encode(out, version),
        Api::DescribeGroups => DescribeGroupsRequest::default()
            .with_groups(vec![group(), group()])
            .with_include_authorized_operations(version >= 3)
            .encode(out, version),
        Api::ListGroups => list_groups(version).encode(out, version),
        Api::DeleteGroups => DeleteGroupsRequest::default()
            .with_groups_names(vec![group(), group()])
            .encode(out, version),
        Api::OffsetDelete => offset_delete().encode(out, version),
        Api::SaslHandshake => SaslHandshakeRequest::default()
            .with_mechanism(text("PLAIN"))
            .encode(out, version),
        Api::DeleteRecords => delete_records().encode(out, version),
        Api::OffsetForLeaderEpoch => leader_epoch(version).encode(out, version),
        Api::DescribeAcls => DescribeAclsRequest::default()
            .with_resource_name_filter(Some(text("events")))
            .with_principal_filter(None)
            .with_host_filter(Some(text("*")))
            .encode(out, version),
        Api::AlterConfigs => alter_configs().encode(out, version),
        Api::IncrementalAlterConfigs => incremental_alter_configs().encode(out, version),
        Api::DescribeLogDirs => describe_log_dirs().encode(out, api.coded(version)),
        Api::CreatePartitions => create_partitions().encode(out, version),
        Api::ListPartitionReassignments => reassignments().encode(out, version),
        Api::DescribeCluster => DescribeClusterRequest::default().encode(out, version),
        Api::DescribeProducers => describe_producers().encode(out, version),
        Api::DescribeTopicPartitions => describe_topic_partitions().encode(out, version),
        Api::ConsumerGroupHeartbeat => consumer_group_heartbeat(version).encode(out, version),
        Api::ConsumerGroupDescribe => ConsumerGroupDescribeRequest::default()
            .with_group_ids(vec![group(), group()])
            .with_include_authorized_operations(true)
            .encode(out, version),
        Api::AddPartitionsToTxn => add_partitions_to_txn().encode(out, version),
        Api::AddOffsetsToTxn => AddOffsetsToTxnRequest::default()
            .with_transactional_id(transactional_id())
            .with_group_id(group())
            .encode(out, version),
        Api::EndTxn => EndTxnRequest::default()
            .with_transactional_id(transactional_id())
            .with_committed(true)
            .encode(out, version),
        Api::WriteTxnMarkers => write_txn_markers().encode(out, version),
        Api::TxnOffsetCommit => txn_offset_commit(version).encode(out, version),
        Api::DescribeTransactions => DescribeTransactionsRequest::default()
            .with_transactional_ids(vec![transactional_id(), transactional_id()])
            .encode(out, version),
        Api::ListTransactions => list_transactions(version).encode(out, version),
        Api::Produce
        | Api::Fetch
        | Api::ListOffsets
        | Api::Metadata
        | Api::ApiVersions
        | Api::CreateTopics
        | Api::DeleteTopics
        | Api::InitProducerId
        | Api::DescribeConfigs => unreachable!("filled in by the caller"),
    };
    written.expect("the version has all that is filled in");
}

fn consumer_group_heartbeat(version: i16) -> ConsumerGroupHeartbeatRequest {
    let owned = OwnedTopic::default().with_partitions(vec![0, 1, 2]);
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text("member"))
        .with_instance_id(instance(version, 0))
        .with_rack_id(Some(text("rack")))
        .with_subscribed_topic_names(Some(vec![name("events"), name("others")]))
        .with_server_assignor(Some(text("uniform")))
        .with_topic_partitions(Some(vec![owned.clone(), owned]));
    match version {
        0 => request,
        _ => request.with_subscribed_topic_regex(Some(text("e.*"))),
    }
}

fn transactional_id() -> TransactionalId {
    TransactionalId(text("writer"))
}

fn add_partitions_to_txn() -> AddPartitionsToTxnRequest {
    let topic = AddPartitionsToTxnTopic::default()
        .with_name(name("events"))
        .with_partitions(vec![0, 1, 2]);
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional_id())
        .with_v3_and_below_topics(vec![topic.clone(), topic])
}

fn write_txn_markers() -> WriteTxnMarkersRequest {
    let topic = WritableTxnMarkerTopic::default()
        .with_name(name("events"))
        .with_partition_indexes(vec![0, 1, 2]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(ProducerId(7))
        .with_topics(vec![topic.clone(), topic]);
    WriteTxnMarkersRequest::default().with_markers(vec![marker.clone(), marker])
}

fn txn_offset_commit(version: i16) -> TxnOffsetCommitRequest {
    let mut partition = TxnOffsetCommitRequestPartition::default()
        .with_committed_offset(5)
        .with_committed_metadata(Some(text("note")));
    if version >= 2 {
        partition = partition.with_committed_leader_epoch(2);
    }
    let none = partition.clone().with_committed_metadata(None);
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(name("events"))
        .with_partitions(vec![partition, none]);
    let mut request = TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional_id())
        .with_group_id(group())
        .with_group_instance_id(instance(version, 3))
        .with_topics(vec![topic.clone(), topic]);
    if version >= 3 {
        request = request.with_generation_id(4).with_member_id(text("member"));
    }
    request
}

fn list_transactions(version: i16) -> ListTransactionsRequest {
    let request = ListTransactionsRequest::default()
        .with_state_filters(vec![text("Ongoing"), text("Empty")])
        .with_producer_id_filters(vec![ProducerId(1), ProducerId(2)]);
    match version {
        0 => request,
        _ => request.with_duration_filter(5),
    }
}

fn offset_commit(version: i16) -> OffsetCommitRequest {
    let mut partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(5)
        .with_committed_metadata(Some(text("note")));
    if version >= 6 {
        partition = partition.with_committed_leader_epoch(2);
    }
    let none = partition.clone().with_committed_metadata(None);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(name("events"))
        .with_partitions(vec![partition, none]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_member_id(text("member"))
        .with_group_instance_id(instance(version, 7))
        .with_topics(vec![topic.clone(), topic]);
    if (2..=4).contains(&version) {
        return request.with_retention_time_ms(5);
    }
    request
}

fn offset_fetch(version: i16) -> OffsetFetchRequest {
    let request = OffsetFetchRequest::default().with_require_stable(version >= 7);
    if version < 8 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(name("events"))
            .with_partition_indexes(vec![0, 1, 2]);
        return request
            .with_group_id(group())
            .with_topics(Some(vec![topic]));
    }
    let topic = OffsetFetchRequestTopics::default()
        .with_name(name("events"))
        .with_partition_indexes(vec![0, 1, 2]);
    let one = OffsetFetchRequestGroup::default()
        .with_group_id(group())
        .with_topics(Some(vec![topic.clone(), topic]));
    let all = one.clone().with_topics(None);
    request.with_groups(vec![one, all])
}

fn find_coordinator(version: i16) -> FindCoordinatorRequest {
    let request = FindCoordinatorRequest::default();
    if version < 4 {
        return request.with_key(text("readers"));
    }
    request.with_coordinator_keys(vec![text("readers"), text("others")])
}

fn join_group(version: i16) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"topics"));
    let request = JoinGroupRequest::default()
        .with_group_id(group())
        .with_member_id(text("member"))
        .with_group_instance_id(instance(version, 5))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol.clone(), protocol]);
    if version >= 8 {
        return request.with_reason(Some(text("why not")));
    }
    request
}

fn leave_group(version: i16) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(group());
    if version < 3 {
        return request.with_member_id(text("member"));
    }
    let member = MemberIdentity::default()
        .with_member_id(text("member"))
        .with_group_instance_id(Some(text("instance")));
    request.with_members(vec![member.clone(), member.with_group_instance_id(None)])
}

fn sync_group(version: i16) -> SyncGroupRequest {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(text("member"))
        .with_assignment(Bytes::from_static(b"partitions"));
    let request = SyncGroupRequest::default()
        .with_group_id(group())
        .with_member_id(text("member"))
        .with_group_instance_id(instance(version, 3))
        .with_assignments(vec![assignment.clone(), assignment]);
    if version >= 5 {
        return request
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")));
    }
    request
}

fn list_groups(version: i16) -> ListGroupsRequest {
    let mut request = ListGroupsRequest::default();
    if version >= 4 {
        request = request.with_states_filter(vec![text("Stable"), text("Empty")]);
    }
    if version >= 5 {
        request = request.with_types_filter(vec![text("classic")]);
    }
    request
}

fn offset_delete() -> OffsetDeleteRequest {
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(1);
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(name("events"))
        .with_partitions(vec![partition.clone(), partition]);
    OffsetDeleteRequest::default()
        .with_group_id(group())
        .with_topics(vec![topic.clone(), topic])
}

fn delete_records() -> DeleteRecordsRequest {
    let partition = DeleteRecordsPartition::default().with_offset(5);
    let topic = DeleteRecordsTopic::default()
        .with_name(name("events"))
        .with_partitions(vec![partition.clone(), partition]);
    DeleteRecordsRequest::default().with_topics(vec![topic.clone(), topic])
}

fn leader_epoch(version: i16) -> OffsetForLeaderEpochRequest {
    let partition = OffsetForLeaderPartition::default().with_leader_epoch(3);
    let topic = OffsetForLeaderTopic::default()
        .with_topic(name("events"))
        .with_partitions(vec![partition.clone(), partition]);
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic.clone(), topic]);
    if version >= 3 {
        return request.with_replica_id(BrokerId(-1));
    }
    request
}

fn alter_configs() -> AlterConfigsRequest {
    let config = alter::AlterableConfig::default().with_name(text("retention.ms"));
    let resource = alter::AlterConfigsResource::default()
        .with_resource_name(text("events"))
        .with_configs(vec![config.clone().with_value(Some(text("1"))), config]);
    AlterConfigsRequest::default().with_resources(vec![resource.clone(), resource])
}

fn incremental_alter_configs() -> IncrementalAlterConfigsRequest {
    let config = incremental::AlterableConfig::default().with_name(text("retention.ms"));
    let resource = incremental::AlterConfigsResource::default()
        .with_resource_name(text("events"))
        .with_configs(vec![config.clone().with_value(Some(text("1"))), config]);
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource.clone(), resource])
}

fn describe_log_dirs() -> DescribeLogDirsRequest {
    let topic = DescribableLogDirTopic::default()
        .with_topic(name("events"))
        .with_partitions(vec![0, 1]);
    DescribeLogDirsRequest::default().with_topics(Some(vec![topic.clone(), topic]))
}

fn create_partitions() -> CreatePartitionsRequest {
    let assignment = CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let topic = CreatePartitionsTopic::default()
        .with_name(name("events"))
        .with_count(4)
        .with_assignments(Some(vec![assignment.clone(), assignment]));
    let free = topic.clone().with_assignments(None);
    CreatePartitionsRequest::default().with_topics(vec![topic, free])
}

fn reassignments() -> ListPartitionReassignmentsRequest {
    let topic = moving::ListPartitionReassignmentsTopics::default()
        .with_name(name("events"))
        .with_partition_indexes(vec![0, 1]);
    ListPartitionReassignmentsRequest::default().with_topics(Some(vec![topic]))
}

fn describe_producers() -> DescribeProducersRequest {
    let topic = ProducersTopic::default()
        .with_name(name("events"))
        .with_partition_indexes(vec![0, 1]);
    DescribeProducersRequest::default().with_topics(vec![topic])
}

fn describe_topic_partitions() -> DescribeTopicPartitionsRequest {
    let topic = TopicRequest::default().with_name(name("events"));
    let cursor = PartitionCursor::default()
        .with_topic_name(name("events"))
        .with_partition_index(2);
    DescribeTopicPartitionsRequest::default()
        .with_topics(vec![topic.clone(), topic])
        .with_cursor(Some(cursor))
}
