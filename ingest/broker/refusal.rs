//! Why something was not done, in Kafka's words.

use kafka_protocol::protocol::StrBytes;

use crate::wire::KafkaError;

/// A Kafka error and what to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: KafkaError,
    pub(super) message: Option<String>,
}

impl Refusal {
    /// With words of our own, or Kafka's for this very case.
    pub(super) fn new(error: KafkaError, message: impl Into<String>) -> Self {
        Self {
            error,
            message: Some(message.into()),
        }
    }

    pub(super) fn message(self) -> Option<StrBytes> {
        self.message.map(StrBytes::from_string)
    }
}

impl From<KafkaError> for Refusal {
    fn from(error: KafkaError) -> Self {
        Self {
            error,
            message: None,
        }
    }
}

/// What Kafka says about requests that make no sense to it and have no message of their own.
pub(super) const INVALID_REQUEST_TEXT: &str = "This most likely occurs because of a request \
    being malformed by the client library or the message was sent to an incompatible broker. See \
    the broker logs for more details.";
