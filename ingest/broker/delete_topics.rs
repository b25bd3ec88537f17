//! DeleteTopics.

use std::collections::{BTreeSet, HashMap};

use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::{Catalog, CatalogChange, Edit, Topic};
use storage::store::StoreError;
use uuid::Uuid;

use super::{Broker, Reply};
use crate::wire::{KafkaError, Response};

/// First version that names topics by id too.
const BY_ID_FROM: i16 = 6;

const UNCLEAR_TEXT: &str = "a topic is named by its name or by its id, not by both or neither";

/// How a topic is named.
enum Named {
    Name(TopicName),
    Id(Uuid),
    /// Both, or neither.
    Unclear(Option<TopicName>, Uuid),
}

impl Broker {
    pub(super) fn delete_topics(&self, request: &DeleteTopicsRequest, version: i16) -> Reply {
        let named = named(request, version);
        let mut responses = Vec::with_capacity(named.len());
        let staged = self.store.stage_edit(|catalog| {
            let by_uuid = by_uuid(catalog, &named);
            let mut changes = Vec::new();
            let mut deleted = BTreeSet::new();
            for named in &named {
                let found = find(catalog, &by_uuid, named).and_then(|topic| {
                    let is_first = deleted.insert(topic.id);
                    // The second time it is gone already.
                    if is_first {
                        Ok(topic)
                    } else {
                        Err(KafkaError::UnknownTopicOrPartition)
                    }
                });
                responses.push(answer(named, found));
                changes.extend(found.map(|topic| CatalogChange::DeleteTopic(topic.id)));
            }
            Ok::<_, StoreError>(Edit { changes })
        });
        let response = DeleteTopicsResponse::default().with_responses(responses);
        match staged {
            Ok(lsn) => Reply::AfterDurable(lsn, Response::DeleteTopics(response)),
            Err(_) => Reply::Close,
        }
    }
}

fn answer(named: &Named, found: Result<&Topic, KafkaError>) -> DeletableTopicResult {
    let answer = DeletableTopicResult::default();
    match (found, named) {
        (Ok(topic), _) => {
            let name = TopicName(StrBytes::from_string(topic.name.as_str().to_owned()));
            answer
                .with_name(Some(name))
                .with_topic_id(Uuid::from_bytes(topic.uuid))
        }
        (Err(error), Named::Name(name)) => answer
            .with_name(Some(name.clone()))
            .with_error_code(error.code()),
        (Err(error), Named::Id(id)) => answer
            .with_name(None)
            .with_topic_id(*id)
            .with_error_code(error.code()),
        (Err(error), Named::Unclear(name, id)) => answer
            .with_name(name.clone())
            .with_topic_id(*id)
            .with_error_code(error.code())
            .with_error_message(Some(StrBytes::from_static_str(UNCLEAR_TEXT))),
    }
}

fn named(request: &DeleteTopicsRequest, version: i16) -> Vec<Named> {
    if version < BY_ID_FROM {
        return request
            .topic_names
            .iter()
            .cloned()
            .map(Named::Name)
            .collect();
    }
    let topics = request.topics.iter();
    topics
        .map(|topic| match (&topic.name, topic.topic_id) {
            (Some(name), id) if id.is_nil() => Named::Name(name.clone()),
            (None, id) if !id.is_nil() => Named::Id(id),
            (name, id) => Named::Unclear(name.clone(), id),
        })
        .collect()
}

/// The topics by identity, when somebody names one so.
fn by_uuid<'a>(catalog: &'a Catalog, named: &[Named]) -> HashMap<[u8; 16], &'a Topic> {
    if !named.iter().any(|named| matches!(named, Named::Id(_))) {
        return HashMap::new();
    }
    catalog
        .topics()
        .map(|state| (state.topic.uuid, &*state.topic))
        .collect()
}

fn find<'a>(
    catalog: &'a Catalog,
    by_uuid: &HashMap<[u8; 16], &'a Topic>,
    named: &Named,
) -> Result<&'a Topic, KafkaError> {
    match named {
        Named::Name(name) => match catalog.topic_named(name.as_str()) {
            Some(state) => Ok(&state.topic),
            None => Err(KafkaError::UnknownTopicOrPartition),
        },
        Named::Id(id) => by_uuid
            .get(id.as_bytes())
            .copied()
            .ok_or(KafkaError::UnknownTopicId),
        Named::Unclear(..) => Err(KafkaError::InvalidRequest),
    }
}
