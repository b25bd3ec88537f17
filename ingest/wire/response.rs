//! A typed response as a frame.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsResponse, CreateTopicsResponse, DeleteTopicsResponse, DescribeConfigsResponse,
    InitProducerIdResponse, ListOffsetsResponse, MetadataResponse, ProduceResponse,
};
use kafka_protocol::protocol::Encodable;

use super::KafkaError;
use super::api::Api;
use super::fetch::{self, FetchResponse};
use super::frame::Frame;
use super::request::{RequestHeader, WireError};

/// A response, not yet encoded.
#[derive(Debug, Clone)]
pub enum Response {
    /// See [`Api::Produce`].
    Produce(ProduceResponse),
    /// See [`Api::Fetch`].
    Fetch(FetchResponse),
    /// See [`Api::ListOffsets`].
    ListOffsets(ListOffsetsResponse),
    /// See [`Api::Metadata`].
    Metadata(MetadataResponse),
    /// See [`Api::ApiVersions`].
    ApiVersions(ApiVersionsResponse),
    /// See [`Api::CreateTopics`].
    CreateTopics(CreateTopicsResponse),
    /// See [`Api::DeleteTopics`].
    DeleteTopics(DeleteTopicsResponse),
    /// See [`Api::InitProducerId`].
    InitProducerId(InitProducerIdResponse),
    /// See [`Api::DescribeConfigs`].
    DescribeConfigs(DescribeConfigsResponse),
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

fn encode_body(header: &RequestHeader, response: &Response) -> Result<Vec<Bytes>, WireError> {
    match response {
        Response::Produce(message) => encode_message(header, message),
        Response::Fetch(message) => Ok(fetch::encode(message, header.version)),
        Response::ListOffsets(message) => encode_message(header, message),
        Response::Metadata(message) => encode_message(header, message),
        Response::ApiVersions(message) => encode_message(header, message),
        Response::CreateTopics(message) => encode_message(header, message),
        Response::DeleteTopics(message) => encode_message(header, message),
        Response::InitProducerId(message) => encode_message(header, message),
        Response::DescribeConfigs(message) => encode_message(header, message),
    }
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
    let bytes = message
        .compute_size(header.version)
        .map_err(|error| refused(error.to_string()))?;
    let mut body = BytesMut::with_capacity(bytes);
    message
        .encode(&mut body, header.version)
        .map_err(|error| refused(error.to_string()))?;
    Ok(vec![body.freeze()])
}
