//! FindCoordinator: this broker keeps everything.

use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::refusal::INVALID_REQUEST_TEXT;
use crate::broker::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// What a key names: a group, or a transactional id.
const KEY_TYPES: [i8; 2] = [0, 1];

/// First version that asks for several keys.
const BATCHED_FROM: i16 = 4;

impl Broker {
    pub(in crate::broker) fn find_coordinator(
        &self,
        request: &FindCoordinatorRequest,
        version: i16,
    ) -> Reply {
        let is_known = KEY_TYPES.contains(&request.key_type);
        let (error, message) = if is_known {
            (0, None)
        } else {
            let text = StrBytes::from_static_str(INVALID_REQUEST_TEXT);
            (KafkaError::InvalidRequest.code(), Some(text))
        };
        let (node_id, host, port) = if is_known {
            let host = StrBytes::from_string(self.options.host.clone());
            (self.options.node_id, host, i32::from(self.options.port))
        } else {
            (-1, StrBytes::default(), -1)
        };
        let response = if version >= BATCHED_FROM {
            let found = request.coordinator_keys.iter().map(|key| {
                Coordinator::default()
                    .with_key(key.clone())
                    .with_node_id(BrokerId(node_id))
                    .with_host(host.clone())
                    .with_port(port)
                    .with_error_code(error)
                    .with_error_message(message.clone())
            });
            FindCoordinatorResponse::default().with_coordinators(found.collect())
        } else {
            let response = FindCoordinatorResponse::default()
                .with_error_code(error)
                .with_node_id(BrokerId(node_id))
                .with_host(host)
                .with_port(port);
            if version == 0 {
                response
            } else {
                let none = StrBytes::from_static_str("NONE");
                response.with_error_message(Some(message.unwrap_or(none)))
            }
        };
        Reply::Ready(Response::FindCoordinator(response))
    }
}
