//! OffsetDelete: a group forgets what it has read of topics that it reads no more.

use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use storage::groups::GroupChange;

use super::code;
use crate::broker::partitions::{partition_of, topic_named};
use crate::broker::{Broker, Reply};
use crate::group::Phase;
use crate::wire::{KafkaError, Response};

impl Broker {
    pub(in crate::broker) fn offset_delete(
        &self,
        request: &OffsetDeleteRequest,
        now_ms: i64,
    ) -> Reply {
        let refused = |error: KafkaError| {
            let response = OffsetDeleteResponse::default().with_error_code(error.code());
            Reply::Ready(Response::OffsetDelete(response))
        };
        let name = request.group_id.as_str();
        let desk = self.desk(now_ms);
        let Some(held) = desk.groups.get(name) else {
            return refused(KafkaError::GroupIdNotFound);
        };
        let group = &held.group;
        if group.phase() != Phase::Empty && !group.is_consumer_group() {
            return refused(KafkaError::NonEmptyGroup);
        }
        let subscribed = group.subscribed_topics();
        // Of members that do not say what they read, everything may be in use.
        let catalog = self.store.catalog();
        let is_read = |name: &str| {
            let state = catalog.topic_named(name);
            let by_consumer = state.zip(held.consumer.as_ref());
            by_consumer.is_some_and(|(state, group)| group.reads(&state.topic.uuid))
                || subscribed.as_ref().is_none_or(|it| it.contains(name))
        };
        let mut forgotten = Vec::new();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let place = topic_named(&catalog, &topic.name)
                    .and_then(|state| partition_of(state, asked.partition_index));
                let result = match place {
                    Ok(_) if is_read(&topic.name) => Err(KafkaError::GroupSubscribedToTopic),
                    Ok(partition) => {
                        forgotten.push(partition);
                        Ok(())
                    }
                    Err(error) => Err(error),
                };
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code(result))
            });
            OffsetDeleteResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        let response = OffsetDeleteResponse::default().with_topics(topics.collect());
        let response = Response::OffsetDelete(response);
        if forgotten.is_empty() {
            return Reply::Ready(response);
        }
        let change = GroupChange::Forget {
            group: name.to_owned(),
            partitions: forgotten,
        };
        match self.store.stage_groups(vec![change]) {
            Ok(lsn) => Reply::AfterDurable(lsn, response),
            Err(_) => Reply::Close,
        }
    }
}
