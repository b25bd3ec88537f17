//! DescribeCluster: this broker, which is all there is.

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use super::metadata::cluster_id;
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// What the client wants to connect to: brokers. Controllers have no listener of their own.
const BROKERS: i8 = 1;

/// "Not asked for" in the field of authorized operations, and all that there are as bits.
const NO_OPERATIONS: i32 = i32::MIN;
const ALL_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

impl Broker {
    pub(super) fn describe_cluster(&self, request: &DescribeClusterRequest, version: i16) -> Reply {
        let response = DescribeClusterResponse::default();
        if version >= 1 && request.endpoint_type != BROKERS {
            let response = response
                .with_error_code(KafkaError::MismatchedEndpointType.code())
                .with_cluster_authorized_operations(NO_OPERATIONS);
            return Reply::Ready(Response::DescribeCluster(response));
        }
        let options = &self.options;
        let broker = DescribeClusterBroker::default()
            .with_broker_id(BrokerId(options.node_id))
            .with_host(StrBytes::from_string(options.host.clone()))
            .with_port(i32::from(options.port));
        let operations = if request.include_cluster_authorized_operations {
            ALL_OPERATIONS
        } else {
            NO_OPERATIONS
        };
        let response = response
            .with_endpoint_type(BROKERS)
            .with_cluster_id(cluster_id(&self.store.catalog()))
            .with_controller_id(BrokerId(options.node_id))
            .with_brokers(vec![broker])
            .with_cluster_authorized_operations(operations);
        Reply::Ready(Response::DescribeCluster(response))
    }
}
