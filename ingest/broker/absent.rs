//! Requests about things that one broker without authentication does not have: the answers are
//! those of a Kafka without them.

use kafka_protocol::messages::{
    DescribeAclsResponse, ListPartitionReassignmentsResponse, SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Reply;
use crate::wire::{KafkaError, Response};

pub(super) fn sasl_handshake() -> Reply {
    let error = KafkaError::IllegalSaslState.code();
    let response = SaslHandshakeResponse::default().with_error_code(error);
    Reply::Ready(Response::SaslHandshake(response))
}

pub(super) fn describe_acls() -> Reply {
    let text = "No Authorizer is configured on the broker";
    let response = DescribeAclsResponse::default()
        .with_error_code(KafkaError::SecurityDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str(text)));
    Reply::Ready(Response::DescribeAcls(response))
}

pub(super) fn list_partition_reassignments() -> Reply {
    let response = ListPartitionReassignmentsResponse::default();
    Reply::Ready(Response::ListPartitionReassignments(response))
}
