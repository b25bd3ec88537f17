//! ConsumerGroupHeartbeat: groups in which the broker shares out.

use std::collections::BTreeSet;

use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::coordinator::{Desk, Held};
use crate::broker::refusal::Refusal;
use crate::broker::{Broker, Reply, Session};
use crate::group::Group;
use crate::group::consumer::{
    Assignor, Beaten, ConsumerError, ConsumerGroup, Heartbeat, Leaving, Shares,
};
use crate::wire::{KafkaError, RequestHeader, Response};

/// Epochs of members that leave: for good, or to come back.
const LEAVES: i32 = -1;
const WILL_RETURN: i32 = -2;

/// First version in which members choose their id.
const OWN_ID_FROM: i16 = 1;

/// "Not said" in place of a rebalance timeout.
const NO_TIMEOUT: i32 = -1;

/// Names that one member may subscribe to.
const NAMES_MAX: usize = 10_000;

impl Broker {
    pub(in crate::broker) fn consumer_group_heartbeat(
        &self,
        session: &Session,
        header: &RequestHeader,
        request: &ConsumerGroupHeartbeatRequest,
        now_ms: i64,
    ) -> Reply {
        if let Err(refusal) = check(request, header.version) {
            return refused(refusal);
        }
        let mut desk = self.desk(now_ms);
        let name = request.group_id.as_str();
        let beaten = if request.member_epoch < 0 {
            self.let_go(&mut desk, request, now_ms)
        } else {
            self.beat(&mut desk, session, header, request, now_ms)
        };
        let (member_id, beaten) = match beaten {
            Ok(beaten) => beaten,
            Err(refusal) => return refused(refusal),
        };
        let response = Response::ConsumerGroupHeartbeat(
            ConsumerGroupHeartbeatResponse::default()
                .with_member_id(Some(StrBytes::from_string(member_id)))
                .with_member_epoch(beaten.epoch)
                .with_heartbeat_interval_ms(self.options.groups.consumer_limits.heartbeat_ms)
                .with_assignment(beaten.assignment.map(|shares| written(&shares))),
        );
        if !beaten.is_changed {
            return Reply::Ready(response);
        }
        let described = desk.describe(&self.store, name);
        desk.note(name);
        match described {
            Ok(lsn) => Reply::AfterDurable(lsn, response),
            Err(_) => Reply::Close,
        }
    }

    fn let_go(
        &self,
        desk: &mut Desk,
        request: &ConsumerGroupHeartbeatRequest,
        now_ms: i64,
    ) -> Result<(String, Beaten), Refusal> {
        let held = desk.groups.get_mut(request.group_id.as_str());
        let group = held.and_then(|held| held.consumer.as_mut());
        let group = group.ok_or_else(|| not_found(&request.group_id))?;
        let leaving = Leaving {
            member_id: &request.member_id,
            instance: request.instance_id.as_deref(),
            will_return: request.member_epoch == WILL_RETURN,
        };
        let limits = &self.options.groups.consumer_limits;
        group
            .leave(leaving, limits, now_ms)
            .map_err(|error| refusal(&error))?;
        let left = Beaten {
            epoch: request.member_epoch,
            assignment: None,
            is_changed: true,
        };
        Ok((request.member_id.to_string(), left))
    }

    fn beat(
        &self,
        desk: &mut Desk,
        session: &Session,
        header: &RequestHeader,
        request: &ConsumerGroupHeartbeatRequest,
        now_ms: i64,
    ) -> Result<(String, Beaten), Refusal> {
        let mut said = said(session, header, request);
        if said.member_id.is_empty() {
            said.member_id = Uuid::from_bytes((self.options.new_uuid)()).to_string();
        }
        let member_id = said.member_id.clone();
        let catalog = self.store.catalog();
        let topics = self.topic_ids.names(&catalog);
        let room = self.options.groups.member_bytes_max;
        if said.epoch == 0 && desk.member_bytes >= room {
            return Err(KafkaError::GroupMaxSizeReached.into());
        }
        let group = self.consumer_group(desk, request, now_ms)?;
        let limits = &self.options.groups.consumer_limits;
        let beaten = group.heartbeat(said, &topics, limits, now_ms);
        Ok((member_id, beaten.map_err(|error| refusal(&error))?))
    }

    /// The group, made for who joins. One whose members share out themselves stays as it is.
    fn consumer_group<'a>(
        &self,
        desk: &'a mut Desk,
        request: &ConsumerGroupHeartbeatRequest,
        now_ms: i64,
    ) -> Result<&'a mut ConsumerGroup, Refusal> {
        let name = request.group_id.as_str();
        let is_join = request.member_epoch == 0;
        if !desk.groups.contains_key(name) {
            if !is_join {
                return Err(not_found(name));
            }
            if desk.groups.len() >= self.options.groups.groups_max {
                return Err(KafkaError::GroupMaxSizeReached.into());
            }
            let held = Held::new(Group::new(now_ms), now_ms);
            desk.groups.insert(name.to_owned(), held);
        }
        let held = desk.groups.get_mut(name).ok_or_else(|| not_found(name))?;
        if held.consumer.is_none() && !(is_join && held.group.is_vacant()) {
            return Err(not_found(name));
        }
        let group = &mut held.consumer;
        Ok(group.get_or_insert_with(|| ConsumerGroup::new(now_ms)))
    }
}

fn not_found(name: &str) -> Refusal {
    let message = format!("Group {name} is not a consumer group.");
    Refusal::new(KafkaError::GroupIdNotFound, message)
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(KafkaError::InvalidRequest, message)
}

/// What Kafka asks of a request before it looks at the group, in its words.
fn check(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), Refusal> {
    let epoch = request.member_epoch;
    let is_empty = |text: &Option<StrBytes>| text.as_ref().is_some_and(|text| text.is_empty());
    if request.group_id.trim().is_empty() {
        return Err(invalid("GroupId can't be empty."));
    }
    if is_empty(&request.instance_id) {
        return Err(invalid("InstanceId can't be empty."));
    }
    if is_empty(&request.rack_id) {
        return Err(invalid("RackId can't be empty."));
    }
    let has_id = !request.member_id.trim().is_empty();
    if !has_id && (version >= OWN_ID_FROM || epoch != 0) {
        return Err(invalid("MemberId can't be empty."));
    }
    let has_owned = request
        .topic_partitions
        .as_ref()
        .is_some_and(|it| !it.is_empty());
    let names = request.subscribed_topic_names.as_ref();
    let has_names = names.is_some_and(|names| !names.is_empty());
    let has_pattern = request.subscribed_topic_regex.is_some();
    match epoch {
        0 if request.rebalance_timeout_ms == NO_TIMEOUT => Err(invalid(
            "RebalanceTimeoutMs must be provided in first request.",
        )),
        0 if has_owned => Err(invalid("TopicPartitions must be empty when (re-)joining.")),
        0 if !has_names && !has_pattern => Err(invalid(
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-empty when \
             (re-)joining.",
        )),
        WILL_RETURN if request.instance_id.is_none() => Err(invalid("InstanceId can't be null.")),
        ..WILL_RETURN => Err(invalid("MemberEpoch is invalid.")),
        WILL_RETURN..=LEAVES | 0.. => Ok(()),
    }?;
    if names.is_some_and(|names| names.len() > NAMES_MAX) {
        return Err(invalid("Too many topics are subscribed to."));
    }
    match request.server_assignor.as_deref() {
        Some(name) if Assignor::named(name).is_none() => {
            let message = format!(
                "ServerAssignor {name} is not supported. Supported assignors: uniform, range."
            );
            Err(Refusal::new(KafkaError::UnsupportedAssignor, message))
        }
        Some(_) | None => Ok(()),
    }
}

fn said(
    session: &Session,
    header: &RequestHeader,
    request: &ConsumerGroupHeartbeatRequest,
) -> Heartbeat {
    let owned = request.topic_partitions.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| {
            let partitions: BTreeSet<i32> = topic.partitions.iter().copied().collect();
            (topic.topic_id.into_bytes(), partitions)
        });
        topics.filter(|(_, it)| !it.is_empty()).collect::<Shares>()
    });
    let text = |text: &Option<StrBytes>| text.as_ref().map(ToString::to_string);
    let names = request.subscribed_topic_names.as_ref();
    let timeout_ms = request.rebalance_timeout_ms;
    let assignor = request.server_assignor.as_deref();
    Heartbeat {
        member_id: request.member_id.to_string(),
        epoch: request.member_epoch,
        instance: text(&request.instance_id),
        rack: text(&request.rack_id),
        client_id: header.client_id.clone().unwrap_or_default(),
        client_host: format!("/{}", session.host),
        rebalance_timeout_ms: (timeout_ms != NO_TIMEOUT).then_some(timeout_ms),
        names: names.map(|names| names.iter().map(|name| name.to_string()).collect()),
        pattern: text(&request.subscribed_topic_regex),
        assignor: assignor.and_then(Assignor::named),
        owned,
    }
}

fn refusal(error: &ConsumerError) -> Refusal {
    Refusal::new(super::consumer_error(error), error.to_string())
}

fn refused(refusal: Refusal) -> Reply {
    let error = refusal.error.code();
    let response = ConsumerGroupHeartbeatResponse::default()
        .with_error_code(error)
        .with_error_message(refusal.message());
    Reply::Ready(Response::ConsumerGroupHeartbeat(response))
}

fn written(shares: &Shares) -> Assignment {
    let topics = shares.iter().map(|(topic, partitions)| {
        TopicPartitions::default()
            .with_topic_id(Uuid::from_bytes(*topic))
            .with_partitions(partitions.iter().copied().collect())
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
