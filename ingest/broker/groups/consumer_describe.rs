//! ConsumerGroupDescribe: groups in which the broker shares out, as tools see them.

use std::collections::HashSet;

use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use storage::catalog::Catalog;
use uuid::Uuid;

use super::admin::operations;
use crate::broker::{Broker, Reply};
use crate::group::consumer::{ConsumerGroup, ConsumerMember, Shares};
use crate::wire::{KafkaError, Response};

/// "Of this protocol" in the type of a member.
const CONSUMER_MEMBER: i8 = 1;

impl Broker {
    pub(in crate::broker) fn consumer_group_describe(
        &self,
        request: &ConsumerGroupDescribeRequest,
        now_ms: i64,
    ) -> Reply {
        let catalog = self.store.catalog();
        let desk = self.desk(now_ms);
        let operations = operations(request.include_authorized_operations);
        let mut seen = HashSet::new();
        let asked = request.group_ids.iter().filter(|name| seen.insert(*name));
        let groups = asked.map(|name| {
            let held = desk.groups.get(name.as_str());
            let described = match held.map(|held| &held.consumer) {
                _ if name.is_empty() => refused(KafkaError::InvalidGroupId, String::new()),
                Some(Some(group)) => self.described_consumers(group, &catalog),
                Some(None) => {
                    let message = format!("Group {} is not a consumer group.", name.0);
                    refused(KafkaError::GroupIdNotFound, message)
                }
                None => {
                    let message = format!("Group {} not found.", name.0);
                    refused(KafkaError::GroupIdNotFound, message)
                }
            };
            described
                .with_group_id(name.clone())
                .with_authorized_operations(operations)
        });
        let response = ConsumerGroupDescribeResponse::default().with_groups(groups.collect());
        Reply::Ready(Response::ConsumerGroupDescribe(response))
    }

    fn described_consumers(&self, group: &ConsumerGroup, catalog: &Catalog) -> DescribedGroup {
        let members = group.members();
        let members = members.map(|(id, member)| self.member(id, member, catalog));
        DescribedGroup::default()
            .with_group_state(StrBytes::from_static_str(group.phase().name()))
            .with_group_epoch(group.group_epoch())
            .with_assignment_epoch(group.target_epoch())
            .with_assignor_name(StrBytes::from_static_str(group.assignor().name()))
            .with_members(members.collect())
    }

    fn member(&self, id: &str, member: &ConsumerMember, catalog: &Catalog) -> Member {
        let names = member.names.iter();
        Member::default()
            .with_member_id(text(id))
            .with_instance_id(member.instance.as_deref().map(text))
            .with_rack_id(member.rack.as_deref().map(text))
            .with_member_epoch(member.epoch)
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_subscribed_topic_names(names.map(|name| TopicName(text(name))).collect())
            .with_subscribed_topic_regex(member.pattern.as_deref().map(text))
            .with_assignment(self.assignment(&member.assigned, catalog))
            .with_target_assignment(self.assignment(&member.target, catalog))
            .with_member_type(CONSUMER_MEMBER)
    }

    fn assignment(&self, shares: &Shares, catalog: &Catalog) -> Assignment {
        let topics = shares.iter().filter_map(|(topic, partitions)| {
            let state = self.topic_ids.find(catalog, topic)?;
            let described = TopicPartitions::default()
                .with_topic_id(Uuid::from_bytes(*topic))
                .with_topic_name(TopicName(text(state.topic.name.as_str())))
                .with_partitions(partitions.iter().copied().collect());
            Some(described)
        });
        Assignment::default().with_topic_partitions(topics.collect())
    }
}

fn refused(error: KafkaError, message: String) -> DescribedGroup {
    DescribedGroup::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
