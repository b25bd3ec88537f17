//! A typed response as a frame.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    AddOffsetsToTxnResponse, AddPartitionsToTxnResponse, AlterConfigsResponse, ApiVersionsResponse,
    ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatResponse, CreatePartitionsResponse,
    CreateTopicsResponse, DeleteGroupsResponse, DeleteRecordsResponse, DeleteTopicsResponse,
    DescribeAclsResponse, DescribeClusterResponse, DescribeConfigsResponse, DescribeGroupsResponse,
    DescribeLogDirsResponse, DescribeProducersResponse, DescribeTopicPartitionsResponse,
    DescribeTransactionsResponse, EndTxnResponse, FindCoordinatorResponse, HeartbeatResponse,
    IncrementalAlterConfigsResponse, InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse,
    ListGroupsResponse, ListOffsetsResponse, ListPartitionReassignmentsResponse,
    ListTransactionsResponse, MetadataResponse, OffsetCommitResponse, OffsetDeleteResponse,
    OffsetFetchResponse, OffsetForLeaderEpochResponse, ProduceResponse, SaslHandshakeResponse,
    SyncGroupResponse, TxnOffsetCommitResponse, WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::Encodable;

use super::KafkaError;
use super::api::Api;
use super::fetch::{self, FetchResponse};
use super::frame::Frame;
use super::request::{RequestHeader, WireError};

/// Makes the enum of responses and its encoder, with a variant for each API. Fetch is not among
/// them, since its response has a type and an encoder of its own.
macro_rules! responses {
    ($($api:ident($message:ident)),* $(,)?) => {
        /// A response, not yet encoded.
        #[derive(Debug, Clone)]
        pub enum Response {
            /// See [`Api::Fetch`].
            Fetch(FetchResponse),
            $(
                #[doc = concat!("See [`Api::", stringify!($api), "`].")]
                $api($message),
            )*
        }

        fn encode_body(
            header: &RequestHeader,
            response: &Response,
        ) -> Result<Vec<Bytes>, WireError> {
            match response {
                Response::Fetch(message) => Ok(fetch::encode(message, header.version)),
                $(Response::$api(message) => encode_message(header, message),)*
            }
        }
    };
}

responses! {
    Produce(ProduceResponse),
    ListOffsets(ListOffsetsResponse),
    Metadata(MetadataResponse),
    OffsetCommit(OffsetCommitResponse),
    OffsetFetch(OffsetFetchResponse),
    FindCoordinator(FindCoordinatorResponse),
    JoinGroup(JoinGroupResponse),
    Heartbeat(HeartbeatResponse),
    LeaveGroup(LeaveGroupResponse),
    SyncGroup(SyncGroupResponse),
    DescribeGroups(DescribeGroupsResponse),
    ListGroups(ListGroupsResponse),
    SaslHandshake(SaslHandshakeResponse),
    ApiVersions(ApiVersionsResponse),
    CreateTopics(CreateTopicsResponse),
    DeleteTopics(DeleteTopicsResponse),
    DeleteRecords(DeleteRecordsResponse),
    InitProducerId(InitProducerIdResponse),
    OffsetForLeaderEpoch(OffsetForLeaderEpochResponse),
    AddPartitionsToTxn(AddPartitionsToTxnResponse),
    AddOffsetsToTxn(AddOffsetsToTxnResponse),
    EndTxn(EndTxnResponse),
    WriteTxnMarkers(WriteTxnMarkersResponse),
    TxnOffsetCommit(TxnOffsetCommitResponse),
    DescribeAcls(DescribeAclsResponse),
    DescribeConfigs(DescribeConfigsResponse),
    AlterConfigs(AlterConfigsResponse),
    DescribeLogDirs(DescribeLogDirsResponse),
    CreatePartitions(CreatePartitionsResponse),
    DeleteGroups(DeleteGroupsResponse),
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    ListPartitionReassignments(ListPartitionReassignmentsResponse),
    OffsetDelete(OffsetDeleteResponse),
    DescribeCluster(DescribeClusterResponse),
    DescribeProducers(DescribeProducersResponse),
    DescribeTransactions(DescribeTransactionsResponse),
    ListTransactions(ListTransactionsResponse),
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse),
    ConsumerGroupDescribe(ConsumerGroupDescribeResponse),
    DescribeTopicPartitions(DescribeTopicPartitionsResponse),
}

/// Kafka's number for an error; 0 is none.
#[must_use]
pub(crate) fn error_code(error: Option<KafkaError>) -> i16 {
    error.map_or(0, |error| error.code())
}

/// Encodes the response to the request with `header`, its length included.
///
/// # Errors
/// When a value has no encoding in the request's version.
pub fn encode_response(header: &RequestHeader, response: &Response) -> Result<Frame, WireError> {
    let body = encode_body(header, response)?;
    let mut start = BytesMut::with_capacity(4 + 4 + 1);
    // ApiVersions keeps the old header for ever: its reader may not know yet what we speak.
    let tags_bytes =
        usize::from(header.version >= header.api.flexible_from() && header.api != Api::ApiVersions);
    let bytes: usize = 4 + tags_bytes + body.iter().map(Bytes::len).sum::<usize>();
    start.put_u32(u32::try_from(bytes).expect("responses are bounded far below 4 GiB"));
    start.put_i32(header.correlation_id);
    start.put_bytes(0, tags_bytes);
    Ok(Frame::new(std::iter::once(start.freeze()).chain(body)))
}

fn encode_message(
    header: &RequestHeader,
    message: &impl Encodable,
) -> Result<Vec<Bytes>, WireError> {
    let refused = |reason: String| WireError::Message {
        api: header.api,
        version: header.version,
        reason,
    };
    let version = header.api.coded(header.version);
    let bytes = message
        .compute_size(version)
        .map_err(|error| refused(error.to_string()))?;
    let mut body = BytesMut::with_capacity(bytes);
    message
        .encode(&mut body, version)
        .map_err(|error| refused(error.to_string()))?;
    Ok(vec![body.freeze()])
}
