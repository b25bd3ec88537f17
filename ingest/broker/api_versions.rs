//! ApiVersions: what is served, and who asks.

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::{Reply, Session};
use crate::wire::{Api, KafkaError, Response};

/// First version in which clients name their library.
const NAMED_FROM: i16 = 3;

pub(super) fn answer(session: &mut Session, request: &ApiVersionsRequest, version: i16) -> Reply {
    let name = request.client_software_name.as_str();
    let release = request.client_software_version.as_str();
    if version >= NAMED_FROM {
        if !is_software_word(name) || !is_software_word(release) {
            return ready(Some(KafkaError::InvalidRequest), Vec::new());
        }
        session.software = Some((name.to_owned(), release.to_owned()));
    }
    ready(None, Api::ALL.map(listed).to_vec())
}

/// The answer to a version that we do not know, in the form of version 0, says which we know.
/// The client asks again with one of them.
pub(super) fn answer_unknown_version() -> Reply {
    ready(
        Some(KafkaError::UnsupportedVersion),
        vec![listed(Api::ApiVersions)],
    )
}

fn ready(error: Option<KafkaError>, apis: Vec<ApiVersion>) -> Reply {
    let response = ApiVersionsResponse::default()
        .with_error_code(error.map_or(0, |error| error.code()))
        .with_api_keys(apis);
    Reply::Ready(Response::ApiVersions(response))
}

fn listed(api: Api) -> ApiVersion {
    let range = api.advertised();
    ApiVersion::default()
        .with_api_key(api.key())
        .with_min_version(range.min)
        .with_max_version(range.max)
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, as Kafka wants it.
fn is_software_word(text: &str) -> bool {
    let ends = |c: u8| c.is_ascii_alphanumeric();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|c| ends(*c))
        && bytes.last().is_some_and(|c| ends(*c))
        && bytes.iter().all(|c| ends(*c) || matches!(c, b'-' | b'.'))
}
