//! DescribeConfigs of topics and of the broker.

use std::collections::HashSet;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::Topic;

use super::configs::ConfigKind::{Boolean, Int, Text};
use super::configs::{ConfigKind, TOPIC_CONFIGS, TopicConfig, is_obeyed, named};
use super::new_topics::valid_name;
use super::refusal::{INVALID_REQUEST_TEXT, Refusal};
use super::{Broker, Reply};
use crate::wire::{FRAME_BYTES_MAX, KafkaError, Response};

/// Resource types.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Where a value comes from.
const FROM_TOPIC: i8 = 1;
const FROM_START: i8 = 4;
const FROM_DEFAULT: i8 = 5;

/// Most resources described in one request: each takes some ten kilobytes in the answer.
const RESOURCES_MAX: usize = 5_000;

impl Broker {
    pub(super) fn describe_configs(&self, request: &DescribeConfigsRequest) -> Reply {
        let mut seen = HashSet::new();
        let resources = request
            .resources
            .iter()
            .filter(|resource| seen.insert((resource.resource_type, &resource.resource_name)))
            .take(RESOURCES_MAX);
        let results = resources.map(|resource| {
            let answer = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone());
            match self.resource(resource, request.include_synonyms) {
                Ok(configs) => answer.with_configs(configs),
                Err(refusal) => answer
                    .with_error_code(refusal.error.code())
                    .with_error_message(refusal.message()),
            }
        });
        let response = DescribeConfigsResponse::default().with_results(results.collect());
        Reply::Ready(Response::DescribeConfigs(response))
    }

    fn resource(
        &self,
        resource: &DescribeConfigsResource,
        synonyms: bool,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        let name = resource.resource_name.as_str();
        match resource.resource_type {
            TOPIC => {
                valid_name(name)?;
                let catalog = self.store.catalog();
                let Some(state) = catalog.topic_named(name) else {
                    return Err(KafkaError::UnknownTopicOrPartition.into());
                };
                let configs = TOPIC_CONFIGS
                    .iter()
                    .filter(|it| is_asked(resource, it.name));
                Ok(configs
                    .map(|config| topic_config(config, &state.topic, synonyms))
                    .collect())
            }
            BROKER => {
                self.check_broker(name)?;
                let configs = self.broker_configs();
                let configs = configs
                    .into_iter()
                    .filter(|it| is_asked(resource, &it.name));
                Ok(configs.collect())
            }
            _ => Err(Refusal::new(
                KafkaError::InvalidRequest,
                INVALID_REQUEST_TEXT,
            )),
        }
    }

    fn check_broker(&self, name: &str) -> Result<(), Refusal> {
        let node_id = self.options.node_id;
        let refused = |text: String| Err(Refusal::new(KafkaError::InvalidRequest, text));
        match name.parse::<i32>() {
            _ if name.is_empty() => Ok(()),
            Ok(id) if id == node_id => Ok(()),
            Ok(id) => refused(format!(
                "Unexpected broker id, expected {node_id} or empty string, but received {id}"
            )),
            Err(_) => refused(format!("Broker id must be an integer, but it is: {name}")),
        }
    }

    /// What this broker does, in the names of Kafka's broker configs.
    fn broker_configs(&self) -> Vec<DescribeConfigsResourceResult> {
        let options = &self.options;
        let address = format!("PLAINTEXT://{}:{}", options.host, options.port);
        let chosen = [
            ("advertised.listeners", Text, address),
            (
                "auto.create.topics.enable",
                Boolean,
                options.auto_create_topics.to_string(),
            ),
            (
                "num.partitions",
                Int,
                options.partitions_default.to_string(),
            ),
        ];
        let usual = [
            ("broker.id", Int, options.node_id.to_string()),
            ("default.replication.factor", Int, "1".to_owned()),
            ("fetch.max.bytes", Int, options.fetch_bytes_max.to_string()),
            ("node.id", Int, options.node_id.to_string()),
            ("socket.request.max.bytes", Int, FRAME_BYTES_MAX.to_string()),
        ];
        let of_topics = [
            ("compression.type", "compression.type"),
            ("log.cleanup.policy", "cleanup.policy"),
            ("log.message.timestamp.type", "message.timestamp.type"),
            ("log.retention.bytes", "retention.bytes"),
            ("log.retention.ms", "retention.ms"),
            ("log.segment.bytes", "segment.bytes"),
            ("message.max.bytes", "max.message.bytes"),
            ("min.insync.replicas", "min.insync.replicas"),
        ];
        let of_topics = of_topics.into_iter().map(|(name, of_topic)| {
            let config = named(of_topic).expect("a config of the table");
            (name, config.kind, config.default.to_owned())
        });
        let chosen = chosen
            .into_iter()
            .map(|config| broker_config(config, FROM_START));
        let usual = usual.into_iter().chain(of_topics);
        chosen
            .chain(usual.map(|config| broker_config(config, FROM_DEFAULT)))
            .collect()
    }
}

fn broker_config(
    (name, kind, value): (&'static str, ConfigKind, String),
    source: i8,
) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_string(value)))
        .with_read_only(true)
        .with_config_source(source)
        .with_config_type(kind.code())
}

/// Whether the request names the config; naming none asks for all.
fn is_asked(resource: &DescribeConfigsResource, name: &str) -> bool {
    match &resource.configuration_keys {
        None => true,
        Some(keys) => keys.is_empty() || keys.iter().any(|key| key.as_str() == name),
    }
}

fn topic_config(
    config: &TopicConfig,
    topic: &Topic,
    synonyms: bool,
) -> DescribeConfigsResourceResult {
    let own = topic
        .config
        .get(config.name)
        .map(|own| StrBytes::from_string(own.clone()));
    let default = StrBytes::from_static_str(config.default);
    let mut sources = Vec::new();
    if synonyms {
        if let Some(own) = &own {
            sources.push(synonym(config.name, own.clone(), FROM_TOPIC));
        }
        if !config.synonym.is_empty() {
            sources.push(synonym(config.synonym, default.clone(), FROM_DEFAULT));
        }
    }
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(config.name))
        .with_config_source(if own.is_some() {
            FROM_TOPIC
        } else {
            FROM_DEFAULT
        })
        .with_value(Some(own.unwrap_or(default)))
        .with_read_only(!is_obeyed(config.name))
        .with_synonyms(sources)
        .with_config_type(config.kind.code())
}

fn synonym(name: &'static str, value: StrBytes, source: i8) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(value))
        .with_source(source)
}
