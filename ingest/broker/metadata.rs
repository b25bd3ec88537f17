//! Metadata: this broker, its topics, and the creation of those that are asked for first.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::{Catalog, Topic};
use storage::store::{Lsn, StoreError};
use uuid::Uuid;

use super::new_topics::{Creation, Wanted, valid_name};
use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// In version 0 an empty list asks for all topics; from here on null does.
const NULL_IS_ALL_FROM: i16 = 1;

/// "Not asked for" in the fields of authorized operations.
const NO_OPERATIONS: i32 = i32::MIN;

impl Broker {
    pub(super) fn metadata(&self, request: &MetadataRequest, version: i16, now_ms: i64) -> Reply {
        let catalog = self.store.catalog();
        let asked = match &request.topics {
            None => None,
            Some(topics) if topics.is_empty() && version < NULL_IS_ALL_FROM => None,
            Some(topics) => Some(topics),
        };
        let (topics, lsn) = match asked {
            None => {
                let all = catalog
                    .topics_by_name()
                    .map(|state| self.described(&state.topic));
                (all.collect(), None)
            }
            Some(asked) => {
                let mut seen = HashSet::new();
                let asked = asked
                    .iter()
                    .map(|topic| (topic.name.as_ref(), topic.topic_id))
                    .filter(|named| seen.insert(*named));
                let create = request.allow_auto_topic_creation && self.options.auto_create_topics;
                match self.asked(asked, &catalog, create, now_ms) {
                    Ok(answer) => answer,
                    Err(_) => return Reply::Close,
                }
            }
        };
        let response = MetadataResponse::default()
            .with_brokers(vec![self.itself()])
            .with_cluster_id(Some(cluster_id(&catalog)))
            .with_controller_id(BrokerId(self.options.node_id))
            .with_topics(topics)
            .with_cluster_authorized_operations(NO_OPERATIONS);
        match lsn {
            Some(lsn) => Reply::AfterDurable(lsn, Response::Metadata(response)),
            None => Reply::Ready(Response::Metadata(response)),
        }
    }

    fn asked<'a>(
        &self,
        asked: impl Iterator<Item = (Option<&'a TopicName>, Uuid)>,
        catalog: &Catalog,
        create: bool,
        now_ms: i64,
    ) -> Result<(Vec<MetadataResponseTopic>, Option<Lsn>), StoreError> {
        let mut topics = Vec::new();
        let mut missing = Vec::new();
        for (name, id) in asked {
            let Some(name) = name else {
                topics.push(self.by_id(catalog, id));
                continue;
            };
            match catalog.topic_named(name) {
                Some(state) => topics.push(self.described(&state.topic)),
                None if create => {
                    missing.push(Wanted {
                        name: name.0.clone(),
                        partitions: None,
                        config: BTreeMap::new(),
                    });
                }
                None => topics.push(unknown(name.clone())),
            }
        }
        if missing.is_empty() {
            return Ok((topics, None));
        }
        let created = self.create(&missing, Creation::Make, now_ms)?;
        for (wanted, result) in missing.into_iter().zip(created.results) {
            topics.push(match result {
                Ok(topic) => self.described(&topic),
                // Somebody else was faster; the client asks again.
                Err(refusal) if refusal.error == KafkaError::TopicAlreadyExists => {
                    refused(TopicName(wanted.name), KafkaError::LeaderNotAvailable)
                }
                Err(refusal) => refused(TopicName(wanted.name), refusal.error),
            });
        }
        Ok((topics, created.lsn))
    }

    fn by_id(&self, catalog: &Catalog, id: Uuid) -> MetadataResponseTopic {
        match self.topic_ids.find(catalog, id.as_bytes()) {
            Some(state) => self.described(&state.topic),
            None => MetadataResponseTopic::default()
                .with_name(None)
                .with_topic_id(id)
                .with_error_code(KafkaError::UnknownTopicId.code()),
        }
    }

    fn itself(&self) -> MetadataResponseBroker {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(self.options.node_id))
            .with_host(StrBytes::from_string(self.options.host.clone()))
            .with_port(i32::from(self.options.port))
    }

    fn described(&self, topic: &Topic) -> MetadataResponseTopic {
        let node = BrokerId(self.options.node_id);
        let partitions = topic.partitions().map(|partition| {
            MetadataResponsePartition::default()
                .with_partition_index(i32::try_from(partition.id.0).unwrap_or(i32::MAX))
                .with_leader_id(node)
                .with_leader_epoch(self.leader_epoch())
                .with_replica_nodes(vec![node])
                .with_isr_nodes(vec![node])
        });
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(
                topic.name.as_str().to_owned(),
            ))))
            .with_topic_id(Uuid::from_bytes(topic.uuid))
            .with_partitions(partitions.collect())
            .with_topic_authorized_operations(NO_OPERATIONS)
    }
}

fn unknown(name: TopicName) -> MetadataResponseTopic {
    match valid_name(&name) {
        Ok(_) => refused(name, KafkaError::UnknownTopicOrPartition),
        Err(refusal) => refused(name, refusal.error),
    }
}

fn refused(name: TopicName, error: KafkaError) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_name(Some(name))
        .with_error_code(error.code())
        .with_topic_authorized_operations(NO_OPERATIONS)
}

/// The store's identity as Kafka writes UUIDs: 22 characters of URL-safe base64.
pub(super) fn cluster_id(catalog: &Catalog) -> StrBytes {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = u128::from_be_bytes(catalog.store_uuid());
    let letters = (0..22).map(|index| {
        // 22 groups of six bits; the last holds the two lowest bits, filled up with zeros.
        let group = if index < 21 {
            number >> (122 - 6 * index)
        } else {
            number << 4
        };
        let group = usize::try_from(group & 63).expect("six bits");
        char::from(ALPHABET[group])
    });
    StrBytes::from_string(letters.collect())
}
