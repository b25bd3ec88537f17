//! A frame as a header and a typed request.

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest, ApiVersionsRequest,
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, CreatePartitionsRequest,
    CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    DescribeAclsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest,
    DescribeLogDirsRequest, DescribeProducersRequest, DescribeTopicPartitionsRequest,
    DescribeTransactionsRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest,
    HeartbeatRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest,
    ListTransactionsRequest, MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest, SaslHandshakeRequest,
    SyncGroupRequest, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use kafka_protocol::protocol::Decodable;
use thiserror::Error;

use super::ELEMENTS_MAX;
use super::api::Api;
use super::cursor::Cursor;
use super::{layout, layouts};

/// What stands before every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API.
    pub api: Api,
    /// Which of its versions; the response has the same.
    pub version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
}

/// Makes the enum of requests and its decoder, with a variant for each API.
macro_rules! requests {
    ($($api:ident($message:ident)),* $(,)?) => {
        /// A request, decoded.
        #[derive(Debug, Clone)]
        pub enum Request {
            $(
                #[doc = concat!("See [`Api::", stringify!($api), "`].")]
                $api($message),
            )*
            /// ApiVersions in a version that we do not know. The header says version 0, and the
            /// answer must be in that form.
            ApiVersionsUnknown,
        }

        fn decode_body(
            api: Api,
            version: i16,
            body: &mut Bytes,
        ) -> Result<Request, impl ToString + use<>> {
            match api {
                $(Api::$api => $message::decode(body, version).map(Request::$api),)*
            }
        }
    };
}

requests! {
    Produce(ProduceRequest),
    Fetch(FetchRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    OffsetCommit(OffsetCommitRequest),
    OffsetFetch(OffsetFetchRequest),
    FindCoordinator(FindCoordinatorRequest),
    JoinGroup(JoinGroupRequest),
    Heartbeat(HeartbeatRequest),
    LeaveGroup(LeaveGroupRequest),
    SyncGroup(SyncGroupRequest),
    DescribeGroups(DescribeGroupsRequest),
    ListGroups(ListGroupsRequest),
    SaslHandshake(SaslHandshakeRequest),
    ApiVersions(ApiVersionsRequest),
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    DeleteRecords(DeleteRecordsRequest),
    InitProducerId(InitProducerIdRequest),
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest),
    AddPartitionsToTxn(AddPartitionsToTxnRequest),
    AddOffsetsToTxn(AddOffsetsToTxnRequest),
    EndTxn(EndTxnRequest),
    WriteTxnMarkers(WriteTxnMarkersRequest),
    TxnOffsetCommit(TxnOffsetCommitRequest),
    DescribeAcls(DescribeAclsRequest),
    DescribeConfigs(DescribeConfigsRequest),
    AlterConfigs(AlterConfigsRequest),
    DescribeLogDirs(DescribeLogDirsRequest),
    CreatePartitions(CreatePartitionsRequest),
    DeleteGroups(DeleteGroupsRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    ListPartitionReassignments(ListPartitionReassignmentsRequest),
    OffsetDelete(OffsetDeleteRequest),
    DescribeCluster(DescribeClusterRequest),
    DescribeProducers(DescribeProducersRequest),
    DescribeTransactions(DescribeTransactionsRequest),
    ListTransactions(ListTransactionsRequest),
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest),
    ConsumerGroupDescribe(ConsumerGroupDescribeRequest),
    DescribeTopicPartitions(DescribeTopicPartitionsRequest),
}

/// Why bytes are no request, or a response could not be written. Kafka closes the connection on
/// any of them.
#[derive(Debug, Error)]
pub enum WireError {
    /// The request ends early.
    #[error("request ends early: {wanted} bytes wanted, {left} left")]
    Truncated {
        /// Bytes that the next field takes.
        wanted: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// A length below -1.
    #[error("request has the length {length}")]
    NegativeLength {
        /// The length.
        length: i64,
    },
    /// A varint that passes 32 bits.
    #[error("request has a varint of more than 32 bits")]
    Varint,
    /// More elements than a request may have.
    #[error("request has at least {elements} elements, the limit is {ELEMENTS_MAX}")]
    TooManyElements {
        /// Elements counted so far.
        elements: usize,
    },
    /// A known tagged field whose size is not that of its content.
    #[error("tagged field {tag} says {size} bytes and holds {read}")]
    TagSize {
        /// Its number.
        tag: u32,
        /// The size that it says.
        size: usize,
        /// The size of its content.
        read: usize,
    },
    /// An API that is not listed.
    #[error("API {key} is not served")]
    UnknownApi {
        /// Its key.
        key: i16,
    },
    /// A version that is not listed.
    #[error("version {version} of {api:?} is not served")]
    UnknownVersion {
        /// The API.
        api: Api,
        /// The version asked for.
        version: i16,
    },
    /// The walk and the decoder disagree about where a request ends.
    #[error("{api:?} version {version} is {walked} bytes by its layout, {decoded} decoded")]
    Layout {
        /// The API.
        api: Api,
        /// Its version.
        version: i16,
        /// Bytes by the layout.
        walked: usize,
        /// Bytes that the decoder took.
        decoded: usize,
    },
    /// The generated code refused the message.
    #[error("{api:?} version {version}: {reason}")]
    Message {
        /// The API.
        api: Api,
        /// Its version.
        version: i16,
        /// What it said.
        reason: String,
    },
}

/// Decodes one frame, which comes without its length. Bytes after the end of the request are
/// ignored, as Kafka does.
///
/// # Errors
/// When it is no request of a served API and version. Memory stays in proportion to the frame.
pub fn decode_request(frame: &Bytes) -> Result<(RequestHeader, Request), WireError> {
    let mut cursor = Cursor::new(frame);
    let key = cursor.i16()?;
    let version = cursor.i16()?;
    let correlation_id = cursor.i32()?;
    let api = Api::from_key(key).ok_or(WireError::UnknownApi { key })?;
    let served = api.served().contains(version);
    if !served && api != Api::ApiVersions {
        return Err(WireError::UnknownVersion { api, version });
    }
    // The client id keeps its old form in flexible headers too.
    let client_id = match cursor.length_i16()? {
        Some(bytes) => Some(String::from_utf8_lossy(cursor.take(bytes)?).into_owned()),
        None => None,
    };
    let flexible = version >= api.flexible_from();
    if flexible {
        skip_tagged_fields(&mut cursor)?;
    }
    let header = RequestHeader {
        api,
        version,
        correlation_id,
        client_id,
    };
    if !served {
        return Ok((
            RequestHeader {
                version: 0,
                ..header
            },
            Request::ApiVersionsUnknown,
        ));
    }
    let body = frame.slice(frame.len() - cursor.left()..);
    let walked = layout::walk(layouts::of(api), &body, version, flexible)?;
    let mut rest = body.clone();
    let request =
        decode_body(api, api.coded(version), &mut rest).map_err(|error| WireError::Message {
            api,
            version,
            reason: error.to_string(),
        })?;
    let decoded = body.len() - rest.remaining();
    if decoded != walked {
        return Err(WireError::Layout {
            api,
            version,
            walked,
            decoded,
        });
    }
    Ok((header, request))
}

fn skip_tagged_fields(cursor: &mut Cursor<'_>) -> Result<(), WireError> {
    for _ in 0..cursor.varint()? {
        let _tag = cursor.varint()?;
        let size = usize::try_from(cursor.varint()?).map_err(|_| WireError::Varint)?;
        cursor.take(size)?;
    }
    Ok(())
}
